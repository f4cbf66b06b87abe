//! VICI, the configuration and control protocol of strongSwan's charon and of charond: messages, packets, frames, and
//! two clients.
//!
//! A VICI daemon listens on a stream socket, by default `unix:///var/run/charon.vici`. Both sides send *frames*, a
//! 4-byte big-endian length and so many bytes; a frame holds a *packet* (a request, a reply, an event or their
//! bookkeeping); most packets end in a *message*, a tree of key/value pairs, lists and sections.
//!
//! | Layer | Types |
//! |---|---|
//! | message, owned | [`Message`] |
//! | message, borrowed | [`Section`], [`List`], [`Value`] (the tree), [`Elements`] (one element after the other) |
//! | message, written piecewise | [`Encoder`] |
//! | packet | [`Packet`] |
//! | frame | [`FrameCodec`], for `tokio_util::codec::Framed` |
//! | conversation | [`Client`] on tokio, [`blocking::Client`] on plain sockets |
//! | common commands, typed | [`command`] |
//! | messages to and from types of serde | `serde`, with the feature of that name |
//!
//! # Messages
//!
//! Order and duplicate keys are part of a message and survive a round trip:
//!
//! ```
//! use vici::Message;
//!
//! let message = Message::new()
//!     .with("child", "net-net")
//!     .with("timeout", "5000")
//!     .with_list("hints", ["first", "second"])
//!     .with_section("more", &Message::new().with("flag", "yes"));
//! assert_eq!(Message::decode(message.encode()?)?, message);
//! assert_eq!(message.text("child"), Some("net-net"));
//! assert_eq!(message.section("more").and_then(|more| more.text("flag")), Some("yes"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The decoder is as lenient as charon: a section or list that is still open at the end of the data counts as closed.
//! Everything else that is malformed is a [`DecodeError`] with its position.
//!
//! # Asking a daemon
//!
//! ```no_run
//! use vici::{Message, Uri, blocking::Client};
//!
//! let mut client = Client::connect(&Uri::default())?;
//! let version = client.request("version", &Message::new())?;
//! println!("{}", version.text("version").unwrap_or("?"));
//!
//! let mut sas = client.stream("list-sas", "list-sa", &Message::new())?;
//! while let Some(sa) = sas.next_event()? {
//!     println!("{sa:?}");
//! }
//! # Ok::<(), vici::ClientError>(())
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod blocking;
mod client;
pub mod command;
mod conversation;
mod decode;
mod dialogue;
mod encode;
mod frame;
mod message;
mod name;
mod packet;
mod section;
#[cfg(feature = "serde")]
pub mod serde;
mod uri;
mod vsock;

pub use client::{Client, Streamed};
pub use decode::{DecodeError, Element, Elements};
pub use dialogue::{ClientError, EVENTS_QUEUED_MAX, Event, Refused};
pub use encode::{EncodeError, Encoder, NAME_LEN_MAX, VALUE_LEN_MAX};
pub use frame::{FRAME_LEN_MAX, FrameCodec, FrameError};
pub use message::Message;
pub use name::Name;
pub use packet::{Packet, PacketError};
pub use section::{DEPTH_MAX, Entries, List, Prefix, Section, Value};
pub use uri::{Uri, UriError};
