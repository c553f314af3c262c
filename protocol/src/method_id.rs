//! Which method of which class.

use amq_protocol::protocol::AMQPClass;

use crate::reader::Reader;

/// Class and method id of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MethodId {
    /// Class id, such as 60 for basic.
    pub class_id: u16,
    /// Method id within the class.
    pub method_id: u16,
}

impl MethodId {
    /// No method at all: 0 and 0.
    pub const NONE: Self = Self::new(0, 0);
    /// basic.qos
    pub const BASIC_QOS: Self = Self::new(60, 10);
    /// basic.publish
    pub const BASIC_PUBLISH: Self = Self::new(60, 40);
    /// basic.ack
    pub const BASIC_ACK: Self = Self::new(60, 80);
    /// basic.reject
    pub const BASIC_REJECT: Self = Self::new(60, 90);
    /// basic.nack
    pub const BASIC_NACK: Self = Self::new(60, 120);
    /// channel.open
    pub const CHANNEL_OPEN: Self = Self::new(20, 10);
    /// channel.close
    pub const CHANNEL_CLOSE: Self = Self::new(20, 40);
    /// channel.close-ok
    pub const CHANNEL_CLOSE_OK: Self = Self::new(20, 41);
    /// connection.close
    pub const CONNECTION_CLOSE: Self = Self::new(10, 50);
    /// connection.close-ok
    pub const CONNECTION_CLOSE_OK: Self = Self::new(10, 51);

    /// An id from its two numbers.
    pub const fn new(class_id: u16, method_id: u16) -> Self {
        Self { class_id, method_id }
    }

    /// Id of a method.
    pub fn of(method: &AMQPClass) -> Self {
        Self::new(method.get_amqp_class_id(), method.get_amqp_method_id())
    }

    /// Splits a method frame's payload into id and arguments; `None` if it is too short.
    #[inline]
    pub fn split(payload: &[u8]) -> Option<(Self, &[u8])> {
        let mut reader = Reader(payload);
        let id = Self::new(reader.short()?, reader.short()?);
        Some((id, reader.0))
    }

    /// Whether a client may send the method on an open channel.
    pub const fn is_from_client(self) -> bool {
        matches!(
            (self.class_id, self.method_id),
            (20, 10 | 20 | 40)
                | (30, 10)
                | (40, 10 | 20 | 30 | 40)
                | (50, 10 | 20 | 30 | 40 | 50)
                | (60, 10 | 20 | 30 | 40 | 70 | 80 | 90 | 100 | 110 | 120)
                | (85, 10)
                | (90, 10 | 20 | 30)
        )
    }

    /// How a client's method begins: some reserved octets or numbers, then short strings.
    pub(crate) const fn front(self) -> Option<(usize, usize)> {
        match (self.class_id, self.method_id) {
            (10, 11) => Some((0, 0)),
            (10, 40) | (20, 10) | (30, 10) | (60, 30) => Some((0, 1)),
            (10, 50) | (20, 40) | (40, 20) | (50, 10 | 30 | 40) | (60, 70) => Some((2, 1)),
            (40, 10) | (60, 20) => Some((2, 2)),
            (40, 30 | 40) | (50, 20 | 50) => Some((2, 3)),
            _ => None,
        }
    }

    /// Octets between [`MethodId::front`] and the field table, if the method has one.
    pub(crate) const fn before_table(self) -> Option<usize> {
        match (self.class_id, self.method_id) {
            (10, 11) | (50, 50) => Some(0),
            (40, 10 | 30 | 40) | (50, 10 | 20) | (60, 20) => Some(1),
            _ => None,
        }
    }
}
