//! Credentials in the responses of SASL mechanisms.

use amq_protocol::types::AMQPValue;

use crate::table::parse_headers;
use crate::text;

/// User name and password. A name that is not UTF-8 is text as [`crate::text`] has it.
pub type Credentials = (String, Vec<u8>);

/// Reads a PLAIN response: user and password, each with NUL in front. [RFC 4616]
///
/// `None` if it is something else, or has an authorisation id, as RabbitMQ takes none.
pub fn plain(response: &[u8]) -> Option<Credentials> {
    let mut parts = response.strip_prefix(&[0])?.splitn(2, |octet| *octet == 0);
    let (user, password) = (parts.next()?, parts.next()?);
    (!password.contains(&0)).then(|| credentials(user, password))
}

/// Reads an AMQPLAIN response: a field table without its length, with `LOGIN` and `PASSWORD`, of
/// which at least one is a string and the other octets, if it is none. [rabbitmq 4.0]
///
/// `None` if it is something else.
pub fn amqplain(response: &[u8]) -> Option<Credentials> {
    let mut octets = u32::try_from(response.len()).ok()?.to_be_bytes().to_vec();
    octets.extend_from_slice(response);
    let table = parse_headers(&octets).ok()?;
    let field = |name: &str| match table.inner().get(name)? {
        AMQPValue::LongString(value) => Some((value.as_bytes(), true)),
        AMQPValue::ByteArray(value) => Some((value.as_slice(), false)),
        _ => None,
    };
    let ((user, is_text), (password, is_text_too)) = (field("LOGIN")?, field("PASSWORD")?);
    (is_text || is_text_too).then(|| credentials(user, password))
}

fn credentials(user: &[u8], password: &[u8]) -> Credentials {
    (text::from_octets(user).into_owned(), password.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guest() -> Option<Credentials> {
        Some(("guest".to_owned(), b"secret".to_vec()))
    }

    #[test]
    fn plain_responses() {
        assert_eq!(plain(b"\0guest\0secret"), guest());
        assert_eq!(plain(b"\0guest\0"), Some(("guest".into(), Vec::new())));
        assert_eq!(plain(b"\0\xff\0\xfe"), Some(("\u{EFFF}".into(), vec![0xFE])));
        let malformed = [
            &b""[..],
            b"\0",
            b"guest",
            b"guest\0secret",
            b"\0guest",
            b"\0guest\0a\0b",
            b"\0guest\0secret\0",
            b"somebody\0guest\0secret",
        ];
        for response in malformed {
            assert_eq!(plain(response), None, "{response:?}");
        }
    }

    #[test]
    fn amqplain_responses() {
        let response = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDS\0\0\0\x06secret";
        assert_eq!(amqplain(response), guest());
        let twice = [response, &b"\x05LOGINS\0\0\0\x01x"[..]].concat();
        assert_eq!(amqplain(&twice), guest());
        let octets = b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDx\0\0\0\x06secret";
        assert_eq!(amqplain(octets), guest());
        let malformed = [
            &response[..12],
            &response[..response.len() - 1],
            b"",
            b"\x05LOGINS\0\0\0\x05guest",
            b"\x05LOGINt\x01\x08PASSWORDt\x01",
            b"\x05LOGINS\0\0\0\x05guest\x08PASSWORDb\x01",
            b"\x05LOGINx\0\0\0\x01a\x08PASSWORDx\0\0\0\x01b",
        ];
        for response in malformed {
            assert_eq!(amqplain(response), None, "{response:?}");
        }
    }
}
