//! Numbers of the wire format. [amqp 0-9-1 §4.2]

/// Frame type of a method. [amqp 0-9-1 §4.2.3]
pub const FRAME_METHOD: u8 = 1;
/// Frame type of a content header. [amqp 0-9-1 §4.2.6]
pub const FRAME_HEADER: u8 = 2;
/// Frame type of a piece of a content body. [amqp 0-9-1 §4.2.6]
pub const FRAME_BODY: u8 = 3;
/// Frame type of a heartbeat. [amqp 0-9-1 §4.2.7]
pub const FRAME_HEARTBEAT: u8 = 8;
/// Octet that ends every frame.
pub const FRAME_END: u8 = 0xCE;

/// Octets before a frame's payload: type, channel, size.
pub const FRAME_HEADER_OCTETS: usize = 7;
/// Octets of a frame beside its payload: its header and the end octet.
pub const FRAME_OVERHEAD: usize = 8;

/// Smallest `frame_max` that may be agreed on, in octets. [amqp 0-9-1 connection.tune]
pub const FRAME_MAX_MIN: u32 = 4096;
/// Largest payload, in octets, that is taken before `frame_max` is agreed on.
/// [amqp 0-9-1 connection.tune] [rabbitmq 4.0]
pub const FRAME_MAX_BEFORE_TUNE: u32 = FRAME_MAX_MIN;

/// What a client of this protocol sends first. [amqp 0-9-1 §4.2.2]
pub const PROTOCOL_HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";
/// Another header that means the same: the one of AMQP 0-9. [rabbitmq 4.0]
pub const PROTOCOL_HEADER_0_9: [u8; 8] = *b"AMQP\x01\x01\x00\x09";
/// The headers of AMQP 1.0, without and with a login before it. [amqp 1.0 §2.2, §5.3.1]
pub const PROTOCOL_HEADER_1_0: [[u8; 8]; 2] = [*b"AMQP\x00\x01\x00\x00", *b"AMQP\x03\x01\x00\x00"];
/// What a header that nobody knows is answered with. [rabbitmq 4.0]
pub const PROTOCOL_HEADER_FOR_OTHERS: [u8; 8] = *b"AMQP\x03\x01\x00\x00";

/// Deepest nesting of tables and arrays that is taken; a deeper one would overflow the stack of
/// whatever parses it recursively.
pub const TABLE_DEPTH_MAX: usize = 100;

/// Longest short string, in octets.
pub const SHORT_STRING_MAX: usize = 255;

/// Class id of `basic`, the only class with content.
pub const CLASS_BASIC: u16 = 60;
