//! What the daemon asks of a kernel's IPsec, and what it hears back.
//!
//! Every backend (XFRM, PF_KEY, userspace ESP, the in-memory twin) takes these operations; protocol code produces them.

mod priority;
mod report;
mod selector;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::algorithm::{EncryptionId, Esn, IntegrityId};
use crate::id::{EspSpi, IfId, Mark, Reqid};
use crate::proposal::Protocol;
use crate::secret::Secret;
use crate::selector::TrafficSelector;

pub use selector::{KernelSelector, PortMask};

/// How packets are wrapped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Whole packets inside ESP.
    #[default]
    Tunnel,
    /// Payloads inside ESP, addresses unchanged.
    Transport,
    /// Bound end-to-end tunnel.
    Beet,
    /// Shunt: let through in clear.
    Pass,
    /// Shunt: discard.
    Drop,
}

/// Which way a packet goes, seen from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To us.
    Inbound,
    /// From us.
    Outbound,
}

/// Which packets a policy is looked up for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyDirection {
    /// Delivered locally.
    In,
    /// Leaving.
    Out,
    /// Forwarded.
    Forward,
}

/// Whether ESP travels inside UDP (RFC 3948). Ports are those of the SA's addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encap {
    /// Plain ESP.
    None,
    /// ESP in UDP.
    Udp,
}

/// Limits that a kernel watches by itself. Zero is "no limit".
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaLimits {
    /// Soft limit: [`KernelEvent::Expire`] with [`Expiry::Soft`].
    pub soft: SaLimit,
    /// Hard limit: the SA stops working and [`Expiry::Hard`] is reported.
    pub hard: SaLimit,
}

/// One set of limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaLimit {
    /// Since the SA was added.
    pub time: Duration,
    /// Octets of inner packets.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

/// What identifies an SA in a kernel: destination, protocol and SPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SaKey {
    /// Destination address.
    pub destination: IpAddr,
    /// ESP or AH.
    pub protocol: Protocol,
    /// SPI.
    pub spi: EspSpi,
}

/// A new SA, complete. Keys are in the algorithm's wire order: for AEAD the salt follows the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddSa {
    /// Sender of its packets; the port matters with [`Encap::Udp`].
    pub source: SocketAddr,
    /// Receiver of its packets.
    pub destination: SocketAddr,
    /// ESP or AH.
    pub protocol: Protocol,
    /// SPI, chosen by the receiver.
    pub spi: EspSpi,
    /// Which way.
    pub direction: Direction,
    /// Tunnel, transport ...
    pub mode: Mode,
    /// Policies with the same reqid use it.
    pub reqid: Reqid,
    /// Encryption and its key; `None` for AH.
    pub encryption: Option<(EncryptionId, Secret)>,
    /// Integrity and its key; `None` for combined-mode ciphers.
    pub integrity: Option<(IntegrityId, Secret)>,
    /// UDP encapsulation.
    pub encap: Encap,
    /// Sequence numbers.
    pub esn: Esn,
    /// Anti-replay window in packets; 0 turns it off. Inbound only.
    pub replay_window: u32,
    /// Limits.
    pub limits: SaLimits,
    /// Selectors of the sending side.
    pub source_ts: Vec<TrafficSelector>,
    /// Selectors of the receiving side.
    pub destination_ts: Vec<TrafficSelector>,
    /// Mark.
    pub mark: Mark,
    /// XFRM interface.
    pub if_id: IfId,
    /// How headers and devices are treated.
    pub options: SaOptions,
}

/// How an SA treats outer headers, and who does its work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SaOptions {
    /// Whether the inner DF bit is copied to the outer header.
    pub df: HeaderBit,
    /// Whether ECN is carried between inner and outer header (RFC 6040).
    pub ecn: HeaderBit,
    /// Where DSCP is copied.
    pub dscp: DscpCopy,
    /// Whether a device does the work.
    pub offload: Offload,
    /// Mark that packets get after they were processed; zero mask: none.
    pub set_mark: Mark,
    /// How much packets are padded against traffic analysis; outbound, tunnel mode.
    pub tfc_padding: TfcPadding,
}

/// Padding of traffic flow confidentiality (RFC 4303 §2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TfcPadding {
    /// No more than ESP needs.
    #[default]
    None,
    /// Packets shorter than that many octets are padded up to it.
    Octets(u32),
    /// All packets become as long as the path allows.
    Mtu,
}

/// What happens to a bit of the inner header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HeaderBit {
    /// It is copied.
    #[default]
    Copy,
    /// It is not.
    Leave,
}

/// In which direction DSCP is copied between inner and outer header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DscpCopy {
    /// To the outer header when sending.
    #[default]
    Out,
    /// To the inner header when receiving.
    In,
    /// Both.
    Both,
    /// Neither.
    None,
}

/// What a network device may do for an SA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Offload {
    /// Nothing.
    #[default]
    No,
    /// The cryptography; without such a device the SA is refused.
    Crypto,
    /// Everything; without such a device the SA is refused.
    Packet,
    /// Whatever the device can.
    Auto,
}

/// What a policy does with a packet that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAction {
    /// Protect it with an SA of this template.
    Protect {
        /// Outer source.
        source: IpAddr,
        /// Outer destination.
        destination: IpAddr,
        /// ESP or AH.
        protocol: Protocol,
        /// Tunnel, transport ...
        mode: Mode,
        /// SAs with this reqid.
        reqid: Reqid,
        /// Outbound: this SA and no other, where the backend can tell SAs of one reqid apart.
        spi: Option<EspSpi>,
    },
    /// Let it through in clear.
    Pass,
    /// Discard it.
    Drop,
}

/// What a policy is for. Of policies of the same selectors the first of these counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PolicyClass {
    /// A shunt, in front of everything.
    Shunt,
    /// Of an SA.
    #[default]
    Regular,
    /// A trap: the first packet asks for an SA.
    Trap,
    /// Behind everything.
    Fallback,
}

/// A policy. Two policies are the same if direction, selectors, mark and interface are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which packets.
    pub direction: PolicyDirection,
    /// Source of the packets.
    pub source: TrafficSelector,
    /// Destination of the packets.
    pub destination: TrafficSelector,
    /// What happens to them.
    pub action: PolicyAction,
    /// What it is for, which ranks it before or behind others.
    pub class: PolicyClass,
    /// Fixed priority, 0 for computed from the class and the selectors: see [`Policy::effective_priority`].
    pub priority: u32,
    /// Mark.
    pub mark: Mark,
    /// XFRM interface.
    pub if_id: IfId,
    /// Restrict to this interface.
    pub interface: Option<String>,
}

impl Policy {
    /// What lets packets of an outbound policy be forwarded: they are in clear until they leave. strongSwan ranks it as a trap.
    #[must_use]
    pub fn forwarding(&self) -> Self {
        Self {
            direction: PolicyDirection::Forward,
            action: PolicyAction::Pass,
            class: PolicyClass::Trap,
            ..self.clone()
        }
    }
}

/// One request to a kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelOp {
    /// Reserve an inbound SPI within the range, inclusive.
    AllocSpi {
        /// Peer.
        source: IpAddr,
        /// Us.
        destination: IpAddr,
        /// ESP or AH.
        protocol: Protocol,
        /// Lowest SPI.
        min: u32,
        /// Highest SPI.
        max: u32,
    },
    /// Add an SA (or complete a reserved one).
    AddSa(Box<AddSa>),
    /// Move an SA to other addresses, counters and windows kept.
    UpdateSa {
        /// Which.
        sa: SaKey,
        /// New source.
        source: SocketAddr,
        /// New destination.
        destination: SocketAddr,
        /// New encapsulation.
        encap: Encap,
    },
    /// Remove an SA (or a reservation).
    DeleteSa(SaKey),
    /// Read an SA's counters.
    QuerySa(SaKey),
    /// Install a policy.
    AddPolicy(Box<Policy>),
    /// Remove a policy; `action` tells one owner's from another's.
    DeletePolicy(Box<Policy>),
}

/// Answer to one operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KernelReply {
    /// Done.
    Done,
    /// The SPI reserved.
    Spi(EspSpi),
    /// Counters.
    Usage(SaUsage),
}

/// Counters of an SA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SaUsage {
    /// Octets of inner packets.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Time since the last packet, `None` if there was none.
    pub idle: Option<Duration>,
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KernelError {
    /// The backend cannot do that encryption algorithm.
    UnsupportedEncryption(EncryptionId),
    /// The backend cannot do that integrity algorithm.
    UnsupportedIntegrity(IntegrityId),
    /// The backend cannot do that mode, protocol or option.
    Unsupported(&'static str),
    /// No such SA or policy.
    NotFound,
    /// It exists already.
    Exists,
    /// No SPI is free in the range.
    SpiExhausted,
    /// A key has the wrong length for its algorithm.
    KeyLength,
    /// No route leads to the address.
    Unreachable(IpAddr),
    /// The operating system refused.
    Os {
        /// What was asked.
        what: &'static str,
        /// errno.
        errno: i32,
    },
    /// The backend has ended.
    Gone,
}

impl std::fmt::Display for KernelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnsupportedEncryption(id) => {
                write!(f, "encryption algorithm {id} is not supported by the kernel")
            }
            Self::UnsupportedIntegrity(id) => {
                write!(f, "integrity algorithm {id} is not supported by the kernel")
            }
            Self::Unsupported(what) => write!(f, "{what} is not supported by the kernel"),
            Self::NotFound => f.write_str("no such SA or policy"),
            Self::Exists => f.write_str("SA or policy exists already"),
            Self::SpiExhausted => f.write_str("no SPI is free in the range"),
            Self::KeyLength => f.write_str("key has the wrong length for its algorithm"),
            Self::Unreachable(address) => write!(f, "no route to {address}"),
            Self::Os { what, errno } => {
                write!(f, "{what}: {}", std::io::Error::from_raw_os_error(*errno))
            }
            Self::Gone => f.write_str("the IPsec backend has ended"),
        }
    }
}

impl std::error::Error for KernelError {}

/// Answer to one operation, in the order of the batch.
pub type KernelResult = Result<KernelReply, KernelError>;

/// Which limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// Rekey.
    Soft,
    /// Dead.
    Hard,
}

/// What a kernel reports by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KernelEvent {
    /// A packet met a policy without an SA.
    Acquire {
        /// Of the policy.
        reqid: Reqid,
        /// The packet's source.
        source: TrafficSelector,
        /// The packet's destination.
        destination: TrafficSelector,
    },
    /// A limit was reached.
    Expire {
        /// Which SA.
        sa: SaKey,
        /// Which limit.
        expiry: Expiry,
    },
    /// Authenticated packets of an encapsulated inbound SA come from elsewhere.
    Mapping {
        /// Which SA.
        sa: SaKey,
        /// Where the peer is now.
        remote: SocketAddr,
    },
}

/// What a backend can install, so that nothing else is negotiated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelCapabilities {
    /// Encryption algorithms with key lengths in bits; 0 stands for an algorithm's only length.
    pub encryption: Vec<(EncryptionId, u16)>,
    /// Integrity algorithms.
    pub integrity: Vec<IntegrityId>,
    /// Modes.
    pub modes: Vec<Mode>,
    /// Protocols.
    pub protocols: Vec<Protocol>,
    /// Whether plain ESP is possible, or only ESP in UDP.
    pub encapsulation: EncapSupport,
    /// 64-bit sequence numbers.
    pub esn: Esn,
}

/// Which encapsulations a backend has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncapSupport {
    /// Plain and UDP.
    Any,
    /// UDP only: the IKE_SA pretends a NAT.
    UdpOnly,
}
