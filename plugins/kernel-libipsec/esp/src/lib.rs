//! ESP in tunnel mode as values: no sockets, no clock, no thread of its own.
//!
//! [`Engine`] holds SAs and policies. [`Engine::apply`] runs the kernel operations of the daemon, [`Engine::open`] takes what
//! arrived, [`Sealer`] takes what leaves; both work on whole batches, take no lock that another packet could hold, and allocate
//! nothing for a packet.
//!
//! What is done: RFC 4303 with and without extended sequence numbers, the combined modes of RFC 4106 and RFC 7634 as well as
//! CBC, counter mode or NULL with a MAC, the checks of RFC 4301 §5.2 on what comes out of a tunnel. What is left to others: UDP
//! encapsulation is the socket's; fragmentation is avoided by the MTU of the TUN device; ECN and DSCP of inner packets stay as
//! they are and are not copied to the outer header, since the UDP socket that sends it is shared.
#![forbid(unsafe_code)]

mod clock;
mod control;
mod discard;
mod engine;
mod flow;
mod inbound;
mod meter;
mod outbound;
mod packet;
mod policy;
mod replay;
mod sealer;
mod selector;
mod snapshot_map;

pub use clock::Millis;
pub use discard::{Discard, DiscardCounters};
pub use engine::Engine;
pub use flow::{Family, Flow, Malformed, Ports, address_bits, address_from_bits};
pub use inbound::{InboundSa, Opened};
pub use outbound::{Exhausted, OutboundSa};
pub use packet::{HEADER_LEN, NextHeader};
pub use replay::{REPLAY_WINDOW_MAX, Refusal, ReplayWindow};
pub use sealer::{Sealer, Transmit};
