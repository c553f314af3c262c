//! Shovels to a RabbitMQ over TLS, with real certificates; skipped where none is installed. And
//! what a destination that is short of memory does to them.

use leveret::Broker;
use leveret::tls::TestCertificates;
use serde_json::json;

use crate::rabbitmq_node::{RabbitMq, free_port};
use crate::{SOON, Shovelling, broker, listening, to};

#[test]
fn a_shovel_shows_its_certificate_and_checks_that_of_the_rabbitmq() {
    let Some(mut rabbitmq) = RabbitMq::installed() else { return };
    let made = TestCertificates::new().unwrap();
    let (server, client) = (made.server(&["127.0.0.1"]).unwrap(), made.client("guest").unwrap());
    let write = |name: &str, text: &str| {
        let path = rabbitmq.path(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let authority = write("ca.pem", &made.authority());
    let other = write("other.pem", &TestCertificates::new().unwrap().authority());
    let (port, certificate) = (free_port(), write("server.pem", &server.certificate));
    let key = write("server.key", &server.key);
    let (mine, my_key) = (write("me.pem", &client.certificate), write("me.key", &client.key));
    rabbitmq.configure(
        "rabbitmq_auth_mechanism_ssl",
        &format!(
            "listeners.ssl.default = {port}\nssl_options.cacertfile = {authority}\n\
             ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\n\
             ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n\
             ssl_cert_login_from = common_name\nauth_mechanisms.1 = PLAIN\n\
             auth_mechanisms.2 = EXTERNAL\n"
        ),
    );
    rabbitmq.boot();
    let listens = |_: &Broker| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    Broker::new().wait_until(SOON, listens).unwrap();
    let shown = format!("certfile={mine}&keyfile={my_key}");
    let password = format!("amqps://guest:guest@127.0.0.1:{port}?cacertfile={authority}&{shown}");
    let external =
        format!("amqps://127.0.0.1:{port}?cacertfile={authority}&{shown}&auth_mechanism=external");
    for uri in [&password, &external] {
        let here = broker(&["in"]);
        here.fill("in", 0..50);
        here.shovel(&to(uri, json!({}))).unwrap();
        here.wait_until_empty("in");
        assert_eq!(here.status().unwrap().confirmed, 50);
    }
    for (uri, reason) in [
        (password.replace(&authority, &other), "certificate"),
        (password.replace(&format!("&{shown}"), ""), "destination: "),
    ] {
        let here = broker(&["in"]);
        here.fill("in", 0..3);
        here.shovel(&to(&uri, json!({}))).unwrap();
        here.wait_for_state("terminated");
        let error = here.status().unwrap().last_error.unwrap();
        assert!(error.contains(reason) && !error.contains("guest"), "{error}");
        here.wait_for_ready("in", 3);
    }
}

#[test]
fn a_destination_that_is_short_of_memory_blocks_the_shovel() {
    let (here, (there, uri)) = (broker(&["in"]), listening(&["out"]));
    here.shovel(&to(&uri, json!({}))).unwrap();
    here.wait_for_state("running");
    there.set_memory_alarm(true);
    here.fill("in", 0..10);
    here.wait_for_state("blocked");
    there.set_memory_alarm(false);
    there.wait_for_ready("out", 10);
    here.wait_for_state("running");
}

#[test]
fn a_rabbitmq_that_is_short_of_memory_blocks_the_shovel() {
    let Some(rabbitmq) = RabbitMq::start() else { return };
    let here = broker(&["in"]);
    here.shovel(&to(&rabbitmq.uri, json!({}))).unwrap();
    here.wait_for_state("running");
    rabbitmq.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]);
    here.fill("in", 0..10);
    here.wait_for_state("blocked");
    rabbitmq.ctl(&["set_vm_memory_high_watermark", "0.6"]);
    here.wait_until_empty("in");
    here.wait_for_state("running");
}
