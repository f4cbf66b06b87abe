//! Two daemons of which one lies, knowing the keys: octets are changed before they are sealed, and datagrams are lost, repeated,
//! reordered and held back, while both are given commands. No panic, no SA with anybody else, books in order, memory bounded,
//! every request that is taken up is answered, every command ends.
//!
//! The first two octets of an input choose the history's seed, the rest is deeds with their arguments.
#![no_main]

use std::sync::Arc;
use std::time::Duration;

use charon_sim::host::Relocation;
use charon_sim::scenario::{Nat, name};
use charon_sim::simulation::Simulation;
use charon_sim::{Crypto, Side, check, prepare};
use charon_types::id::UniqueId;
use charon_types::identity::Identity;
use ikev2_proto::ike_sa::{Command, Force, IkeSa};
use ikev2_proto::output::CommandToken;
use libfuzzer_sys::fuzz_target;

/// Deeds of one input.
const DEEDS_MAX: usize = 200;

fuzz_target!(|input: &[u8]| {
    let Some((seed, rest)) = input.split_first_chunk::<2>() else { return };
    let Some(mut simulation) = two_hosts(u64::from(u16::from_le_bytes(*seed))) else { return };
    let mut octets = rest.iter().copied();
    for _ in 0..DEEDS_MAX {
        let Some(deed) = octets.next() else { break };
        let mut next = || octets.next().unwrap_or(0);
        one(&mut simulation, deed, &mut next);
        judge(&mut simulation);
    }
    simulation.ledger.tamper(&[]);
    simulation.network.heal();
    for _ in 0..20 {
        simulation.pass(Duration::from_secs(60));
        judge(&mut simulation);
    }
    assert!(!simulation.is_runaway(), "it never ends");
    for side in Side::BOTH {
        let host = simulation.host(side);
        let open = host.commands().find(|(_, outcome)| outcome.is_none());
        assert!(open.is_none(), "{side:?}: {open:?} is not done");
        assert!(!host.sas().iter().any(IkeSa::is_half_open), "{side:?} waits for a handshake for ever");
    }
});

/// The first history from that seed on that has two hosts and no limits in time.
fn two_hosts(seed: u64) -> Option<Simulation> {
    (seed..seed + 64).map(|seed| prepare(seed, Crypto::Toy).0).find(|simulation| {
        let mut connections = simulation.scenario.connections.iter().flatten();
        simulation.scenario.sides().len() == 2
            && simulation.scenario.nat == Nat::None
            && connections.all(|(_, connection)| {
                connection.ike.lifetime.rekey_time.is_zero() && connection.ike.lifetime.reauth_time.is_zero()
            })
    })
}

fn one(simulation: &mut Simulation, deed: u8, next: &mut impl FnMut() -> u8) {
    let (side, other) = if deed & 0x80 == 0 { (Side::A, Side::B) } else { (Side::B, Side::A) };
    let pick = usize::from((deed >> 5) & 3);
    match deed & 0x1f {
        0..=2 => {
            let connection = simulation.host(side).world.connection(other);
            let child = connection.children.get(pick).map(Arc::clone);
            let Some(remote) = simulation.host(other).addresses().first().copied() else { return };
            simulation.with_host(side, |host, now| host.initiate(now, other, remote, child));
        }
        3 => command(simulation, side, pick, |token| Command::RekeyIke { token }),
        4 => command(simulation, side, pick, |token| Command::Reauthenticate { token }),
        5 => {
            command(simulation, side, pick, |token| Command::TerminateIke { force: Force::Polite, token });
        }
        6 | 7 => command_child(simulation, side, pick, |child, token| Command::RekeyChild { child, token }),
        8 => command_child(simulation, side, pick, |child, token| Command::TerminateChild { child, token }),
        9 | 10 => {
            let children = &simulation.host(side).world.connection(other).children;
            let child = Arc::clone(&children[pick % children.len()]);
            command(simulation, side, pick, |token| Command::InitiateChild { child, token });
        }
        11..=16 => {
            let changes: Vec<_> = (0..=pick).map(|_| (usize::from(next()), next())).collect();
            simulation.ledger.tamper(&changes);
        }
        17 => simulation.deliver(usize::from(next()) % simulation.in_flight().max(1)),
        18 => simulation.lose(usize::from(next()) % simulation.in_flight().max(1)),
        19 => {
            let kept = simulation.network.kept();
            if let Some(sent) = kept.get(usize::from(next()) % kept.len().max(1)).cloned() {
                simulation.inject(&sent);
            }
        }
        20 => simulation.wait(),
        21 => simulation.with_host(side, |host, now| host.relocate(now, Relocation::Second)),
        22 => simulation.with_host(side, |host, now| host.relocate(now, Relocation::Elsewhere)),
        23 => simulation.pass(Duration::from_secs(u64::from(next()))),
        _ => simulation.pass(Duration::from_millis(u64::from(next()) * 20)),
    }
}

/// Commands one of the IKE_SAs of a host.
fn command(
    simulation: &mut Simulation,
    side: Side,
    pick: usize,
    make: impl FnOnce(Option<CommandToken>) -> Command,
) {
    let sas = simulation.host(side).sas();
    let Some(sa) = sas.get(pick % sas.len().max(1)).map(IkeSa::unique_id) else { return };
    simulation.with_host(side, |host, now| host.command(now, sa, make));
}

/// Commands one of the IKE_SAs of a host, about one of its children.
fn command_child(
    simulation: &mut Simulation,
    side: Side,
    pick: usize,
    make: impl FnOnce(UniqueId, Option<CommandToken>) -> Command,
) {
    let sas = simulation.host(side).sas();
    let Some(sa) = sas.get(pick % sas.len().max(1)) else { return };
    let children = sa.snapshot(simulation.now().mono).children;
    let Some(child) = children.get(pick % children.len().max(1)).map(|child| child.unique_id) else { return };
    command(simulation, side, pick, |token| make(child, token));
}

fn judge(simulation: &mut Simulation) {
    let mut violations = check::at_any_time(simulation);
    // A liar may give one SPI to two of its children; the kernel refuses, and what follows from that is no misuse.
    violations.retain(|what| !what.contains("which exists") && !what.contains("of unknown"));
    assert!(violations.is_empty(), "{violations:?}");
    for (side, other) in [(Side::A, Side::B), (Side::B, Side::A)] {
        let peer = Identity::parse(&name(other)).expect("a name");
        let established = simulation.host(side).world.established.borrow();
        assert!(
            established.iter().all(|known| known.remote == peer),
            "{side:?} took somebody else for {peer}"
        );
    }
}
