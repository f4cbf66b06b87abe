//! What the kernel reports by itself.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use charon_types::id::{EspSpi, Reqid};
use charon_types::kernel_op::{Expiry, KernelEvent, SaKey};
use charon_types::selector::{PROTOCOL_ICMP, PROTOCOL_ICMPV6, TrafficSelector};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::pipeline::ENOBUFS;
use super::state::protocol_of;
use super::wire::{self, Attributes, Message, Messages, Reader, XfrmReader};

/// Events that may wait; an overflow drops the newest, since acquires and expires come again.
pub(crate) const DEPTH: usize = 4096;

/// Reads events until nobody takes them any more. Abort is safe: nothing is lost but events.
pub(crate) async fn run(socket: UdpSocket, events: mpsc::Sender<KernelEvent>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let received = tokio::select! {
            received = socket.recv(&mut buffer) => received,
            () = events.closed() => return,
        };
        match received {
            Ok(len) => {
                for event in Messages::new(buffer.get(..len).unwrap_or_default()).filter_map(read) {
                    info!(target: "KNL", "{event}");
                    if let Err(error) = events.try_send(event) {
                        warn!(target: "KNL", "an event of the kernel is lost: {error}");
                    }
                }
            }
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => {
                warn!(target: "KNL", "events of the kernel were lost, more came than could be read");
            }
            Err(error) => return warn!(target: "KNL", "reading events of the kernel failed: {error}"),
        }
    }
}

/// The event that a message reports, if it is one that matters here.
#[must_use]
pub fn read(message: Message<'_>) -> Option<KernelEvent> {
    match message.kind {
        wire::ACQUIRE => acquire(message.payload),
        wire::EXPIRE => expire(message.payload),
        wire::MAPPING => mapping(message.payload),
        _ => None,
    }
}

/// `struct xfrm_user_acquire`: id, source, selector, policy, algorithms; the template tells the reqid.
fn acquire(payload: &[u8]) -> Option<KernelEvent> {
    let mut reader = Reader::new(payload);
    reader.bytes(24 + 16)?;
    let (source, destination) = selectors(&mut reader)?;
    reader.bytes(wire::POLICY_INFO_LEN + 16)?;
    let mut template = Reader::new(Attributes::new(reader.rest()).find(wire::A_TMPL)?);
    template.bytes(24 + 4 + 16)?;
    let reqid = Reqid(NonZeroU32::new(template.u32()?)?);
    Some(KernelEvent::Acquire { reqid, source, destination })
}

/// `struct xfrm_user_expire`: an SA, and whether it is over.
fn expire(payload: &[u8]) -> Option<KernelEvent> {
    let mut reader = Reader::new(payload);
    reader.bytes(56)?;
    let (destination, spi, protocol) = (reader.address()?, reader.be32()?, reader.u8()?);
    reader.bytes(3 + 16 + 64 + 32 + 12 + 8)?;
    let family = reader.u16()?;
    let hard = *payload.get(wire::SA_INFO_LEN)? != 0;
    let sa = SaKey {
        destination: destination.of_family(family)?,
        protocol: protocol_of(protocol)?,
        spi: EspSpi(NonZeroU32::new(spi)?),
    };
    Some(KernelEvent::Expire { sa, expiry: if hard { Expiry::Hard } else { Expiry::Soft } })
}

/// `struct xfrm_user_mapping`: id, reqid, old and new source, old and new port.
fn mapping(payload: &[u8]) -> Option<KernelEvent> {
    let mut reader = Reader::new(payload);
    let (destination, spi) = (reader.address()?, reader.be32()?);
    let (family, protocol) = (reader.u16()?, reader.u8()?);
    reader.bytes(1 + 4 + 16)?;
    let new_source = reader.address()?;
    let (_old_port, new_port) = (reader.be16()?, reader.be16()?);
    let sa = SaKey {
        destination: destination.of_family(family)?,
        protocol: protocol_of(protocol)?,
        spi: EspSpi(NonZeroU32::new(spi)?),
    };
    Some(KernelEvent::Mapping { sa, remote: SocketAddr::new(new_source.of_family(family)?, new_port) })
}

/// `struct xfrm_selector` of a packet or of a policy.
fn selectors(reader: &mut Reader<'_>) -> Option<(TrafficSelector, TrafficSelector)> {
    let (destination, source) = (reader.address()?, reader.address()?);
    let (destination_port, destination_mask) = (reader.be16()?, reader.be16()?);
    let (source_port, source_mask) = (reader.be16()?, reader.be16()?);
    let (family, destination_prefix, source_prefix) = (reader.u16()?, reader.u8()?, reader.u8()?);
    let protocol = reader.u8()?;
    reader.bytes(3 + 8)?;
    let source = TrafficSelector::subnet(source.of_family(family)?, source_prefix);
    let destination = TrafficSelector::subnet(destination.of_family(family)?, destination_prefix);
    if matches!(protocol, PROTOCOL_ICMP | PROTOCOL_ICMPV6) && source_mask != 0 {
        // Type and code stand where the ports are.
        let [_, kind] = source_port.to_be_bytes();
        let [_, code] = destination_port.to_be_bytes();
        let message = u16::from_be_bytes([kind, code]);
        let last = if destination_mask == 0 { message | 0xff } else { message };
        return Some((
            source.with_ports(protocol, message, last),
            destination.with_ports(protocol, message, last),
        ));
    }
    let ports = |port: u16, mask: u16| (port & mask, port | !mask);
    let (first, last) = ports(source_port, source_mask);
    let source = source.with_ports(protocol, first, last);
    let (first, last) = ports(destination_port, destination_mask);
    Some((source, destination.with_ports(protocol, first, last)))
}

#[cfg(test)]
mod tests;
