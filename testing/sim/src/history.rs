//! What is done to the hosts, and when.

use std::sync::Arc;
use std::time::Duration;

use charon_types::connection::{ChildConfig, Connection};
use charon_types::id::{EspSpi, UniqueId};
use charon_types::kernel_op::{Expiry, KernelEvent, SaKey};
use charon_types::proposal::Protocol;
use charon_types::snapshot::InstalledSa;
use ikev2_proto::ike_sa::{Command, Force};

use crate::Side;
use crate::chance::Chance;
use crate::check;
use crate::host::Relocation;
use crate::network::Sent;
use crate::scenario::{Nat, Temper};
use crate::simulation::Simulation;

/// Longest wait between two steps: long enough for a handshake that loses some datagrams.
const PAUSE_MAX: Duration = Duration::from_secs(12);
/// Now and then longer: for what is due to time.
const LONG_PAUSE_MAX: Duration = Duration::from_secs(300);
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
    Reauthenticate,
    Expire,
    /// The same configuration once more.
    ReloadSame,
    /// A connection changes, or loses a child.
    ReloadChanged,
    Move(Relocation),
    Cut,
    Isolate,
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
    Step::Reauthenticate,
    Step::Expire,
    Step::ReloadSame,
    Step::ReloadChanged,
    Step::Move(Relocation::Elsewhere),
    Step::Move(Relocation::Second),
    Step::Move(Relocation::Lost),
];
const HOSTILE: &[Step] =
    &[Step::Cut, Step::Isolate, Step::Rebind, Step::Repeat, Step::Repeat, Step::Forge, Step::Forge];
const BROKEN: &[Step] = &[Step::Reboot, Step::RefuseInKernel, Step::RefuseInKernel];

/// Plays as many steps as the scenario says; often several at once, because that is where collisions are.
///
/// # Errors
/// What does not hold after a step.
pub fn play(simulation: &mut Simulation, chance: &mut Chance) -> Result<(), Vec<String>> {
    let steps = match simulation.scenario.temper {
        Temper::Gentle => GENTLE.to_vec(),
        Temper::Calm => CALM.to_vec(),
        Temper::Hostile => [CALM, HOSTILE].concat(),
        Temper::Broken => [CALM, HOSTILE, BROKEN].concat(),
    };
    for _ in 1..simulation.scenario.sides().len() {
        let first = if simulation.scenario.nat == Nat::BeforeA { Side::A } else { side(simulation, chance) };
        take(simulation, chance, first, Step::Initiate);
    }
    for _ in 0..simulation.scenario.steps {
        match chance.below(8) {
            0 | 1 => {}
            2 | 3 => simulation.pass(chance.duration(Duration::from_millis(300))),
            4 => simulation.pass(chance.duration(LONG_PAUSE_MAX)),
            _ => simulation.pass(chance.duration(PAUSE_MAX)),
        }
        let step = *chance.pick(&steps).expect("there are some");
        let side = side(simulation, chance);
        take(simulation, chance, side, step);
        let violations = check::at_any_time(simulation);
        if !violations.is_empty() {
            return Err(violations);
        }
    }
    Ok(())
}

fn side(simulation: &Simulation, chance: &mut Chance) -> Side {
    *chance.pick(simulation.scenario.sides()).expect("there are at least two")
}

fn take(simulation: &mut Simulation, chance: &mut Chance, side: Side, step: Step) {
    simulation.note(|| format!("-- {side:?} {step:?}"));
    match step {
        Step::Initiate => {
            let Some(peer) = chance.pick(&simulation.host(side).world.peers()).copied() else { return };
            // Nobody outside finds a host behind a NAT.
            if simulation.scenario.nat == Nat::BeforeA && peer == Side::A {
                return;
            }
            let connection = simulation.host(side).world.connection(peer);
            let child =
                if chance.percent(85) { chance.pick(&connection.children).map(Arc::clone) } else { None };
            let Some(remote) = simulation.host(peer).addresses().first().copied() else { return };
            simulation.with_host(side, |host, now| host.initiate(now, peer, remote, child));
        }
        Step::InitiateChild => {
            let Some(sa) = any_sa(simulation, chance, side) else { return };
            let Some(child) = any_child_config(simulation, chance, side, sa) else { return };
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
            for side in simulation.scenario.sides().iter().copied() {
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
        Step::Reauthenticate => {
            let Some(sa) = any_sa(simulation, chance, side) else { return };
            simulation.with_host(side, |host, now| {
                host.command(now, sa, |token| Command::Reauthenticate { token })
            });
        }
        Step::ReloadSame | Step::ReloadChanged => reload(simulation, chance, side, step),
        Step::Move(how) => simulation.with_host(side, |host, now| host.relocate(now, how)),
        Step::Cut | Step::Isolate => {
            let until = simulation.now().mono + chance.duration(PARTITION_MAX);
            simulation.network.cut(matches!(step, Step::Isolate).then_some(side), until);
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
    let wanted = spis(side, sa);
    let others = simulation.scenario.sides().iter().copied().filter(|other| *other != side);
    let same = others.into_iter().find_map(|other| {
        let mut sas = simulation.host(other).sas().iter().map(|sa| sa.unique_id());
        sas.find(|sa| spis(other, *sa) == wanted).map(|sa| (other, sa))
    });
    simulation.with_host(side, |host, now| host.command(now, sa, |token| Command::RekeyIke { token }));
    let Some((side, sa)) = same else { return };
    let verb = chance.below(7);
    let config = any_child_config(simulation, chance, side, sa);
    let child = any_child_of(simulation, chance, side, sa);
    let command = |token| match (verb, child, config) {
        (0, Some(child), _) => Command::RekeyChild { child, token },
        (1, Some(child), _) => Command::TerminateChild { child, token },
        (2, _, Some(child)) => Command::InitiateChild { child, token },
        (3, _, _) => Command::TerminateIke { force: Force::Polite, token },
        (4, _, _) => Command::Reauthenticate { token },
        _ => Command::RekeyIke { token },
    };
    simulation.with_host(side, |host, now| host.command(now, sa, command));
}

/// A connection is loaded again, as it was or changed. What did not change is not touched, and what the shell ends are the
/// children that are configured no more.
fn reload(simulation: &mut Simulation, chance: &mut Chance, side: Side, step: Step) {
    let Some(peer) = chance.pick(&simulation.host(side).world.peers()).copied() else { return };
    let mut connection = Connection::clone(&simulation.host(side).world.connection(peer));
    let mut gone = None;
    if matches!(step, Step::ReloadChanged) {
        match chance.below(4) {
            0 if connection.children.len() > 1 => gone = connection.children.pop(),
            1 => connection.ike.dpd_delay += Duration::from_secs(1),
            2 => connection.ike.lifetime.rekey_time += Duration::from_secs(200),
            _ => {
                let mut child = ChildConfig::clone(&connection.children[0]);
                child.lifetime.time.rekey += 200;
                child.lifetime.time.life += 300;
                connection.children[0] = Arc::new(child);
            }
        }
    }
    let changed = simulation.host(side).world.load(peer, connection);
    simulation
        .note(|| format!("   changed: {changed}, without {:?}", gone.as_ref().map(|child| &child.name)));
    let Some(gone) = gone else { return };
    let now = simulation.now().mono;
    let name = format!("to-{peer:?}");
    let snapshots = simulation.host(side).sas().iter().map(|sa| sa.snapshot(now));
    let mut ended = Vec::new();
    for sa in snapshots.filter(|sa| *sa.name == name) {
        let children = sa.children.iter().filter(|child| child.name == gone.name);
        ended.extend(children.map(|child| (sa.unique_id, child.unique_id)));
    }
    for (sa, child) in ended {
        simulation.with_host(side, |host, now| {
            host.command(now, sa, |token| Command::TerminateChild { child, token })
        });
    }
}

/// A child as configured for that IKE_SA's connection.
fn any_child_config(
    simulation: &Simulation,
    chance: &mut Chance,
    side: Side,
    sa: UniqueId,
) -> Option<Arc<ChildConfig>> {
    let sa = simulation.host(side).sas().iter().find(|known| known.unique_id() == sa)?;
    chance.pick(&sa.connection()?.children).map(Arc::clone)
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
    let key = SaKey { destination: snapshot.path.local.ip(), protocol: Protocol::Esp, spi };
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
