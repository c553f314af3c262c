//! Codes of AMQP, as the stream protocol has them.

use leveret_protocol::reply_code;
use leveret_stream_protocol::ResponseCode;

/// What a reply code of AMQP is here.
pub(super) fn response_code(reply_code: u16) -> ResponseCode {
    match reply_code {
        reply_code::REPLY_SUCCESS | reply_code::CONNECTION_FORCED => ResponseCode::Ok,
        reply_code::ACCESS_REFUSED => ResponseCode::AccessRefused,
        reply_code::NOT_FOUND => ResponseCode::StreamDoesNotExist,
        reply_code::RESOURCE_LOCKED | reply_code::PRECONDITION_FAILED => {
            ResponseCode::PreconditionFailed
        }
        reply_code::FRAME_ERROR => ResponseCode::UnknownFrame,
        reply_code::NOT_ALLOWED => ResponseCode::VirtualHostAccessFailure,
        _ => ResponseCode::InternalError,
    }
}
