//! What the kernel reports by itself.

use std::num::NonZeroU32;
use std::sync::Arc;

use charon_types::id::EspSpi;
use charon_types::kernel_op::{Expiry, KernelEvent, SaKey};
use charon_types::proposal::Protocol;
use std::net::SocketAddr;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tracing::{info, warn};

use crate::ipsec::Shared;
use crate::sa::{self, protocol_of};
use crate::wire::{self, Message};

/// Events that may wait; an overflow drops the newest, since acquires and expires come again.
pub(crate) const DEPTH: usize = 4096;

/// What a message reports, in the kernel's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A packet met a policy without an SA.
    Acquire {
        /// The policy's number.
        policy: u32,
    },
    /// A limit of an SA was reached.
    Expire(SaKey, Expiry),
    /// The peer of an encapsulated inbound SA is elsewhere.
    Mapping {
        /// ESP or AH.
        protocol: Protocol,
        /// Of the SA.
        spi: EspSpi,
        /// Where the peer is now.
        remote: SocketAddr,
    },
}

/// Reads events until nobody takes them any more. Abort is safe: nothing is lost but events.
pub(crate) async fn run(socket: UdpSocket, shared: Arc<Shared>, events: mpsc::Sender<KernelEvent>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let received = tokio::select! {
            received = socket.recv(&mut buffer) => received,
            () = events.closed() => return,
        };
        let len = match received {
            Ok(len) => len,
            Err(error) if error.raw_os_error() == Some(105) => {
                warn!(target: "KNL", "events of the kernel were lost, more came than could be read");
                continue;
            }
            Err(error) => return warn!(target: "KNL", "reading events of the kernel failed: {error}"),
        };
        let report = Message::parse(buffer.get(..len).unwrap_or_default()).and_then(|message| read(&message));
        let Some(event) = report.and_then(|report| shared.event(report)) else { continue };
        info!(target: "KNL", "{event}");
        if let Err(error) = events.try_send(event) {
            warn!(target: "KNL", "an event of the kernel is lost: {error}");
        }
    }
}

/// The report in a message, if it is one.
#[must_use]
pub fn read(message: &Message<'_>) -> Option<Report> {
    // What we or others asked for is told to everybody, with the asker's process id.
    if message.errno != 0 {
        return None;
    }
    match message.kind {
        wire::ACQUIRE => {
            let mut policy = message.find(wire::X_POLICY)?;
            policy.bytes(4)?;
            Some(Report::Acquire { policy: policy.u32()? })
        }
        wire::EXPIRE => {
            let hard = message.find(wire::X_LIFETIME_HARD).is_some();
            let sa = SaKey {
                destination: sa::address(message, wire::X_ADDRESS_DST)?,
                protocol: protocol_of(message.satype)?,
                spi: EspSpi(NonZeroU32::new(sa::spi(message)?)?),
            };
            Some(Report::Expire(sa, if hard { Expiry::Hard } else { Expiry::Soft }))
        }
        wire::NEW_MAPPING => {
            // "Destination" is the new source here.
            let address = sa::address(message, wire::X_ADDRESS_DST)?;
            let port = message.find(wire::X_NAT_T_DPORT)?.be16()?;
            Some(Report::Mapping {
                protocol: protocol_of(message.satype)?,
                spi: EspSpi(NonZeroU32::new(sa::spi(message)?)?),
                remote: SocketAddr::new(address, port),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
