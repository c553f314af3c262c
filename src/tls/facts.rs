//! What others are told of a handshake that is over.

use tokio_rustls::rustls::{ProtocolVersion, ServerConnection};

use super::certificate;
use super::settings::LoginFrom;
use crate::node::status::TlsFacts;

/// What was agreed on, in the words that RabbitMQ has for it, and who the client is.
pub(crate) fn facts(connection: &ServerConnection, login_from: LoginFrom) -> TlsFacts {
    let protocol = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_2) => "tlsv1.2",
        Some(ProtocolVersion::TLSv1_3) => "tlsv1.3",
        _ => "",
    };
    let suite = connection.negotiated_cipher_suite();
    let suite = suite.and_then(|suite| suite.suite().as_str()).unwrap_or_default();
    let (key_exchange, cipher) = parts(suite);
    let der = connection.peer_certificates().and_then(|chain| chain.first());
    let certificate = der.and_then(|der| certificate::of_peer(der, login_from).ok());
    TlsFacts { protocol, key_exchange, cipher, certificate }
}

/// How keys are exchanged and what encrypts, by the name of a suite: of
/// `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`, `ecdhe_rsa` and `aes_128_gcm`; `any` where the suite
/// does not say, as in TLS 1.3.
fn parts(suite: &str) -> (String, String) {
    let (exchange, cipher) = match suite.split_once("_WITH_") {
        Some((exchange, cipher)) => (exchange.trim_start_matches("TLS_"), cipher),
        None => ("any", suite.trim_start_matches("TLS13_").trim_start_matches("TLS_")),
    };
    let cipher = cipher.rsplit_once("_SHA").map_or(cipher, |(cipher, _)| cipher);
    (exchange.to_lowercase(), cipher.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_are_told_as_rabbitmq_does() {
        let told = |suite| parts(suite);
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(told("TLS13_AES_256_GCM_SHA384"), pair("any", "aes_256_gcm"));
        assert_eq!(
            told("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
            pair("ecdhe_rsa", "chacha20_poly1305")
        );
    }
}
