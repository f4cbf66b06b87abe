//! Two handshakes between strongSwan 6.0.1 daemons, recorded with every key (`tests/golden/*.json` say how).
//!
//! Every message must open with the keys derived here, parse, and come out again as the same octets.

#![expect(clippy::unwrap_used, reason = "a test may end by it")]

mod crypto;

use std::net::SocketAddr;

use charon_crypto::CryptoProvider;
use charon_crypto::packet_key::PacketKey;
use charon_types::algorithm::{EncryptionId, Esn, KeMethod, PrfId};
use charon_types::id::{IkeSpi, Role};
use charon_types::proposal::{ChildSuite, IkeSuite, Protocol};
use charon_types::secret::Secret;
use ikev2_proto::auth::{self, Claim, psk};
use ikev2_proto::keymat::{self, IkeKeys};
use ikev2_proto::natd;
use ikev2_proto::wire::fragment::Reassembly;
use ikev2_proto::wire::message::{emit_chain, first_type, parse_chain};
use ikev2_proto::wire::protect::{self, OpenError, Opened, Sealer};
use ikev2_proto::wire::{Header, Message, NotifyType, Payload, PayloadType};
use serde_json::Value;

const SUITE: IkeSuite = IkeSuite {
    encryption: EncryptionId::AES_GCM_16,
    key_bits: Some(256),
    integrity: None,
    prf: PrfId::HMAC_SHA2_384,
    ke: KeMethod::CURVE_25519,
};
const CHILD_SUITE: ChildSuite = ChildSuite {
    protocol: Protocol::Esp,
    encryption: Some(EncryptionId::AES_GCM_16),
    key_bits: Some(256),
    integrity: None,
    ke: None,
    esn: Esn::Disabled,
};
/// The smaller one's fragment size was 1280, an IPv4 and a UDP header and a non-ESP marker went off it.
const DATAGRAM_LEN_MAX: usize = 1280 - 20 - 8 - 4;

#[test]
fn every_message_opens_with_the_recorded_keys_and_parses() {
    for handshake in handshakes() {
        let mut opened = 0;
        for recorded in handshake.messages() {
            let Some(key) = handshake.key_of(recorded) else {
                Message::parse(&octets(&recorded["hex"])).unwrap();
                continue;
            };
            let plaintext = match protect::open(&octets(&recorded["hex"]), &key).unwrap().1 {
                Opened::Whole(plaintext) => {
                    parse_chain(plaintext.first, &plaintext.octets).unwrap();
                    plaintext
                }
                Opened::Fragment { piece, .. } => piece,
            };
            assert_eq!(plaintext.octets, octets(&recorded["plaintext"]));
            opened += 1;
        }
        assert!(opened >= 18, "only {opened} messages were encrypted");
    }
}

#[test]
fn a_message_in_clear_is_emitted_as_it_came() {
    for handshake in handshakes() {
        for recorded in handshake.messages().iter().filter(|message| message["exchange"] == "IKE_SA_INIT") {
            let original = octets(&recorded["hex"]);
            assert_eq!(Message::parse(&original).unwrap().emit(), original);
        }
    }
}

#[test]
fn an_encrypted_message_is_sealed_as_it_came() {
    let crypto = crypto::provider();
    for handshake in handshakes() {
        for recorded in handshake.messages().iter().filter(|message| message.get("fragment").is_none()) {
            let Some(key) = handshake.key_of(recorded) else { continue };
            let original = octets(&recorded["hex"]);
            let (header, Opened::Whole(plaintext)) = protect::open(&original, &key).unwrap() else {
                panic!("not a fragment");
            };
            let payloads = parse_chain(plaintext.first, &plaintext.octets).unwrap();
            let mut sealer = Sealer::resume(key, iv(recorded));
            assert_eq!(sealer.seal(&header, &payloads, crypto.random()), original);
        }
    }
}

#[test]
fn a_long_message_is_cut_into_the_same_fragments() {
    let crypto = crypto::provider();
    let handshake = Handshake::load(include_str!("golden/multike-mlkem768.json"));
    let recorded: Vec<&Value> =
        handshake.messages().iter().filter(|message| message.get("fragment").is_some()).collect();
    let (first, second) = (recorded[0], recorded[1]);
    let key = handshake.key_of(first).unwrap();
    let (header, _) = protect::open(&octets(&first["hex"]), &key).unwrap();
    let payloads = parse_chain(PayloadType::KE, &octets(&second["reassembled"])).unwrap();

    let mut sealer = Sealer::resume(key, iv(first));
    let fragments = sealer.seal_fragmented(&header, &payloads, DATAGRAM_LEN_MAX, crypto.random());

    assert_eq!(fragments, [octets(&first["hex"]), octets(&second["hex"])]);
}

#[test]
fn fragments_make_the_recorded_whole_in_either_order() {
    let handshake = Handshake::load(include_str!("golden/multike-mlkem768.json"));
    let recorded: Vec<&Value> =
        handshake.messages().iter().filter(|message| message.get("fragment").is_some()).collect();
    for pair in recorded.chunks(2) {
        for order in [[0, 1], [1, 0]] {
            let mut reassembly = Reassembly::default();
            let mut whole = None;
            for index in order {
                let datagram = octets(&pair[index]["hex"]);
                let key = handshake.key_of(pair[index]).unwrap();
                let (_, Opened::Fragment { number, total, piece }) = protect::open(&datagram, &key).unwrap()
                else {
                    panic!("a fragment");
                };
                assert_eq!(whole, None);
                whole = reassembly.add(number, total, piece);
            }
            let whole = whole.expect("complete");
            assert_eq!(whole.octets, octets(&pair[1]["reassembled"]));
            assert!(matches!(parse_chain(whole.first, &whole.octets).unwrap()[0], Payload::Ke(_)));
        }
    }
}

#[test]
fn payloads_are_emitted_as_they_came_into_a_dirty_buffer() {
    for handshake in handshakes() {
        for recorded in handshake.messages().iter().filter(|message| message.get("fragment").is_none()) {
            let Some(key) = handshake.key_of(recorded) else { continue };
            let (_, Opened::Whole(plaintext)) = protect::open(&octets(&recorded["hex"]), &key).unwrap()
            else {
                panic!("not a fragment");
            };
            let payloads = parse_chain(plaintext.first, &plaintext.octets).unwrap();
            assert_eq!(first_type(&payloads), plaintext.first);
            let mut buffer = vec![0xa5; 7];
            emit_chain(&payloads, &mut buffer);
            assert_eq!(buffer.split_off(7), plaintext.octets);
            assert_eq!(buffer, [0xa5; 7]);
        }
    }
}

#[test]
fn one_changed_bit_anywhere_is_noticed() {
    let handshake = Handshake::load(include_str!("golden/multike-ecp384.json"));
    let recorded = &handshake.messages()[4];
    let key = handshake.key_of(recorded).unwrap();
    let original = octets(&recorded["hex"]);
    for at in 0..original.len() {
        let mut forged = original.clone();
        forged[at] ^= 1;
        match protect::open(&forged, &key) {
            Err(OpenError::Forged) if at >= 28 || !(24..28).contains(&at) => {}
            Err(OpenError::Malformed(_)) => {}
            other => panic!("octet {at}: {other:?}"),
        }
    }
}

#[test]
fn keys_are_those_that_the_daemons_derived() {
    let crypto = crypto::provider();
    for handshake in handshakes() {
        for role in [Role::Initiator, Role::Responder] {
            let init = handshake.ike_keys(&crypto, role);
            handshake.assert_keys(0, &init);
            // An additional key exchange mixes its secret in as a rekeying does (RFC 9370 §2.2.2).
            let after = handshake.mixed(&crypto, role, &init);
            handshake.assert_keys(1, &after);

            let sent_by = |message: &Value, role| message["from"] == role_name(role);
            let inbound = handshake.messages().iter().filter(|message| sent_by(message, role.peer()));
            for (keys, stage) in [(&init, 0), (&after, 1)] {
                for recorded in inbound.clone().filter(|message| message["keys"] == stage) {
                    protect::open(&octets(&recorded["hex"]), &keys.inbound).unwrap();
                }
            }
        }
    }
}

#[test]
fn child_keys_are_those_that_the_daemons_derived() {
    let crypto = crypto::provider();
    for handshake in handshakes() {
        let keys = handshake.mixed(&crypto, Role::Initiator, &handshake.ike_keys(&crypto, Role::Initiator));
        let (nonce_i, nonce_r) = handshake.nonces();
        let child = keymat::child_keys(&crypto, &keys, &CHILD_SUITE, &nonce_i, &nonce_r, None).unwrap();
        let expected = &handshake.0["child_keys"][0];
        assert_eq!(child.initiator.encryption.expose(), octets(&expected["encr_i"]));
        assert_eq!(child.responder.encryption.expose(), octets(&expected["encr_r"]));
        assert!(child.initiator.integrity.expose().is_empty());
    }
}

#[test]
fn auth_of_both_sides_is_that_of_the_daemons() {
    let crypto = crypto::provider();
    for handshake in handshakes() {
        let prf = crypto.prf(SUITE.prf).unwrap();
        let keys = handshake.mixed(&crypto, Role::Initiator, &handshake.ike_keys(&crypto, Role::Initiator));
        let (nonce_i, nonce_r) = handshake.nonces();
        let psk_text = Secret::copy_from(handshake.0["psk"].as_str().unwrap().as_bytes());
        let int_auth = [octets(&handshake.0["int_auth_i"]), octets(&handshake.0["int_auth_r"])].concat();
        for (index, role, nonce, name) in
            [(0, Role::Initiator, &nonce_r, "auth_i"), (1, Role::Responder, &nonce_i, "auth_r")]
        {
            let message = octets(&handshake.messages()[index]["hex"]);
            let id = handshake.id_octets(role);
            let claim = Claim { message: &message, peer_nonce: nonce, sk_p: keys.sk_p(role), id: &id };
            let mut signed = auth::signed_octets(prf, &claim).unwrap();
            // RFC 9242 §3.3.2: an IKE_INTERMEDIATE took place, IKE_AUTH is message 2.
            signed.extend_from_slice(&int_auth);
            signed.extend_from_slice(&[0, 0, 0, 2]);
            let data = octets(&handshake.0[name]);
            assert_eq!(psk::auth(prf, &psk_text, &signed).unwrap().expose(), data);
            psk::verify(prf, &psk_text, &signed, &data).unwrap();
            psk::verify(prf, &psk_text, &signed, &data[1..]).unwrap_err();
        }
    }
}

/// They pretended a NAT, so their source hashes fit no address.
#[test]
fn nat_detection_hashes_are_those_of_the_daemons() {
    let crypto = crypto::provider();
    let moon: SocketAddr = "192.0.2.1:500".parse().unwrap();
    let sun: SocketAddr = "192.0.2.2:500".parse().unwrap();
    for handshake in handshakes() {
        for (index, source, destination) in [(0, moon, sun), (1, sun, moon)] {
            let message = Message::parse(&octets(&handshake.messages()[index]["hex"])).unwrap();
            let Header { spi_initiator, spi_responder, .. } = message.header;
            let sent = |kind| message.notify(kind).map(|notify| notify.data.clone());
            let hash = |endpoint| natd::hash(&crypto, spi_initiator, spi_responder, endpoint);
            assert_ne!(sent(NotifyType::NAT_DETECTION_SOURCE_IP), hash(source));
            assert_eq!(sent(NotifyType::NAT_DETECTION_DESTINATION_IP), hash(destination));
        }
    }
}

struct Handshake(Value);

fn handshakes() -> [Handshake; 2] {
    [include_str!("golden/multike-ecp384.json"), include_str!("golden/multike-mlkem768.json")]
        .map(Handshake::load)
}

impl Handshake {
    fn load(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap())
    }

    fn messages(&self) -> &[Value] {
        self.0["ike_messages"].as_array().unwrap()
    }

    fn spis(&self) -> (IkeSpi, IkeSpi) {
        let header = Header::parse(&octets(&self.messages()[1]["hex"])).unwrap();
        (header.spi_initiator, header.spi_responder.unwrap())
    }

    fn nonces(&self) -> (Vec<u8>, Vec<u8>) {
        let mut nonce_i = octets(&self.0["ike_keys"][0]["nonces"]);
        let nonce_r = nonce_i.split_off(nonce_i.len() / 2);
        (nonce_i, nonce_r)
    }

    /// The key of a recorded message, made of the recorded SK_e.
    fn key_of(&self, message: &Value) -> Option<PacketKey> {
        let stage = usize::try_from(message.get("keys")?.as_u64()?).unwrap();
        let keys = &self.0["ike_keys"][stage];
        let name = if message["from"] == "initiator" { "SK_ei" } else { "SK_er" };
        let secret = Secret::from(octets(&keys[name]));
        Some(crypto::provider().packet_key((SUITE.encryption, SUITE.key_bits, &secret), None).unwrap())
    }

    fn ike_keys(&self, crypto: &CryptoProvider, role: Role) -> IkeKeys {
        let (spi_i, spi_r) = self.spis();
        let (nonce_i, nonce_r) = self.nonces();
        let secret = self.secret(0);
        let exchange =
            keymat::Exchange { secret: &secret, nonce_i: &nonce_i, nonce_r: &nonce_r, spi_i, spi_r };
        IkeKeys::derive(crypto, &SUITE, role, &exchange).unwrap()
    }

    fn mixed(&self, crypto: &CryptoProvider, role: Role, keys: &IkeKeys) -> IkeKeys {
        let (spi_i, spi_r) = self.spis();
        let (nonce_i, nonce_r) = self.nonces();
        let secret = self.secret(1);
        let exchange =
            keymat::Exchange { secret: &secret, nonce_i: &nonce_i, nonce_r: &nonce_r, spi_i, spi_r };
        keys.rekeyed(crypto, &SUITE, role, &exchange).unwrap()
    }

    fn secret(&self, stage: usize) -> Secret {
        Secret::from(octets(&self.0["ike_keys"][stage]["shared_secrets"][0]))
    }

    fn assert_keys(&self, stage: usize, keys: &IkeKeys) {
        let expected = &self.0["ike_keys"][stage];
        assert_eq!(keys.sk_d.expose(), octets(&expected["SK_d"]));
        assert_eq!(keys.sk_pi.expose(), octets(&expected["SK_pi"]));
        assert_eq!(keys.sk_pr.expose(), octets(&expected["SK_pr"]));
    }

    /// Body of the ID payload as the daemon sent it.
    fn id_octets(&self, role: Role) -> Vec<u8> {
        let is_auth =
            |message: &&Value| message["exchange"] == "IKE_AUTH" && message["from"] == role_name(role);
        let recorded = self.messages().iter().find(is_auth).unwrap();
        let key = self.key_of(recorded).unwrap();
        let (_, Opened::Whole(plaintext)) = protect::open(&octets(&recorded["hex"]), &key).unwrap() else {
            panic!("not a fragment");
        };
        let payloads = parse_chain(plaintext.first, &plaintext.octets).unwrap();
        let id = payloads.iter().find_map(|payload| match (payload, role) {
            (Payload::IdI(id), Role::Initiator) | (Payload::IdR(id), Role::Responder) => Some(id),
            _ => None,
        });
        id.unwrap().octets()
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Initiator => "initiator",
        Role::Responder => "responder",
    }
}

fn iv(message: &Value) -> u64 {
    u64::from_be_bytes(octets(&message["iv"]).try_into().unwrap())
}

fn octets(hex: &Value) -> Vec<u8> {
    let digits = hex.as_str().unwrap().as_bytes();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
