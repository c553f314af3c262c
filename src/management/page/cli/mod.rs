//! What is offered for download: a program for the command line, as RabbitMQ has it.

use hyper::header::CONTENT_DISPOSITION;

use crate::management::answer::{Answer, Outcome};
use crate::management::call::Call;

/// Type of a file that a browser is not to show.
pub(super) const OCTETS: &str = "application/octet-stream";

/// What there is.
pub(super) fn index(_: &Call) -> Outcome {
    Ok(Answer::text("text/html; charset=utf-8", include_str!("index.html")))
}

/// A program that works with the API, in Python.
pub(super) fn rabbitmqadmin(_: &Call) -> Outcome {
    let program = Answer::text(OCTETS, include_str!("rabbitmqadmin.py"));
    Ok(program.header(CONTENT_DISPOSITION, "attachment; filename=\"rabbitmqadmin\""))
}
