//! Uniqueness: what the decisions of [`ikev2_proto::uniqueness`] lead to.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use charon_core::service::ike_engine::EngineError;
use charon_types::IkeSpi;
use charon_types::alert::Alert;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::event::Event;
use charon_types::id::Role;
use charon_types::snapshot::IkeSaSnapshot;
use ikev2_proto::ike_sa::Force;
use ikev2_proto::output::InitialContact;
use ikev2_proto::uniqueness::{Fate, Origin, fate, may_end_others};
use tokio::sync::oneshot;
use tracing::info;

use crate::order::{Ask, Order};
use crate::peers::Peer;
use crate::shard::Input;
use crate::shared::Shared;

/// How long the peer has to delete an older IKE_SA, or one that crosses another, itself.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the peer has to create the children of an IKE_SA that it has begun.
const SETTLING: Duration = Duration::from_secs(2);

/// Enters an IKE_SA that was established in the index, and sees to what it replaces.
pub(crate) fn on_established(
    shared: &Arc<Shared>,
    spi: IkeSpi,
    sa: &Arc<IkeSaSnapshot>,
    connection: &Arc<Connection>,
    contact: InitialContact,
) {
    let origin = Origin::new(sa, contact, shared.ids.next_ike_unique_id());
    let new = Peer {
        unique_id: sa.unique_id,
        spi,
        name: Some(Arc::clone(&connection.name)),
        connection: Some(Arc::clone(connection)),
        identities: Some((sa.local_id.clone(), sa.remote_id.clone())),
        origin: Some(origin),
        path: sa.path,
    };
    let may_end_others = may_end_others(connection.ike.unique, contact);
    for old in shared.peers.establish(new.clone(), may_end_others) {
        let Some(its) = old.origin.filter(|_| old.unique_id != sa.unique_id) else { continue };
        let (here, there) = (new.path.remote.ip(), old.path.remote.ip());
        match fate(connection.ike.unique, (&origin, here), (&its, there)) {
            Fate::Stays => {}
            Fate::Goes => {
                info!(target: "IKE", "destroying duplicate IKE_SA for peer '{}', uniqueness policy", sa.remote_id);
                shared.bus.publish(&Event::Alert(Alert::UniqueReplace, Some(Arc::clone(sa))));
                let (ask, order) = (Ask::TerminateIke(Force::Immediate), Order::default());
                shared.post(old.spi, Input::Command { spi: old.spi, ask, order });
            }
            Fate::GoesLater => {
                info!(
                    target: "IKE",
                    "schedule delete of duplicate IKE_SA for peer '{}' due to uniqueness policy and suspected reauthentication",
                    sa.remote_id
                );
                tokio::spawn(destroy_later(Arc::clone(shared), old, new.clone()));
            }
            Fate::YieldsToNew => settle(shared, old, new.clone()),
            Fate::NewYields => settle(shared, new.clone(), old),
        }
    }
}

/// Deletes an IKE_SA that its initiator seems to establish anew, unless that does it itself, or deletes the new one. The task sleeps
/// and sends one command: to abandon it is safe.
async fn destroy_later(shared: Arc<Shared>, old: Peer, new: Peer) {
    tokio::time::sleep(PATIENCE).await;
    if let (Some(old), Some(_)) = (shared.peers.current(&old), shared.peers.current(&new)) {
        let (ask, order) = (Ask::TerminateIke(Force::Polite), Order::default());
        shared.send(old.spi, Input::Command { spi: old.spi, ask, order }).await;
    }
}

/// One of two IKE_SAs that cross is to go. The task touches nothing but by commands: if it is abandoned both stay.
fn settle(shared: &Arc<Shared>, loser: Peer, winner: Peer) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        // It is for its initiator to delete it.
        if loser.origin.is_some_and(|origin| origin.role == Role::Responder) {
            tokio::time::sleep(PATIENCE).await;
        }
        let peer = winner.identities.as_ref().map(|(_, remote)| remote.to_string()).unwrap_or_default();
        let (Some(loser), Some(winner)) = (shared.peers.current(&loser), shared.peers.current(&winner))
        else {
            return;
        };
        info!(target: "IKE", "two IKE_SAs with '{peer}' were established at once, {} is to replace {}", winner.unique_id, loser.unique_id);
        if let Err(error) = replace(&shared, &loser, &winner).await {
            info!(target: "IKE", "both IKE_SAs with '{peer}' stay: {error:?}");
        }
    });
}

/// The peer may have destroyed the winner, by an INITIAL_CONTACT that came late: it is asked first. Then the loser's children
/// are created in the winner as far as it has none like them, and nothing is sent through the loser any more before it goes,
/// so that no packet meets an end that is gone.
async fn replace(shared: &Arc<Shared>, loser: &Peer, winner: &Peer) -> Result<(), EngineError> {
    ask(shared, winner, Ask::CheckLiveness).await?;
    if !missing(shared, loser, winner).await.is_empty() {
        // The peer may be about to create them itself.
        tokio::time::sleep(SETTLING).await;
    }
    carry_over(shared, loser, winner).await?;
    ask(shared, loser, Ask::Mute).await?;
    // What was asked of the loser meanwhile. It cannot stay any more.
    if let Err(error) = carry_over(shared, loser, winner).await {
        info!(target: "IKE", "a child of IKE_SA {} is lost: {error:?}", loser.unique_id);
    }
    ask(shared, loser, Ask::TerminateIke(Force::Polite)).await
}

async fn carry_over(shared: &Arc<Shared>, loser: &Peer, winner: &Peer) -> Result<(), EngineError> {
    for child in missing(shared, loser, winner).await {
        ask(shared, winner, Ask::InitiateChild(child, None)).await?;
    }
    Ok(())
}

/// Children of the loser of which the winner has none.
async fn missing(shared: &Arc<Shared>, loser: &Peer, winner: &Peer) -> Vec<Arc<ChildConfig>> {
    let there: HashSet<Arc<str>> = children(shared, winner).await.into_iter().collect();
    let here = children(shared, loser).await.into_iter().filter(|name| !there.contains(name));
    here.filter_map(|name| loser.connection.as_ref()?.child(&name).map(Arc::clone)).collect()
}

/// Names of its children.
pub(crate) async fn children(shared: &Arc<Shared>, peer: &Peer) -> Vec<Arc<str>> {
    let (reply, snapshots) = oneshot::channel();
    shared.send(peer.spi, Input::Snapshots { spis: vec![peer.spi], child: None, reply }).await;
    let snapshots = snapshots.await.unwrap_or_default();
    let children = snapshots.into_iter().flat_map(|sa| sa.children);
    children.map(|child| child.name).collect()
}

async fn ask(shared: &Arc<Shared>, peer: &Peer, ask: Ask) -> Result<(), EngineError> {
    let (done, outcome) = oneshot::channel();
    let order = Order { done: Some(done), tap: None };
    shared.send(peer.spi, Input::Command { spi: peer.spi, ask, order }).await;
    outcome.await.unwrap_or(Err(EngineError::ShuttingDown))
}
