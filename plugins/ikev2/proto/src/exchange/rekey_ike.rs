//! Replacing the IKE_SA (RFC 7296 §1.3.2, §2.18), and who wins when both sides do (§2.8.2).
//!
//! ```text
//! we began:   Established > Rekeying > (heir lives, has the children) > Deleting > gone
//! peer began: Established > (heir lives, has the children) > Rekeyed > (peer deletes it) > gone
//! both began: as decided by the nonces; the exchange with the lowest one made an IKE_SA that its initiator deletes
//! ```
//!
//! An IKE_SA that may yet turn out redundant is not born before that is known. What the peer sends to it until then is lost, and
//! comes again.

pub(crate) mod initiator;
pub(crate) mod responder;

use std::time::Duration;

use charon_types::algorithm::PrfId;
use charon_types::id::IkeSpi;
use charon_types::proposal::{Proposal, TransformType};
use charon_types::snapshot::ChildSaState;

use crate::child_sa::Voice;
use crate::failure::Refusal;
use crate::output::CloseReason;
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::successor::{Began, Redundant, Unborn};
use crate::task::Task;
use crate::timer::Timer;

/// Longest wait before another attempt.
const RETRY: Duration = Duration::from_secs(15);

/// Upper bound of the random part taken off [`RETRY`], seconds.
const RETRY_JITTER_SECONDS: u64 = 10;

/// Both sides rekey the IKE_SA: what decides, and what waits for the decision.
pub(crate) struct Crossing {
    /// The lower nonce of the peer's exchange.
    lowest_nonce: Vec<u8>,
    /// What the peer's exchange made, once we have answered it.
    peers: Option<Unborn>,
    /// What our exchange made, once it is known to have lost.
    ours: Option<Unborn>,
}

/// Octets of an IKE SPI in a proposal.
fn ike_spi(octets: &[u8]) -> Option<IkeSpi> {
    IkeSpi::from_be_bytes(octets.try_into().ok()?)
}

/// The PRF in use goes first: with another one, peers differ about the derivation of the new keys.
fn prf_in_use_first(proposals: &mut [Proposal], in_use: PrfId) {
    let rank = |transform: &charon_types::proposal::Transform| {
        transform.kind == TransformType::PRF && transform.id != in_use.0
    };
    for proposal in proposals {
        proposal.transforms.sort_by_key(rank);
    }
}

/// Whether nothing about children is under way on which both sides might differ, were they handed over now (RFC 7296 §2.25.1).
pub(crate) fn children_are_quiet(sa: &Sa) -> bool {
    sa.children.iter().all(|child| child.state == ChildSaState::Installed)
}

/// Whether the peer has yet to delete a child that lost against ours. Were the IKE_SA replaced before that, a peer that did not
/// hear our answer would forget the child with its request (strongSwan does).
pub(crate) fn peer_owes_a_delete(sa: &Sa) -> bool {
    sa.children.iter().any(|child| child.state == ChildSaState::Installed && child.voice == Voice::Silent)
}

/// The peer's request is accepted while ours is out.
fn cross(sa: &mut Sa, nonce_i: &[u8], nonce_r: &[u8]) {
    tracing::info!(target: "IKE", "IKE_SA rekey collision with the peer");
    let lowest_nonce = nonce_i.min(nonce_r).to_vec();
    sa.crossing = Some(Box::new(Crossing { lowest_nonce, peers: None, ours: None }));
}

/// Our exchange made `ours`, with that lowest nonce.
fn completed(sa: &mut Sa, cx: Cx<'_>, ours: Unborn, lowest_nonce: &[u8]) {
    let Some(mut crossing) = sa.crossing.take() else { return take_over(sa, cx, ours) };
    if lowest_nonce >= &*crossing.lowest_nonce {
        take_over(sa, cx, ours);
        if let Some(peers) = crossing.peers {
            tracing::info!(target: "IKE", "IKE_SA rekey collision won, waiting for delete of redundant IKE_SA");
            sa.bear_redundant(cx, peers, Redundant::PeerDeletes);
        }
        return;
    }
    match crossing.peers.take() {
        Some(peers) => lose(sa, cx, peers, ours),
        None => {
            crossing.ours = Some(ours);
            sa.crossing = Some(crossing);
        }
    }
}

/// We began, and nothing speaks against it.
fn take_over(sa: &mut Sa, cx: Cx<'_>, heir: Unborn) {
    sa.hand_over(cx, heir, Began::Here);
    sa.queue.push_back(Task::DeleteIke(CloseReason::Rekeyed, None));
}

/// Both began, and the peer's exchange wins.
fn lose(sa: &mut Sa, cx: Cx<'_>, peers: Unborn, ours: Unborn) {
    tracing::info!(target: "IKE", "IKE_SA rekey collision lost, deleting redundant IKE_SA");
    sa.hand_over(cx, peers, Began::There);
    sa.bear_redundant(cx, ours, Redundant::WeDelete);
}

/// Our exchange failed. The peer's goes on, if there is one; else another attempt follows.
fn failed(sa: &mut Sa, cx: Cx<'_>) {
    if let Some(crossing) = sa.crossing.take() {
        if let Some(peers) = crossing.peers {
            sa.hand_over(cx, peers, Began::There);
        }
        return;
    }
    let less = Duration::from_secs(cx.env.crypto.random().u64() % (RETRY_JITTER_SECONDS + 1));
    tracing::info!(target: "IKE", "IKE_SA rekeying failed, trying again in {} seconds", (RETRY - less).as_secs());
    sa.timers.set(Timer::Rekey, cx.now.mono + (RETRY - less));
}

/// The peer's exchange made `peers`; it knows.
fn peers_completed(sa: &mut Sa, cx: Cx<'_>, peers: Unborn) {
    let Some(mut crossing) = sa.crossing.take() else {
        return sa.hand_over(cx, peers, Began::There);
    };
    match crossing.ours.take() {
        Some(ours) => lose(sa, cx, peers, ours),
        None => {
            crossing.peers = Some(peers);
            sa.crossing = Some(crossing);
        }
    }
}

/// The peer's exchange came to nothing: ours counts after all.
fn peers_failed(sa: &mut Sa, cx: Cx<'_>) {
    if let Some(ours) = sa.crossing.take().and_then(|crossing| crossing.ours) {
        take_over(sa, cx, ours);
    }
}

/// The peer deletes the IKE_SA. If it has replaced it, and we were of two minds about that, we are no longer.
pub(crate) fn conclude(sa: &mut Sa, cx: Cx<'_>) {
    if let Some(peers) = sa.crossing.take().and_then(|crossing| crossing.peers) {
        sa.hand_over(cx, peers, Began::There);
    }
}

/// The IKE_SA is terminated: what the peer has made to replace it is, too.
pub(crate) fn renounce(sa: &mut Sa, cx: Cx<'_>) {
    if let Some(peers) = sa.crossing.take().and_then(|crossing| crossing.peers) {
        sa.bear_redundant(cx, peers, Redundant::WeDelete);
    }
}

/// Why a request of the peer's for something new has to wait, if so.
pub(crate) fn hindrance(sa: &Sa, state: &State) -> Option<Refusal> {
    let rekeying = matches!(state, State::Established { active: Some(active), .. } if active.replaces_ike());
    (rekeying || sa.succeeded || sa.crossing.is_some()).then_some(Refusal::Temporary)
}
