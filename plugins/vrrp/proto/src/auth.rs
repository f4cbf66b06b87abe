//! Authentication: VRRPv2's octets (RFC 2338 §5.3.6 and rVRRPd's two types) and keepalived's HMAC trailer.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use charon_crypto::CryptoProvider;
use charon_crypto::prf::PrfKey;
use charon_types::Secret;
use charon_types::algorithm::PrfId;
use sha3::Shake256;
use sha3::digest::{ExtendableOutput, Update, XofReader};
use subtle::ConstantTimeEq;

use crate::config::{AntiReplay, Authentication, ConfigError, HmacConfig, HmacMode};
use crate::id::{Family, Version};
use crate::packet::{AUTH_DATA_LEN, Header};
use crate::receive::Rejection;
use crate::replay::{ReplayTable, Sequence};

/// Octets of keepalived's trailer.
pub(crate) const TRAILER_LEN: usize = 28;
const TRAILER_HEAD_LEN: usize = 12;
const TRAILER_MAC_LEN: usize = 16;
const TRAILER_HMAC_SHA256: u8 = 1;
/// Octets of HMAC-SHA-256.
const SHA256_LEN: usize = 32;

const TYPE_NONE: u8 = 0;
const TYPE_SIMPLE: u8 = 1;
const TYPE_P0: u8 = 250;
const TYPE_P1: u8 = 251;

/// An [`Authentication`] with its keys expanded, and what was heard of whom.
pub(crate) enum Authenticator {
    None,
    Simple([u8; AUTH_DATA_LEN]),
    P0(Box<dyn PrfKey>),
    P1(Secret),
    Hmac(Trailer),
}

impl Authenticator {
    pub(crate) fn new(
        authentication: &Authentication,
        replay_slots: usize,
        crypto: &CryptoProvider,
    ) -> Result<Self, ConfigError> {
        Ok(match authentication {
            Authentication::None => Self::None,
            Authentication::Simple(password) => Self::Simple(padded(password)),
            Authentication::P0(secret) => Self::P0(hmac_key(secret, crypto)?),
            Authentication::P1(secret) => Self::P1(secret.clone()),
            Authentication::Hmac(config) => Self::Hmac(Trailer::new(config, replay_slots, crypto)?),
        })
    }

    /// Auth Type that we send and expect.
    pub(crate) const fn auth_type(&self) -> u8 {
        match self {
            Self::None | Self::Hmac(_) => TYPE_NONE,
            Self::Simple(_) => TYPE_SIMPLE,
            Self::P0(_) => TYPE_P0,
            Self::P1(_) => TYPE_P1,
        }
    }

    /// VRRPv2 authentication data for a message up to it, whose checksum is 0.
    pub(crate) fn data(&self, message: &[u8]) -> [u8; AUTH_DATA_LEN] {
        let mut data = [0; AUTH_DATA_LEN];
        match self {
            Self::None | Self::Hmac(_) => {}
            Self::Simple(password) => data = *password,
            Self::P0(key) => {
                let mut mac = [0; SHA256_LEN];
                key.sign(&[message], &mut mac);
                data.copy_from_slice(&mac[..AUTH_DATA_LEN]);
            }
            Self::P1(secret) => {
                let mut hash = Shake256::default();
                hash.update(secret.expose());
                hash.update(message);
                hash.finalize_xof().read(&mut data);
            }
        }
        data
    }

    /// Checks VRRPv2's Auth Type and data.
    pub(crate) fn check_v2(&self, header: Header, addresses: &[u8], data: &[u8]) -> Result<(), Rejection> {
        if header.auth_type() != self.auth_type() {
            return Err(Rejection::AuthType { auth_type: header.auth_type() });
        }
        if matches!(self, Self::None | Self::Hmac(_)) {
            return Ok(());
        }
        let message = [&header.without_checksum().octets(), addresses].concat();
        if bool::from(self.data(&message).ct_eq(data)) { Ok(()) } else { Err(Rejection::AuthFailed) }
    }

    pub(crate) const fn trailer(&mut self) -> Option<&mut Trailer> {
        match self {
            Self::Hmac(trailer) => Some(trailer),
            Self::None | Self::Simple(_) | Self::P0(_) | Self::P1(_) => None,
        }
    }

    pub(crate) const fn may_have_trailer(&self) -> bool {
        matches!(self, Self::Hmac(_))
    }
}

/// keepalived's trailer: 28 octets behind the message, which the VRRP checksum does not cover.
///
/// ```text
///  0 type (1)   1 key   2 reserved (0)   4 seconds   8 1/65536 s   10 counter   12 HMAC-SHA-256, 16 octets
/// ```
pub(crate) struct Trailer {
    keys: Vec<(NonZeroU8, Box<dyn PrfKey>)>,
    active_key: NonZeroU8,
    anti_replay: AntiReplay,
    mode: HmacMode,
    sent: Sequence,
    heard: ReplayTable,
}

impl Trailer {
    fn new(config: &HmacConfig, replay_slots: usize, crypto: &CryptoProvider) -> Result<Self, ConfigError> {
        let mut keys = Vec::with_capacity(config.keys.len());
        for key in &config.keys {
            keys.push((key.id, hmac_key(&key.key, crypto)?));
        }
        Ok(Self {
            keys,
            active_key: config.active_key,
            anti_replay: config.anti_replay,
            mode: config.mode,
            sent: Sequence::default(),
            heard: ReplayTable::new(replay_slots),
        })
    }

    /// Appends the trailer to a message from `source`, unless nothing is signed yet.
    pub(crate) fn append(
        &mut self,
        version: Version,
        source: IpAddr,
        wall: SystemTime,
        message: &mut Vec<u8>,
    ) {
        match self.mode {
            HmacMode::ReceiveOnly => return,
            HmacMode::Permissive | HmacMode::Enforce => {}
        }
        self.sent = self.sent.after(Sequence::at(wall));
        let mut head = [0; TRAILER_HEAD_LEN];
        head[0] = TRAILER_HMAC_SHA256;
        head[1] = self.active_key.get();
        head[4..].copy_from_slice(&self.sent.octets());
        let Some(key) = self.key(self.active_key.get()) else { return };
        let mac = mac(key, version, source, message, &head);
        message.extend_from_slice(&head);
        message.extend_from_slice(&mac);
    }

    /// Checks what follows a message: a trailer or nothing.
    pub(crate) fn check(
        &mut self,
        version: Version,
        source: IpAddr,
        wall: SystemTime,
        message: &[u8],
        trailer: &[u8],
    ) -> Result<(), Rejection> {
        if trailer.is_empty() {
            return match self.mode {
                HmacMode::Enforce => Err(Rejection::Unsigned),
                HmacMode::Permissive | HmacMode::ReceiveOnly => Ok(()),
            };
        }
        let Some((head, got)) = trailer.split_first_chunk::<TRAILER_HEAD_LEN>() else {
            return Err(Rejection::MalformedTrailer);
        };
        if head[0] != TRAILER_HMAC_SHA256 || head[2..4] != [0, 0] {
            return Err(Rejection::MalformedTrailer);
        }
        let sequence = Sequence::from_octets(head[4..].try_into().expect("the head has eight octets of it"));
        // Before the HMAC: the clock costs nothing.
        if let AntiReplay::Time { window } = self.anti_replay
            && sequence.distance(wall) > window
        {
            return Err(Rejection::Stale);
        }
        let key = self.key(head[1]).ok_or(Rejection::UnknownKey { id: head[1] })?;
        if !bool::from(mac(key, version, source, message, head).ct_eq(got)) {
            return Err(Rejection::AuthFailed);
        }
        self.heard.accept(source, sequence)
    }

    fn key(&self, id: u8) -> Option<&dyn PrfKey> {
        self.keys.iter().find(|(known, _)| known.get() == id).map(|(_, key)| &**key)
    }
}

fn mac(
    key: &dyn PrfKey,
    version: Version,
    source: IpAddr,
    message: &[u8],
    head: &[u8; TRAILER_HEAD_LEN],
) -> [u8; TRAILER_MAC_LEN] {
    let mut mac = [0; SHA256_LEN];
    let Some((header, rest)) = Header::split(message) else { return [0; TRAILER_MAC_LEN] };
    let mut pseudo = [0; 20];
    pseudo[0] = match Family::of(source) {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    pseudo[1] = version.get();
    pseudo[2] = header.vrid();
    match source {
        IpAddr::V4(source) => pseudo[4..8].copy_from_slice(&source.octets()),
        IpAddr::V6(source) => pseudo[4..].copy_from_slice(&source.octets()),
    }
    let header = header.without_checksum().octets();
    key.sign(&[&pseudo, &header, rest, head, &[0; TRAILER_MAC_LEN]], &mut mac);
    *mac.first_chunk().expect("the hash is longer")
}

fn hmac_key(secret: &Secret, crypto: &CryptoProvider) -> Result<Box<dyn PrfKey>, ConfigError> {
    let prf = crypto.prf(PrfId::HMAC_SHA2_256).ok_or(ConfigError::NoHmac)?;
    prf.key(secret.expose()).map_err(|_| ConfigError::NoHmac)
}

fn padded(password: &Secret) -> [u8; AUTH_DATA_LEN] {
    let mut data = [0; AUTH_DATA_LEN];
    for (to, from) in data.iter_mut().zip(password.expose()) {
        *to = *from;
    }
    data
}

impl Sequence {
    /// The moment as a sequence number, counter 0.
    pub(crate) fn at(wall: SystemTime) -> Self {
        let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = since.as_secs() & u64::from(u32::MAX);
        let fraction = u64::from(since.subsec_nanos()) * 65_536 / 1_000_000_000;
        Self::from_octets((seconds << 32 | fraction << 16).to_be_bytes())
    }

    /// How far its seconds are from a moment, either way.
    pub(crate) fn distance(self, wall: SystemTime) -> Duration {
        let seconds = Self::at(wall).seconds().wrapping_sub(self.seconds());
        Duration::from_secs(u64::from(seconds.min(seconds.wrapping_neg())))
    }
}
