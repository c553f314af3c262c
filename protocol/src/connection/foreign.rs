//! What it is when the first octets of a connection are not AMQP 0-9-1's: most often a client that
//! has the wrong port, or a port that has the wrong protocol.

/// What these octets are likely to be the beginning of, and what to do.
pub(super) fn name(octets: &[u8]) -> Option<&'static str> {
    const VERBS: [&[u8]; 9] = [
        b"GET ",
        b"POST ",
        b"PUT ",
        b"HEAD ",
        b"DELETE ",
        b"OPTIONS ",
        b"PATCH ",
        b"CONNECT ",
        b"PRI * ",
    ];
    let is_http = VERBS.iter().any(|verb| octets.starts_with(verb));
    Some(match octets {
        [0x16, 0x03, 0..=4, ..] => {
            "TLS, which this port does not speak: use amqp:// and not amqps://"
        }
        _ if is_http => {
            "HTTP: the HTTP API has a port of its own, 15672 unless it was set otherwise"
        }
        [0x10, _, 0, 4, b'M', b'Q', b'T', b'T'] | [0x10, _, _, 0, 4, b'M', b'Q', b'T'] => {
            "MQTT, which this server does not speak"
        }
        [0, 0, _, _, 0, 17, 0, 1] => {
            "RabbitMQ's stream protocol, which has a port of its own, 5552"
        }
        [0, 0, _, _, 0, 0..=75, 0, 0..=20] => "Kafka, which this server does not speak",
        [b'A', b'M', b'Q', b'P', 0 | 2 | 3, 1, 0, 0] => {
            "AMQP 1.0, which this server does not speak"
        }
        [b'A', b'M', b'Q', b'P', ..] => "another version of AMQP: this server speaks 0-9-1",
        [b'S', b'T', b'O', b'M', b'P', ..] | [b'C', b'O', b'N', b'N', b'E', b'C', b'T', b'\n'] => {
            "STOMP, which this server does not speak"
        }
        [b'P', b'R', b'O', b'X', b'Y', b' ', ..]
        | [b'\r', b'\n', b'\r', b'\n', 0, b'\r', b'\n', b'Q'] => {
            "the PROXY protocol of a load balancer, which has to be switched off there"
        }
        [b'S', b'S', b'H', b'-', ..] => "SSH",
        [b'*', b'1'..=b'9', b'\r', b'\n', ..] => "Redis, which this server does not speak",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_known_by_their_first_octets() {
        let known: [(&[u8; 8], &str); 12] = [
            (b"\x16\x03\x01\x02\x00\x01\x00\x01", "TLS"),
            (b"GET /api", "HTTP"),
            (b"PRI * HT", "HTTP"),
            (b"\x10\x0c\x00\x04MQTT", "MQTT"),
            (b"\x10\x81\x01\x00\x04MQT", "MQTT"),
            (b"\x00\x00\x00\x1d\x00\x12\x00\x03", "Kafka"),
            (b"\x00\x00\x01\x05\x00\x11\x00\x01", "RabbitMQ's stream protocol"),
            (b"AMQP\x00\x01\x00\x00", "AMQP 1.0"),
            (b"AMQP\x01\x01\x08\x00", "another version of AMQP"),
            (b"CONNECT\n", "STOMP"),
            (b"PROXY TC", "the PROXY protocol"),
            (b"*1\r\n$4\r\n", "Redis"),
        ];
        for (octets, expected) in known {
            let name = name(octets).unwrap_or("nothing");
            assert!(name.starts_with(expected), "{}: {name}", octets.escape_ascii());
        }
        assert_eq!(name(b"\xff\xff\xff\xff\xff\xff\xff\xff"), None);
    }
}
