//! What must hold when nothing moves any more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use charon_types::id::{IkeSpi, Role, UniqueId};
use charon_types::kernel_op::{Direction, Mode};
use charon_types::snapshot::{ChildSaSnapshot, ChildSaState, IkeSaSnapshot, IkeSaState};

use crate::Side;
use crate::host::Relocation;
use crate::scenario::Temper;
use crate::simulation::Simulation;

/// Nothing takes longer: a handshake given up, then a dead peer found, then all of it once more.
const PATIENCE: Duration = Duration::from_secs(1800);
/// How often all may be of one mind and then not: what was broken before is noticed one after the other.
const ROUNDS: u32 = 4;
/// Between two looks.
const SLICE: Duration = Duration::from_secs(10);
/// What has come to rest must stay so.
const REST: Duration = Duration::from_secs(150);
/// Seconds after that in which there must be a moment of rest: what is rekeyed by time is not at rest always.
const MOMENTS: u32 = 120;

/// Heals the network, waits until both ends agree, and checks everything else. What does not hold.
pub fn settle(simulation: &mut Simulation) -> Vec<String> {
    simulation.note(|| "-- from now on nothing goes wrong".to_owned());
    simulation.network.heal();
    for side in simulation.scenario.sides().iter().copied() {
        simulation.with_host(side, |host, _| {
            host.kernel.behave();
            Vec::new()
        });
        if simulation.host(side).addresses().is_empty() {
            simulation.with_host(side, |host, now| host.relocate(now, Relocation::Elsewhere));
        }
    }
    // A peer may be found dead, or a NAT's memory lost, only after all seemed well.
    for _ in 0..ROUNDS {
        reach_agreement(simulation);
        simulation.pass(REST);
        // A liveness check or a rekeying may be under way at that very moment.
        for _ in 0..MOMENTS {
            if disagreements(simulation).is_empty() {
                break;
            }
            simulation.pass(Duration::from_secs(1));
        }
        if disagreements(simulation).is_empty() {
            break;
        }
    }
    let mut violations = always(simulation);
    violations.extend(disagreements(simulation));
    if simulation.is_runaway() {
        violations.push("it never ends".to_owned());
    }
    violations.extend(unanswered(simulation));
    if simulation.scenario.temper == Temper::Gentle {
        violations.extend(unsuccessful(simulation));
    }
    violations
}

fn reach_agreement(simulation: &mut Simulation) {
    let mut waited = Duration::ZERO;
    while waited < PATIENCE && !disagreements(simulation).is_empty() {
        simulation.pass(SLICE);
        simulation.examine();
        waited += SLICE;
    }
}

/// What must hold at any time, looked at now.
pub fn at_any_time(simulation: &mut Simulation) -> Vec<String> {
    simulation.examine();
    always(simulation)
}

/// What must hold at any time, as far as it was seen.
fn always(simulation: &Simulation) -> Vec<String> {
    let mut violations = simulation.ledger.violations();
    violations.extend_from_slice(simulation.network.violations());
    for side in simulation.scenario.sides().iter().copied() {
        let host = simulation.host(side);
        let of_host = |violation: &String| format!("{side:?}: {violation}");
        violations.extend(host.kernel.violations().iter().map(of_host));
        violations.extend(host.violations().iter().map(of_host));
        violations.extend(host.world.violations().iter().map(of_host));
    }
    violations
}

/// Every command ends, one way or the other.
fn unanswered(simulation: &Simulation) -> Vec<String> {
    let of_side = |side| {
        let pending = simulation.host(side).commands().filter(|(_, outcome)| outcome.is_none());
        pending.map(move |(token, _)| format!("{side:?}: {token:?} is not done"))
    };
    simulation.scenario.sides().iter().copied().flat_map(of_side).collect()
}

/// Where nothing goes wrong, nothing may fail.
fn unsuccessful(simulation: &Simulation) -> Vec<String> {
    let of_side = |side| {
        let failed = simulation.host(side).commands().filter_map(|(token, outcome)| match outcome {
            Some(Err(failure)) => Some((token, failure)),
            Some(Ok(_)) | None => None,
        });
        failed.map(move |(token, failure)| format!("{side:?}: {token:?} failed for no reason: {failure}"))
    };
    simulation.scenario.sides().iter().copied().flat_map(of_side).collect()
}

/// What keeps both ends from being at rest and of one mind.
fn disagreements(simulation: &Simulation) -> Vec<String> {
    let mut found = Vec::new();
    if !simulation.is_idle() {
        found.push("something is on its way".to_owned());
    }
    let now = simulation.now().mono;
    let sides = simulation.scenario.sides();
    let snapshots_of = |side: &Side| {
        let sas = simulation.host(*side).sas().iter().map(|sa| sa.snapshot(now));
        sas.map(|sa| ((sa.spi_initiator, sa.spi_responder), sa)).collect::<Snapshots>()
    };
    let snapshots: Vec<Snapshots> = sides.iter().map(snapshots_of).collect();
    for (side, own) in sides.iter().copied().zip(&snapshots) {
        let others = || sides.iter().copied().zip(&snapshots).filter(|(other, _)| *other != side);
        for (spis, sa) in own {
            at_rest(side, sa, &mut found);
            match others().find_map(|(other, theirs)| Some((other, theirs.get(spis)?))) {
                Some((other, peer)) => {
                    agree(side, sa, peer, &mut found);
                    kernels_agree(simulation, [side, other], sa, &mut found);
                }
                None => found.push(format!("{side:?} has IKE_SA {} alone", sa.unique_id)),
            }
        }
        kernel_holds(simulation, side, own, &mut found);
    }
    found
}

type Snapshots = BTreeMap<(Option<IkeSpi>, Option<IkeSpi>), IkeSaSnapshot>;

fn at_rest(side: Side, sa: &IkeSaSnapshot, found: &mut Vec<String>) {
    let name = sa.unique_id;
    if sa.state != IkeSaState::Established {
        found.push(format!("{side:?} has IKE_SA {name} in state {}", sa.state.name()));
    }
    for (kind, tasks) in
        [("queued", &sa.tasks_queued), ("active", &sa.tasks_active), ("passive", &sa.tasks_passive)]
    {
        if !tasks.is_empty() {
            found.push(format!("{side:?} has {kind} tasks of IKE_SA {name}: {tasks:?}"));
        }
    }
    for child in sa.children.iter().filter(|child| child.state != ChildSaState::Installed) {
        found.push(format!("{side:?} has child {} in state {}", child.unique_id, child.state.name()));
    }
}

/// Asked once from each side.
fn agree(side: Side, sa: &IkeSaSnapshot, peer: &IkeSaSnapshot, found: &mut Vec<String>) {
    let roles = [sa.role, peer.role];
    if roles != [Role::Initiator, Role::Responder] && roles != [Role::Responder, Role::Initiator] {
        found.push(format!("both are {:?} of IKE_SA {}", sa.role, sa.unique_id));
    }
    if sa.suite != peer.suite || (&sa.local_id, &sa.remote_id) != (&peer.remote_id, &peer.local_id) {
        found.push(format!("{side:?} and its peer differ about IKE_SA {}", sa.unique_id));
    }
    for child in &sa.children {
        if !peer.children.iter().any(|theirs| mirrors(child, theirs)) {
            found.push(format!("{side:?} has child {} of IKE_SA {} alone", child.unique_id, sa.unique_id));
        }
    }
}

fn mirrors(ours: &ChildSaSnapshot, theirs: &ChildSaSnapshot) -> bool {
    let (Some(our_sa), Some(their_sa)) = (&ours.installed, &theirs.installed) else { return false };
    (our_sa.spi_in, our_sa.spi_out) == (their_sa.spi_out, their_sa.spi_in)
        && (our_sa.suite, our_sa.encap, ours.mode) == (their_sa.suite, their_sa.encap, theirs.mode)
        // Behind a NAT, each side has its own view of the addresses in transport mode.
        && (ours.mode == Mode::Transport
            || (&ours.local_ts, &ours.remote_ts) == (&theirs.remote_ts, &theirs.local_ts))
}

/// What one kernel sends the other can decrypt.
fn kernels_agree(
    simulation: &Simulation,
    [side, other]: [Side; 2],
    sa: &IkeSaSnapshot,
    found: &mut Vec<String>,
) {
    let (host, peer) = (simulation.host(side), simulation.host(other));
    for child in &sa.children {
        let Some(installed) = &child.installed else { continue };
        let inbound = host.kernel.sa(sa.path.local.ip(), installed.spi_in);
        if inbound.is_none_or(|inbound| inbound.direction != Direction::Inbound) {
            found.push(format!("{side:?} lacks the inbound SA of child {}", child.unique_id));
        }
        let Some(outbound) = host.kernel.sa(sa.path.remote.ip(), installed.spi_out) else {
            found.push(format!("{side:?} lacks the outbound SA of child {}", child.unique_id));
            continue;
        };
        if outbound.destination != sa.path.remote {
            let (there, path) = (outbound.destination, sa.path.remote);
            found.push(format!("{side:?} sends child {} to {there}, IKE to {path}", child.unique_id));
        }
        let mut theirs = peer.kernel.sas().filter(|theirs| theirs.spi == installed.spi_out);
        let keys_fit = theirs.any(|theirs| {
            theirs.direction == Direction::Inbound
                && (&theirs.encryption, &theirs.integrity, theirs.esn, theirs.mode)
                    == (&outbound.encryption, &outbound.integrity, outbound.esn, outbound.mode)
        });
        if !keys_fit {
            found.push(format!("nobody can decrypt what {side:?} sends through child {}", child.unique_id));
        }
    }
}

/// The kernel holds what the children need, and nothing else.
fn kernel_holds(simulation: &Simulation, side: Side, sas: &Snapshots, found: &mut Vec<String>) {
    let host = simulation.host(side);
    let mut expected_sas = 0;
    let mut expected_policies = 0;
    let mut reqids = BTreeMap::<u32, u32>::new();
    for child in sas.values().flat_map(|sa| &sa.children).filter(|child| child.installed.is_some()) {
        expected_sas += 2;
        expected_policies += match child.mode {
            Mode::Tunnel => 3,
            _ => 2,
        } * child.local_ts.len()
            * child.remote_ts.len();
        if let Some(reqid) = child.reqid {
            *reqids.entry(reqid.0.get()).or_default() += 1;
        }
    }
    let kernel = &host.kernel;
    for (what, has, expected) in [
        ("SAs", kernel.sas().count(), expected_sas),
        ("policies", kernel.policies().len(), expected_policies),
        ("reserved SPIs", kernel.reserved().len(), 0),
    ] {
        if has != expected {
            found.push(format!("{side:?} has {has} {what} in its kernel, not {expected}"));
        }
    }
    let children: BTreeSet<UniqueId> =
        sas.values().flat_map(|sa| sa.children.iter().map(|child| child.unique_id)).collect();
    if *host.announced() != children {
        found.push(format!("{side:?} has children {children:?}, by its events {:?}", host.announced()));
    }
    if host.world.reqids() != reqids {
        found.push(format!("{side:?} uses reqids {reqids:?} and holds {:?}", host.world.reqids()));
    }
}

#[cfg(test)]
mod tests {
    use charon_types::kernel_op::{KernelOp, SaKey};

    use super::*;
    use crate::{Crypto, history, prepare};

    /// A history of two hosts that ends with a child.
    fn settled() -> Simulation {
        for seed in 0.. {
            let (mut simulation, mut chance) = prepare(seed, Crypto::Toy);
            if simulation.scenario.sides().len() > 2 {
                continue;
            }
            assert_eq!(history::play(&mut simulation, &mut chance), Ok(()));
            assert_eq!(settle(&mut simulation), Vec::<String>::new());
            if simulation.outcome().children > 0 {
                return simulation;
            }
        }
        unreachable!("some history ends with a child")
    }

    #[test]
    fn a_missing_sa_is_noticed() {
        let mut simulation = settled();
        let sa = simulation.host(Side::A).kernel.sas().next().unwrap();
        let key = SaKey { destination: sa.destination.ip(), protocol: sa.protocol, spi: sa.spi };
        simulation.with_host(Side::A, |host, _| {
            host.kernel.perform(KernelOp::DeleteSa(key)).unwrap();
            Vec::new()
        });
        assert!(!disagreements(&simulation).is_empty());
    }

    #[test]
    fn a_policy_left_behind_is_noticed() {
        let mut simulation = settled();
        let policy = simulation.host(Side::B).kernel.policies()[0].clone();
        simulation.with_host(Side::B, |host, _| {
            host.kernel.perform(KernelOp::AddPolicy(Box::new(policy))).unwrap();
            Vec::new()
        });
        assert!(!disagreements(&simulation).is_empty());
    }

    #[test]
    fn an_ike_sa_that_one_side_forgot_is_noticed() {
        let mut simulation = settled();
        simulation.reboot(Side::B);
        assert!(disagreements(&simulation).iter().any(|found| found.contains("alone")));
    }

    #[test]
    fn a_repeated_iv_is_noticed() {
        let simulation = settled();
        assert!(always(&simulation).is_empty());
        simulation.ledger.sealed(1, 1);
        simulation.ledger.sealed(1, 1);
        assert_eq!(always(&simulation).len(), 1);
    }
}
