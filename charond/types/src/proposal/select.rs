//! Choosing one of the peer's proposals, and checking the peer's choice among ours (RFC 7296 §2.7, §3.3).

use super::{Proposal, Protocol, Suite, Transform, TransformType};
use crate::algorithm::EncryptionId;

/// A proposal as received: with its number and the sender's SPI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Proposal number, from 1.
    pub number: u8,
    /// The sender's SPI; empty in IKE_SA_INIT.
    pub spi: Vec<u8>,
    /// Protocol and transforms.
    pub proposal: Proposal,
}

/// Whose order decides where several proposals fit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preference {
    /// Ours (`charon.prefer_configured_proposals`).
    #[default]
    Configured,
    /// The peer's.
    Offered,
}

/// What was chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected<S> {
    /// Number of the offered proposal; the answer repeats it.
    pub number: u8,
    /// The sender's SPI from it.
    pub spi: Vec<u8>,
    /// What the answer holds: one transform of every type that was offered.
    pub proposal: Proposal,
    /// The algorithms. Its key exchange is the one to be used: compare it with the KE payload and ask for another one
    /// by INVALID_KE_PAYLOAD if they differ (RFC 7296 §1.2).
    pub suite: S,
}

/// The first fit of a configured and an offered proposal. `None`: NO_PROPOSAL_CHOSEN.
///
/// Transforms that we do not know are passed over; a proposal with an unknown *type* of transform is (RFC 7296 §3.3.6).
/// Key lengths must be equal, presence included. Combined-mode ciphers go with no integrity transform or with NONE.
#[must_use]
pub fn select<S: Suite>(
    configured: &[Proposal],
    offered: &[Offer],
    preference: Preference,
) -> Option<Selected<S>> {
    match preference {
        Preference::Configured => {
            configured.iter().find_map(|ours| offered.iter().find_map(|offer| fit(ours, offer, preference)))
        }
        Preference::Offered => {
            offered.iter().find_map(|offer| configured.iter().find_map(|ours| fit(ours, offer, preference)))
        }
    }
}

/// Checks the answer to proposals that we sent, numbered from 1 in their order: it must name one of them and choose
/// exactly one transform of every type in it.
#[must_use]
pub fn accept_answer<S: Suite>(sent: &[Proposal], answer: &Offer) -> Option<Selected<S>> {
    let ours = sent.get(usize::from(answer.number).checked_sub(1)?)?;
    let mut kinds: Vec<_> = answer.proposal.transforms.iter().map(|transform| transform.kind).collect();
    kinds.sort_unstable();
    if kinds.windows(2).any(|pair| pair.first() == pair.last()) {
        return None;
    }
    fit(ours, answer, Preference::Configured)
}

impl Proposal {
    /// The same without key exchanges: IKE_AUTH negotiates none for its CHILD_SA (RFC 7296 §1.2).
    #[must_use]
    pub fn without_ke(&self) -> Self {
        let is_ke = |kind: TransformType| kind == TransformType::KE || kind.additional_ke().is_some();
        let transforms = self.transforms.iter().filter(|transform| !is_ke(transform.kind));
        Self { protocol: self.protocol, transforms: transforms.copied().collect() }
    }
}

fn fit<S: Suite>(ours: &Proposal, offer: &Offer, preference: Preference) -> Option<Selected<S>> {
    let theirs = &offer.proposal;
    if ours.protocol != theirs.protocol || !theirs.transforms.iter().all(|t| belongs(t.kind, theirs.protocol))
    {
        return None;
    }
    let (first, second) = match preference {
        Preference::Configured => (ours, theirs),
        Preference::Offered => (theirs, ours),
    };
    let mut chosen = choose_protection(first, second, theirs)?;
    for kind in (TransformType::PRF.0..=TransformType::ADDITIONAL_KE_MAX.0).map(TransformType) {
        if kind != TransformType::INTEGRITY {
            chosen.extend(choose(kind, first, second, theirs)?);
        }
    }
    let proposal = Proposal { protocol: theirs.protocol, transforms: chosen };
    let suite = S::of_chosen(&proposal)?;
    Some(Selected { number: offer.number, spi: offer.spi.clone(), proposal, suite })
}

/// Encryption and integrity, which depend on each other.
fn choose_protection(first: &Proposal, second: &Proposal, theirs: &Proposal) -> Option<Vec<Transform>> {
    if theirs.protocol == Protocol::Ah {
        return choose(TransformType::INTEGRITY, first, second, theirs).map(Vec::from_iter);
    }
    first.of_kind(TransformType::ENCRYPTION).filter(|cipher| second.transforms.contains(cipher)).find_map(
        |cipher| {
            let integrity = if EncryptionId(cipher.id).is_aead() {
                no_integrity(theirs)?
            } else {
                choose(TransformType::INTEGRITY, first, second, theirs)?
            };
            Some(std::iter::once(*cipher).chain(integrity).collect())
        },
    )
}

/// For a combined-mode cipher: NONE if the peer offered it, nothing if it offered no integrity, else no fit.
fn no_integrity(theirs: &Proposal) -> Option<Option<Transform>> {
    let mut offered = theirs.of_kind(TransformType::INTEGRITY).peekable();
    if offered.peek().is_none() {
        return Some(None);
    }
    offered.find(|transform| transform.id == NONE).map(|none| Some(*none))
}

/// The transform of one type: the outer `None` is no fit, the inner one that nothing is to be answered.
fn choose(
    kind: TransformType,
    first: &Proposal,
    second: &Proposal,
    theirs: &Proposal,
) -> Option<Option<Transform>> {
    if let Some(common) = first.of_kind(kind).find(|transform| second.transforms.contains(transform)) {
        return Some(Some(*common));
    }
    // One side that does not name a type at all means its NONE (for sequence numbers: 32 bits), which is 0 everywhere.
    let nothing = |proposal: &Proposal| {
        let mut transforms = proposal.of_kind(kind).peekable();
        transforms.peek().is_none() || transforms.any(|transform| transform.id == NONE)
    };
    let optional =
        !matches!(kind, TransformType::ENCRYPTION | TransformType::PRF) || theirs.protocol != Protocol::Ike;
    let answer = theirs.of_kind(kind).find(|transform| transform.id == NONE);
    (optional && nothing(first) && nothing(second)).then_some(answer.copied())
}

/// Which types a protocol has (RFC 7296 §3.3.3, RFC 9370 §2.2.2).
const fn belongs(kind: TransformType, protocol: Protocol) -> bool {
    match (kind, protocol) {
        (TransformType::ENCRYPTION, Protocol::Ike | Protocol::Esp) | (TransformType::PRF, Protocol::Ike) => {
            true
        }
        (TransformType::SN, Protocol::Esp | Protocol::Ah) => true,
        (TransformType::INTEGRITY | TransformType::KE, _) => true,
        (kind, _) => kind.additional_ke().is_some(),
    }
}

/// NONE of integrity and key exchanges, and 32-bit sequence numbers.
const NONE: u16 = 0;
