//! Whether an IKE_SA_INIT request gets an IKE_SA: version, cookies, limits, proposals, key exchange method.
//!
//! Everything here happens before state exists; answers to refused requests are made and forgotten.

use std::sync::Arc;
use std::time::Instant;

use charon_crypto::CryptoProvider;
use charon_types::algorithm::KeMethod;
use charon_types::connection::Connection;
use charon_types::endpoint::Path;
use charon_types::id::Role;
use charon_types::proposal::{IkeSuite, Offer, Preference, Selected, select};

use crate::cookie::{CookieClaim, CookieJar};
use crate::env::{Env, Now};
use crate::failure::{Incompatibility, notify_for};
use crate::glimpse::Glimpse;
use crate::proposal::{ke_methods, usable_for_ike};
use crate::window::Digest;
use crate::wire::{
    ExchangeType, Header, Message, MessageKind, Notify, NotifyType, ParseError, Payload, PayloadType,
};

/// How many IKE_SAs are half open, as the shell counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfOpen {
    /// All.
    pub total: u32,
    /// From the address that the request came from.
    pub from_source: u32,
    /// Whether a threshold was reached not long ago.
    pub vigilance: Vigilance,
}

/// Whether cookies are demanded whatever the counts are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vigilance {
    /// The counts decide.
    #[default]
    Ordinary,
    /// The load has fallen only just now: who had to show a cookie a moment ago still has to.
    Lasting,
}

/// `charon.*` settings of flood protection. Zero turns a limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Half-open IKE_SAs from which on cookies are demanded.
    pub cookie_threshold: u32,
    /// The same per source address.
    pub cookie_threshold_ip: u32,
    /// Half-open IKE_SAs per source address from which on requests are dropped.
    pub block_threshold: u32,
    /// Half-open IKE_SAs from which on requests are dropped.
    pub init_limit_half_open: u32,
}

impl AdmissionLimits {
    /// Whether so many in all ask for cookies.
    #[must_use]
    pub const fn total_is_suspicious(&self, total: u32) -> bool {
        reached(self.cookie_threshold, total)
    }

    /// Whether so many from one source ask for cookies.
    #[must_use]
    pub const fn source_is_suspicious(&self, from_source: u32) -> bool {
        reached(self.cookie_threshold_ip, from_source)
    }

    /// Why a request is dropped unread, if so.
    const fn hindrance(&self, half_open: HalfOpen) -> Option<DropReason> {
        if reached(self.block_threshold, half_open.from_source) {
            Some(DropReason::Blocked)
        } else if reached(self.init_limit_half_open, half_open.total) {
            Some(DropReason::HalfOpenLimit)
        } else {
            None
        }
    }

    /// Whether a request has to show a cookie.
    const fn demand_cookie(&self, half_open: HalfOpen) -> bool {
        matches!(half_open.vigilance, Vigilance::Lasting)
            || self.total_is_suspicious(half_open.total)
            || self.source_is_suspicious(half_open.from_source)
    }

    /// Whether any of them is reached.
    #[must_use]
    pub const fn reached(&self, half_open: HalfOpen) -> bool {
        self.demand_cookie(half_open) || self.hindrance(half_open).is_some()
    }
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { cookie_threshold: 30, cookie_threshold_ip: 3, block_threshold: 5, init_limit_half_open: 0 }
    }
}

const fn reached(limit: u32, count: u32) -> bool {
    limit != 0 && count >= limit
}

/// What to do with an IKE_SA_INIT request.
#[derive(Debug)]
pub enum Verdict {
    /// Create an IKE_SA with [`crate::IkeSa::respond`].
    Accept(Box<InitRequest>),
    /// Send this (without non-ESP marker) and forget the request.
    Answer(Vec<u8>),
    /// Not worth an answer.
    Drop(DropReason),
}

/// Why a request was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// Not an IKE_SA_INIT request.
    #[error("not an IKE_SA_INIT request")]
    NotInit,
    /// Malformed.
    #[error("malformed: {0}")]
    Malformed(ParseError),
    /// Something that the request must have is missing.
    #[error("incomplete")]
    Incomplete,
    /// Too many half-open IKE_SAs from that address.
    #[error("too many half-open IKE_SAs from that address")]
    Blocked,
    /// Too many half-open IKE_SAs.
    #[error("too many half-open IKE_SAs")]
    HalfOpenLimit,
}

/// An IKE_SA_INIT request that may have an IKE_SA.
#[derive(Debug)]
pub struct InitRequest {
    pub(crate) message: Message,
    pub(crate) octets: Vec<u8>,
    pub(crate) digest: Digest,
    pub(crate) connection: Arc<Connection>,
    pub(crate) selected: Selected<IkeSuite>,
}

/// What a request gets before it is even queued, if it does not get further: so that a flood from made-up addresses takes
/// nothing but the time of a MAC, and no place in a queue. Stateless but for the secrets in `cookies`; nothing is read of
/// the request but its header, its cookie and its nonce.
pub fn challenge(
    now: Instant,
    crypto: &CryptoProvider,
    limits: &AdmissionLimits,
    half_open: HalfOpen,
    cookies: &mut CookieJar,
    path: Path,
    datagram: &[u8],
) -> Option<Verdict> {
    match fresh_header(datagram, limits, half_open) {
        Err(verdict) => Some(verdict),
        Ok(_) if !limits.demand_cookie(half_open) => None,
        Ok(header) => match Glimpse::of(datagram) {
            Some(Glimpse { cookie, nonce_i }) => {
                demand_cookie(now, crypto, cookies, &header, path, nonce_i, cookie).err()
            }
            None => Some(Verdict::Drop(DropReason::Incomplete)),
        },
    }
}

/// Whether a first request shows a cookie of ours. What shows a made-up one costs no MAC, but when its time is of these seconds.
pub fn shows_cookie(now: Instant, cookies: &CookieJar, path: Path, datagram: &[u8]) -> bool {
    let Ok(header) = Header::parse(datagram) else { return false };
    let Some(Glimpse { cookie: Some(cookie), nonce_i }) = Glimpse::of(datagram) else { return false };
    let claim = CookieClaim { source: path.remote, spi_i: header.spi_initiator, nonce_i };
    cookies.knows(now, &claim, cookie)
}

/// Judges a request. `datagram` is without non-ESP marker.
pub fn admit(
    now: Now,
    env: &Env<'_>,
    limits: &AdmissionLimits,
    half_open: HalfOpen,
    cookies: &mut CookieJar,
    path: Path,
    datagram: &[u8],
) -> Verdict {
    let (header, message) = match screen(now.mono, env.crypto, limits, half_open, cookies, path, datagram) {
        Ok(screened) => screened,
        Err(verdict) => return verdict,
    };
    let (Some(offered), Some(ke)) = (message.sa(), message.ke()) else {
        return Verdict::Drop(DropReason::Incomplete);
    };
    match choose(env, path, offered, ke.method) {
        Ok((connection, selected)) => {
            let digest = Digest::of(env.crypto, datagram);
            Verdict::Accept(Box::new(InitRequest {
                octets: datagram.to_vec(),
                digest,
                connection,
                selected,
                message,
            }))
        }
        Err(incompatibility) => {
            tracing::info!(target: "IKE", "{incompatibility}");
            refuse(&header, notify_for(&incompatibility.into()))
        }
    }
}

/// What has to be known of a request before anything is kept of it: that it is one, that its source has not too many
/// half-open IKE_SAs, and, from some number of them on, that the source is where it says. Costs one MAC at most two times.
fn screen(
    now: Instant,
    crypto: &CryptoProvider,
    limits: &AdmissionLimits,
    half_open: HalfOpen,
    cookies: &mut CookieJar,
    path: Path,
    datagram: &[u8],
) -> Result<(Header, Message), Verdict> {
    let header = fresh_header(datagram, limits, half_open)?;
    let message = match Message::parse(datagram) {
        Ok(message) => message,
        Err(ParseError::UnsupportedCritical(kind)) => {
            return Err(refuse(&header, notify_for(&Incompatibility::CriticalPayload(kind).into())));
        }
        Err(error) => return Err(Verdict::Drop(DropReason::Malformed(error))),
    };
    let (Some(_), Some(_), Some(nonce_i)) = (message.sa(), message.ke(), message.nonce()) else {
        return Err(Verdict::Drop(DropReason::Incomplete));
    };
    if limits.demand_cookie(half_open) {
        let shown = message.notify(NotifyType::COOKIE).map(|cookie| &*cookie.data);
        demand_cookie(now, crypto, cookies, &header, path, nonce_i, shown)?;
    }
    Ok((header, message))
}

/// The header of what is a first request, from a source that is let in at the moment.
fn fresh_header(datagram: &[u8], limits: &AdmissionLimits, half_open: HalfOpen) -> Result<Header, Verdict> {
    let header = match Header::parse(datagram) {
        Ok(header) => header,
        Err(ParseError::MajorVersion(_)) => return Err(answer_version(datagram)),
        Err(error) => return Err(Verdict::Drop(DropReason::Malformed(error))),
    };
    let fresh = header.kind == MessageKind::Request
        && header.exchange == ExchangeType::IKE_SA_INIT
        && header.sender == Role::Initiator
        && header.spi_responder.is_none()
        && header.message_id.0 == 0;
    match limits.hindrance(half_open) {
        _ if !fresh => Err(Verdict::Drop(DropReason::NotInit)),
        Some(reason) => Err(Verdict::Drop(reason)),
        None => Ok(header),
    }
}

/// Lets pass what shows a cookie of ours; else the verdict is the answer that asks for one.
fn demand_cookie(
    now: Instant,
    crypto: &CryptoProvider,
    cookies: &mut CookieJar,
    header: &Header,
    path: Path,
    nonce_i: &[u8],
    shown: Option<&[u8]>,
) -> Result<(), Verdict> {
    let claim = CookieClaim { source: path.remote, spi_i: header.spi_initiator, nonce_i };
    if shown.is_some_and(|cookie| cookies.knows(now, &claim, cookie)) {
        return Ok(());
    }
    Err(match cookies.bake(now, crypto, &claim) {
        Some(cookie) => {
            let data = cookie.to_vec();
            refuse(header, Notify { protocol: 0, spi: Vec::new(), kind: NotifyType::COOKIE, data })
        }
        None => Verdict::Drop(DropReason::HalfOpenLimit),
    })
}

/// The closest connection that has a proposal in common, the peer's key exchange method among it if possible.
fn choose(
    env: &Env<'_>,
    path: Path,
    offered: &[Offer],
    method: KeMethod,
) -> Result<(Arc<Connection>, Selected<IkeSuite>), Incompatibility> {
    let candidates = env.config.ike_candidates(&path);
    if candidates.is_empty() {
        tracing::info!(target: "IKE", "no IKE config found for {}...{}, sending NO_PROPOSAL_CHOSEN", path.local.ip(), path.remote.ip());
    }
    let configured_first = env.settings.prefer_configured_proposals.is_enabled();
    let preference = if configured_first { Preference::Configured } else { Preference::Offered };
    for connection in candidates {
        let usable = usable_for_ike(&connection.ike.proposals, env.crypto);
        let Some(selected) = select::<IkeSuite>(&usable, offered, preference) else { continue };
        if selected.suite.ke == method {
            return Ok((connection, selected));
        }
        debug_assert!(ke_methods(&usable).contains(&selected.suite.ke), "a method is selected among ours");
        return Err(Incompatibility::KeMethod(selected.suite.ke));
    }
    Err(Incompatibility::NoProposal)
}

/// An answer without state: the request's SPI, and ours zero.
fn refuse(header: &Header, notify: Notify) -> Verdict {
    let header = Header {
        next_payload: PayloadType::NONE,
        sender: Role::Responder,
        kind: MessageKind::Response,
        ..*header
    };
    Verdict::Answer(Message { header, payloads: vec![Payload::Notify(notify)] }.emit())
}

/// A request of a later major version hears which one we speak (RFC 7296 §2.5), if its header can be made out.
fn answer_version(datagram: &[u8]) -> Verdict {
    const VERSION_AT: usize = 17;
    const LATEST: u8 = 0x20;
    let mut octets = datagram.to_vec();
    let later = octets.get(VERSION_AT).is_some_and(|version| version >> 4 > LATEST >> 4);
    if let Some(version) = octets.get_mut(VERSION_AT) {
        *version = LATEST;
    }
    match Header::parse(&octets) {
        Ok(header) if later && header.kind == MessageKind::Request => {
            let kind = NotifyType::INVALID_MAJOR_VERSION;
            refuse(&header, Notify { protocol: 0, spi: Vec::new(), kind, data: Vec::new() })
        }
        Ok(_) => Verdict::Drop(DropReason::NotInit),
        Err(error) => Verdict::Drop(DropReason::Malformed(error)),
    }
}
