//! What is done to the hosts, and when.

use std::sync::Arc;
use std::time::Duration;

use charon_types::id::{EspSpi, UniqueId};
use charon_types::kernel_op::{Expiry, KernelEvent, SaKey};
use charon_types::proposal::Protocol;
use charon_types::snapshot::InstalledSa;
use ikev2_proto::ike_sa::{Command, Force};

use crate::Side;
use crate::chance::Chance;
use crate::network::{Sent, address};
use crate::scenario::{Nat, Temper};
use crate::simulation::Simulation;

/// Longest wait between two steps: long enough for a handshake that loses some datagrams.
const PAUSE_MAX: Duration = Duration::from_secs(12);
/// A partition lasts at most so long: some end in dead peers, some do not.
const PARTITION_MAX: Duration = Duration::from_secs(240);

/// A step.
#[derive(Clone, Copy, Debug)]
enum Step {
    Initiate,
    InitiateChild,
    RekeyChild,
    RekeyIke,
    /// Both sides rekey the IKE_SA at once, or one does and the other something else.
    CollideIke,
    /// Both sides at once.
    Collide,
    TerminateChild,
    TerminateIke(Force),
    Expire,
    Cut,
    Rebind,
    Repeat,
    Forge,
    Reboot,
    RefuseInKernel,
}

const GENTLE: &[Step] =
    &[Step::Initiate, Step::InitiateChild, Step::InitiateChild, Step::RekeyChild, Step::RekeyChild];
const CALM: &[Step] = &[
    Step::Initiate,
    Step::Initiate,
    Step::InitiateChild,
    Step::InitiateChild,
    Step::RekeyChild,
    Step::RekeyChild,
    Step::Collide,
    Step::RekeyIke,
    Step::RekeyIke,
    Step::CollideIke,
    Step::CollideIke,
    Step::TerminateChild,
    Step::TerminateChild,
    Step::TerminateIke(Force::Polite),
    Step::TerminateIke(Force::Immediate),
    Step::Expire,
];
const HOSTILE: &[Step] = &[Step::Cut, Step::Rebind, Step::Repeat, Step::Repeat, Step::Forge, Step::Forge];
const BROKEN: &[Step] = &[Step::Reboot, Step::RefuseInKernel, Step::RefuseInKernel];

/// Plays as many steps as the scenario says; often several at once, because that is where collisions are.
pub fn play(simulation: &mut Simulation, chance: &mut Chance) {
    let steps = match simulation.scenario.temper {
        Temper::Gentle => GENTLE.to_vec(),
        Temper::Calm => CALM.to_vec(),
        Temper::Hostile => [CALM, HOSTILE].concat(),
        Temper::Broken => [CALM, HOSTILE, BROKEN].concat(),
    };
    let first = if simulation.scenario.nat == Nat::BeforeA { Side::A } else { side(chance) };
    take(simulation, chance, first, Step::Initiate);
    for _ in 0..simulation.scenario.steps {
        match chance.below(4) {
            0 => {}
            1 => simulation.pass(chance.duration(Duration::from_millis(300))),
            _ => simulation.pass(chance.duration(PAUSE_MAX)),
        }
        let step = *chance.pick(&steps).expect("there are some");
        let side = side(chance);
        take(simulation, chance, side, step);
    }
}

fn side(chance: &mut Chance) -> Side {
    if chance.percent(50) { Side::A } else { Side::B }
}

fn take(simulation: &mut Simulation, chance: &mut Chance, side: Side, step: Step) {
    simulation.note(|| format!("-- {side:?} {step:?}"));
    match step {
        Step::Initiate => {
            // Nobody outside finds a host behind a NAT.
            if simulation.scenario.nat == Nat::BeforeA && side == Side::B {
                return;
            }
            let children = &simulation.host(side).world.connection.children;
            let child = if chance.percent(85) { chance.pick(children).map(Arc::clone) } else { None };
            simulation.with_host(side, |host, now| host.initiate(now, child));
        }
        Step::InitiateChild => {
            let Some(sa) = any_sa(simulation, chance, side) else { return };
            let children = &simulation.host(side).world.connection.children;
            let Some(child) = chance.pick(children).map(Arc::clone) else { return };
            simulation.with_host(side, |host, now| {
                host.command(now, sa, |token| Command::InitiateChild { child, token })
            });
        }
        Step::TerminateChild => {
            let Some((sa, child, _)) = any_child(simulation, chance, side) else { return };
            simulation.with_host(side, |host, now| {
                host.command(now, sa, |token| Command::TerminateChild { child, token })
            });
        }
        Step::RekeyChild => {
            let Some((sa, child, _)) = any_child(simulation, chance, side) else { return };
            simulation.with_host(side, |host, now| {
                host.command(now, sa, |token| Command::RekeyChild { child, token })
            });
        }
        Step::RekeyIke => {
            let Some(sa) = any_sa(simulation, chance, side) else { return };
            simulation
                .with_host(side, |host, now| host.command(now, sa, |token| Command::RekeyIke { token }));
        }
        Step::CollideIke => collide(simulation, chance, side),
        Step::Collide => {
            let Some((_, _, key)) = any_child(simulation, chance, side) else { return };
            for side in [side, side.other()] {
                let verb = chance.below(3);
                // The other side's child is the one that sends to that SPI.
                let Some((sa, child)) = child_with(simulation, side, key.spi) else { continue };
                simulation.with_host(side, |host, now| {
                    host.command(now, sa, |token| match verb {
                        0 => Command::TerminateChild { child, token },
                        _ => Command::RekeyChild { child, token },
                    })
                });
            }
        }
        Step::TerminateIke(force) => {
            let Some(sa) = any_sa(simulation, chance, side) else { return };
            simulation.with_host(side, |host, now| {
                host.command(now, sa, |token| Command::TerminateIke { force, token })
            });
        }
        Step::Expire => {
            let Some((sa, _, key)) = any_child(simulation, chance, side) else { return };
            let expiry = if chance.percent(50) { Expiry::Hard } else { Expiry::Soft };
            let event = KernelEvent::Expire { sa: key, expiry };
            simulation.with_host(side, |host, now| host.kernel_event(now, sa, &event));
        }
        Step::Cut => {
            let until = simulation.now().mono + chance.duration(PARTITION_MAX);
            simulation.network.cut(until);
        }
        Step::Rebind => simulation.network.rebind(),
        Step::Repeat => {
            if let Some(sent) = chance.pick(simulation.network.kept()).cloned() {
                simulation.inject(&sent);
            }
        }
        Step::Forge => {
            if let Some(sent) = chance.pick(simulation.network.kept()).cloned() {
                simulation.inject(&forged(sent, chance));
            }
        }
        Step::Reboot => simulation.reboot(side),
        Step::RefuseInKernel => simulation.with_host(side, |host, _| {
            host.kernel.refuse_next();
            Vec::new()
        }),
    }
}

/// One side rekeys an IKE_SA, and the other does something with the same one.
fn collide(simulation: &mut Simulation, chance: &mut Chance, side: Side) {
    let Some(sa) = any_sa(simulation, chance, side) else { return };
    let now = simulation.now().mono;
    let spis = |side: Side, sa: UniqueId| {
        let found = simulation.host(side).sas().iter().find(|known| known.unique_id() == sa);
        found.map(|found| found.snapshot(now)).map(|sa| (sa.spi_initiator, sa.spi_responder))
    };
    let same = simulation.host(side.other()).sas().iter().map(|other| other.unique_id());
    let same = same.into_iter().find(|other| spis(side.other(), *other) == spis(side, sa));
    simulation.with_host(side, |host, now| host.command(now, sa, |token| Command::RekeyIke { token }));
    let Some(sa) = same else { return };
    let side = side.other();
    let (verb, children) = (chance.below(6), simulation.host(side).world.connection.children.clone());
    let child = any_child_of(simulation, chance, side, sa);
    let command = |token| match (verb, child) {
        (0, Some(child)) => Command::RekeyChild { child, token },
        (1, Some(child)) => Command::TerminateChild { child, token },
        (2, _) => Command::InitiateChild { child: Arc::clone(&children[0]), token },
        (3, _) => Command::TerminateIke { force: Force::Polite, token },
        _ => Command::RekeyIke { token },
    };
    simulation.with_host(side, |host, now| host.command(now, sa, command));
}

fn any_child_of(simulation: &Simulation, chance: &mut Chance, side: Side, sa: UniqueId) -> Option<UniqueId> {
    let sa = simulation.host(side).sas().iter().find(|known| known.unique_id() == sa)?;
    chance.pick(&sa.snapshot(simulation.now().mono).children).map(|child| child.unique_id)
}

fn any_sa(simulation: &Simulation, chance: &mut Chance, side: Side) -> Option<UniqueId> {
    chance.pick(simulation.host(side).sas()).map(|sa| sa.unique_id())
}

fn any_child(
    simulation: &Simulation,
    chance: &mut Chance,
    side: Side,
) -> Option<(UniqueId, UniqueId, SaKey)> {
    let sa = chance.pick(simulation.host(side).sas())?;
    let snapshot = sa.snapshot(simulation.now().mono);
    let child = chance.pick(&snapshot.children)?;
    let spi = child.installed.as_ref()?.spi_in;
    let key = SaKey { destination: address(side), protocol: Protocol::Esp, spi };
    Some((snapshot.unique_id, child.unique_id, key))
}

/// The child that receives on that SPI, or sends to it.
fn child_with(simulation: &Simulation, side: Side, spi: EspSpi) -> Option<(UniqueId, UniqueId)> {
    let now = simulation.now().mono;
    let snapshots = simulation.host(side).sas().iter().map(|sa| sa.snapshot(now));
    snapshots.into_iter().find_map(|sa| {
        let uses = |installed: &InstalledSa| installed.spi_in == spi || installed.spi_out == spi;
        let child = sa.children.iter().find(|child| child.installed.as_ref().is_some_and(uses))?;
        Some((sa.unique_id, child.unique_id))
    })
}

/// A datagram with some octets changed, cut short, or with a tail; its length field is right half of the time.
fn forged(mut sent: Sent, chance: &mut Chance) -> Sent {
    let octets = &mut sent.octets;
    let len = u64::try_from(octets.len()).unwrap_or(1).max(1);
    for _ in 0..=chance.below(3) {
        let at = usize::try_from(chance.below(len)).unwrap_or(0);
        if let Some(octet) = octets.get_mut(at) {
            *octet ^= u8::try_from(1 + chance.below(255)).unwrap_or(1);
        }
    }
    if chance.percent(30) {
        octets.truncate(usize::try_from(chance.below(len)).unwrap_or(0));
    }
    if chance.percent(20) {
        octets.extend(std::iter::repeat_n(0xa5, usize::try_from(chance.below(40)).unwrap_or(0)));
    }
    if chance.percent(50) {
        let len = u32::try_from(octets.len()).unwrap_or(u32::MAX).to_be_bytes();
        if let Some(field) = octets.get_mut(24..28) {
            field.copy_from_slice(&len);
        }
    }
    sent
}
