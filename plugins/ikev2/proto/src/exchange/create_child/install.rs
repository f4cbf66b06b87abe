//! From agreement to traffic: keys, kernel operations, events.

use std::num::NonZeroU32;
use std::sync::Arc;

use charon_types::Secret;
use charon_types::connection::ChildConfig;
use charon_types::id::{EspSpi, Reqid, Role, UniqueId};
use charon_types::kernel_op::{Encap, KernelOp, KernelResult, Mode, SaKey, SaUsage, TfcPadding};
use charon_types::proposal::{ChildSuite, Protocol};
use charon_types::selector::TrafficSelector;
use charon_types::snapshot::ChildSaState;
use charon_types::tag::Tags;

use super::rekey_child;
use crate::child_sa::{ChildSa, DirectedKeys, Lifespan, Outbound, OutboundWhen, SaKeys, Voice};
use crate::env::ReqidKey;
use crate::failure::{Failure, LocalFault};
use crate::keymat;
use crate::output::{CommandSuccess, CommandToken, OpId};
use crate::sa::{Cx, Sa};

/// What both sides agreed on.
#[derive(Clone, Debug)]
pub(crate) struct Agreed {
    pub(crate) config: Arc<ChildConfig>,
    pub(crate) unique_id: UniqueId,
    pub(crate) token: Option<CommandToken>,
    pub(crate) suite: ChildSuite,
    pub(crate) mode: Mode,
    pub(crate) spi_in: EspSpi,
    pub(crate) spi_out: EspSpi,
    pub(crate) local_ts: Vec<TrafficSelector>,
    pub(crate) remote_ts: Vec<TrafficSelector>,
    pub(crate) tags: Tags,
    /// How packets that we send are padded.
    pub(crate) tfc_padding: TfcPadding,
    /// The child that it replaces.
    pub(crate) replaces: Option<UniqueId>,
}

/// What the child's keys come from (RFC 7296 §2.17).
pub(crate) struct KeySource<'a> {
    /// Whoever began the exchange: its keys come first.
    pub(crate) role: Role,
    /// Of the exchange that creates the child.
    pub(crate) nonce_i: &'a [u8],
    /// See `nonce_i`.
    pub(crate) nonce_r: &'a [u8],
    /// Of the child's own key exchange.
    pub(crate) shared: Option<&'a Secret>,
}

/// A child that the kernel is busy with.
#[derive(Debug)]
pub(crate) struct Installing {
    pub(crate) op: OpId,
    child: ChildSa,
    token: Option<CommandToken>,
    replaces: Option<UniqueId>,
    role: Role,
    /// What undoes each operation of the batch, in the order of the batch.
    inverses: Vec<KernelOp>,
}

impl Agreed {
    /// Derives the keys and submits the child to the kernel.
    pub(crate) fn install(
        self,
        sa: &mut Sa,
        cx: Cx<'_>,
        source: &KeySource<'_>,
    ) -> Result<Installing, Failure> {
        let keys = self.keys(sa, cx, source)?;
        let config = &self.config;
        let reqid = cx.env.ids.acquire_reqid(&ReqidKey {
            fixed: NonZeroU32::new(config.reqid)
                .map(Reqid)
                .or_else(|| self.inherited_reqid(sa, cx, source.role)),
            local_ts: &self.local_ts,
            remote_ts: &self.remote_ts,
            tags: self.tags,
        });
        let random = cx.env.crypto.random();
        let lifespan = Lifespan::draw(config, || random.u64());
        let now = cx.now.mono;
        let replay_window = config.replay_window.unwrap_or(cx.env.settings.replay_window);
        let outbound = match (self.replaces, source.role) {
            (Some(_), Role::Responder) => OutboundWhen::PeerDeletesOld,
            (Some(_), Role::Initiator) | (None, _) => OutboundWhen::Now,
        };
        let mut child = ChildSa {
            unique_id: self.unique_id,
            reqid,
            state: ChildSaState::Installing,
            suite: self.suite,
            mode: self.mode,
            encap: if sa.nat.any() { Encap::Udp } else { Encap::None },
            path: sa.path,
            spi_in: self.spi_in,
            spi_out: self.spi_out,
            local_ts: self.local_ts,
            remote_ts: self.remote_ts,
            tags: self.tags,
            installed_at: now,
            rekey_at: lifespan.rekey_at(now),
            rekey_due: lifespan.rekey_at(now),
            dies_at: lifespan.dies_at(now),
            usage_in: SaUsage::default(),
            usage_out: SaUsage::default(),
            outbound: Outbound::Installed,
            voice: if self.replaces.is_some() { Voice::Silent } else { Voice::Announced },
            replaced_by: None,
            config: self.config,
        };
        sa.use_spi(child.suite.protocol, child.spi_in);
        let ops = child.install_ops(&keys, &lifespan, replay_window, self.tfc_padding, outbound);
        let inverses = ops.iter().filter_map(inverse).collect();
        let op = sa.kernel(ops);
        Ok(Installing { op, child, token: self.token, replaces: self.replaces, role: source.role, inverses })
    }

    /// That of the child that it replaces; for one that we ask for, that of its trap: what met the trap waits in the kernel for an
    /// SA with this reqid, however far the peer narrowed the selectors.
    fn inherited_reqid(&self, sa: &Sa, cx: Cx<'_>, role: Role) -> Option<Reqid> {
        match (self.replaces, role) {
            (Some(old), _) => sa.children.iter().find(|child| child.unique_id == old).map(|old| old.reqid),
            (None, Role::Initiator) => cx.env.ids.trap_reqid(sa.connection.as_ref()?, &self.config),
            (None, Role::Responder) => None,
        }
    }

    fn keys(&self, sa: &Sa, cx: Cx<'_>, source: &KeySource<'_>) -> Result<DirectedKeys, Failure> {
        let ike = sa.keys.as_ref().ok_or(LocalFault::Crypto(charon_crypto::CryptoError::InvalidKey))?;
        let pair = keymat::child_keys(
            cx.env.crypto,
            ike,
            &self.suite,
            source.nonce_i,
            source.nonce_r,
            source.shared,
        )
        .map_err(LocalFault::Crypto)?;
        let initiator = SaKeys { encryption: pair.initiator.encryption, integrity: pair.initiator.integrity };
        let responder = SaKeys { encryption: pair.responder.encryption, integrity: pair.responder.integrity };
        Ok(match source.role {
            Role::Initiator => DirectedKeys { inbound: responder, outbound: initiator },
            Role::Responder => DirectedKeys { inbound: initiator, outbound: responder },
        })
    }
}

impl Installing {
    /// The kernel answered: the child becomes one of the IKE_SA's, or all traces are removed.
    pub(crate) fn finish(mut self, sa: &mut Sa, cx: Cx<'_>, results: &[KernelResult]) -> Result<(), Failure> {
        if let Some(error) = results.iter().find_map(|result| result.as_ref().err()) {
            let error = error.clone();
            self.undo(sa, cx, results);
            tracing::info!(target: "IKE", "unable to install IPsec SA and policies in kernel: {error}");
            return Err(LocalFault::Kernel(error).into());
        }
        self.child.state = ChildSaState::Installed;
        let child = &self.child;
        tracing::error!(
            target: "IKE",
            "CHILD_SA {}{{{}}} established with SPIs {}_i {}_o and TS {} === {}",
            child.config.name,
            child.unique_id,
            child.spi_in,
            child.spi_out,
            crate::text::selectors(&child.local_ts),
            crate::text::selectors(&child.remote_ts),
        );
        let unique_id = child.unique_id;
        sa.add_child(cx, self.child);
        sa.bring_along(unique_id);
        match (self.replaces, self.role) {
            (None, _) => {}
            (Some(old), Role::Initiator) => rekey_child::take_over(sa, cx, old, unique_id),
            (Some(old), Role::Responder) => rekey_child::await_deletion(sa, cx, old, unique_id),
        }
        sa.done(self.token, Ok(CommandSuccess::ChildInstalled(unique_id)));
        Ok(())
    }

    /// Takes out of the kernel what it took; a refused SA or policy may be somebody else's.
    pub(crate) fn undo(&self, sa: &mut Sa, cx: Cx<'_>, results: &[KernelResult]) {
        // Refused or not, its SPI is reserved.
        let inbound = KernelOp::DeleteSa(self.child.key_in());
        let undone =
            self.inverses.iter().zip(results).filter(|(op, result)| result.is_ok() || **op == inbound);
        sa.kernel(undone.map(|(op, _)| op.clone()).rev().collect());
        cx.env.ids.release_reqid(self.child.reqid);
    }

    /// Takes the child out of the kernel again, whatever the kernel is going to answer.
    pub(crate) fn abandon(&self, sa: &mut Sa, cx: Cx<'_>) {
        sa.kernel(self.inverses.iter().rev().cloned().collect());
        cx.env.ids.release_reqid(self.child.reqid);
    }

    /// The inbound SPI, to be named in a DELETE if the kernel refused.
    pub(crate) fn spi_in(&self) -> EspSpi {
        self.child.spi_in
    }

    /// The child that it replaces.
    pub(crate) fn replaces(&self) -> Option<UniqueId> {
        self.replaces
    }

    /// ESP or AH.
    pub(crate) fn protocol(&self) -> Protocol {
        self.child.suite.protocol
    }

    /// Who waits for it.
    pub(crate) fn token(&self) -> Option<CommandToken> {
        self.token
    }
}

/// What undoes an operation that adds something.
fn inverse(op: &KernelOp) -> Option<KernelOp> {
    match op {
        KernelOp::AddSa(sa) => Some(KernelOp::DeleteSa(SaKey {
            destination: sa.destination.ip(),
            protocol: sa.protocol,
            spi: sa.spi,
        })),
        KernelOp::AddPolicy(policy) => Some(KernelOp::DeletePolicy(policy.clone())),
        KernelOp::AllocSpi { .. }
        | KernelOp::UpdateSa { .. }
        | KernelOp::DeleteSa(_)
        | KernelOp::QuerySa(_)
        | KernelOp::DeletePolicy(_) => None,
    }
}
