//! IKE_SA_INIT (RFC 7296 §1.2): what both roles do alike.

pub(crate) mod initiator;
pub(crate) mod responder;

use charon_types::Secret;
use charon_types::algorithm::HashId;
use charon_types::connection::{Childless, Connection, Fragmentation};
use charon_types::id::Role;
use charon_types::proposal::IkeSuite;

use super::certreq;
use crate::auth::signature::HASHES;
use crate::exchange::nat_detection;
use crate::failure::{Failure, LocalFault};
use crate::keymat::{Exchange, IkeKeys};
use crate::sa::{Cx, PeerAbilities, Sa};
use crate::wire::{Message, NotifyType, Payload};

/// What IKE_AUTH needs of IKE_SA_INIT (RFC 7296 §2.15). Messages as sent, without non-ESP marker.
pub(crate) struct Handshake {
    pub(crate) request: Vec<u8>,
    pub(crate) response: Vec<u8>,
    pub(crate) nonce_i: Vec<u8>,
    pub(crate) nonce_r: Vec<u8>,
}

impl Handshake {
    /// Derives the IKE_SA's keys (RFC 7296 §2.14).
    pub(crate) fn derive(
        &self,
        sa: &mut Sa,
        cx: Cx<'_>,
        suite: IkeSuite,
        secret: &Secret,
    ) -> Result<(), Failure> {
        let (Some(spi_i), Some(spi_r)) = (sa.spi_initiator(), sa.spi_responder()) else {
            return Err(LocalFault::Crypto(charon_crypto::CryptoError::InvalidKey).into());
        };
        let exchange = Exchange { secret, nonce_i: &self.nonce_i, nonce_r: &self.nonce_r, spi_i, spi_r };
        let keys = IkeKeys::derive(cx.env.crypto, &suite, sa.role, &exchange).map_err(LocalFault::Crypto)?;
        sa.keys = Some(keys);
        sa.suite = Some(suite);
        Ok(())
    }

    /// The message that we sent.
    pub(crate) fn sent(&self, role: Role) -> &[u8] {
        match role {
            Role::Initiator => &self.request,
            Role::Responder => &self.response,
        }
    }

    /// The nonce of that side.
    pub(crate) fn nonce(&self, role: Role) -> &[u8] {
        match role {
            Role::Initiator => &self.nonce_i,
            Role::Responder => &self.nonce_r,
        }
    }
}

/// NAT detection and what else both roles announce.
fn announce(sa: &Sa, cx: Cx<'_>, connection: &Connection, payloads: &mut Vec<Payload>) {
    payloads.extend(nat_detection::announce(sa, cx, connection));
    if sa.role == Role::Responder {
        payloads.extend(certreq::request(cx, connection));
    }
    if connection.ike.fragmentation != Fragmentation::No {
        payloads.push(Payload::status(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED));
    }
    if cx.env.settings.signature_authentication.is_enabled() {
        let data = HASHES.iter().flat_map(|hash| hash.0.to_be_bytes()).collect();
        payloads.push(Payload::notify(NotifyType::SIGNATURE_HASH_ALGORITHMS, data));
    }
    if sa.role == Role::Responder && connection.ike.childless != Childless::Never {
        payloads.push(Payload::status(NotifyType::CHILDLESS_IKEV2_SUPPORTED));
    }
    if cx.env.settings.send_vendor_id.is_enabled() {
        payloads.push(Payload::Vendor(PRIVATE_EXTENSIONS.to_vec()));
    }
}

/// The vendor id of those who know strongSwan's private numbers, such as USE_BEET_MODE: MD5 of its name.
const PRIVATE_EXTENSIONS: [u8; 16] =
    [0x88, 0x2f, 0xe5, 0x6d, 0x6f, 0xd2, 0x0d, 0xbc, 0x22, 0x51, 0x61, 0x3b, 0x2e, 0xbe, 0x5b, 0xeb];

/// What the peer announced.
fn abilities(sa: &Sa, cx: Cx<'_>, message: &Message) -> PeerAbilities {
    let hashes = message.notify(NotifyType::SIGNATURE_HASH_ALGORITHMS).map_or(&[][..], |notify| &notify.data);
    let ours = cx.env.settings.signature_authentication.is_enabled();
    PeerAbilities {
        fragmentation: message.has_notify(NotifyType::IKEV2_FRAGMENTATION_SUPPORTED),
        childless: sa.role == Role::Initiator && message.has_notify(NotifyType::CHILDLESS_IKEV2_SUPPORTED),
        hashes: hashes
            .chunks_exact(2)
            .filter(|_| ours)
            .filter_map(|pair| Some(HashId(u16::from_be_bytes(pair.try_into().ok()?))))
            .collect(),
        nat_detection: message.has_notify(NotifyType::NAT_DETECTION_SOURCE_IP),
        authorities: certreq::requested(cx, message),
        // Who does not say that it knows these numbers must not be asked to understand them.
        private_extensions: cx.env.settings.send_vendor_id.is_enabled()
            && message
                .payloads
                .iter()
                .any(|payload| matches!(payload, Payload::Vendor(vendor) if *vendor == PRIVATE_EXTENSIONS)),
    }
}
