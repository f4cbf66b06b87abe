//! What arrives, and every check that it passes before it counts (RFC 9568 §7.1, RFC 3768 §7.1), in that order.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::auth::{Authenticator, TRAILER_LEN};
use crate::checksum::{self, ChecksumForm};
use crate::config::{AddressListCheck, ChecksumMode, Compatibility, RouterConfig, Transport};
use crate::id::{Family, Priority, TTL, Version};
use crate::interval::Interval;
use crate::packet::{self, AUTH_DATA_LEN, HEADER_LEN, Header, TYPE_ADVERTISEMENT};
use crate::statistics::GlobalStatistics;

/// A packet with IP protocol 112, as [`crate::frame`] or a raw socket gives it.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// What the IP header carries, without padding of the link.
    pub payload: &'a [u8],
}

/// Why a packet was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// A wrong length.
    #[error("{have} octets instead of {need}")]
    Length {
        /// What its header promises.
        need: usize,
        /// What there is.
        have: usize,
    },
    /// Sent from further away than the next hop.
    #[error("a TTL or hop limit of {ttl}")]
    Ttl {
        /// What it arrived with.
        ttl: u8,
    },
    /// A version that the router does not speak.
    #[error("version {version}")]
    Version {
        /// Which.
        version: u8,
    },
    /// Not an advertisement.
    #[error("packet type {packet_type}")]
    Type {
        /// Which.
        packet_type: u8,
    },
    /// The checksum does not match.
    #[error("a wrong checksum")]
    Checksum,
    /// No such virtual router.
    #[error("unknown virtual router {vrid}")]
    Vrid {
        /// Which.
        vrid: u8,
    },
    /// We own the addresses: whoever advertises them is wrong.
    #[error("priority {priority} although the addresses are ours")]
    OwnerConflict {
        /// What it claims.
        priority: Priority,
    },
    /// Another authentication than ours.
    #[error("authentication type {auth_type}")]
    AuthType {
        /// Which.
        auth_type: u8,
    },
    /// No HMAC trailer, though one is required.
    #[error("no HMAC")]
    Unsigned,
    /// A trailer that nobody could have meant.
    #[error("a malformed HMAC trailer")]
    MalformedTrailer,
    /// Wrong password or MAC.
    #[error("failed authentication")]
    AuthFailed,
    /// A key that we do not have.
    #[error("unknown key {id}")]
    UnknownKey {
        /// Its number.
        id: u8,
    },
    /// Signed too far from our clock.
    #[error("a time that is too far from ours")]
    Stale,
    /// Heard before.
    #[error("a replayed sequence number")]
    Replay,
    /// VRRPv2: another interval than ours.
    #[error("another advertisement interval")]
    Interval {
        /// What it claims; `None` for 0.
        interval: Option<Interval>,
    },
    /// VRRPv2: other addresses than ours.
    #[error("other addresses")]
    AddressList,
    /// Neither to the group nor to us.
    #[error("destination {destination}")]
    Destination {
        /// To whom.
        destination: IpAddr,
    },
    /// Not from a peer.
    #[error("not from a peer")]
    Peer,
    /// Our own, come back.
    #[error("our own advertisement")]
    Looped,
}

impl Rejection {
    /// Number of kinds.
    pub(crate) const KINDS: usize = 19;

    /// Its kind, below [`Rejection::KINDS`].
    pub(crate) const fn kind(&self) -> usize {
        match self {
            Self::Length { .. } => 0,
            Self::Ttl { .. } => 1,
            Self::Version { .. } => 2,
            Self::Type { .. } => 3,
            Self::Checksum => 4,
            Self::Vrid { .. } => 5,
            Self::OwnerConflict { .. } => 6,
            Self::AuthType { .. } => 7,
            Self::Unsigned => 8,
            Self::MalformedTrailer => 9,
            Self::AuthFailed => 10,
            Self::UnknownKey { .. } => 11,
            Self::Stale => 12,
            Self::Replay => 13,
            Self::Interval { .. } => 14,
            Self::AddressList => 15,
            Self::Destination { .. } => 16,
            Self::Peer => 17,
            Self::Looped => 18,
        }
    }
}

/// An advertisement that passed every check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) source: IpAddr,
    pub(crate) priority: Priority,
    /// `None` for the impossible 0.
    pub(crate) interval: Option<Interval>,
    pub(crate) checksum: ChecksumForm,
    pub(crate) addresses_differ: bool,
}

/// The router that checks.
pub(crate) struct Receiver<'a> {
    pub(crate) config: &'a RouterConfig,
    pub(crate) auth: &'a mut Authenticator,
    pub(crate) effective: Priority,
    pub(crate) primary: Option<IpAddr>,
    pub(crate) wall: SystemTime,
}

impl Receiver<'_> {
    /// All checks. The numbers are steps of the order.
    pub(crate) fn check(&mut self, received: &Received<'_>) -> Result<Heard, Rejection> {
        let config = self.config;
        let family = config.family();
        let payload = received.payload;
        // 1: something to look at.
        let (header, _) =
            Header::split(payload).ok_or(Rejection::Length { need: HEADER_LEN, have: payload.len() })?;
        // 2: from the link.
        let peer = self.check_ttl(received)?;
        // 3: a version that we speak.
        if header.version() != config.version.get() {
            return Err(Rejection::Version { version: header.version() });
        }
        // 4: an advertisement.
        check_type(header)?;
        // 5: whole.
        let parts = Parts::split(config, self.auth.may_have_trailer(), family, header, payload)?;
        // 6: intact.
        let form = check_sum(config.version, config.checksum, received, parts.message)?;
        // 7: ours.
        if header.vrid() != config.vrid.get() || Family::of(received.source) != family {
            return Err(Rejection::Vrid { vrid: header.vrid() });
        }
        // 8: the owner listens to nobody.
        if self.effective.is_owner() && self.primary != Some(received.source) {
            return Err(Rejection::OwnerConflict { priority: header.priority() });
        }
        // 9: authentic.
        if config.version == Version::V2 {
            self.auth.check_v2(header, parts.addresses, parts.auth_data)?;
        }
        if let Some(trailer) = self.auth.trailer() {
            trailer.check(config.version, received.source, self.wall, parts.message, parts.trailer)?;
        }
        // 10: VRRPv3 learns the interval, VRRPv2 insists on its own.
        let interval = header.interval(config.version);
        if config.version == Version::V2 && interval != Some(config.advert_interval) {
            return Err(Rejection::Interval { interval });
        }
        // 11: for our addresses.
        let addresses_differ = match config.address_list {
            AddressListCheck::Off => false,
            AddressListCheck::Count => !same_addresses(config, family, parts.addresses),
        };
        if addresses_differ && config.version == Version::V2 && !header.priority().is_owner() {
            return Err(Rejection::AddressList);
        }
        // 12: to us.
        match &config.transport {
            Transport::Multicast if received.destination != family.group() => {
                return Err(Rejection::Destination { destination: received.destination });
            }
            Transport::Unicast { .. } if peer == From::Stranger => return Err(Rejection::Peer),
            Transport::Unicast { .. }
                if self.primary.is_some_and(|primary| primary != received.destination) =>
            {
                return Err(Rejection::Destination { destination: received.destination });
            }
            Transport::Multicast | Transport::Unicast { .. } => {}
        }
        if self.primary == Some(received.source)
            && [self.effective, Priority::LEAVE].contains(&header.priority())
        {
            return Err(Rejection::Looped);
        }
        Ok(Heard {
            source: received.source,
            priority: header.priority(),
            interval,
            checksum: form,
            addresses_differ,
        })
    }

    fn check_ttl(&self, received: &Received<'_>) -> Result<From, Rejection> {
        let refused = Err(Rejection::Ttl { ttl: received.ttl });
        match &self.config.transport {
            Transport::Multicast if received.ttl == TTL => Ok(From::Group),
            Transport::Multicast => refused,
            Transport::Unicast { peers } => match peers.iter().find(|peer| peer.address == received.source) {
                Some(peer) if peer.ttl.contains(&received.ttl) => Ok(From::Peer),
                Some(_) => refused,
                None => Ok(From::Stranger),
            },
        }
    }
}

/// Whom a packet came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    Group,
    Peer,
    Stranger,
}

/// A message cut into its parts.
struct Parts<'a> {
    /// Without the trailer.
    message: &'a [u8],
    addresses: &'a [u8],
    auth_data: &'a [u8],
    trailer: &'a [u8],
}

impl<'a> Parts<'a> {
    fn split(
        config: &RouterConfig,
        may_have_trailer: bool,
        family: Family,
        header: Header,
        payload: &'a [u8],
    ) -> Result<Self, Rejection> {
        let have = payload.len();
        let need = packet::message_len(config.version, family, usize::from(header.count()));
        let lone = packet::message_len(Version::V2, Family::Ipv4, 1);
        let len = if have == need || may_have_trailer && have == need + TRAILER_LEN {
            need
        } else if config.compatibility == Compatibility::Rvrrpd
            && config.version == Version::V2
            && have == lone
        {
            // rVRRPd counts the addresses of its interface but sends one.
            lone
        } else {
            return Err(Rejection::Length { need, have });
        };
        if config.version == Version::V3 && header.count() == 0 {
            return Err(Rejection::Length { need: need + family.address_len(), have });
        }
        let (message, trailer) = payload.split_at(len);
        let auth_len = match config.version {
            Version::V2 => AUTH_DATA_LEN,
            Version::V3 => 0,
        };
        let (_, body) = message.split_at(HEADER_LEN);
        let (addresses, auth_data) = body.split_at(body.len() - auth_len);
        Ok(Self { message, addresses, auth_data, trailer })
    }
}

const fn check_type(header: Header) -> Result<(), Rejection> {
    if header.packet_type() == TYPE_ADVERTISEMENT {
        Ok(())
    } else {
        Err(Rejection::Type { packet_type: header.packet_type() })
    }
}

/// The form of checksum that fits.
fn check_sum(
    version: Version,
    mode: ChecksumMode,
    received: &Received<'_>,
    message: &[u8],
) -> Result<ChecksumForm, Rejection> {
    let forms: &[ChecksumForm] = match mode {
        ChecksumMode::Auto => &ChecksumForm::ALL,
        ChecksumMode::Rfc9568 => &[ChecksumForm::Plain],
        ChecksumMode::Pseudo => &[ChecksumForm::Pseudo, ChecksumForm::PseudoGroup],
    };
    let fits = |form: &&ChecksumForm| {
        checksum::of_message(version, **form, received.source, received.destination, message) == 0
    };
    forms.iter().find(fits).copied().ok_or(Rejection::Checksum)
}

fn same_addresses(config: &RouterConfig, family: Family, octets: &[u8]) -> bool {
    let ours = &config.addresses;
    let theirs = || packet::addresses(family, octets);
    theirs().count() == ours.len()
        && (theirs().eq(ours.iter().copied()) || theirs().all(|one| ours.contains(&one)))
}

/// Packets for which no virtual router of the interface and family is configured: they are checked as far as one can
/// without, and counted.
#[derive(Clone, Copy, Debug)]
pub struct Unclaimed<'a> {
    /// Versions that are spoken on the interface in that family.
    pub versions: &'a [Version],
}

impl Unclaimed<'_> {
    /// Says what is wrong with a packet; [`Rejection::Vrid`] if nothing else is.
    #[must_use]
    pub fn reject(&self, received: &Received<'_>) -> Rejection {
        let payload = received.payload;
        let Some((header, _)) = Header::split(payload) else {
            return Rejection::Length { need: HEADER_LEN, have: payload.len() };
        };
        if received.ttl != TTL {
            return Rejection::Ttl { ttl: received.ttl };
        }
        let Some(version) = self.versions.iter().copied().find(|version| version.get() == header.version())
        else {
            return Rejection::Version { version: header.version() };
        };
        if let Err(rejection) = check_type(header) {
            return rejection;
        }
        let family = Family::of(received.source);
        let need = packet::message_len(version, family, usize::from(header.count()));
        let has_trailer = payload.len() == need + TRAILER_LEN;
        if payload.len() != need && !has_trailer {
            return Rejection::Length { need, have: payload.len() };
        }
        let (message, _) = payload.split_at(need);
        if check_sum(version, ChecksumMode::Auto, received, message).is_err() {
            return Rejection::Checksum;
        }
        Rejection::Vrid { vrid: header.vrid() }
    }

    /// The same, counted.
    pub fn count(&self, received: &Received<'_>, statistics: &mut GlobalStatistics) -> Rejection {
        let rejection = self.reject(received);
        statistics.count(&rejection);
        rejection
    }
}
