//! The contract over TLS.

use std::path::Path;

use leveret::Broker;
use leveret::tls::{TestCertificates, Tls};

use crate::keep;
use crate::rabbitmq_node::{RabbitMq, free_port};

fn uri(host: &str, port: u16, authority: &Path) -> String {
    format!("amqps://guest:guest@{host}:{port}/%2f?cacertfile={}", authority.display())
}

#[test]
fn a_leveret_over_tls_keeps_the_contract_and_has_to_show_its_certificate() {
    let (broker, made) = (Broker::new(), TestCertificates::new().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (folder.path().join("ca.pem"), folder.path().join("other.pem"));
    std::fs::write(&authority, made.authority()).unwrap();
    std::fs::write(&other, TestCertificates::new().unwrap().authority()).unwrap();
    let tls = Tls::open(made.server_settings().unwrap()).unwrap();
    let port = broker.listen_tls("127.0.0.1:0", &tls).unwrap().port();
    let right = uri("localhost", port, &authority);
    keep("leveret over TLS", &|| leveret::remote(&right).unwrap());
    let refused = leveret::remote(&uri("localhost", port, &other)).unwrap_err();
    assert_eq!(refused.reply_code(), 320);
    let said = refused.to_string();
    assert!(said.contains("certificate") && !said.contains("guest"), "{said}");
}

#[test]
fn a_rabbitmq_over_tls_keeps_the_contract() {
    let Some(mut rabbitmq) = RabbitMq::installed() else { return };
    let made = TestCertificates::new().unwrap();
    let server = made.server(&["127.0.0.1"]).unwrap();
    let write = |name: &str, text: &str| {
        std::fs::write(rabbitmq.path(name), text).unwrap();
        rabbitmq.path(name)
    };
    let authority = write("ca.pem", &made.authority());
    let certificate = write("server.pem", &server.certificate);
    let (key, port) = (write("server.key", &server.key), free_port());
    let conf = format!(
        "listeners.ssl.default = {port}\nssl_options.cacertfile = {}\n\
         ssl_options.certfile = {}\nssl_options.keyfile = {}\n",
        authority.display(),
        certificate.display(),
        key.display()
    );
    rabbitmq.configure("", &conf);
    rabbitmq.boot();
    let listens = |_: &Broker| std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    Broker::new().wait_until(crate::SOON, listens).unwrap();
    let uri = uri("127.0.0.1", port, &authority);
    keep("RabbitMQ over TLS", &|| leveret::remote(&uri).unwrap());
}
