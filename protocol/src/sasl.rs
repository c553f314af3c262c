//! Credentials in the responses of SASL mechanisms.

use amq_protocol::types::AMQPValue;

use crate::table::parse_table;

/// User name and password.
pub type Credentials = (String, String);

/// Reads a PLAIN response: authorisation id (ignored), user, password, with NUL in front of the
/// last two. [RFC 4616]
///
/// `None` if it is something else or not UTF-8.
pub fn plain(response: &[u8]) -> Option<Credentials> {
    let mut parts = response.splitn(3, |octet| *octet == 0);
    let (_, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    if password.contains(&0) {
        return None;
    }
    Some((text(user)?, text(password)?))
}

/// Reads an AMQPLAIN response: a field table without its length, with `LOGIN` and `PASSWORD`.
/// [rabbitmq 4.0]
///
/// `None` if it is something else or not UTF-8.
pub fn amqplain(response: &[u8]) -> Option<Credentials> {
    let mut octets = u32::try_from(response.len()).ok()?.to_be_bytes().to_vec();
    octets.extend_from_slice(response);
    let table = parse_table(&octets).ok()?;
    let field = |name: &str| match table.inner().get(name)? {
        AMQPValue::LongString(value) => text(value.as_bytes()),
        _ => None,
    };
    Some((field("LOGIN")?, field("PASSWORD")?))
}

fn text(octets: &[u8]) -> Option<String> {
    String::from_utf8(octets.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Option<Credentials> {
        Some(("guest".to_owned(), "secret".to_owned()))
    }

    #[test]
    fn plain_responses() {
        assert_eq!(plain(b"\0guest\0secret"), guest());
        assert_eq!(plain(b"somebody\0guest\0secret"), guest());
        for response in [&b""[..], b"guest", b"\0guest", b"\0guest\0a\0b", b"\0\xff\0a"] {
            assert_eq!(plain(response), None, "{response:?}");
        }
    }

    #[test]
    fn amqplain_responses() {
        let response = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x06secret";
        assert_eq!(amqplain(response), guest());
        assert_eq!(amqplain(&response[..12]), None);
        assert_eq!(amqplain(b"\x05LOGINS\0\0\0\x05guest"), None);
        assert_eq!(amqplain(b"\x05LOGINt\x01\x08PASSWORDt\x01"), None);
    }
}
