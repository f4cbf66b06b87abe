//! INFORMATIONAL (RFC 7296 §1.4): DELETE, liveness, and what else the peer has to tell.

use charon_types::id::{EspSpi, UniqueId};
use charon_types::proposal::Protocol;
use charon_types::snapshot::ChildSaState;

use super::create_child::rekey_child;
use super::mobike;
use crate::failure::{Failure, Refusal};
use crate::output::CloseReason;
use crate::sa::{Cx, Sa};
use crate::text;
use crate::wire::{Delete, ExchangeType, Message, NotifyType, Payload};

/// What a request of the peer leads to.
pub(crate) enum Informed {
    /// Answer with these payloads, and go on.
    Answer(Vec<Payload>),
    /// Answer with nothing in it, and close.
    Close(CloseReason),
}

/// A request of the peer.
pub(crate) fn handle_request(sa: &mut Sa, cx: Cx<'_>, request: &Message) -> Informed {
    if request.has_notify(NotifyType::AUTHENTICATION_FAILED) {
        tracing::info!(target: "IKE", "received AUTHENTICATION_FAILED notify error");
        return Informed::Close(CloseReason::Failed(Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0)));
    }
    sa.note_auth_lifetime(cx, request);
    let mut deleted = mobike::handle_request(sa, cx, request);
    for delete in request.deletes() {
        match delete.protocol {
            Protocol::Ike => {
                tracing::info!(target: "IKE", "received DELETE for IKE_SA {}[{}]", sa.name(), sa.unique_id);
                log_deletion(sa);
                return Informed::Close(CloseReason::Peer);
            }
            protocol @ (Protocol::Esp | Protocol::Ah) => {
                let ours = delete.spis.iter().filter_map(|spi| delete_child(sa, cx, protocol, *spi));
                let ours: Vec<EspSpi> = ours.collect();
                if !ours.is_empty() {
                    deleted.push(Payload::Delete(Delete { protocol, spis: ours }));
                }
            }
        }
    }
    Informed::Answer(deleted)
}

/// The peer deletes the child that it receives on `spi`. Our SPI, unless we are deleting it as well (RFC 7296 §1.4.1).
fn delete_child(sa: &mut Sa, cx: Cx<'_>, protocol: Protocol, spi: EspSpi) -> Option<EspSpi> {
    tracing::info!(target: "IKE", "received DELETE for {protocol} CHILD_SA with SPI {spi}");
    let Some(child) = sa.child_by_spi_out(spi).filter(|child| child.suite.protocol == protocol) else {
        tracing::info!(target: "IKE", "CHILD_SA not found, ignored");
        sa.note_early_delete(spi);
        return None;
    };
    let crossing = child.state == ChildSaState::Deleting;
    let unique_id = child.unique_id;
    let ours = child.spi_in;
    if !crossing {
        log_closing(sa, unique_id);
    }
    rekey_child::conclude(sa, cx, unique_id);
    sa.remove_child(cx, unique_id, &CloseReason::Peer);
    tracing::info!(target: "IKE", "CHILD_SA closed");
    (!crossing).then_some(ours)
}

/// Asks the peer to delete a child. `false`: there is no such child.
pub(crate) fn delete_our_child(sa: &mut Sa, cx: Cx<'_>, unique_id: UniqueId) -> Result<(), Failure> {
    let child = sa.child_mut(unique_id).ok_or(Refusal::ChildNotFound)?;
    child.state = ChildSaState::Deleting;
    let (protocol, spi) = (child.suite.protocol, child.spi_in);
    log_closing(sa, unique_id);
    tracing::info!(target: "IKE", "sending DELETE for {protocol} CHILD_SA with SPI {spi}");
    let delete = Payload::Delete(Delete { protocol, spis: vec![spi] });
    sa.send_request(cx, ExchangeType::INFORMATIONAL, vec![delete])
}

/// Tells the peer that a child which it believes in does not exist.
pub(crate) fn disown_child(sa: &mut Sa, cx: Cx<'_>, protocol: Protocol, spi: EspSpi) -> Result<(), Failure> {
    tracing::info!(target: "IKE", "sending DELETE for {protocol} CHILD_SA with SPI {spi}");
    let delete = Payload::Delete(Delete { protocol, spis: vec![spi] });
    sa.send_request(cx, ExchangeType::INFORMATIONAL, vec![delete])
}

/// Asks the peer to delete the IKE_SA.
pub(crate) fn delete_ike(sa: &mut Sa, cx: Cx<'_>) -> Result<(), Failure> {
    sa.deleting = true;
    log_deletion(sa);
    tracing::info!(target: "IKE", "sending DELETE for IKE_SA {}[{}]", sa.name(), sa.unique_id);
    let delete = Payload::Delete(Delete { protocol: Protocol::Ike, spis: Vec::new() });
    sa.send_request(cx, ExchangeType::INFORMATIONAL, vec![delete])
}

fn log_deletion(sa: &Sa) {
    tracing::error!(
        target: "IKE",
        "deleting IKE_SA {}[{}] between {}[{}]...{}[{}]",
        sa.name(),
        sa.unique_id,
        sa.path.local.ip(),
        sa.local_id,
        sa.path.remote.ip(),
        sa.remote_id,
    );
}

fn log_closing(sa: &Sa, unique_id: UniqueId) {
    let Some(child) = sa.children.iter().find(|child| child.unique_id == unique_id) else { return };
    tracing::error!(
        target: "IKE",
        "closing CHILD_SA {}{{{unique_id}}} with SPIs {}_i ({} bytes) {}_o ({} bytes) and TS {} === {}",
        child.config.name,
        child.spi_in,
        child.usage_in.bytes,
        child.spi_out,
        child.usage_out.bytes,
        text::selectors(&child.local_ts),
        text::selectors(&child.remote_ts),
    );
}
