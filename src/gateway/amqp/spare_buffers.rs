//! Buffers for what waits to be written, shared by all connections of the process: one that is idle
//! holds none, and one that is busy need not grow another for each batch.

use leveret_protocol::Output;

use crate::base::lock::Mutex;
use crate::base::rank;
use crate::limits::{SPARE_BUFFER_BYTES_MAX, SPARE_BUFFERS_MAX};

static SPARE: Mutex<Vec<Output>, rank::SpareBuffers> = Mutex::new(Vec::new());

/// An empty buffer: the one that was given back last, or a new one.
pub(super) fn take() -> Output {
    SPARE.lock().pop().unwrap_or_default()
}

/// Gives a buffer back that has nothing in it any more.
pub(super) fn give_back(mut buffer: Output) {
    if buffer.capacity() == 0 || buffer.capacity() > SPARE_BUFFER_BYTES_MAX {
        return;
    }
    buffer.clear();
    let mut spare = SPARE.lock();
    if spare.len() < SPARE_BUFFERS_MAX {
        spare.push(buffer);
    }
}
