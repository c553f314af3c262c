//! The client lapin over TLS. It is built without; what it says is encrypted on the way.

use std::sync::Arc;

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Connection, ConnectionProperties};
use leveret::Broker;
use leveret::access::{PasswordHash, Permissions, User};
use leveret::tls::{LoginFrom, NameType, TestCertificate, TestCertificates, Tls};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::client_config;

/// Connects by way of a port that encrypts what comes.
async fn connected(
    server: std::net::SocketAddr,
    made: &TestCertificates,
    own: Option<TestCertificate>,
    login: &str,
    parameters: &str,
) -> lapin::Result<Connection> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connector = TlsConnector::from(Arc::new(client_config(&made.authority(), own.as_ref())));
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let far = TcpStream::connect(server).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut far = connector.connect(name, far).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
    });
    let uri = format!("amqp://{login}{address}/%2f{parameters}");
    Connection::connect(&uri, ConnectionProperties::default()).await
}

#[tokio::test]
async fn lapin_sends_large_messages_both_ways() {
    let made = TestCertificates::new().unwrap();
    let broker = Broker::new();
    let tls = Tls::open(made.server_settings().unwrap()).unwrap();
    let address = broker.listen_tls("127.0.0.1:0", &tls).unwrap();
    let connection = connected(address, &made, None, "guest:guest@", "").await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    channel.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
    let (none, options) = (FieldTable::default(), QueueDeclareOptions::default());
    channel.queue_declare("q".into(), options, none.clone()).await.unwrap();
    let mut body = vec![0; 3 << 20];
    getrandom::fill(&mut body).unwrap();
    for _ in 0..3 {
        let (options, properties) = (BasicPublishOptions::default(), BasicProperties::default());
        let sent = channel.basic_publish("".into(), "q".into(), options, &body, properties);
        assert!(sent.await.unwrap().await.unwrap().is_ack());
    }
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let mut consumer = channel.basic_consume("q".into(), "c".into(), options, none).await.unwrap();
    for _ in 0..3 {
        assert!(consumer.next().await.unwrap().unwrap().data == body);
    }
}

async fn external(login_from: LoginFrom, user: &str, certificate: Option<&str>) -> bool {
    let made = TestCertificates::new().unwrap();
    let broker = Broker::new();
    let access = broker.access();
    access.users.put(User::new(user, PasswordHash::new("unknown", [1; 4])));
    access.permissions.set(user.into(), "/".into(), Permissions::full());
    let mut settings = made.server_settings().unwrap();
    (settings.verify, settings.login_from) = (true, login_from);
    let address = broker.listen_tls("127.0.0.1:0", &Tls::open(settings).unwrap()).unwrap();
    let own = certificate.map(|name| made.client(name).unwrap());
    connected(address, &made, own, "", "?auth_mechanism=external").await.is_ok()
}

#[tokio::test]
async fn a_certificate_logs_in_whom_it_names() {
    let dns = LoginFrom::AlternativeName { name_type: NameType::Dns, index: 0 };
    assert!(external(LoginFrom::CommonName, "shop", Some("shop")).await);
    assert!(external(LoginFrom::DistinguishedName, "CN=shop", Some("shop")).await);
    assert!(external(dns, "shop", Some("shop")).await);
}

#[tokio::test]
async fn nobody_is_logged_in_by_another_certificate_or_none() {
    assert!(!external(LoginFrom::CommonName, "shop", Some("till")).await);
    assert!(!external(LoginFrom::CommonName, "shop", None).await);
}
