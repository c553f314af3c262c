//! Why a command failed, with the status that RabbitMQ's tools have for it: those of `sysexits.h`.

/// The command line makes no sense.
pub(crate) const USAGE: u8 = 64;
/// What was given is wrong.
pub(crate) const DATA: u8 = 65;
/// There is no such user.
pub(crate) const NO_USER: u8 = 67;
/// The server does not answer, refuses, or is not well.
pub(crate) const UNAVAILABLE: u8 = 69;
/// It cannot be done.
pub(crate) const SOFTWARE: u8 = 70;
/// The login is refused.
pub(crate) const NO_PERMISSION: u8 = 77;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Status of the program.
    pub code: u8,
    /// What standard error is told.
    pub text: String,
}

impl Failure {
    /// The text alone.
    pub(crate) fn into_reason(self) -> String {
        match self.text.strip_prefix("Error:") {
            Some(reason) => reason.trim_start().to_owned(),
            None => self.text,
        }
    }

    /// With a text after `Error:`, as RabbitMQ's tools write it.
    pub(crate) fn new(code: u8, text: impl AsRef<str>) -> Self {
        Self { code, text: format!("Error:\n{}", text.as_ref()) }
    }
}
