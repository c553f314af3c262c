//! Virtual hosts, users and permissions.

use leveret::access::{PasswordHash, Permissions, User};
use leveret::{AMQPValue, Broker, Channel, Publish};

use crate::support::{broker, declare_with, refusal, string};

fn broker_with_user(configure: &str, write: &str, read: &str) -> Broker {
    let broker = broker();
    let hash = PasswordHash::new("secret", [1, 2, 3, 4]);
    broker.access().users.put(User::new("ada", hash));
    let permissions = Permissions::new(configure, write, read).unwrap();
    broker.access().permissions.set("ada".into(), "/".into(), permissions);
    broker
}

fn open(broker: &Broker, user: &str) -> Channel {
    broker.connect_as(user, "/").unwrap().open_channel().unwrap()
}

fn refused(access: &str, resource: &str) -> (u16, String) {
    (403, format!("{access} access to {resource} in vhost '/' refused for user 'ada'"))
}

#[test]
fn virtual_hosts_are_worlds_of_their_own() {
    let broker = broker();
    let (code, text) = refusal(broker.connect_to("other"));
    assert_eq!((code, text.as_str()), (530, "vhost other not found"));
    broker.add_virtual_host("other");
    let here = broker.connect().unwrap().open_channel().unwrap();
    let there = broker.connect_to("other").unwrap().open_channel().unwrap();
    here.queue_declare("q").unwrap();
    let missing = (404, "no queue 'q' in vhost 'other'".to_owned());
    assert_eq!(refusal(there.basic_get("q")), missing);
    there.queue_declare("q").unwrap();
    here.basic_publish(Publish::to_queue("q").body("here")).unwrap();
    assert!(there.basic_get("q").unwrap().is_none());
    broker.add_virtual_host("other");
    assert!(there.basic_get("q").unwrap().is_none(), "adding it again changes nothing");
}

#[test]
fn permission_is_asked_before_the_default_exchange_is_refused() {
    let broker = broker_with_user("", "^mine$", ".*");
    let ada = open(&broker, "ada");
    assert_eq!(refusal(ada.queue_bind("theirs", "", "k")), refused("write", "queue 'theirs'"));
    let default = (403, "operation not permitted on the default exchange".to_owned());
    let ada = open(&broker, "ada");
    assert_eq!(refusal(ada.queue_bind("mine", "", "k")), default);
}

#[test]
fn users_need_access_to_the_virtual_host() {
    let broker = broker_with_user("", "", "");
    broker.add_virtual_host("other");
    assert_eq!(refusal(broker.connect_as("nobody", "/")).0, 530);
    let (code, text) = refusal(broker.connect_as("ada", "other"));
    assert_eq!((code, text.as_str()), (530, "access to vhost 'other' refused for user 'ada'"));
    assert!(broker.connect_as("ada", "/").is_ok());
}

#[test]
fn each_operation_needs_its_permission() {
    let broker = broker_with_user("^mine-.*", "^(mine-.*|amq\\.default)$", "^mine-.*");
    let guest = open(&broker, "guest");
    guest.queue_declare("theirs").unwrap();
    let ada = open(&broker, "ada");
    ada.queue_declare("mine-q").unwrap();
    assert_eq!(refusal(ada.queue_declare("new")), refused("configure", "queue 'new'"));
    assert_eq!(refusal(ada.queue_delete("theirs")), refused("configure", "queue 'theirs'"));
    assert_eq!(refusal(ada.basic_get("theirs")), refused("read", "queue 'theirs'"));
    assert_eq!(refusal(ada.basic_consume("theirs")), refused("read", "queue 'theirs'"));
    assert_eq!(refusal(ada.queue_purge("theirs")), refused("read", "queue 'theirs'"));
    let bound = ada.queue_bind("mine-q", "amq.topic", "#");
    assert_eq!(refusal(bound), refused("read", "exchange 'amq.topic'"));
    let published = ada.basic_publish(Publish::to_exchange("amq.topic", "k"));
    assert_eq!(refusal(published), refused("write", "exchange 'amq.topic'"));
    ada.basic_publish(Publish::to_queue("theirs").body("m")).unwrap();
    assert!(guest.basic_get("theirs").unwrap().is_some());
}

#[test]
fn a_dead_letter_exchange_needs_write_permission_even_before_it_exists() {
    let broker = broker_with_user(".*", "^q$", ".*");
    let ada = open(&broker, "ada");
    let declared = declare_with(&ada, "q", [("x-dead-letter-exchange", string("dlx"))]);
    assert_eq!(refusal(declared), refused("write", "exchange 'dlx'"));
}

#[test]
fn a_permission_that_is_taken_away_counts_at_once() {
    let broker = broker_with_user(".*", ".*", ".*");
    let ada = open(&broker, "ada");
    ada.queue_declare("q").unwrap();
    ada.basic_publish(Publish::to_queue("q")).unwrap();
    let none = Permissions::new(".*", "", ".*").unwrap();
    broker.access().permissions.set("ada".into(), "/".into(), none);
    let published = ada.basic_publish(Publish::to_queue("q"));
    assert_eq!(refusal(published).0, 403);
}

#[test]
fn a_broker_may_have_another_default_user_or_none() {
    let broker = Broker::builder().default_user("root", "pw").default_virtual_host("main").build();
    assert!(broker.connect().is_ok() && broker.connect_as("root", "main").is_ok());
    assert_eq!(refusal(broker.connect_as("guest", "main")).0, 530);
    let nobody = Broker::builder().no_default_user().build();
    assert_eq!(refusal(nobody.connect()).0, 530);
}

#[test]
fn every_key_that_a_message_is_routed_by_needs_permission() {
    let broker = broker_with_user(".*", ".*", ".*");
    let topics = &broker.access().topic_permissions;
    topics.set("ada".into(), "/".into(), "amq.topic".into(), (r"^ok\.", ".*")).unwrap();
    let own = broker.connect().unwrap().open_channel().unwrap();
    own.queue_declare("leak").unwrap();
    own.queue_bind("leak", "amq.topic", "#").unwrap();
    for header in ["CC", "BCC"] {
        let publish = |key: &str| {
            let keys = AMQPValue::FieldArray(vec![string("ok.2"), string(key)].into());
            let publish = Publish::to_exchange("amq.topic", "ok.1").header(header, keys);
            open(&broker, "ada").basic_publish(publish)
        };
        publish("ok.3").unwrap();
        let text = "write access to topic 'no.4' in exchange 'amq.topic' in vhost '/' refused for \
                    user 'ada'";
        assert_eq!(refusal(publish("no.4")), (403, text.to_owned()));
    }
    assert_eq!(own.queue_delete("leak").unwrap(), 2);
}
