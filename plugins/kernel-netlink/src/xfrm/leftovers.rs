//! What a killed predecessor left: found by the marks that we put on everything, and removed.
//!
//! An SA has a sequence number of key management that the kernel keeps but does not use once keys are there; a policy has an
//! index that its maker may choose. Ours have the same highest octet in both. An SPI that was reserved and not used carries no such
//! mark, but is of our range and without keys.

use charon_core::kernel::{Removed, SpiRange, Transport};
use charon_types::id::{EspSpi, Mark};
use charon_types::kernel_op::SaKey;
use std::num::NonZeroU32;
use tracing::warn;

use super::pipeline::{ENOENT, ESRCH, Pipeline};
use super::state::{self, protocol_of};
use super::wire::{self, Attributes, Reader, Writer, XfrmReader, XfrmWriter};

/// Highest octet of our numbers. The kernel itself counts up from 1.
const TAG: u32 = 0xc4 << 24;
const TAG_MASK: u32 = 0xff << 24;

/// Numbers for SAs and policies that show whose they are.
#[derive(Debug, Default)]
pub(crate) struct Tags {
    sas: u32,
    policies: u32,
}

impl Tags {
    /// For an SA.
    pub(crate) const fn sa(&mut self) -> u32 {
        self.sas = self.sas.wrapping_add(1) & !TAG_MASK;
        TAG | self.sas
    }

    /// For a policy; the lowest three bits are the direction's.
    pub(crate) const fn policy(&mut self) -> u32 {
        self.policies = self.policies.wrapping_add(8) & !TAG_MASK;
        TAG | self.policies
    }
}

/// Removes all that is ours.
pub(crate) fn remove<T: Transport>(pipeline: &mut Pipeline<T>, spis: SpiRange) -> Removed {
    let mut removed = Removed::default();
    let policies = listed(pipeline, wire::GETPOLICY, wire::POLICY_INFO_LEN);
    let requests: Vec<_> = policies.iter().filter_map(|policy| policy_of_ours(policy)).collect();
    removed.policies = gone(pipeline, requests);
    let sas = listed(pipeline, wire::GETSA, wire::SA_INFO_LEN);
    let requests: Vec<_> = sas.iter().filter_map(|sa| sa_of_ours(sa, spis)).collect();
    removed.sas = gone(pipeline, requests);
    removed
}

fn listed<T: Transport>(pipeline: &mut Pipeline<T>, kind: u16, info_len: usize) -> Vec<Vec<u8>> {
    let request = || {
        let mut request = Writer::message(kind, wire::F_DUMP);
        request.zeros(info_len.min(64));
        request
    };
    match pipeline.dump(request) {
        Ok(listed) => listed.into_iter().map(|(_, payload)| payload).collect(),
        Err(errno) => {
            let error = std::io::Error::from_raw_os_error(errno);
            warn!(target: "KNL", "listing what the kernel has installed failed: {error}");
            Vec::new()
        }
    }
}

fn gone<T: Transport>(pipeline: &mut Pipeline<T>, requests: Vec<Writer>) -> usize {
    let answers = pipeline.run(requests);
    for errno in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        if !matches!(*errno, ESRCH | ENOENT) {
            warn!(target: "KNL", "removing a leftover failed: {}", std::io::Error::from_raw_os_error(*errno));
        }
    }
    answers.iter().filter(|answer| answer.is_ok()).count()
}

fn policy_of_ours(policy: &[u8]) -> Option<Writer> {
    let mut reader = Reader::new(policy);
    let selector = reader.bytes(56)?;
    reader.bytes(64 + 32 + 4)?;
    let (index, direction) = (reader.u32()?, reader.u8()?);
    if index & TAG_MASK != TAG {
        return None;
    }
    let mut request = Writer::message(wire::DELPOLICY, wire::F_ACK);
    request.bytes(selector).u32(0).u8(direction).zeros(3);
    let attributes = Attributes::new(policy.get(wire::POLICY_INFO_LEN..)?);
    for (kind, value) in attributes.filter(|(kind, _)| matches!(*kind, wire::A_MARK | wire::A_IF_ID)) {
        request.attribute(kind, value);
    }
    Some(request)
}

fn sa_of_ours(sa: &[u8], spis: SpiRange) -> Option<Writer> {
    let mut reader = Reader::new(sa);
    reader.bytes(56)?;
    let (destination, spi, protocol) = (reader.address()?, reader.be32()?, reader.u8()?);
    reader.bytes(3 + 16 + 64 + 32 + 12)?;
    let (sequence, _reqid, family) = (reader.u32()?, reader.u32()?, reader.u16()?);
    let attributes = Attributes::new(sa.get(wire::SA_INFO_LEN..)?);
    let keyed = [wire::A_ALG_AEAD, wire::A_ALG_CRYPT, wire::A_ALG_AUTH_TRUNC];
    let reserved = spis.contains(spi) && keyed.iter().all(|kind| attributes.find(*kind).is_none());
    if sequence & TAG_MASK != TAG && !reserved {
        return None;
    }
    let key = SaKey {
        destination: destination.of_family(family)?,
        protocol: protocol_of(protocol)?,
        spi: EspSpi(NonZeroU32::new(spi)?),
    };
    let mark = attributes.find(wire::A_MARK).and_then(|value| {
        let mut reader = Reader::new(value);
        Some(Mark { value: reader.u32()?, mask: reader.u32()? })
    });
    Some(state::name(wire::DELSA, key, mark.unwrap_or_default()))
}
