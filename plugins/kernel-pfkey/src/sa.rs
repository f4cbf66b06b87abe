//! Messages about SAs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use charon_types::algorithm::Esn;
use charon_types::id::{IfId, Mark};
use charon_types::kernel_op::{
    AddSa, Direction, DscpCopy, Encap, HeaderBit, KernelError, Mode, Offload, SaKey, SaLimit, TfcPadding,
};
use charon_types::proposal::Protocol;

use crate::algorithm;
use crate::wire::{self, KeyReader, KeyWriter, Message, Reader, Writer};

const STATE_MATURE: u8 = 1;
const FLAG_NOECN: u32 = 0x8000_0000;
const FLAG_DECAP_DSCP: u32 = 0x4000_0000;
const FLAG_NOPMTUDISC: u32 = 0x2000_0000;
const UDP_ENCAP_ESPINUDP: u8 = 2;
/// Hard limit of use time of our SAs, seconds: 104 years, by which a later start knows them.
pub(crate) const USE_LIMIT_MARK: u64 = 0xc4c4_c4c4;
/// Largest replay window, packets.
const REPLAY_WINDOW_MAX: u32 = 32;

pub(crate) const fn satype(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Ah => wire::SATYPE_AH,
        Protocol::Esp | Protocol::Ike => wire::SATYPE_ESP,
    }
}

pub(crate) const fn protocol_of(satype: u8) -> Option<Protocol> {
    match satype {
        wire::SATYPE_AH => Some(Protocol::Ah),
        wire::SATYPE_ESP => Some(Protocol::Esp),
        _ => None,
    }
}

pub(crate) const fn mode_number(mode: Mode) -> u8 {
    match mode {
        Mode::Transport | Mode::Pass | Mode::Drop => 1,
        Mode::Tunnel => 2,
        Mode::Beet => 3,
    }
}

/// Reserves an SPI.
pub(crate) fn reserve(source: IpAddr, destination: IpAddr, protocol: Protocol, min: u32, max: u32) -> Writer {
    let mut message = Writer::message(wire::GETSPI, satype(protocol));
    message.host(wire::X_ADDRESS_SRC, source).host(wire::X_ADDRESS_DST, destination);
    let mut range = Writer::new();
    // SPIs up to 255 are reserved (RFC 4303 §2.1).
    range.u32(min.max(256)).u32(max).u32(0);
    message.extension(wire::X_SPIRANGE, range.as_bytes());
    message
}

/// Adds an SA (`ADD`) or completes a reserved one (`UPDATE`).
pub(crate) fn add(sa: &AddSa, kind: u8) -> Result<Writer, KernelError> {
    check(sa)?;
    let mut message = Writer::message(kind, satype(sa.protocol));
    let (authenticating, encrypting) = algorithms(sa)?;
    let window = if sa.direction == Direction::Inbound { sa.replay_window.min(REPLAY_WINDOW_MAX) } else { 0 };
    let mut value = Writer::new();
    value.be32(sa.spi.get()).u8(u8::try_from(window).unwrap_or(0)).u8(STATE_MATURE);
    value.u8(authenticating).u8(encrypting).u32(flags(sa));
    message.extension(wire::X_SA, value.as_bytes());
    let mut second = Writer::new();
    second.u8(mode_number(sa.mode)).zeros(3 + 4).u32(sa.reqid.0.get());
    message.extension(wire::X_SA2, second.as_bytes());
    message.host(wire::X_ADDRESS_SRC, sa.source.ip()).host(wire::X_ADDRESS_DST, sa.destination.ip());
    if let Some(any) = other_family(sa)? {
        message.address(wire::X_ADDRESS_PROXY, (any, 0), 0, 0);
    }
    lifetime(&mut message, wire::X_LIFETIME_SOFT, &sa.limits.soft, 0);
    lifetime(&mut message, wire::X_LIFETIME_HARD, &sa.limits.hard, USE_LIMIT_MARK);
    if let Some((_, secret)) = &sa.integrity {
        key(&mut message, wire::X_KEY_AUTH, secret.expose());
    }
    if let Some((_, secret)) = &sa.encryption
        && !secret.is_empty()
    {
        key(&mut message, wire::X_KEY_ENCRYPT, secret.expose());
    }
    if sa.encap == Encap::Udp {
        nat(&mut message, sa.source.port(), sa.destination.port());
    }
    Ok(message)
}

/// Deletes an SA (`DELETE`) or asks for it (`GET`).
pub(crate) fn name(kind: u8, sa: SaKey) -> Writer {
    let mut message = Writer::message(kind, satype(sa.protocol));
    let mut value = Writer::new();
    value.be32(sa.spi.get()).zeros(8);
    message.extension(wire::X_SA, value.as_bytes());
    // The kernel wants a source of the same family, and does not look at it.
    let any: IpAddr = match sa.destination {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    message.host(wire::X_ADDRESS_SRC, any).host(wire::X_ADDRESS_DST, sa.destination);
    message
}

/// Gives an encapsulated SA other ports, made of what the kernel said of it.
pub(crate) fn other_ports(known: &Message<'_>, source: u16, destination: u16) -> Writer {
    let mut message = Writer::message(wire::UPDATE, known.satype);
    const KEPT: &[u16] = &[
        wire::X_SA,
        wire::X_SA2,
        wire::X_LIFETIME_HARD,
        wire::X_LIFETIME_SOFT,
        wire::X_ADDRESS_SRC,
        wire::X_ADDRESS_DST,
        wire::X_KEY_AUTH,
        wire::X_KEY_ENCRYPT,
    ];
    for (kind, value) in known.extensions().filter(|(kind, _)| KEPT.contains(kind)) {
        message.extension(kind, value);
    }
    nat(&mut message, source, destination);
    message
}

/// Octets and packets that an SA has carried.
pub(crate) fn counters(known: &Message<'_>) -> Option<(u64, u64)> {
    let mut current = known.find(wire::X_LIFETIME_CURRENT)?;
    let packets = current.u32()?;
    Some((current.u64()?, packets.into()))
}

/// The hard limit of use time in a message, seconds.
pub(crate) fn use_limit(known: &Message<'_>) -> Option<u64> {
    let mut hard = known.find(wire::X_LIFETIME_HARD)?;
    hard.bytes(4 + 8 + 8)?;
    hard.u64()
}

/// The SPI that a message names.
pub(crate) fn spi(message: &Message<'_>) -> Option<u32> {
    message.find(wire::X_SA)?.be32()
}

/// The address in an extension of that type.
pub(crate) fn address(message: &Message<'_>, kind: u16) -> Option<IpAddr> {
    let mut value: Reader<'_> = message.find(kind)?;
    value.bytes(4)?;
    value.socket_address().map(|address| address.ip())
}

/// An SA carries packets of its own family unless it has a proxy address: then packets of that one's, and no others.
fn other_family(sa: &AddSa) -> Result<Option<IpAddr>, KernelError> {
    if sa.mode == Mode::Transport {
        return Ok(None);
    }
    let outside = sa.destination.is_ipv4();
    let mut inside = sa.source_ts.iter().chain(&sa.destination_ts).map(|ts| ts.start.is_ipv4());
    let Some(first) = inside.next() else { return Ok(None) };
    if inside.any(|other| other != first) {
        return Err(KernelError::Unsupported("IPv4 and IPv6 in one SA"));
    }
    let any: IpAddr = if first { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    Ok((first != outside).then_some(any))
}

/// What PF_KEY has no words for.
fn check(sa: &AddSa) -> Result<(), KernelError> {
    let unless = |fine: bool, what| if fine { Ok(()) } else { Err(KernelError::Unsupported(what)) };
    unless(sa.esn == Esn::Disabled, "a 64-bit sequence number")?;
    unless(sa.mark == Mark::default() && sa.options.set_mark == Mark::default(), "a mark")?;
    unless(sa.if_id == IfId::default(), "an interface id")?;
    unless(sa.options.tfc_padding == TfcPadding::None, "padding of traffic flow confidentiality")?;
    unless(matches!(sa.options.offload, Offload::No | Offload::Auto), "hardware offload")?;
    unless(matches!(sa.options.dscp, DscpCopy::Out | DscpCopy::Both), "an outer header without DSCP")
}

fn algorithms(sa: &AddSa) -> Result<(u8, u8), KernelError> {
    let authenticating = match &sa.integrity {
        Some((id, key)) => {
            let number =
                algorithm::integrity(*id, key.len()).ok_or(KernelError::UnsupportedIntegrity(*id))?;
            number.map_err(|_| KernelError::KeyLength)?
        }
        None => 0,
    };
    let encrypting = match &sa.encryption {
        Some((id, key)) => {
            let number =
                algorithm::encryption(*id, key.len()).ok_or(KernelError::UnsupportedEncryption(*id))?;
            number.map_err(|_| KernelError::KeyLength)?
        }
        None => 0,
    };
    if authenticating == 0 { Err(KernelError::KeyLength) } else { Ok((authenticating, encrypting)) }
}

fn flags(sa: &AddSa) -> u32 {
    let mut flags = 0;
    if sa.options.ecn == HeaderBit::Leave {
        flags |= FLAG_NOECN;
    }
    if sa.options.df == HeaderBit::Leave {
        flags |= FLAG_NOPMTUDISC;
    }
    let receives = sa.direction == Direction::Inbound && sa.mode == Mode::Tunnel;
    if receives && sa.options.dscp == DscpCopy::Both {
        flags |= FLAG_DECAP_DSCP;
    }
    flags
}

/// Zero is "no limit" here as well. `used` counts from the first packet, seconds.
fn lifetime(message: &mut Writer, kind: u16, limit: &SaLimit, used: u64) {
    let mut value = Writer::new();
    value.u32(u32::try_from(limit.packets).unwrap_or(u32::MAX)).u64(limit.bytes);
    value.u64(limit.time.as_secs()).u64(used);
    message.extension(kind, value.as_bytes());
}

fn key(message: &mut Writer, kind: u16, key: &[u8]) {
    let mut value = Writer::new();
    value.u16(u16::try_from(key.len() * 8).expect("keys are some octets long")).u16(0).bytes(key);
    message.extension(kind, value.as_bytes());
}

fn nat(message: &mut Writer, source: u16, destination: u16) {
    let mut kind = Writer::new();
    kind.u8(UDP_ENCAP_ESPINUDP).zeros(3);
    message.extension(wire::X_NAT_T_TYPE, kind.as_bytes());
    for (extension, port) in [(wire::X_NAT_T_SPORT, source), (wire::X_NAT_T_DPORT, destination)] {
        let mut value = Writer::new();
        value.be16(port).u16(0);
        message.extension(extension, value.as_bytes());
    }
}

#[cfg(test)]
mod tests;
