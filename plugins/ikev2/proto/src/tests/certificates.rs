//! Authentication by signature, by RFC 7427 and by the older methods.

use std::sync::Arc;

use charon_crypto::signature::{PrivateKey, PrivateKeyDer, PrivateKeyForm};
use charon_types::Secret;
use charon_types::algorithm::HashId;
use charon_types::connection::{
    AuthMethod, Connection, KeyConstraint, SendCert, SignatureConstraint, SignatureConstraints, Toggle,
};
use charon_types::snapshot::IkeSaState;

use super::handshake::{A_NETS, B_NETS, SOON, assert_keys_agree, assert_nothing_left};
use super::pair::{Pair, Seen, Side};
use super::world::{TrustTable, World, auth, connection, crypto, id};
use crate::env::{OwnCredential, TrustFailure};
use crate::failure::{Failure, Refusal};
use crate::output::CloseReason;
use crate::wire::{ExchangeType, MessageKind, NotifyType};

const MOON: &str = "moon.example.org";
const SUN: &str = "sun.example.org";

/// Made by `openssl genpkey` and `openssl pkcs8 -topk8 -nocrypt -outform DER`, a pair of each kind.
const KEYS: [(&str, &[u8], &[u8]); 4] = [
    ("rsa", include_bytes!("keys/rsa-a.der"), include_bytes!("keys/rsa-b.der")),
    ("p256", include_bytes!("keys/p256-a.der"), include_bytes!("keys/p256-b.der")),
    ("p384", include_bytes!("keys/p384-a.der"), include_bytes!("keys/p384-b.der")),
    ("ed25519", include_bytes!("keys/ed25519-a.der"), include_bytes!("keys/ed25519-b.der")),
];

fn load(der: &[u8]) -> Arc<dyn PrivateKey> {
    let key = PrivateKeyDer { form: PrivateKeyForm::Pkcs8, der: Secret::copy_from(der) };
    crypto().load_private_key(&key).unwrap()
}

/// Two hosts with certificates of `certificate_len` octets each.
fn cert_pair(kind: &str, certificate_len: usize) -> Pair {
    let (_, a, b) = *KEYS.iter().find(|(name, ..)| *name == kind).unwrap();
    let world = |key: &[u8], own: &str, nets, peer_key: &[u8], peer: &str| {
        let by_key = |name| auth(AuthMethod::Unspecified, Some(name));
        let mut world = World::new(connection("gw", by_key(own), by_key(peer), nets));
        let credential = OwnCredential {
            identity: id(own),
            chain: vec![certificate(own, certificate_len).into()],
            subjects: vec![id(own)],
            key: load(key),
        };
        world.credentials.push((id(own), credential));
        let mut trusted = TrustTable::default();
        trusted.trust(&certificate(peer, certificate_len), &id(peer), &*load(peer_key));
        world.trusted = Arc::new(trusted);
        world
    };
    Pair::new(world(a, MOON, A_NETS, b, SUN), world(b, SUN, B_NETS, a, MOON))
}

fn certificate(name: &str, len: usize) -> Vec<u8> {
    let mut octets = name.as_bytes().to_vec();
    octets.resize(len, 0x5a);
    octets
}

fn edit(world: &mut World, change: impl FnOnce(&mut Connection)) {
    let mut connection = Connection::clone(&world.connections[0]);
    change(&mut connection);
    world.connections[0] = Arc::new(connection);
}

fn constraint(key: KeyConstraint, bits_min: u32, hashes: &[HashId]) -> AuthMethod {
    let ike = vec![SignatureConstraint { key, bits_min, hashes: hashes.to_vec() }];
    AuthMethod::PublicKey(Box::new(SignatureConstraints { text: String::new(), ike, chain: Vec::new() }))
}

#[test]
fn every_kind_of_key_authenticates_by_digital_signature() {
    for (kind, ..) in KEYS {
        let mut pair = cert_pair(kind, 600);
        pair.initiate();
        pair.run(SOON);
        assert_eq!(pair.b.events, [Seen::Established, Seen::ChildInstalled], "{kind}");
        assert_keys_agree(&pair);
    }
}

#[test]
fn rsa_signs_with_pss_where_that_is_preferred() {
    let mut pair = cert_pair("rsa", 600);
    pair.a.world.settings.rsa_pss = Toggle::Enabled;
    edit(&mut pair.b.world, |connection| {
        connection.remote[0].method = constraint(KeyConstraint::RsaPss, 2048, &[])
    });
    pair.initiate();
    pair.run(SOON);
    assert_keys_agree(&pair);
}

#[test]
fn peers_without_rfc_7427_use_the_older_methods() {
    for kind in ["rsa", "p256", "p384"] {
        let mut pair = cert_pair(kind, 600);
        pair.b.world.settings.signature_authentication = Toggle::Disabled;
        pair.initiate();
        pair.run(SOON);
        assert_keys_agree(&pair);
    }
}

#[test]
fn a_long_certificate_travels_in_fragments_and_survives_a_small_mtu() {
    let mut pair = cert_pair("rsa", 3000);
    pair.network.datagram_len_max = 1252;
    pair.initiate();
    pair.run(SOON);
    let auth = pair.sent.iter().filter(|sent| sent.is(Side::A, ExchangeType::IKE_AUTH, MessageKind::Request));
    assert!(auth.count() >= 3);
    assert_keys_agree(&pair);
}

#[test]
fn lost_and_repeated_fragments_are_made_good_by_retransmission() {
    let mut pair = cert_pair("rsa", 3000);
    pair.seed(0x1234_5678_9abc_def1);
    pair.network.datagram_len_max = 1252;
    pair.network.loss_percent = 20;
    pair.network.duplicate_percent = 20;
    pair.network.jitter = std::time::Duration::from_millis(300);
    pair.initiate();
    pair.run(std::time::Duration::from_secs(120));
    assert_keys_agree(&pair);
    assert_eq!(pair.b.events, [Seen::Established, Seen::ChildInstalled], "processed once");
}

#[test]
fn an_untrusted_certificate_is_refused() {
    let mut pair = cert_pair("p256", 600);
    pair.b.world.trusted = Arc::new(TrustTable::default());
    pair.initiate();
    pair.run(SOON);
    let refused = CloseReason::Failed(Refusal::Untrusted(TrustFailure::NoTrustedPath).into());
    assert_eq!(pair.b.events, [Seen::Closed(refused, IkeSaState::Connecting)]);
    let rejected = Failure::Rejected(NotifyType::AUTHENTICATION_FAILED.0);
    assert_eq!(pair.a.events[0], Seen::Done(1, Err(rejected)));
    assert_nothing_left(&pair);
}

#[test]
fn a_certificate_of_another_key_does_not_help() {
    let mut pair = cert_pair("p256", 600);
    let mut trusted = TrustTable::default();
    trusted.trust(&certificate(MOON, 600), &id(MOON), &*load(KEYS[1].2));
    pair.b.world.trusted = Arc::new(trusted);
    pair.initiate();
    pair.run(SOON);
    let refused = CloseReason::Failed(Refusal::AuthenticationFailed.into());
    assert_eq!(pair.b.events, [Seen::Closed(refused, IkeSaState::Connecting)]);
    assert_nothing_left(&pair);
}

#[test]
fn a_signature_below_the_constraints_is_refused() {
    let mut pair = cert_pair("p256", 600);
    edit(&mut pair.b.world, |connection| {
        connection.remote[0].method = constraint(KeyConstraint::Ecdsa, 384, &[]);
    });
    pair.initiate();
    pair.run(SOON);
    let refused = CloseReason::Failed(Refusal::AuthMethod.into());
    assert_eq!(pair.b.events, [Seen::Closed(refused, IkeSaState::Connecting)]);
}

#[test]
fn the_responder_switches_to_the_connection_that_the_peer_satisfies() {
    let mut pair = cert_pair("p256", 600);
    // The first fits the identities, but its constraints are not met; the second is met.
    let mut strict = Connection::clone(&pair.b.world.connections[0]);
    strict.name = "strict".into();
    strict.remote[0].method = constraint(KeyConstraint::Rsa, 4096, &[]);
    pair.b.world.connections.insert(0, Arc::new(strict));
    pair.initiate();
    pair.run(SOON);
    assert_keys_agree(&pair);
    assert_eq!(&*pair.snapshot(Side::B).name, "gw");
}

#[test]
fn one_side_may_use_a_key_and_the_other_a_certificate() {
    let mut pair = cert_pair("ed25519", 600);
    edit(&mut pair.a.world, |connection| connection.local[0].method = AuthMethod::Psk);
    edit(&mut pair.b.world, |connection| connection.remote[0].method = AuthMethod::Psk);
    pair.a.world.share(MOON, SUN, b"secret");
    pair.b.world.share(SUN, MOON, b"secret");
    pair.initiate();
    pair.run(SOON);
    assert_keys_agree(&pair);
}

#[test]
fn certificates_are_not_sent_where_they_must_not_be() {
    let mut pair = cert_pair("p256", 3000);
    edit(&mut pair.a.world, |connection| connection.ike.send_cert = SendCert::Never);
    pair.initiate();
    pair.run(SOON);
    let auth = pair.sent.iter().filter(|sent| sent.is(Side::A, ExchangeType::IKE_AUTH, MessageKind::Request));
    assert_eq!(auth.count(), 1, "small enough for one datagram");
    let refused = CloseReason::Failed(Refusal::Untrusted(TrustFailure::NoCertificate).into());
    assert_eq!(pair.b.events, [Seen::Closed(refused, IkeSaState::Connecting)]);
}
