//! What several integration tests share.

use leveret::Broker;

/// A broker to test against, for as long as the value lives.
pub(crate) struct TestBroker {
    /// Where it listens: an AMQP URI with user, password, host and port.
    pub uri: String,
    _broker: Option<Broker>,
}

impl TestBroker {
    /// The broker that the environment variable `AMQP_URL` names, or else one in this process. A
    /// bare slash at the end of the URI stands for the default virtual host, which some clients
    /// take for the empty name.
    pub(crate) fn start() -> Self {
        if let Ok(uri) = std::env::var("AMQP_URL") {
            return Self { uri: uri.strip_suffix('/').unwrap_or(&uri).into(), _broker: None };
        }
        let broker = Broker::new();
        let address = broker.listen("127.0.0.1:0").expect("a free port");
        Self { uri: format!("amqp://guest:guest@{address}"), _broker: Some(broker) }
    }
}

/// A name prefix that no other run uses, such as `clients.lapin.5f0c…`.
pub(crate) fn unique(name: &str) -> String {
    let mut random = [0; 8];
    getrandom::fill(&mut random).expect("random bytes");
    format!("clients.{name}.{:016x}", u64::from_ne_bytes(random))
}

/// A body of 1 MiB that does not repeat between runs.
pub(crate) fn large_body() -> Vec<u8> {
    let mut body = vec![0; 1 << 20];
    getrandom::fill(&mut body).expect("random bytes");
    body
}

/// The value of `work`; panics with `what` when it takes more than ten seconds.
pub(crate) async fn within<T>(what: &str, work: impl Future<Output = T>) -> T {
    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| panic!("waited 10 s for {what}"))
}
