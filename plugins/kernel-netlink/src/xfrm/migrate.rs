//! SAs that move together with a policy, by `XFRM_MSG_MIGRATE`: the new SA is there before the old one goes, and the policy leads to it
//! from the same moment.
//!
//! The kernel looks the SA up by its hosts, mode and reqid, so that it must be the only one with these. It copies keys, counters and
//! replay state itself, can give an SA another encapsulation, but takes none away.

use std::net::{IpAddr, SocketAddr};

use charon_types::id::{IfId, Mark};
use charon_types::kernel_op::{Encap, KernelSelector, Mode, Policy, PolicyAction};

use super::policy::{direction, selector};
use super::state::{encapsulation, mode_number};
use super::wire::{self, Attributes, Reader, Writer, XfrmReader, XfrmWriter, family};

/// What decides whether an SA can move so, from what the kernel says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resident {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    mode: u8,
    reqid: u32,
    encap: Encap,
}

impl Resident {
    /// Reads `struct xfrm_usersa_info` and attributes.
    pub(crate) fn read(info: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(info);
        reader.bytes(56)?;
        let (destination, _spi, protocol) = (reader.address()?, reader.be32()?, reader.u8()?);
        reader.bytes(3)?;
        let source = reader.address()?;
        reader.bytes(64 + 32 + 12 + 4)?;
        let (reqid, family, mode) = (reader.u32()?, reader.u16()?, reader.u8()?);
        let attributes = Attributes::new(info.get(wire::SA_INFO_LEN..)?);
        let encap = attributes.find(wire::A_ENCAP).map_or(Encap::None, |_| Encap::Udp);
        let (source, destination) = (source.of_family(family)?, destination.of_family(family)?);
        Some(Self { source, destination, protocol, mode, reqid, encap })
    }

    /// Whether the kernel could take this SA for that one.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        Self { encap: other.encap, ..*self } == *other
    }

    /// Whether it may move to these addresses with `policy`, as that one is until then.
    pub(crate) fn moves_with(
        &self,
        policy: &Policy,
        source: SocketAddr,
        destination: SocketAddr,
        encap: Encap,
    ) -> bool {
        let PolicyAction::Protect { source: from, destination: to, mode: Mode::Tunnel, reqid, .. } =
            policy.action
        else {
            return false;
        };
        let stays = (self.source, self.destination) == (source.ip(), destination.ip());
        (from, to, reqid.0.get()) == (self.source, self.destination, self.reqid)
            && self.mode == mode_number(Mode::Tunnel)
            && !stays
            && (encap == Encap::Udp || self.encap == Encap::None)
            // The kernel asks for the selectors only.
            && policy.mark == Mark::default()
            && policy.if_id == IfId::default()
            && policy.interface.is_none()
    }

    /// The request that lists all SAs between its hosts.
    pub(crate) fn neighbours(&self) -> Writer {
        let mut filter = Writer::new();
        let bits = if self.destination.is_ipv4() { 32 } else { 128 };
        filter.address(self.source).address(self.destination).u16(family(self.destination)).u8(bits).u8(bits);
        let mut message = Writer::message(wire::GETSA, wire::F_DUMP);
        message.attribute(wire::A_ADDRESS_FILTER, filter.as_bytes());
        message
    }

    /// The request that moves it and `policy`.
    pub(crate) fn migrate(
        &self,
        policy: &Policy,
        source: SocketAddr,
        destination: SocketAddr,
        encap: Encap,
    ) -> Writer {
        let mut message = Writer::message(wire::MIGRATE, wire::F_ACK);
        selector(&mut message, &KernelSelector::between(&policy.source, &policy.destination), None);
        message.u32(0).u8(direction(policy.direction)).zeros(3);
        let mut value = Writer::new();
        value.address(self.destination).address(self.source).address(destination.ip()).address(source.ip());
        value.u8(self.protocol).u8(self.mode).zeros(2).u32(self.reqid);
        value.u16(family(self.destination)).u16(family(destination.ip()));
        message.attribute(wire::A_MIGRATE, value.as_bytes());
        if encap == Encap::Udp {
            encapsulation(&mut message, source.port(), destination.port());
        }
        message
    }
}

#[cfg(test)]
mod tests;
