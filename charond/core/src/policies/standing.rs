//! One child's policies without an SA.

use std::net::IpAddr;
use std::sync::Arc;

use charon_types::connection::{ChildConfig, Connection};
use charon_types::id::{IfId, Reqid};
use charon_types::kernel_op::{Mode, Policy, PolicyAction, PolicyClass, PolicyDirection};
use charon_types::proposal::Protocol;
use charon_types::selector::{SelectorPattern, TrafficSelector};
use charon_types::tag::{IfIdRule, IfIds, Tags, resolve_if_ids};

use super::endpoints::Hosts;
use super::{ListedPolicy, PolicyKind};
use crate::kernel::{PolicyKey, Reqids};

/// A trap or shunt that is installed.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    pub(super) connection: Arc<Connection>,
    pub(super) child: Arc<ChildConfig>,
    /// Of a trap.
    pub(super) reqid: Option<Reqid>,
    pub(super) local_ts: Vec<TrafficSelector>,
    pub(super) remote_ts: Vec<TrafficSelector>,
    pub(super) tags: Tags,
    pub(super) policies: Vec<Policy>,
}

/// Marks and interface ids of a child's trap or shunt.
pub(super) fn tags(connection: &Connection, child: &ChildConfig, reqids: &Reqids) -> Tags {
    let (inbound, outbound) = (child.tags.if_id_in, child.tags.if_id_out);
    let own = IfIdRule::Fixed(IfId::default());
    let inherited = if [inbound, outbound].contains(&own) {
        resolve_if_ids(connection.ike.if_id_in, connection.ike.if_id_out, reqids)
    } else {
        IfIds::default()
    };
    child.tags.resolve(inherited, reqids)
}

impl Standing {
    /// A trap; one use of its reqid begins.
    pub(super) fn trap(
        connection: &Arc<Connection>,
        child: &Arc<ChildConfig>,
        hosts: Hosts,
        tags: Tags,
        reqids: &Reqids,
    ) -> Self {
        let resolve = |patterns: &[SelectorPattern], host: IpAddr| -> Vec<_> {
            patterns.iter().map(|pattern| pattern.resolve(host)).collect()
        };
        let local_ts = resolve(&child.local_ts, hosts.local);
        let remote_ts = resolve(&child.remote_ts, hosts.remote);
        let key = PolicyKey { local_ts: local_ts.clone(), remote_ts: remote_ts.clone(), tags };
        let fixed = std::num::NonZeroU32::new(child.reqid).map(Reqid);
        let reqid = reqids.acquire(fixed, key);
        let protocol = child.proposals.first().map_or(Protocol::Esp, |proposal| proposal.protocol);
        let action = |direction| {
            let (source, destination) = match direction {
                PolicyDirection::Out => (hosts.local, hosts.remote),
                PolicyDirection::In | PolicyDirection::Forward => (hosts.remote, hosts.local),
            };
            PolicyAction::Protect { source, destination, protocol, mode: child.mode, reqid, spi: None }
        };
        let policies = policies(child, PolicyClass::Trap, tags, &local_ts, &remote_ts, action);
        let (connection, child) = (Arc::clone(connection), Arc::clone(child));
        Self { connection, child, reqid: Some(reqid), local_ts, remote_ts, tags, policies }
    }

    /// A shunt. `dynamic` stands for every address, of each family that the other side has.
    pub(super) fn shunt(connection: &Arc<Connection>, child: &Arc<ChildConfig>, tags: Tags) -> Self {
        let resolve =
            |patterns: &[SelectorPattern]| -> Vec<_> { patterns.iter().flat_map(anybody).collect() };
        let (local_ts, remote_ts) = (resolve(&child.local_ts), resolve(&child.remote_ts));
        let (class, action) = match child.mode {
            Mode::Drop => (PolicyClass::Fallback, PolicyAction::Drop),
            _ => (PolicyClass::Shunt, PolicyAction::Pass),
        };
        let policies = policies(child, class, tags, &local_ts, &remote_ts, |_| action);
        let (connection, child) = (Arc::clone(connection), Arc::clone(child));
        Self { connection, child, reqid: None, local_ts, remote_ts, tags, policies }
    }

    /// Ends the use of its reqid.
    pub(super) fn release(&self, reqids: &Reqids) {
        if let Some(reqid) = self.reqid {
            reqids.release(reqid);
        }
    }

    /// Whether it is that child's, of that connection if one is given.
    pub(super) fn is(&self, connection: Option<&str>, child: &str) -> bool {
        *self.child.name == *child && connection.is_none_or(|name| *self.connection.name == *name)
    }

    pub(super) fn listed(&self) -> ListedPolicy {
        ListedPolicy {
            connection: Arc::clone(&self.connection.name),
            child: Arc::clone(&self.child.name),
            kind: PolicyKind::of(self.child.mode),
            mode: self.child.mode,
            reqid: self.reqid,
            local_ts: self.local_ts.clone(),
            remote_ts: self.remote_ts.clone(),
        }
    }
}

fn anybody(pattern: &SelectorPattern) -> Vec<TrafficSelector> {
    match *pattern {
        SelectorPattern::Fixed(selector) => vec![selector],
        SelectorPattern::Dynamic { protocol, port_start, port_end } => {
            [TrafficSelector::ANY_IPV4, TrafficSelector::ANY_IPV6]
                .map(|any| any.with_ports(protocol, port_start, port_end))
                .to_vec()
        }
    }
}

fn policies(
    child: &ChildConfig,
    class: PolicyClass,
    tags: Tags,
    local_ts: &[TrafficSelector],
    remote_ts: &[TrafficSelector],
    action: impl Fn(PolicyDirection) -> PolicyAction,
) -> Vec<Policy> {
    if !child.policies.is_enabled() {
        return Vec::new();
    }
    let forwards = child.mode != Mode::Transport;
    let policy = |direction, source: &TrafficSelector, destination: &TrafficSelector| {
        let protocol = if source.protocol == 0 { destination.protocol } else { source.protocol };
        let outbound = direction == PolicyDirection::Out;
        Policy {
            class,
            direction,
            source: TrafficSelector { protocol, ..*source },
            destination: TrafficSelector { protocol, ..*destination },
            action: action(direction),
            priority: child.priority,
            mark: if outbound { tags.mark_out } else { tags.mark_in },
            if_id: if outbound { tags.if_ids.outbound } else { tags.if_ids.inbound },
            interface: child.interface.clone(),
        }
    };
    let mut policies = Vec::new();
    for local in local_ts {
        for remote in remote_ts.iter().filter(|remote| go_together(local, remote)) {
            policies.push(policy(PolicyDirection::In, remote, local));
            if forwards {
                policies.push(policy(PolicyDirection::Forward, remote, local));
            }
            let out = policy(PolicyDirection::Out, local, remote);
            if forwards && child.policies_fwd_out.is_enabled() {
                policies.push(match class {
                    PolicyClass::Trap => out.forwarding(),
                    _ => Policy { direction: PolicyDirection::Forward, ..out.clone() },
                });
            }
            policies.push(out);
        }
    }
    policies
}

/// Whether a policy can be made of the two: one family, no contradicting protocols.
fn go_together(local: &TrafficSelector, remote: &TrafficSelector) -> bool {
    local.start.is_ipv4() == remote.start.is_ipv4()
        && (local.protocol == remote.protocol || local.protocol == 0 || remote.protocol == 0)
}
