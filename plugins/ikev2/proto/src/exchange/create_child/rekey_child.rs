//! Replacing a CHILD_SA (RFC 7296 §1.3.3, §2.8): who may, who wins when both do, and when the new one takes over.
//!
//! ```text
//! we began:   Installed > Rekeying > (new one installed) > Deleting > gone, inbound lingers
//! peer began: Installed > Rekeyed  > (new one installed) > (peer deletes it: we send on the new one) > gone, inbound lingers
//! ```

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::ChildConfig;
use charon_types::id::UniqueId;
use charon_types::kernel_op::KernelResult;
use charon_types::proposal::Protocol;
use charon_types::snapshot::ChildSaState;

use super::offer::esp_spi;
use crate::child_sa::Voice;
use crate::failure::{Failure, LocalFault, Misbehaviour, Refusal};
use crate::output::{CloseReason, CommandToken, IkeEvent, Output};
use crate::sa::{Collision, Cx, Sa, Verdict};
use crate::task::Task;
use crate::wire::{Message, NotifyType};

/// Longest wait before another attempt.
const RETRY: Duration = Duration::from_secs(15);

/// Upper bound of the random part taken off [`RETRY`], seconds.
const RETRY_JITTER_SECONDS: u64 = 10;

/// How long the peer may take to delete what lost against ours: it asks three times meanwhile, if our answer was lost.
const OWED: Duration = Duration::from_secs(30);

/// A child that the peer asks to replace.
pub(super) struct Wanted {
    pub(super) old: UniqueId,
    pub(super) config: Arc<ChildConfig>,
}

/// What a REKEY_SA notify in `request` asks for; `None` without one.
pub(super) fn wanted(sa: &Sa, request: &Message) -> Result<Option<Wanted>, Failure> {
    let Some(notify) = request.notify(NotifyType::REKEY_SA) else { return Ok(None) };
    let spi = esp_spi(&notify.spi).ok_or(Misbehaviour::InvalidSyntax)?;
    let protocols = [Protocol::Esp, Protocol::Ah];
    let protocol = protocols.into_iter().find(|protocol| protocol.number() == notify.protocol);
    let protocol = protocol.ok_or(Misbehaviour::InvalidSyntax)?;
    let child = sa.child_by_spi_out(spi).filter(|child| child.suite.protocol == protocol);
    let Some(child) = child else {
        tracing::info!(target: "IKE", "unable to rekey: CHILD_SA with SPI {spi} not found");
        return Err(Refusal::NothingToRekey(protocol, spi).into());
    };
    match child.state {
        // Ours was answered and is being installed, or is not out yet: a collision would be noticed too late on one side.
        ChildSaState::Rekeying if sa.outstanding.is_none() => Err(Refusal::Temporary.into()),
        ChildSaState::Installed | ChildSaState::Rekeying => {
            Ok(Some(Wanted { old: child.unique_id, config: Arc::clone(&child.config) }))
        }
        // On its way out, or replaced already.
        ChildSaState::Created
        | ChildSaState::Routed
        | ChildSaState::Installing
        | ChildSaState::Updating
        | ChildSaState::Rekeyed
        | ChildSaState::Retrying
        | ChildSaState::Deleting
        | ChildSaState::Deleted
        | ChildSaState::Destroying => Err(Refusal::Temporary.into()),
    }
}

/// The peer's rekeying of `old` is accepted. If ours is under way they collide; if not, ours may not begin any more.
pub(super) fn accept(sa: &mut Sa, old: UniqueId, nonce_i: &[u8], nonce_r: &[u8]) {
    match sa.child_mut(old) {
        Some(child) if child.state == ChildSaState::Rekeying => {
            tracing::info!(target: "IKE", "CHILD_SA rekey collision with the peer");
            let lowest_nonce = nonce_i.min(nonce_r).to_vec();
            sa.collision = Some(Collision { old, lowest_nonce, verdict: Verdict::Open });
        }
        Some(child) => child.state = ChildSaState::Rekeyed,
        None => {}
    }
    sa.arm_children();
}

/// The peer's rekeying of `old` came to nothing after all.
pub(super) fn not_replaced(sa: &mut Sa, cx: Cx<'_>, old: UniqueId) {
    sa.collision.take_if(|collision| collision.old == old);
    let Some(child) = sa.child_mut(old) else { return };
    if child.state == ChildSaState::Rekeyed && child.replaced_by.is_none() {
        child.state = ChildSaState::Installed;
        child.rekey_due = child.rekey_at.map(|at| at.max(cx.now.mono + RETRY));
        sa.arm_children();
    }
}

/// Whether our rekeying of `old` loses against the peer's: the exchange with the lowest nonce does.
pub(super) fn loses(sa: &mut Sa, old: UniqueId, nonce_i: &[u8], nonce_r: &[u8]) -> bool {
    let Some(peers) = sa.collision.as_mut().filter(|collision| collision.old == old) else { return false };
    let loses = nonce_i.min(nonce_r) < &*peers.lowest_nonce;
    if !loses {
        peers.verdict = Verdict::Ours;
    }
    loses
}

/// Our rekeying of `old` lost: the peer's replaces it.
pub(super) fn lost(sa: &mut Sa, old: UniqueId) {
    sa.collision.take_if(|collision| collision.old == old);
    if let Some(child) = sa.child_mut(old).filter(|child| child.state == ChildSaState::Rekeying) {
        child.state = ChildSaState::Rekeyed;
    }
    sa.arm_children();
}

/// We began, and the new child is installed: it takes over, and the old one is deleted.
pub(super) fn take_over(sa: &mut Sa, cx: Cx<'_>, old: UniqueId, new: UniqueId) {
    announce(sa, cx, old, new);
    if let Some(child) = sa.child_mut(old) {
        child.state = ChildSaState::Deleting;
        let peers = child.replaced_by.take();
        sa.queue.push_front(Task::DeleteChild(old, CloseReason::Command, None));
        peers.inspect(|peers| is_redundant(sa, cx, *peers));
    }
    sa.arm_children();
}

/// What the peer made lost against ours: the peer deletes it, and if that takes too long, we do.
fn is_redundant(sa: &mut Sa, cx: Cx<'_>, peers: UniqueId) {
    if let Some(child) = sa.child_mut(peers) {
        let latest = cx.now.mono + OWED;
        child.dies_at = Some(child.dies_at.map_or(latest, |at| at.min(latest)));
    }
}

/// The peer began, and the new child is installed: we send on the old one until the peer deletes it. If our exchange has won
/// meanwhile, the new one never carries anything. If the old one is gone already, the new one takes over at once.
pub(super) fn await_deletion(sa: &mut Sa, cx: Cx<'_>, old: UniqueId, new: UniqueId) {
    let over = |collision: &mut Collision| collision.old == old && collision.verdict == Verdict::Ours;
    if sa.collision.take_if(over).is_some() {
        is_redundant(sa, cx, new);
        return sa.arm_children();
    }
    match sa.child_mut(old) {
        Some(child) => child.replaced_by = Some(new),
        None => succeed(sa, cx, old, new),
    }
    sa.arm_children();
}

/// `old` is deleted, by whomever. If the peer had replaced it, the new child takes over.
pub(crate) fn conclude(sa: &mut Sa, cx: Cx<'_>, old: UniqueId) {
    if let Some(new) = sa.child_mut(old).and_then(|child| child.replaced_by.take()) {
        succeed(sa, cx, old, new);
    }
}

/// `old` is about to be deleted. If that is because nobody wants it any more, what the peer made to replace it goes next, and
/// whoever waits does so for that. Returns who waits for the end of `old`.
pub(crate) fn delete_replacement(
    sa: &mut Sa,
    old: UniqueId,
    reason: &CloseReason,
    token: Option<CommandToken>,
) -> Option<CommandToken> {
    let unwanted = matches!(reason, CloseReason::Command | CloseReason::Inactive);
    let Some(new) = sa.child_mut(old).and_then(|child| child.replaced_by).filter(|_| unwanted) else {
        return token;
    };
    sa.queue.push_front(Task::DeleteChild(new, reason.clone(), token));
    None
}

/// The peer replaces `new` in its turn, so it has it: whatever `new` replaces is done with, although its DELETE is not here yet.
pub(super) fn confirm(sa: &mut Sa, cx: Cx<'_>, new: UniqueId) {
    let replaced = sa.children.iter().find(|child| child.replaced_by == Some(new));
    if let Some(old) = replaced.map(|child| child.unique_id) {
        conclude(sa, cx, old);
    }
}

/// `new`, which the peer made, carries what `old` carried.
fn succeed(sa: &mut Sa, cx: Cx<'_>, old: UniqueId, new: UniqueId) {
    let Some(child) = sa.child_mut(new) else { return };
    let ops = child.activate_ops();
    tracing::error!(
        target: "IKE",
        "outbound CHILD_SA {}{{{}}} established with SPIs {}_i {}_o",
        child.config.name,
        child.unique_id,
        child.spi_in,
        child.spi_out,
    );
    if !ops.is_empty() {
        sa.activate(new, ops);
    }
    announce(sa, cx, old, new);
}

/// The kernel was to let us send on `new`. If it does not, the child is of no use.
pub(crate) fn activated(sa: &mut Sa, new: UniqueId, results: &[KernelResult]) {
    let Some(error) = results.iter().find_map(|result| result.as_ref().err()).cloned() else { return };
    tracing::info!(target: "IKE", "unable to install outbound IPsec SA in kernel: {error}");
    let Some(child) = sa.child_mut(new) else { return };
    let ops = child.deactivate_ops(results);
    if !ops.is_empty() {
        sa.kernel(ops);
    }
    let reason = CloseReason::Failed(LocalFault::Kernel(error).into());
    sa.queue_task(Task::DeleteChild(new, reason, None));
}

/// Our rekeying of `old` failed: another attempt follows, as long as it lives.
pub(super) fn failed(sa: &mut Sa, cx: Cx<'_>, old: UniqueId) {
    // What the peer made lost against ours, and goes.
    let peers_goes_on = |collision: Collision| collision.verdict == Verdict::Open;
    let collided = sa.collision.take_if(|collision| collision.old == old).is_some_and(peers_goes_on);
    let less = Duration::from_secs(cx.env.crypto.random().u64() % (RETRY_JITTER_SECONDS + 1));
    let Some(child) = sa.child_mut(old) else { return };
    if child.state != ChildSaState::Rekeying {
        return;
    }
    if child.replaced_by.is_some() || collided {
        // The peer does it.
        child.state = ChildSaState::Rekeyed;
        return;
    }
    child.state = ChildSaState::Installed;
    child.rekey_due = cx.now.mono.checked_add(RETRY - less);
    tracing::info!(target: "IKE", "CHILD_SA rekeying failed, trying again in {} seconds", (RETRY - less).as_secs());
    sa.arm_children();
}

/// The peer does not know `old` any more: it is removed, and made anew.
pub(super) fn vanished(sa: &mut Sa, cx: Cx<'_>, old: UniqueId) {
    tracing::info!(target: "IKE", "peer didn't find the CHILD_SA we tried to rekey");
    if sa.collision.as_ref().is_some_and(|collision| collision.old == old) {
        // The peer has replaced it: its DELETE is on its way.
        return;
    }
    let replaced = sa.child_mut(old).is_some_and(|child| child.replaced_by.is_some());
    conclude(sa, cx, old);
    if let Some(child) = sa.remove_child(cx, old, &CloseReason::Peer).filter(|_| !replaced) {
        sa.queue_task(Task::CreateChild(child.config.into(), None));
    }
}

/// Tells that `new` carries what `old` carried; the end of `old` is no news any more.
fn announce(sa: &mut Sa, cx: Cx<'_>, old: UniqueId, new: UniqueId) {
    let now = cx.now.mono;
    // Whoever wants the old one gone means what carries its traffic.
    for task in &mut sa.queue {
        if let Task::DeleteChild(child, ..) = task
            && *child == old
        {
            *child = new;
        }
    }
    let Some(child) = sa.child_mut(new) else { return };
    child.voice = Voice::Announced;
    let new = Arc::new(child.snapshot(now));
    let Some(child) = sa.child_mut(old) else {
        let snapshot = Arc::new(sa.snapshot_of(now, std::slice::from_ref(&new)));
        sa.output(Output::Event(IkeEvent::ChildInstalled { sa: snapshot, child: new }));
        return;
    };
    child.voice = Voice::Silent;
    let old = Arc::new(child.snapshot(now));
    let snapshot = Arc::new(sa.snapshot_of(now, std::slice::from_ref(&new)));
    sa.output(Output::Event(IkeEvent::ChildRekeyed { sa: snapshot, old, new }));
}
