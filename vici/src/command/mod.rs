//! The common commands with types for what is asked and answered.
//!
//! A [`Command`] goes to `Client::call`, a [`Listing`] to `Client::list`; everything that these types leave out is there in
//! the raw messages of `Client::request` and `Client::stream`. Both traits may be implemented for further commands.
//!
//! ```no_run
//! use vici::command::{Initiate, ListSas, Terminate};
//! use vici::{Uri, blocking::Client};
//!
//! let mut client = Client::connect(&Uri::default())?;
//! client.call(&Initiate { child: Some("net".into()), ..Initiate::default() })?;
//! for sa in client.list(&ListSas::default())? {
//!     println!("{} with {}: {:?}", sa.name, sa.remote_host, sa.established);
//! }
//! client.call(&Terminate { ike: Some("gw".into()), ..Terminate::default() })?;
//! # Ok::<(), vici::command::CommandError>(())
//! ```

mod config;
mod control;
mod daemon;
mod sas;

pub use config::{GetConns, GetShared, LoadConn, LoadShared, SharedKind, UnloadConn, UnloadShared};
pub use control::{Initiate, Rekey, Terminate, Terminated, Wait};
pub use daemon::{DaemonStats, DaemonVersion, ReloadSettings, Stats, Version};
pub use sas::{ChildSa, IkeSa, ListSas, Traffic};

use crate::dialogue::{ClientError, Refused};
use crate::message::Message;

/// A command with one reply.
pub trait Command {
    /// Its name.
    const NAME: &'static str;
    /// What a successful reply says.
    type Reply;

    /// The request.
    fn message(&self) -> Message;

    /// The reply, which did not tell of a failure; `None` if it makes no sense.
    fn reply(message: &Message) -> Option<Self::Reply>;
}

/// A command that sends an event for each item.
pub trait Listing {
    /// Its name.
    const COMMAND: &'static str;
    /// The name of its events.
    const EVENT: &'static str;
    /// What an event tells of.
    type Item;

    /// The request.
    fn message(&self) -> Message;

    /// Adds what an event tells of; `None` if it makes no sense.
    fn items(event: &Message, items: &mut Vec<Self::Item>) -> Option<()>;
}

/// Why a typed command failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It was not answered.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The daemon refused, for the reason it gives.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The answer lacks what such an answer must have.
    #[error("answer to '{0}' makes no sense")]
    Incomprehensible(&'static str),
}

/// Adds a value if there is one.
fn push_some(message: &mut Message, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        message.push(name, value.to_string());
    }
}

#[cfg(test)]
mod tests;
