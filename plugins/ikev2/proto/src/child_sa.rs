//! A CHILD_SA: what was negotiated and how it gets into the kernel and out of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use charon_types::Secret;
use charon_types::algorithm::IntegrityId;
use charon_types::connection::ChildConfig;
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, Mark, Reqid, UniqueId};
use charon_types::kernel_op::{
    AddSa, Direction, Encap, KernelOp, KernelResult, Mode, Policy, PolicyAction, PolicyClass,
    PolicyDirection, SaKey, SaLimit, SaLimits, SaOptions, SaUsage, TfcPadding,
};
use charon_types::lifetime::Limit;
use charon_types::proposal::ChildSuite;
use charon_types::selector::TrafficSelector;
use charon_types::snapshot::{ChildSaSnapshot, ChildSaState, InstalledSa};
use charon_types::tag::Tags;

/// A CHILD_SA whose peer agreed.
#[derive(Clone, Debug)]
pub(crate) struct ChildSa {
    pub(crate) config: Arc<ChildConfig>,
    pub(crate) unique_id: UniqueId,
    pub(crate) reqid: Reqid,
    pub(crate) state: ChildSaState,
    pub(crate) suite: ChildSuite,
    pub(crate) mode: Mode,
    pub(crate) encap: Encap,
    pub(crate) path: Path,
    pub(crate) spi_in: EspSpi,
    pub(crate) spi_out: EspSpi,
    pub(crate) local_ts: Vec<TrafficSelector>,
    pub(crate) remote_ts: Vec<TrafficSelector>,
    pub(crate) tags: Tags,
    pub(crate) installed_at: Instant,
    /// When it is to be rekeyed; shown, even when overdue.
    pub(crate) rekey_at: Option<Instant>,
    /// When the next attempt to rekey it begins.
    pub(crate) rekey_due: Option<Instant>,
    pub(crate) dies_at: Option<Instant>,
    pub(crate) usage_in: SaUsage,
    pub(crate) usage_out: SaUsage,
    pub(crate) outbound: Outbound,
    pub(crate) voice: Voice,
    /// The child that the peer made to replace this one.
    pub(crate) replaced_by: Option<UniqueId>,
}

/// Whether we send on a child. After the peer rekeyed, the old one is used until the peer deletes it, because only then is
/// it certain that the peer receives on the new one.
#[derive(Clone, Debug)]
pub(crate) enum Outbound {
    /// In the kernel.
    Installed,
    /// Kept for later.
    Waiting(Box<KernelOp>),
    /// The kernel did not take it, or we gave it up: the child is on its way out.
    Gone,
}

/// Whether the world knows of a child: a replacement is announced when it takes over, and what it replaced ends silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// Its end is an event.
    Announced,
    /// Its end is none.
    Silent,
}

/// When a new child's outbound SA is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutboundWhen {
    /// With the inbound one.
    Now,
    /// When the peer deletes the child that this one replaces.
    PeerDeletesOld,
}

/// Keys of both directions, seen from here.
#[derive(Clone, Debug)]
pub(crate) struct DirectedKeys {
    pub(crate) inbound: SaKeys,
    pub(crate) outbound: SaKeys,
}

/// Keys of one direction.
#[derive(Clone, Debug)]
pub(crate) struct SaKeys {
    pub(crate) encryption: Secret,
    pub(crate) integrity: Secret,
}

/// Soft and hard limits with the random part decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lifespan {
    limits: SaLimits,
}

impl Lifespan {
    /// Draws the random parts: `random` per measure.
    pub(crate) fn draw(config: &ChildConfig, random: impl Fn() -> u64) -> Self {
        let soft = |limit: &Limit| {
            if limit.rekey == 0 {
                return 0;
            }
            // At least one unit stays: 0 would mean "never".
            limit.rekey.saturating_sub(random() % limit.jitter.saturating_add(1).max(1)).max(1)
        };
        let lifetime = &config.lifetime;
        Self {
            limits: SaLimits {
                soft: SaLimit {
                    time: Duration::from_secs(soft(&lifetime.time)),
                    bytes: soft(&lifetime.bytes),
                    packets: soft(&lifetime.packets),
                },
                hard: SaLimit {
                    time: Duration::from_secs(lifetime.time.life),
                    bytes: lifetime.bytes.life,
                    packets: lifetime.packets.life,
                },
            },
        }
    }

    /// When it is rekeyed.
    pub(crate) fn rekey_at(&self, from: Instant) -> Option<Instant> {
        after(from, self.limits.soft.time)
    }

    /// When it dies.
    pub(crate) fn dies_at(&self, from: Instant) -> Option<Instant> {
        after(from, self.limits.hard.time)
    }
}

fn after(from: Instant, delay: Duration) -> Option<Instant> {
    if delay.is_zero() { None } else { from.checked_add(delay) }
}

impl ChildSa {
    /// Whether we may begin to replace it: not while it is itself a replacement that does not carry anything yet.
    pub(crate) fn may_be_rekeyed(&self) -> bool {
        self.state == ChildSaState::Installed && self.voice == Voice::Announced
    }

    /// The inbound SA's key in the kernel.
    pub(crate) fn key_in(&self) -> SaKey {
        SaKey { destination: self.path.local.ip(), protocol: self.suite.protocol, spi: self.spi_in }
    }

    /// The outbound SA's key in the kernel.
    pub(crate) fn key_out(&self) -> SaKey {
        SaKey { destination: self.path.remote.ip(), protocol: self.suite.protocol, spi: self.spi_out }
    }

    /// Operations that install it: inbound SA first, so that nothing the peer sends early is lost; policies last, so that
    /// nothing we send finds a policy without an SA. What is to wait stays with the child.
    pub(crate) fn install_ops(
        &mut self,
        keys: &DirectedKeys,
        lifespan: &Lifespan,
        replay_window: u32,
        tfc_padding: TfcPadding,
        outbound: OutboundWhen,
    ) -> Vec<KernelOp> {
        let inbound = self.add_sa(Direction::Inbound, &keys.inbound, lifespan);
        let mut ops = vec![KernelOp::AddSa(Box::new(AddSa { replay_window, ..inbound }))];
        let mut sending = self.add_sa(Direction::Outbound, &keys.outbound, lifespan);
        sending.options.tfc_padding = tfc_padding;
        let sending = KernelOp::AddSa(Box::new(sending));
        match outbound {
            OutboundWhen::Now => ops.push(sending),
            OutboundWhen::PeerDeletesOld => self.outbound = Outbound::Waiting(Box::new(sending)),
        }
        let wanted = |policy: &Policy| outbound == OutboundWhen::Now || !is_of_sending(policy);
        let policies = self.policies().into_iter().filter(wanted);
        ops.extend(policies.map(|policy| KernelOp::AddPolicy(Box::new(policy))));
        ops
    }

    /// Operations that let us send on it after all; none if we do already.
    pub(crate) fn activate_ops(&mut self) -> Vec<KernelOp> {
        if !matches!(self.outbound, Outbound::Waiting(_)) {
            return Vec::new();
        }
        let Outbound::Waiting(sending) = std::mem::replace(&mut self.outbound, Outbound::Installed) else {
            return Vec::new();
        };
        let policies = self.policies().into_iter().filter(is_of_sending);
        let policies = policies.map(|policy| KernelOp::AddPolicy(Box::new(policy)));
        std::iter::once(*sending).chain(policies).collect()
    }

    /// The kernel refused something of [`Self::activate_ops`]: operations that take back the rest.
    pub(crate) fn deactivate_ops(&mut self, results: &[KernelResult]) -> Vec<KernelOp> {
        let policies = self.policies().into_iter().filter(is_of_sending);
        let as_installed = std::iter::once(KernelOp::DeleteSa(self.key_out()))
            .chain(policies.map(|policy| KernelOp::DeletePolicy(Box::new(policy))));
        let taken = as_installed.zip(results).filter(|(_, result)| result.is_ok());
        let mut ops: Vec<KernelOp> = taken.map(|(op, _)| op).collect();
        ops.reverse();
        self.outbound = Outbound::Gone;
        ops
    }

    /// Operations that remove it, in the opposite order.
    pub(crate) fn remove_ops(&self) -> Vec<KernelOp> {
        let mut ops = self.remove_outbound_ops();
        ops.extend(self.remove_inbound_ops());
        ops
    }

    /// Policies as far as the kernel has them.
    fn installed_policies(&self) -> impl Iterator<Item = Policy> {
        let sends = matches!(self.outbound, Outbound::Installed);
        self.policies().into_iter().filter(move |policy| sends || !is_of_sending(policy))
    }

    /// Operations after which we no longer send on it.
    pub(crate) fn remove_outbound_ops(&self) -> Vec<KernelOp> {
        match self.outbound {
            Outbound::Waiting(_) | Outbound::Gone => Vec::new(),
            Outbound::Installed => {
                let mut ops = self.delete_policies(is_of_sending);
                ops.push(KernelOp::DeleteSa(self.key_out()));
                ops
            }
        }
    }

    /// Operations after which we no longer send on it, while it lives.
    pub(crate) fn mute_ops(&mut self) -> Vec<KernelOp> {
        let ops = self.remove_outbound_ops();
        self.outbound = Outbound::Gone;
        ops
    }

    /// Operations after which we no longer receive on it.
    pub(crate) fn remove_inbound_ops(&self) -> Vec<KernelOp> {
        let mut ops = self.delete_policies(|policy| !is_of_sending(policy));
        ops.push(KernelOp::DeleteSa(self.key_in()));
        ops
    }

    fn delete_policies(&self, wanted: impl Fn(&Policy) -> bool) -> Vec<KernelOp> {
        let policies = self.policies().into_iter().rev().filter(wanted);
        policies.map(|policy| KernelOp::DeletePolicy(Box::new(policy))).collect()
    }

    /// Moves it to other addresses: operations that move its SAs, and its policies if they name another host.
    pub(crate) fn move_ops(&mut self, path: Path) -> Vec<KernelOp> {
        let old = self.path;
        let same_hosts = (old.local.ip(), old.remote.ip()) == (path.local.ip(), path.remote.ip());
        let mut ops = Vec::new();
        if !same_hosts {
            let policies = self.installed_policies();
            ops.extend(policies.map(|policy| KernelOp::DeletePolicy(Box::new(policy))));
        }
        let encap = self.encap;
        let update = |sa, source, destination| KernelOp::UpdateSa { sa, source, destination, encap };
        ops.push(update(self.key_in(), path.remote, path.local));
        let key_out = self.key_out();
        match &mut self.outbound {
            Outbound::Installed => ops.push(update(key_out, path.local, path.remote)),
            Outbound::Waiting(op) => {
                if let KernelOp::AddSa(sa) = &mut **op {
                    (sa.source, sa.destination) = (path.local, path.remote);
                }
            }
            Outbound::Gone => {}
        }
        self.path = path;
        if !same_hosts {
            let policies = self.installed_policies();
            ops.extend(policies.map(|policy| KernelOp::AddPolicy(Box::new(policy))));
        }
        ops
    }

    fn add_sa(&self, direction: Direction, keys: &SaKeys, lifespan: &Lifespan) -> AddSa {
        let (source, destination): (SocketAddr, SocketAddr);
        let (spi, source_ts, destination_ts, mark, if_id, set_mark);
        let (config, tags) = (&self.config, &self.tags);
        match direction {
            Direction::Inbound => {
                (source, destination) = (self.path.remote, self.path.local);
                (spi, source_ts, destination_ts) = (self.spi_in, &self.remote_ts, &self.local_ts);
                mark = if config.mark_in_sa.is_enabled() { tags.mark_in } else { Mark::default() };
                (if_id, set_mark) = (tags.if_ids.inbound, config.set_mark_in.resolve(tags.mark_in));
            }
            Direction::Outbound => {
                (source, destination) = (self.path.local, self.path.remote);
                (spi, source_ts, destination_ts) = (self.spi_out, &self.local_ts, &self.remote_ts);
                (mark, if_id) = (tags.mark_out, tags.if_ids.outbound);
                set_mark = config.set_mark_out.resolve(tags.mark_out);
            }
        }
        let mut limits = lifespan.limits;
        if direction == Direction::Outbound && config.lifetime.time.jitter == 0 {
            // Both SAs would ask to be rekeyed in the same second.
            limits.soft.time = Duration::ZERO;
        }
        AddSa {
            source,
            destination,
            protocol: self.suite.protocol,
            spi,
            direction,
            mode: self.mode,
            reqid: self.reqid,
            encryption: self.suite.encryption.map(|id| (id, keys.encryption.clone())),
            integrity: self.suite.integrity.map(|id| (truncated(config, id), keys.integrity.clone())),
            encap: self.encap,
            esn: self.suite.esn,
            replay_window: 0,
            limits,
            source_ts: source_ts.clone(),
            destination_ts: destination_ts.clone(),
            mark,
            if_id,
            options: SaOptions { set_mark, tfc_padding: TfcPadding::None, ..config.sa_options },
        }
    }

    /// Its policies.
    pub(crate) fn policies(&self) -> Vec<Policy> {
        if !self.config.policies.is_enabled() {
            return Vec::new();
        }
        let mut policies = Vec::new();
        for local in &self.local_ts {
            for remote in self.remote_ts.iter().filter(|remote| pairs_with(local, remote)) {
                policies.push(self.policy(PolicyDirection::In, remote, local));
                if self.mode != Mode::Transport {
                    policies.push(self.policy(PolicyDirection::Forward, remote, local));
                }
                let out = self.policy(PolicyDirection::Out, local, remote);
                if self.mode != Mode::Transport && self.config.policies_fwd_out.is_enabled() {
                    policies.push(out.forwarding());
                }
                policies.push(out);
            }
        }
        policies
    }

    fn policy(
        &self,
        direction: PolicyDirection,
        source: &TrafficSelector,
        destination: &TrafficSelector,
    ) -> Policy {
        let outbound = direction == PolicyDirection::Out;
        let (from, to) =
            if outbound { (self.path.local, self.path.remote) } else { (self.path.remote, self.path.local) };
        let protocol = if source.protocol == 0 { destination.protocol } else { source.protocol };
        Policy {
            direction,
            source: TrafficSelector { protocol, ..*source },
            destination: TrafficSelector { protocol, ..*destination },
            action: PolicyAction::Protect {
                source: from.ip(),
                destination: to.ip(),
                protocol: self.suite.protocol,
                mode: self.mode,
                reqid: self.reqid,
                spi: outbound.then_some(self.spi_out),
            },
            priority: self.config.priority,
            mark: if outbound { self.tags.mark_out } else { self.tags.mark_in },
            if_id: if outbound { self.tags.if_ids.outbound } else { self.tags.if_ids.inbound },
            interface: self.config.interface.clone(),
            class: PolicyClass::Regular,
        }
    }

    /// As listings show it.
    pub(crate) fn snapshot(&self, now: Instant) -> ChildSaSnapshot {
        ChildSaSnapshot {
            name: Arc::clone(&self.config.name),
            unique_id: self.unique_id,
            reqid: Some(self.reqid),
            state: self.state,
            mode: self.mode,
            installed: Some(InstalledSa {
                suite: self.suite,
                encap: self.encap,
                spi_in: self.spi_in,
                spi_out: self.spi_out,
                mark_in: self.tags.mark_in,
                mark_out: self.tags.mark_out,
                if_id_in: self.tags.if_ids.inbound,
                if_id_out: self.tags.if_ids.outbound,
                usage_in: self.usage_in,
                usage_out: self.usage_out,
                rekey_in: self.rekey_at.map(|at| seconds_until(now, at)),
                life_in: self.dies_at.map(|at| seconds_until(now, at)),
                age: now.saturating_duration_since(self.installed_at),
            }),
            local_ts: self.local_ts.clone(),
            remote_ts: self.remote_ts.clone(),
        }
    }
}

/// Whether a policy is needed only while we send.
fn is_of_sending(policy: &Policy) -> bool {
    match policy.direction {
        PolicyDirection::Out => true,
        // Of forwarding policies, those of what comes in protect.
        PolicyDirection::Forward => policy.action == PolicyAction::Pass,
        PolicyDirection::In => false,
    }
}

/// What the kernel is told of an integrity algorithm: `sha256_96` cuts a MAC shorter than its number says.
pub(crate) fn truncated(config: &ChildConfig, id: IntegrityId) -> IntegrityId {
    match id {
        IntegrityId::HMAC_SHA2_256_128 if config.sha256_96.is_enabled() => IntegrityId::HMAC_SHA2_256_96,
        id => id,
    }
}

/// Whether a policy can be made of the two: one family, no contradicting protocols.
fn pairs_with(local: &TrafficSelector, remote: &TrafficSelector) -> bool {
    local.start.is_ipv4() == remote.start.is_ipv4()
        && (local.protocol == remote.protocol || local.protocol == 0 || remote.protocol == 0)
}

/// Whole seconds from `now` until `at`, negative when past.
pub(crate) fn seconds_until(now: Instant, at: Instant) -> i64 {
    let ahead = at.saturating_duration_since(now).as_secs();
    let behind = now.saturating_duration_since(at).as_secs();
    i64::try_from(ahead).unwrap_or(i64::MAX) - i64::try_from(behind).unwrap_or(i64::MAX)
}
