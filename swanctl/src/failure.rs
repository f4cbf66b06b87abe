//! Why a command ends, and with which exit status.

use std::io;

use charon_conf::LoadError;
use vici::{ClientError, FrameError};

/// The exit status of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) u8);

impl Status {
    pub(crate) const SUCCESS: Self = Self(0);
    /// A command line that makes no sense, or a command that the daemon reports as failed.
    pub(crate) const FAILED: Self = Self(1);
    /// ENOENT: a command or event that the daemon does not know, or a file that is not there.
    pub(crate) const UNKNOWN: Self = Self(2);
    /// EINVAL: something in the configuration was refused.
    pub(crate) const INVALID: Self = Self(22);
    /// EBADMSG: the daemon sent what is no message.
    pub(crate) const GARBLED: Self = Self(74);
    /// ECONNRESET: the daemon closed the connection.
    pub(crate) const CLOSED: Self = Self(104);
    /// ECONNREFUSED: the credentials could not be cleared.
    pub(crate) const REFUSED: Self = Self(111);
}

/// What a command comes to.
pub(crate) type Outcome = Result<Status, Failure>;

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The options make no sense: shown with the usage.
    Misuse(String),
    /// Something that a line of text explains.
    Told { message: String, status: Status },
    /// The output could not be written.
    Output(io::Error),
}

impl Failure {
    /// A request that was not answered.
    pub(crate) fn request(command: &str, error: &ClientError) -> Self {
        let status = match error {
            ClientError::CommandUnknown(_) | ClientError::EventUnknown(_) => Status::UNKNOWN,
            ClientError::Closed => Status::CLOSED,
            ClientError::Frame(FrameError::Io(error)) => errno(error),
            _ => Status::GARBLED,
        };
        let reason = match error {
            ClientError::Frame(FrameError::Io(error)) => words(error),
            error => error.to_string(),
        };
        Self::Told { message: format!("{command} request failed: {reason}"), status }
    }

    /// A settings file that cannot be used.
    pub(crate) fn settings(error: &LoadError) -> Self {
        let status = match error {
            LoadError::Read { error, .. } => errno(error),
            _ => Status::INVALID,
        };
        let picture = error.picture();
        let message =
            if picture.is_empty() { error.to_string() } else { format!("{error}\n{}", picture.trim_end()) };
        Self::Told { message, status }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

impl From<String> for Failure {
    fn from(misuse: String) -> Self {
        Self::Misuse(misuse)
    }
}

/// The system's error number as exit status.
pub(crate) fn errno(error: &io::Error) -> Status {
    error.raw_os_error().and_then(|number| u8::try_from(number).ok()).map_or(Status::FAILED, Status)
}

/// The system's words for an error, without the number behind them.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
