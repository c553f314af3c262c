//! Certificates in files: what is wrong with them, and what becomes of them when they change.

use leveret::Broker;
use leveret::tls::{Tls, TlsSettings};

use crate::{Folder, connect, first_octets};

fn refusal(settings: TlsSettings) -> String {
    Tls::open(settings).unwrap_err().to_string()
}

#[test]
fn what_is_wrong_with_a_file_is_told() {
    let folder = Folder::new();
    let at = |name: &str| folder.path(name);
    let with = |cert: &str, key: &str| refusal(TlsSettings::new(at(cert), at(key)));
    assert!(with("none.pem", "server.key").contains("none.pem cannot be read: No such file"));
    folder.write("words.pem", "hello");
    assert!(with("words.pem", "server.key").contains("words.pem: there is no certificate in it"));
    assert!(with("server.pem", "words.pem").contains("words.pem: there is no private key in it"));
    folder.write(
        "locked.key",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let text = with("server.pem", "locked.key");
    assert!(text.contains("locked.key: the key is encrypted; write it without"), "{text}");
    folder.put("other", &folder.made.server(&["localhost"]).unwrap());
    let text = with("server.pem", "other.key");
    assert!(text.contains("other.key: the key is not that of the certificate"), "{text}");
    folder.write("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n");
    let text = with("torn.pem", "server.key");
    assert!(text.contains("torn.pem: it is not what the format PEM asks for"), "{text}");
}

#[test]
fn settings_that_do_not_go_together_are_refused() {
    let folder = Folder::new();
    let mut settings = folder.settings();
    settings.fail_if_no_peer_cert = true;
    assert!(refusal(settings.clone()).contains("fail_if_no_peer_cert takes verify"));
    (settings.verify, settings.ca) = (true, None);
    assert!(refusal(settings.clone()).contains("takes the certificates of authorities (ca)"));
    settings.keys.clear();
    assert!(refusal(settings).contains("1 certificates and 0 keys"));
}

#[test]
fn new_certificates_are_for_new_connections_and_the_others_stay() {
    let folder = Folder::new();
    let (broker, before) = (Broker::new(), folder.made.authority());
    let tls = Tls::open(folder.settings()).unwrap();
    let address = broker.listen_tls("127.0.0.1:0", &tls).unwrap();
    let mut open = connect(address, &before, None);
    assert!(first_octets(&mut open).unwrap().contains("PLAIN AMQPLAIN ANONYMOUS"));
    assert_eq!(tls.reload(), Ok(false), "nothing has changed");

    let other = Folder::new();
    for name in ["server.pem", "server.key", "ca.pem"] {
        std::fs::copy(other.path(name), folder.path(name)).unwrap();
    }
    assert_eq!(tls.reload(), Ok(true));
    assert!(first_octets(&mut connect(address, &other.made.authority(), None)).is_ok());
    assert!(first_octets(&mut connect(address, &before, None)).is_err());
    let shown = open.conn.peer_certificates().unwrap().len();
    std::io::Write::write_all(&mut open, &[8, 0, 0, 0, 0, 0, 0, 206]).unwrap();
    assert_eq!(shown, 1, "the first connection stays as it was");

    folder.write("server.pem", "hello");
    assert!(tls.reload().unwrap_err().to_string().contains("there is no certificate in it"));
    assert!(first_octets(&mut connect(address, &other.made.authority(), None)).is_ok());
}

#[test]
fn a_client_without_a_certificate_is_let_in_unless_it_has_to_have_one() {
    let folder = Folder::new();
    let (broker, authority) = (Broker::new(), folder.made.authority());
    let own = folder.made.client("guest").unwrap();
    let mut settings = folder.settings();
    settings.verify = true;
    let lenient = broker.listen_tls("127.0.0.1:0", &Tls::open(settings.clone()).unwrap()).unwrap();
    settings.fail_if_no_peer_cert = true;
    let strict = broker.listen_tls("127.0.0.1:0", &Tls::open(settings).unwrap()).unwrap();
    let start = first_octets(&mut connect(lenient, &authority, None)).unwrap();
    assert!(start.contains("PLAIN AMQPLAIN EXTERNAL ANONYMOUS"), "{start}");
    assert!(first_octets(&mut connect(strict, &authority, None)).is_err());
    assert!(first_octets(&mut connect(strict, &authority, Some(&own))).is_ok());
    let stranger = Folder::new().made.client("guest").unwrap();
    assert!(first_octets(&mut connect(lenient, &authority, Some(&stranger))).is_err());
}
