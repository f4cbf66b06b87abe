//! Reauthentication: a new IKE_SA with the children of the old one, before or after that is closed.

use std::sync::Arc;

use charon_core::service::ike_engine::EngineError;
use charon_types::UniqueId;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use ikev2_proto::ike_sa::Force;
use ikev2_proto::output::Order as Sequence;
use tokio::sync::oneshot;
use tracing::info;

use crate::order::{Ask, Order};
use crate::peers::Peer;
use crate::shard::Input;
use crate::shared::Shared;

/// What is to be there anew.
pub(crate) struct Anew {
    pub(crate) old: UniqueId,
    pub(crate) connection: Arc<Connection>,
    pub(crate) children: Vec<Arc<ChildConfig>>,
    pub(crate) path: Path,
    pub(crate) sequence: Sequence,
}

/// Begins. The task touches nothing but by commands: to abandon it when the daemon ends is safe, the old IKE_SA ends at its limit.
pub(crate) fn begin(shared: &Arc<Shared>, anew: Anew) {
    let shared = Arc::clone(shared);
    tokio::spawn(async move { establish(&shared, anew).await });
}

async fn establish(shared: &Arc<Shared>, anew: Anew) {
    let Anew { old, connection, children, path, sequence } = anew;
    let known: Vec<UniqueId> = ids(&shared.peers.of_connection(&connection.name));
    let mut children = children.into_iter();
    let child = children.next();
    let (done, outcome) = oneshot::channel();
    let order = Order { done: Some(done), tap: None };
    let initiate = Input::Initiate { connection: Arc::clone(&connection), child, packet: None, path, order };
    shared.send_any(initiate).await;
    let outcome = outcome.await.unwrap_or(Err(EngineError::ShuttingDown));
    let peers = shared.peers.of_connection(&connection.name);
    let established =
        |peer: &&Peer| peer.identities.is_some() && peer.unique_id != old && !known.contains(&peer.unique_id);
    let Some(new) = peers.iter().find(established) else {
        info!(target: "IKE", "reauthentication of '{}' failed: {outcome:?}", connection.name);
        if let Some(old) = shared.peers.by_id(old) {
            shared.send(old.spi, Input::NotEstablishedAnew { spi: old.spi }).await;
        }
        return;
    };
    for child in children {
        // The outcome is in the log and on the bus.
        let _ = ask(shared, new, Ask::InitiateChild(child, None)).await;
    }
    if sequence == Sequence::MakeBeforeBreak
        && let Some(old) = shared.peers.by_id(old)
    {
        let _ = ask(shared, &old, Ask::TerminateIke(Force::Polite)).await;
    }
}

async fn ask(shared: &Arc<Shared>, peer: &Peer, ask: Ask) -> Result<(), EngineError> {
    let (done, outcome) = oneshot::channel();
    let order = Order { done: Some(done), tap: None };
    shared.send(peer.spi, Input::Command { spi: peer.spi, ask, order }).await;
    outcome.await.unwrap_or(Err(EngineError::ShuttingDown))
}

fn ids(peers: &[Peer]) -> Vec<UniqueId> {
    peers.iter().map(|peer| peer.unique_id).collect()
}
