//! VRRPv2 (RFC 3768, RFC 2338) and VRRPv3 (RFC 9568, RFC 5798) as values: packets, the virtual router, sync groups; no
//! sockets, no clock.
//!
//! [`VirtualRouter`] is one virtual router on one interface. It is fed by its `handle_*` methods, by
//! [`VirtualRouter::set_tracked`], [`VirtualRouter::reconfigure`] and [`VirtualRouter::stop`]; after each of them it is
//! drained by [`VirtualRouter::poll_output`] until that returns `None`, then the one timer is set to
//! [`VirtualRouter::next_timeout`]. Time is an argument ([`Now`]).
//!
//! A shell that may be delayed reads what waits in its sockets before it calls [`VirtualRouter::handle_timeout`]: an
//! advertisement that arrived in time then counts, however late it is read.
//!
//! ```
//! use std::time::{Duration, Instant, SystemTime};
//! use charon_crypto::CryptoProvider;
//! use vrrp_proto::{InterfaceState, Now, Output, RouterConfig, State, Version, VirtualRouter, Vrid};
//!
//! let crypto = CryptoProvider::default(); // only `hmac` and `p0` need one that has HMAC-SHA-256
//! let mut now = Now { mono: Instant::now(), wall: SystemTime::now() };
//! let address = "192.0.2.1".parse()?;
//! let config = RouterConfig::new("gw", "eth0", Vrid::new(51).expect("not 0"), Version::V3, vec![address]);
//! let mut router = VirtualRouter::new(config, &crypto, now)?;
//!
//! // Nothing happens until the interface is up and has an address to send from.
//! router.handle_interface(InterfaceState::Up { primary: Some("192.0.2.11".parse()?) }, now);
//! while let Some(output) = router.poll_output() {
//!     println!("{output:?}"); // Transition from Initialize to Backup
//! }
//! let deadline = router.next_timeout().expect("the down timer runs");
//! now = now.advance(deadline - now.mono);
//! router.handle_timeout(now);
//! assert_eq!(router.state(), State::Active);
//! assert!(matches!(router.poll_output(), Some(Output::SendAdvert(_))));
//! assert!(matches!(router.poll_output(), Some(Output::AddAddresses(_))));
//! assert!(matches!(router.poll_output(), Some(Output::Announce { .. })));
//! assert!(matches!(router.poll_output(), Some(Output::Transition(_))));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`frame`] turns an [`Advert`] into an IP packet or an Ethernet frame, and a received packet into a [`Received`];
//! [`neighbour`] builds gratuitous ARP and unsolicited neighbour advertisements. [`receive::Unclaimed`] counts packets
//! for which no virtual router is configured. [`group::SyncGroup`] and [`tracking::TrackTable`] decide what several
//! routers do together and what tracked objects do to one.
#![forbid(unsafe_code)]

mod advertise;
mod auth;
pub mod checksum;
pub mod config;
mod forms;
pub mod frame;
pub mod group;
pub mod id;
pub mod interval;
mod machine;
pub mod neighbour;
pub mod output;
pub mod packet;
mod prepared;
mod quiet;
pub mod receive;
mod replay;
mod role;
mod router;
pub mod snapshot;
pub mod statistics;
mod timer;
pub mod tracking;

pub use config::{ConfigError, RouterConfig};
pub use id::{Family, Now, Priority, Version, Vrid};
pub use interval::Interval;
pub use machine::State;
pub use output::{Advert, Notice, Output, Reason, Transition};
pub use receive::{Received, Rejection};
pub use router::{InterfaceState, VirtualRouter};
pub use snapshot::Snapshot;
pub use statistics::{GlobalStatistics, Statistics};
