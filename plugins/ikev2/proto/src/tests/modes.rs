//! Protocols, modes, marks: what becomes of what a child asks for.

use std::sync::Arc;
use std::time::Duration;

use charon_types::algorithm::{EncryptionId, IntegrityId};
use charon_types::connection::{ChildConfig, Toggle};
use charon_types::id::{IfId, Mark, UniqueId};
use charon_types::kernel_op::{Direction, Mode, PolicyAction, PolicyDirection, TfcPadding};
use charon_types::proposal::Protocol;
use charon_types::tag::{IfIdRule, MarkRule, SetMark};

use super::handshake::{SOON, psk_pair};
use super::pair::{Pair, Seen, Side};
use super::world::{World, proposals};
use crate::failure::{Failure, LocalFault};
use crate::ike_sa::Command;
use crate::output::CommandToken;

const LINGER: Duration = Duration::from_secs(6);

/// Changes the child of both hosts, and what their kernels can.
fn pair_with(change: impl Fn(&mut ChildConfig)) -> Pair {
    let mut pair = psk_pair();
    for side in [Side::A, Side::B] {
        let world = &mut pair.host(side).world;
        reconfigure(world, &change);
        world.capabilities.protocols = vec![Protocol::Esp, Protocol::Ah];
        world.capabilities.modes = vec![Mode::Tunnel, Mode::Transport, Mode::Beet];
        world.settings.send_vendor_id = Toggle::Enabled;
    }
    pair
}

fn reconfigure(world: &mut World, change: &impl Fn(&mut ChildConfig)) {
    let connection = Arc::make_mut(&mut world.connections[0]);
    change(Arc::make_mut(&mut connection.children[0]));
}

fn ah(child: &mut ChildConfig) {
    child.proposals = proposals(Protocol::Ah, &["sha256-x25519"]);
}

fn between_hosts(mode: Mode) -> impl Fn(&mut ChildConfig) {
    move |child| {
        child.local_ts = vec!["dynamic".parse().unwrap()];
        child.remote_ts = vec!["dynamic".parse().unwrap()];
        child.mode = mode;
    }
}

fn up(pair: &mut Pair) {
    pair.initiate();
    pair.run(SOON);
    for side in [Side::A, Side::B] {
        assert_eq!(pair.snapshot(side).children.len(), 1, "{side:?}: {:?}", pair.host(side).events);
    }
}

fn mode(pair: &mut Pair, side: Side) -> Mode {
    pair.snapshot(side).children[0].mode
}

fn rekey(pair: &mut Pair, side: Side) {
    let child = pair.snapshot(side).children[0].unique_id;
    pair.command(side, Command::RekeyChild { child, token: Some(CommandToken(9)) });
    pair.run(SOON + LINGER);
    let done = |event: &Seen| matches!(event, Seen::Done(9, Ok(_)));
    assert!(pair.host(side).events.iter().any(done), "{:?}", pair.host(side).events);
}

#[test]
fn ah_has_an_integrity_key_and_no_encryption_also_after_rekeying() {
    let mut pair = pair_with(ah);
    up(&mut pair);
    for round in 0..2 {
        for side in [Side::A, Side::B] {
            let kernel = &pair.host(side).kernel;
            assert_eq!((kernel.sas.len(), kernel.reserved.len()), (2, 0), "round {round}");
            for sa in &kernel.sas {
                assert_eq!((sa.protocol, sa.encryption.is_none()), (Protocol::Ah, true));
                let (id, key) = sa.integrity.as_ref().unwrap();
                assert_eq!((*id, key.len()), (IntegrityId::HMAC_SHA2_256_128, 32));
            }
        }
        let (ours, theirs) = (pair.a.kernel.sas.clone(), pair.b.kernel.sas.clone());
        for sa in &ours {
            let twin = theirs.iter().find(|twin| twin.spi == sa.spi).unwrap();
            assert_eq!(twin.integrity, sa.integrity, "both ends have one key");
        }
        rekey(&mut pair, if round == 0 { Side::A } else { Side::B });
    }
}

#[test]
fn the_peer_chooses_between_esp_and_ah_and_the_other_spi_goes_back() {
    for side in [Side::A, Side::B] {
        let mut pair = pair_with(|child| {
            child.proposals.extend(proposals(Protocol::Ah, &["sha256-x25519"]));
        });
        // The one that takes AH alone.
        reconfigure(&mut pair.host(side).world, &ah);
        up(&mut pair);
        assert!(pair.a.kernel.sas.iter().all(|sa| sa.protocol == Protocol::Ah));
        assert!(pair.a.kernel.reserved.is_empty() && pair.b.kernel.reserved.is_empty());
        assert_eq!(pair.a.kernel.deleted_in_vain + pair.b.kernel.deleted_in_vain, 0);
        rekey(&mut pair, Side::A);
        assert!(pair.b.kernel.reserved.is_empty() && pair.a.kernel.reserved.is_empty());
    }
}

#[test]
fn ah_is_refused_by_name_where_the_kernel_lacks_it_and_behind_a_nat() {
    let mut pair = pair_with(ah);
    pair.a.world.capabilities.protocols = vec![Protocol::Esp];
    pair.initiate();
    pair.run(SOON);
    let failed = |pair: &Pair, fault| {
        let fault = Failure::Local(fault);
        pair.a.events.iter().any(|event| matches!(event, Seen::Done(1, Err(error)) if *error == fault))
    };
    assert!(failed(&pair, LocalFault::UnsupportedProtocol(Protocol::Ah)), "{:?}", pair.a.events);

    let mut pair = pair_with(ah);
    pair.network.nat = true;
    pair.initiate();
    pair.run(SOON);
    assert!(failed(&pair, LocalFault::AhBehindNat), "{:?}", pair.a.events);

    let mut pair = pair_with(ah);
    pair.b.world.capabilities.protocols = vec![Protocol::Esp];
    pair.initiate();
    pair.run(SOON);
    let refused = |event: &Seen| matches!(event, Seen::Done(1, Err(Failure::Rejected(14))));
    assert!(pair.a.events.iter().any(refused), "NO_PROPOSAL_CHOSEN: {:?}", pair.a.events);
    assert!(pair.b.kernel.is_empty());
}

#[test]
fn transport_mode_is_taken_between_the_hosts_and_kept_when_rekeying() {
    let mut pair = pair_with(between_hosts(Mode::Transport));
    up(&mut pair);
    for side in [Side::A, Side::B] {
        assert_eq!(mode(&mut pair, side), Mode::Transport);
        let forwards = |policy: &&_| {
            matches!(policy, charon_types::kernel_op::Policy { direction: PolicyDirection::Forward, .. })
        };
        assert_eq!(pair.host(side).kernel.policies.iter().filter(forwards).count(), 0);
    }
    rekey(&mut pair, Side::B);
    assert_eq!((mode(&mut pair, Side::A), mode(&mut pair, Side::B)), (Mode::Transport, Mode::Transport));
}

#[test]
fn a_nat_changes_the_hosts_of_transport_mode_on_each_side() {
    for peer_rekeys in [Side::A, Side::B] {
        let mut pair = pair_with(between_hosts(Mode::Transport));
        pair.network.nat = true;
        up(&mut pair);
        for _ in 0..2 {
            for side in [Side::A, Side::B] {
                let snapshot = pair.snapshot(side);
                let child = &snapshot.children[0];
                assert_eq!(child.mode, Mode::Transport);
                assert!(snapshot.nat.any());
                let (ours, theirs) = (snapshot.path.local.ip(), snapshot.path.remote.ip());
                assert_eq!(child.local_ts, [ours.into()], "{side:?}");
                assert_eq!(child.remote_ts, [theirs.into()], "{side:?}");
            }
            rekey(&mut pair, peer_rekeys);
        }
    }
}

#[test]
fn a_peer_that_declines_a_mode_gets_a_tunnel() {
    for wanted in [Mode::Transport, Mode::Beet] {
        for unwilling in [Side::A, Side::B] {
            let mut pair = pair_with(between_hosts(wanted));
            reconfigure(&mut pair.host(unwilling).world, &|child: &mut ChildConfig| {
                child.mode = Mode::Tunnel
            });
            up(&mut pair);
            assert_eq!((mode(&mut pair, Side::A), mode(&mut pair, Side::B)), (Mode::Tunnel, Mode::Tunnel));
        }
    }
}

#[test]
fn neither_mode_carries_networks() {
    for wanted in [Mode::Transport, Mode::Beet] {
        let mut pair = pair_with(|child| child.mode = wanted);
        up(&mut pair);
        assert_eq!((mode(&mut pair, Side::A), mode(&mut pair, Side::B)), (Mode::Tunnel, Mode::Tunnel));
    }
}

#[test]
fn beet_mode_is_for_those_who_know_its_private_number() {
    let mut pair = pair_with(between_hosts(Mode::Beet));
    up(&mut pair);
    rekey(&mut pair, Side::A);
    assert_eq!((mode(&mut pair, Side::A), mode(&mut pair, Side::B)), (Mode::Beet, Mode::Beet));
    for stranger in [Side::A, Side::B] {
        let mut pair = pair_with(between_hosts(Mode::Beet));
        pair.host(stranger).world.settings.send_vendor_id = Toggle::Disabled;
        pair.initiate();
        pair.run(SOON);
        // Whoever does not say that it knows the number is not understood when it uses it.
        assert_eq!(mode(&mut pair, Side::A), Mode::Tunnel, "{stranger:?}");
        assert_eq!(mode(&mut pair, Side::B), Mode::Tunnel, "{stranger:?}");
    }
}

#[test]
fn unique_marks_and_interface_ids_stay_with_a_child_through_its_rekeyings() {
    let unique = MarkRule::Unique { mask: 0xffff };
    let mut pair = pair_with(|child| {
        (child.tags.mark_in, child.tags.mark_out) = (unique, MarkRule::Fixed(Mark { value: 5, mask: 0xff }));
        child.tags.if_id_in = IfIdRule::Fixed(IfId(7));
        child.set_mark_in = SetMark::Same { mask: 0xffff };
    });
    for side in [Side::A, Side::B] {
        let connection = Arc::make_mut(&mut pair.host(side).world.connections[0]);
        connection.ike.if_id_out = IfIdRule::UniqueDir;
    }
    up(&mut pair);
    let outbound_id = pair.snapshot(Side::A).if_ids.outbound;
    assert_ne!(outbound_id, IfId(0));
    let mut marks = Vec::new();
    for _ in 0..2 {
        let child = pair.snapshot(Side::A).children[0].clone();
        let installed = child.installed.unwrap();
        assert_eq!(installed.mark_out, Mark { value: 5, mask: 0xff });
        assert_eq!((installed.if_id_in, installed.if_id_out), (IfId(7), outbound_id));
        for sa in &pair.a.kernel.sas {
            match sa.direction {
                Direction::Inbound => {
                    assert_eq!((sa.mark, sa.if_id), (Mark::default(), IfId(7)), "mark_in_sa is off");
                    assert_eq!(sa.options.set_mark, installed.mark_in);
                }
                Direction::Outbound => assert_eq!((sa.mark, sa.if_id), (installed.mark_out, outbound_id)),
            }
        }
        for policy in &pair.a.kernel.policies {
            let outbound = policy.direction == PolicyDirection::Out;
            assert_eq!(policy.mark, if outbound { installed.mark_out } else { installed.mark_in });
        }
        marks.push(installed.mark_in);
        rekey(&mut pair, Side::A);
    }
    assert_eq!(marks[0], marks[1]);
    assert_eq!(marks[0].mask, 0xffff);
}

#[test]
fn options_of_the_kernel_reach_it() {
    let mut pair = pair_with(|child| {
        child.proposals = proposals(Protocol::Esp, &["aes256-sha256-x25519"]);
        child.sha256_96 = Toggle::Enabled;
        child.policies_fwd_out = Toggle::Enabled;
        child.sa_options.tfc_padding = TfcPadding::Mtu;
    });
    for side in [Side::A, Side::B] {
        pair.host(side).world.capabilities.integrity = vec![IntegrityId::HMAC_SHA2_256_96];
    }
    up(&mut pair);
    rekey(&mut pair, Side::B);
    let kernel = &pair.a.kernel;
    assert_eq!(kernel.sas.len(), 2);
    for sa in &kernel.sas {
        assert_eq!(sa.encryption.as_ref().unwrap().0, EncryptionId::AES_CBC);
        assert_eq!(sa.integrity.as_ref().unwrap().0, IntegrityId::HMAC_SHA2_256_96);
        let padding = if sa.direction == Direction::Outbound { TfcPadding::Mtu } else { TfcPadding::None };
        assert_eq!(sa.options.tfc_padding, padding);
    }
    let directions: Vec<_> = kernel
        .policies
        .iter()
        .map(|policy| (policy.direction, policy.action == PolicyAction::Pass))
        .collect();
    for wanted in [
        (PolicyDirection::In, false),
        (PolicyDirection::Forward, false),
        (PolicyDirection::Forward, true),
        (PolicyDirection::Out, false),
    ] {
        assert_eq!(directions.iter().filter(|found| **found == wanted).count(), 1, "{directions:?}");
    }
    pair.command(Side::A, Command::TerminateChild { child: UniqueId(2), token: None });
    pair.run(SOON + LINGER);
    assert!(pair.a.kernel.is_empty() && pair.b.kernel.is_empty());
}
