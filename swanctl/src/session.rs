//! What a command works with: the daemon, the place of the configuration, and where output goes.

use std::fmt;
use std::io::{self, Write};

use vici::blocking::Client;
use vici::{ClientError, FrameError, Message, Section};

use crate::failure::{Failure, Outcome, Status};
use crate::progress::Audience;
use crate::render::raw::{self, Format};

/// A connection to a daemon and the streams of the process.
pub(crate) struct Session<'a> {
    pub(crate) client: Client,
    pub(crate) format: Format,
    pub(crate) debug_level: i32,
    pub(crate) audience: Audience,
    pub(crate) out: &'a mut dyn Write,
    pub(crate) err: &'a mut dyn Write,
}

impl Session<'_> {
    /// Runs a command and, unless output is for humans, shows the reply.
    pub(crate) fn request(&mut self, command: &str, message: &Message) -> Result<Message, Failure> {
        self.request_labelled(command, &format!("{command} reply"), message)
    }

    /// Like [`request`](Self::request), with a label of its own for the reply.
    pub(crate) fn request_labelled(
        &mut self,
        command: &str,
        label: &str,
        message: &Message,
    ) -> Result<Message, Failure> {
        let reply = self.client.request(command, message);
        let reply = reply.map_err(|error| Failure::request(command, &error))?;
        self.dump(label, &reply)?;
        Ok(reply)
    }

    /// Asks without showing the answer; `None` if the daemon does not know the command.
    pub(crate) fn ask(&mut self, command: &str, message: &Message) -> Result<Option<Message>, Failure> {
        match self.client.request(command, message) {
            Err(ClientError::CommandUnknown(_)) => Ok(None),
            Err(error) => Err(Failure::request(command, &error)),
            Ok(reply) => Ok(Some(reply)),
        }
    }

    /// Like [`request`](Self::request), but `None` if the daemon does not know the command.
    pub(crate) fn request_known(
        &mut self,
        command: &str,
        message: &Message,
    ) -> Result<Option<Message>, Failure> {
        match self.client.request(command, message) {
            Err(ClientError::CommandUnknown(_)) => Ok(None),
            Err(error) => Err(Failure::request(command, &error)),
            Ok(reply) => {
                self.dump(format_args!("{command} reply"), &reply)?;
                Ok(Some(reply))
            }
        }
    }

    /// Runs a command for one of many items, whose failure is the reason given and no end of the work.
    pub(crate) fn attempt(
        &mut self,
        command: &str,
        message: &Message,
    ) -> Result<Result<Message, String>, Failure> {
        match self.attempt_ahead(command, message)? {
            Ok(()) => self.attempted(command),
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Begins to run a command for one of many items; if it was sent, [`attempted`](Self::attempted) tells how it ended, for one
    /// after the other.
    pub(crate) fn attempt_ahead(
        &mut self,
        command: &str,
        message: &Message,
    ) -> Result<Result<(), String>, Failure> {
        of_one(command, self.client.request_ahead(command, message))
    }

    /// How the oldest of what was begun ended.
    pub(crate) fn attempted(&mut self, command: &str) -> Result<Result<Message, String>, Failure> {
        match of_one(command, self.client.next_reply(command))? {
            Ok(reply) => {
                self.dump(format_args!("{command} reply"), &reply)?;
                Ok(reply.into_success().map_err(|refused| refused.to_string()))
            }
            Err(reason) => Ok(Err(reason)),
        }
    }

    /// Runs a command that streams events; hands each event to `show` if output is for humans, else shows it and the
    /// reply under the labels given. As JSON the events are an array, and the reply, which holds nothing, is left out.
    pub(crate) fn stream(
        &mut self,
        command: &str,
        event: &str,
        labels: Labels<'_>,
        message: &Message,
        mut show: impl FnMut(&mut dyn Write, Section<'_>) -> io::Result<()>,
    ) -> Result<Message, Failure> {
        let failed = |error: ClientError| Failure::request(command, &error);
        let mut events = self.client.stream(command, event, message).map_err(failed)?;
        let mut before = "[";
        while let Some(event) = events.next_event().map_err(failed)? {
            match self.format {
                Format::Human => show(self.out, event.root())?,
                Format::Json => {
                    write!(self.out, "{before}")?;
                    raw::dump(self.out, self.format, labels.event, event.root())?;
                    before = ",";
                }
                Format::Raw | Format::Pretty => raw::dump(self.out, self.format, labels.event, event.root())?,
            }
            self.out.flush()?;
        }
        let reply = events.response().map_err(failed)?;
        if self.format == Format::Json {
            writeln!(self.out, "{}]", if before == "[" { "[" } else { "" })?;
        } else {
            self.dump(labels.reply, &reply)?;
        }
        Ok(reply)
    }

    /// Ends a command that reports success or failure: a line for humans, status 1 on failure; otherwise the reply
    /// was shown and the status is 0, except that JSON has no past to be true to.
    pub(crate) fn conclude(&mut self, command: &str, reply: Message) -> Outcome {
        let status = self.conclude_silently(command, reply)?;
        if status == Status::SUCCESS {
            self.tell(format_args!("{command} completed successfully"))?;
        }
        Ok(status)
    }

    /// Like [`conclude`](Self::conclude), without a line on success.
    pub(crate) fn conclude_silently(&mut self, command: &str, reply: Message) -> Outcome {
        match (self.format, reply.into_success()) {
            (Format::Raw | Format::Pretty, _) | (_, Ok(_)) => Ok(Status::SUCCESS),
            (Format::Human | Format::Json, Err(refused)) => {
                self.complain(&format!("{command} failed: {refused}"))?;
                Ok(Status::FAILED)
            }
        }
    }

    /// Shows a message unless output is for humans.
    pub(crate) fn dump(&mut self, label: impl fmt::Display, message: &Message) -> io::Result<()> {
        raw::dump(self.out, self.format, label, message.root())
    }

    /// A line for humans only.
    pub(crate) fn tell(&mut self, line: impl fmt::Display) -> io::Result<()> {
        match self.format {
            Format::Human => writeln!(self.out, "{line}"),
            Format::Raw | Format::Pretty | Format::Json => Ok(()),
        }
    }

    /// A line about what went wrong. What was said before comes out before it.
    pub(crate) fn complain(&mut self, line: &str) -> io::Result<()> {
        self.out.flush()?;
        writeln!(self.err, "{line}")
    }

    /// A line for those who asked for this level of detail.
    pub(crate) fn debug(&mut self, level: i32, line: &str) -> io::Result<()> {
        if level <= self.debug_level { self.complain(line) } else { Ok(()) }
    }
}

/// Tells what concerns one item alone from what ends the work.
fn of_one<T>(command: &str, result: Result<T, ClientError>) -> Result<Result<T, String>, Failure> {
    match result {
        Ok(item) => Ok(Ok(item)),
        Err(
            error @ (ClientError::CommandUnknown(_)
            | ClientError::Encode(_)
            | ClientError::Frame(FrameError::TooLong { .. })),
        ) => Ok(Err(error.to_string())),
        Err(error) => Err(Failure::request(command, &error)),
    }
}

/// What stands before raw messages of a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Labels<'a> {
    pub(crate) event: &'a str,
    pub(crate) reply: &'a str,
}
