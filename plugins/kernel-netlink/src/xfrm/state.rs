//! SAs: `struct xfrm_usersa_info` and its attributes.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use charon_types::algorithm::Esn;
use charon_types::id::Mark;
use charon_types::kernel_op::{
    AddSa, Direction, DscpCopy, Encap, HeaderBit, KernelError, KernelSelector, Mode, Offload, SaKey, SaLimit,
    SaUsage, TfcPadding,
};
use charon_types::proposal::Protocol;

use super::algorithm;
use super::policy::selector;
use super::wire::{self, Attributes, Reader, Writer, XfrmReader, XfrmWriter, family};

const IPPROTO_ESP: u8 = 50;
const IPPROTO_AH: u8 = 51;

const FLAG_NOECN: u8 = 1;
const FLAG_DECAP_DSCP: u8 = 2;
const FLAG_NOPMTUDISC: u8 = 4;
const FLAG_AF_UNSPEC: u8 = 32;
const FLAG_ALIGN4: u8 = 64;
const FLAG_ESN: u8 = 128;
const EXTRA_DONT_ENCAP_DSCP: u32 = 1;

const UDP_ENCAP_ESPINUDP: u16 = 2;

const OFFLOAD_IPV6: u8 = 1;
const OFFLOAD_INBOUND: u8 = 2;
const OFFLOAD_PACKET: u8 = 4;

/// Largest replay window without the attribute for large ones, packets.
const REPLAY_WINDOW_SMALL: u32 = 32;
/// Largest replay window that the kernel takes, packets.
const REPLAY_WINDOW_MAX: u32 = 4096;

/// Octets of `xfrm_usersa_info` before the limits: selector, id, source.
const IDENTITY_LEN: usize = 56 + 24 + 16;
const LIMITS_LEN: usize = 64;
/// Sequence numbers that an SA which moves does not use.
const NUMBERS_LEFT_OUT: u32 = 4096;
const CURRENT_LEN: usize = 32;

pub(crate) const fn protocol_number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Ah => IPPROTO_AH,
        Protocol::Esp | Protocol::Ike => IPPROTO_ESP,
    }
}

pub(crate) const fn protocol_of(number: u8) -> Option<Protocol> {
    match number {
        IPPROTO_ESP => Some(Protocol::Esp),
        IPPROTO_AH => Some(Protocol::Ah),
        _ => None,
    }
}

pub(crate) const fn mode_number(mode: Mode) -> u8 {
    match mode {
        Mode::Transport | Mode::Pass | Mode::Drop => 0,
        Mode::Tunnel => 1,
        Mode::Beet => 4,
    }
}

/// The message that adds an SA (`NEWSA`) or completes a reserved one (`UPDSA`). `tag` is kept by the kernel as the SA's
/// sequence number of key management; `device` does the work if it can.
pub(crate) fn add(sa: &AddSa, kind: u16, tag: u32, device: Option<u32>) -> Result<Writer, KernelError> {
    let mut message = Writer::message(kind, wire::F_ACK | wire::F_CREATE | wire::F_EXCL);
    info(&mut message, sa, tag);
    let info_len = message.as_bytes().len() - wire::NLMSG_HEADER_LEN;
    message.zeros(wire::SA_INFO_LEN - info_len);
    algorithms(&mut message, sa)?;
    if sa.encap == Encap::Udp {
        encapsulation(&mut message, sa.source.port(), sa.destination.port());
    }
    if uses_large_window(sa) {
        large_window(&mut message, window(sa));
    }
    mark(&mut message, sa.mark);
    if sa.if_id.0 != 0 {
        message.attribute(wire::A_IF_ID, &sa.if_id.0.to_ne_bytes());
    }
    let options = &sa.options;
    let sends = sa.direction == Direction::Outbound;
    if sends && sa.mode == Mode::Tunnel && matches!(options.dscp, DscpCopy::In | DscpCopy::None) {
        message.attribute(wire::A_SA_EXTRA_FLAGS, &EXTRA_DONT_ENCAP_DSCP.to_ne_bytes());
    }
    if sends && options.tfc_padding != TfcPadding::None {
        if (sa.protocol, sa.mode) != (Protocol::Esp, Mode::Tunnel) {
            return Err(KernelError::Unsupported(
                "padding of traffic flow confidentiality outside of ESP tunnels",
            ));
        }
        let octets = match options.tfc_padding {
            TfcPadding::Octets(octets) => octets,
            TfcPadding::None | TfcPadding::Mtu => u32::MAX,
        };
        message.attribute(wire::A_TFCPAD, &octets.to_ne_bytes());
    }
    if options.set_mark.mask != 0 {
        message.attribute(wire::A_SET_MARK, &options.set_mark.value.to_ne_bytes());
        message.attribute(wire::A_SET_MARK_MASK, &options.set_mark.mask.to_ne_bytes());
    }
    if let Some(device) = device {
        let mut value = Writer::new();
        value.u32(device).u8(offload_flags(sa)).zeros(3);
        message.attribute(wire::A_OFFLOAD_DEV, value.as_bytes());
    }
    Ok(message)
}

/// The message that reserves an SPI.
pub(crate) fn reserve(source: IpAddr, destination: IpAddr, protocol: Protocol, min: u32, max: u32) -> Writer {
    let mut message = Writer::message(wire::ALLOCSPI, wire::F_ACK);
    message.zeros(56).address(destination).be32(0).u8(protocol_number(protocol)).zeros(3).address(source);
    message.zeros(LIMITS_LEN + CURRENT_LEN + 12 + 4 + 4);
    message.u16(family(destination)).u8(mode_number(Mode::Tunnel)).zeros(9);
    // SPIs up to 255 are reserved (RFC 4303 §2.1).
    message.u32(min.max(256)).u32(max);
    message
}

/// The SPI in the answer to [`reserve`], or of any SA.
pub(crate) fn spi(info: &[u8]) -> Option<u32> {
    let mut reader = Reader::new(info);
    reader.bytes(56 + 16)?;
    reader.be32()
}

/// The message that deletes an SA (`DELSA`) or asks for it (`GETSA`).
pub(crate) fn name(kind: u16, key: SaKey, marked: Mark) -> Writer {
    let mut message = Writer::message(kind, wire::F_ACK);
    message.address(key.destination).be32(key.spi.get()).u16(family(key.destination));
    message.u8(protocol_number(key.protocol)).zeros(1);
    mark(&mut message, marked);
    message
}

/// The counters of an SA from what the kernel says of it.
pub(crate) fn usage(info: &[u8], now: SystemTime) -> Option<SaUsage> {
    let mut reader = Reader::new(info);
    reader.bytes(IDENTITY_LEN + LIMITS_LEN)?;
    let (bytes, packets) = (reader.u64()?, reader.u64()?);
    let attributes = Attributes::new(info.get(wire::SA_INFO_LEN..)?);
    let used = attributes.find(wire::A_LASTUSED).and_then(|value| Reader::new(value).u64());
    let idle = used.map(|seconds| {
        let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        at.and_then(|at| now.duration_since(at).ok()).unwrap_or_default()
    });
    Some(SaUsage { bytes, packets, idle })
}

/// The message that adds an SA again at other addresses, made of what the kernel said of it: keys, counters, replay state and
/// limits are carried over.
pub(crate) fn moved(
    info: &[u8],
    source: SocketAddr,
    destination: SocketAddr,
    encap: Encap,
) -> Option<Writer> {
    let mut reader = Reader::new(info);
    let selector = reader.bytes(56)?;
    let (_old_destination, spi, proto) = (reader.address()?, reader.be32()?, reader.u8()?);
    reader.bytes(3)?;
    let _old_source = reader.address()?;
    let limits = reader.bytes(LIMITS_LEN)?;
    let current = reader.bytes(CURRENT_LEN)?;
    let stats = reader.bytes(12)?;
    let (sequence, reqid, _family) = (reader.u32()?, reader.u32()?, reader.u16()?);
    let (mode, replay_window, flags) = (reader.u8()?, reader.u8()?, reader.u8()?);
    let attributes = Attributes::new(info.get(wire::SA_INFO_LEN..)?);

    let mut message = Writer::message(wire::NEWSA, wire::F_ACK | wire::F_CREATE | wire::F_EXCL);
    message.bytes(selector).address(destination.ip()).be32(spi).u8(proto).zeros(3).address(source.ip());
    message.bytes(limits).bytes(current).bytes(stats).u32(sequence).u32(reqid).u16(family(destination.ip()));
    message.u8(mode).u8(replay_window).u8(flags).zeros(7);
    const KEPT: &[u16] = &[
        wire::A_ALG_CRYPT,
        wire::A_ALG_AEAD,
        wire::A_ALG_AUTH_TRUNC,
        wire::A_REPLAY_VAL,
        wire::A_REPLAY_ESN_VAL,
        wire::A_MARK,
        wire::A_TFCPAD,
        wire::A_SA_EXTRA_FLAGS,
        wire::A_OFFLOAD_DEV,
        wire::A_SET_MARK,
        wire::A_SET_MARK_MASK,
        wire::A_IF_ID,
    ];
    for (kind, value) in attributes.filter(|(kind, _)| KEPT.contains(kind)) {
        match kind {
            wire::A_REPLAY_VAL => message.attribute(kind, &ahead(value, 0, None)),
            wire::A_REPLAY_ESN_VAL => message.attribute(kind, &ahead(value, 4, Some(12))),
            _ => message.attribute(kind, value),
        };
    }
    message.attribute(wire::A_LTIME_VAL, current);
    if encap == Encap::Udp {
        encapsulation(&mut message, source.port(), destination.port());
    }
    Some(message)
}

/// A replay state whose outbound number, at octet `low` and with its upper half at `high`, is some thousand later: packets that leave
/// between reading and deleting an SA must not share their number, which makes the nonce, with others.
fn ahead(value: &[u8], low: usize, high: Option<usize>) -> Vec<u8> {
    let mut value = value.to_vec();
    let mut next = |at: usize, step: u32| {
        let place = value.get_mut(at..)?.first_chunk_mut::<4>()?;
        let number = u32::from_ne_bytes(*place);
        // One that has sent nothing receives, or has time.
        let (sum, carry) = number.overflowing_add(if number == 0 && at == low { 0 } else { step });
        *place = sum.to_ne_bytes();
        Some(carry)
    };
    let carry = next(low, NUMBERS_LEFT_OUT);
    if let (Some(true), Some(high)) = (carry, high) {
        next(high, 1);
    }
    value
}

pub(crate) fn mark(message: &mut Writer, mark: Mark) {
    if mark.mask != 0 || mark.value != 0 {
        let mut value = Writer::new();
        value.u32(mark.value).u32(mark.mask);
        message.attribute(wire::A_MARK, value.as_bytes());
    }
}

fn info(message: &mut Writer, sa: &AddSa, tag: u32) {
    let (source, destination) = (sa.source.ip(), sa.destination.ip());
    match (sa.mode, sa.source_ts.first(), sa.destination_ts.first()) {
        (Mode::Transport | Mode::Beet, Some(from), Some(to)) => {
            selector(message, &KernelSelector::between(from, to), None);
        }
        _ => {
            message.zeros(56);
        }
    }
    message.address(destination).be32(sa.spi.get()).u8(protocol_number(sa.protocol)).zeros(3).address(source);
    limits(message, &sa.limits.soft, &sa.limits.hard);
    message.zeros(CURRENT_LEN + 12);
    message.u32(tag).u32(sa.reqid.0.get()).u16(family(destination)).u8(mode_number(sa.mode));
    let small = if uses_large_window(sa) { 0 } else { u8::try_from(window(sa)).unwrap_or(0) };
    message.u8(small).u8(flags(sa));
}

fn flags(sa: &AddSa) -> u8 {
    let mut flags = 0;
    if sa.mode == Mode::Tunnel {
        flags |= FLAG_AF_UNSPEC;
        let receives = sa.direction == Direction::Inbound;
        if receives && matches!(sa.options.dscp, DscpCopy::In | DscpCopy::Both) {
            flags |= FLAG_DECAP_DSCP;
        }
    }
    if sa.options.ecn == HeaderBit::Leave {
        flags |= FLAG_NOECN;
    }
    if sa.options.df == HeaderBit::Leave {
        flags |= FLAG_NOPMTUDISC;
    }
    if sa.protocol == Protocol::Ah && sa.destination.is_ipv4() {
        // RFC 4302 §3.3.3.2.1: multiples of 32 bits over IPv4, where the kernel would make it 64.
        flags |= FLAG_ALIGN4;
    }
    if sa.esn == Esn::Enabled {
        flags |= FLAG_ESN;
    }
    flags
}

fn limits(message: &mut Writer, soft: &SaLimit, hard: &SaLimit) {
    let limit = |value: u64| if value == 0 { wire::INFINITE } else { value };
    for value in [soft.bytes, hard.bytes, soft.packets, hard.packets] {
        message.u64(limit(value));
    }
    // Here 0 is "no limit", and the last two count from the first use.
    message.u64(soft.time.as_secs()).u64(hard.time.as_secs()).u64(0).u64(0);
}

/// The kernel wants a window for 64-bit numbers, outbound as well, where it means nothing.
fn window(sa: &AddSa) -> u32 {
    let wanted = if sa.direction == Direction::Inbound { sa.replay_window.min(REPLAY_WINDOW_MAX) } else { 0 };
    if sa.esn == Esn::Enabled { wanted.max(1) } else { wanted }
}

fn uses_large_window(sa: &AddSa) -> bool {
    sa.esn == Esn::Enabled || window(sa) > REPLAY_WINDOW_SMALL
}

/// `struct xfrm_replay_state_esn`
fn large_window(message: &mut Writer, window: u32) {
    let words = window.div_ceil(32);
    let mut value = Writer::new();
    value.u32(words).zeros(16).u32(window);
    for _ in 0..words {
        value.u32(0);
    }
    message.attribute(wire::A_REPLAY_ESN_VAL, value.as_bytes());
}

/// `struct xfrm_encap_tmpl`
pub(crate) fn encapsulation(message: &mut Writer, source: u16, destination: u16) {
    let mut value = Writer::new();
    value.u16(UDP_ENCAP_ESPINUDP).be16(source).be16(destination).zeros(2 + 16);
    message.attribute(wire::A_ENCAP, value.as_bytes());
}

fn offload_flags(sa: &AddSa) -> u8 {
    let mut flags = if sa.destination.is_ipv6() { OFFLOAD_IPV6 } else { 0 };
    if sa.direction == Direction::Inbound {
        flags |= OFFLOAD_INBOUND;
    }
    if sa.options.offload == Offload::Packet {
        flags |= OFFLOAD_PACKET;
    }
    flags
}

/// `struct xfrm_algo_aead`, `xfrm_algo`, `xfrm_algo_auth`: a name of 64 octets, lengths in bits, the key.
fn algorithms(message: &mut Writer, sa: &AddSa) -> Result<(), KernelError> {
    if sa.encryption.is_none() && sa.integrity.is_none() {
        return Err(KernelError::KeyLength);
    }
    if let Some((id, key)) = &sa.encryption {
        let algorithm = algorithm::encryption(*id).ok_or(KernelError::UnsupportedEncryption(*id))?;
        if !algorithm.takes(key.len()) {
            return Err(KernelError::KeyLength);
        }
        let mut value = Writer::new();
        name_of(&mut value, algorithm.name).u32(bits(key.len()));
        if algorithm.is_aead() {
            value.u32(algorithm.icv_bits).bytes(key.expose());
            message.attribute(wire::A_ALG_AEAD, value.as_bytes());
        } else {
            value.bytes(key.expose());
            message.attribute(wire::A_ALG_CRYPT, value.as_bytes());
        }
    }
    if let Some((id, key)) = &sa.integrity {
        let algorithm = algorithm::integrity(*id).ok_or(KernelError::UnsupportedIntegrity(*id))?;
        if key.len() != algorithm.key_octets {
            return Err(KernelError::KeyLength);
        }
        let mut value = Writer::new();
        name_of(&mut value, algorithm.name).u32(bits(key.len())).u32(algorithm.icv_bits).bytes(key.expose());
        message.attribute(wire::A_ALG_AUTH_TRUNC, value.as_bytes());
    }
    Ok(())
}

fn name_of<'w>(value: &'w mut Writer, name: &str) -> &'w mut Writer {
    value.bytes(name.as_bytes()).zeros(64 - name.len())
}

fn bits(octets: usize) -> u32 {
    u32::try_from(octets * 8).expect("keys are some octets long")
}

#[cfg(test)]
mod tests;
