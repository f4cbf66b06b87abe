//! Key material (RFC 7296 §2.13, §2.14, §2.17, §2.18).

use charon_crypto::packet_key::PacketKey;
use charon_crypto::prf::Prf;
use charon_crypto::{CryptoError, CryptoProvider};
use charon_types::algorithm::PrfId;
use charon_types::id::{IkeSpi, Role};
use charon_types::proposal::{ChildSuite, IkeSuite};
use charon_types::secret::Secret;

use crate::wire::protect::Sealer;

/// Octets of each nonce that key a PRF of fixed key length: half of AES-128's (RFC 7296 §2.14).
const FIXED_KEY_NONCE_LEN: usize = 8;

/// Where a key set comes from.
#[derive(Clone, Copy)]
pub struct Exchange<'a> {
    /// Shared secret of the key exchange.
    pub secret: &'a Secret,
    /// Initiator's nonce.
    pub nonce_i: &'a [u8],
    /// Responder's nonce.
    pub nonce_r: &'a [u8],
    /// Initiator's SPI.
    pub spi_i: IkeSpi,
    /// Responder's SPI.
    pub spi_r: IkeSpi,
}

/// The keys of an IKE_SA.
pub struct IkeKeys {
    /// The PRF in use.
    pub prf: PrfId,
    /// Derives further keys.
    pub sk_d: Secret,
    /// Initiator's key for AUTH.
    pub sk_pi: Secret,
    /// Responder's key for AUTH.
    pub sk_pr: Secret,
    /// Protects what we send.
    pub sealer: Sealer,
    /// Protects what we receive.
    pub inbound: PacketKey,
}

/// The keys of a CHILD_SA, a pair for each direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildKeys {
    /// From initiator to responder of the exchange.
    pub initiator: DirectionKeys,
    /// From responder to initiator.
    pub responder: DirectionKeys,
}

/// Keys of one direction; empty where the suite has no such algorithm. For combined modes the salt follows the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectionKeys {
    /// Encryption.
    pub encryption: Secret,
    /// Integrity.
    pub integrity: Secret,
}

impl IkeKeys {
    /// The keys of a new IKE_SA: SKEYSEED = prf(Ni ‖ Nr, g^ir).
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] if the suite is not available.
    pub fn derive(
        crypto: &CryptoProvider,
        suite: &IkeSuite,
        role: Role,
        exchange: &Exchange<'_>,
    ) -> Result<Self, CryptoError> {
        let prf = crypto.prf(suite.prf).ok_or(CryptoError::Unsupported)?;
        let key = nonce_key(prf, exchange.nonce_i, exchange.nonce_r);
        let skeyseed = prf.once(key.expose(), &[exchange.secret.expose()])?;
        Self::expand(crypto, prf, suite, role, &skeyseed, exchange)
    }

    /// The keys of an IKE_SA that replaces this one: SKEYSEED = prf(SK_d, g^ir ‖ Ni ‖ Nr), by the old PRF.
    ///
    /// # Errors
    /// [`CryptoError::Unsupported`] if the suite is not available.
    pub fn rekeyed(
        &self,
        crypto: &CryptoProvider,
        suite: &IkeSuite,
        role: Role,
        exchange: &Exchange<'_>,
    ) -> Result<Self, CryptoError> {
        let old = crypto.prf(self.prf).ok_or(CryptoError::Unsupported)?;
        let parts = [exchange.secret.expose(), exchange.nonce_i, exchange.nonce_r];
        let skeyseed = old.once(self.sk_d.expose(), &parts)?;
        let prf = crypto.prf(suite.prf).ok_or(CryptoError::Unsupported)?;
        Self::expand(crypto, prf, suite, role, &skeyseed, exchange)
    }

    /// The key for AUTH of the side with that role.
    #[must_use]
    pub const fn sk_p(&self, role: Role) -> &Secret {
        match role {
            Role::Initiator => &self.sk_pi,
            Role::Responder => &self.sk_pr,
        }
    }

    /// SK_d, SK_ai, SK_ar, SK_ei, SK_er, SK_pi, SK_pr in this order.
    fn expand(
        crypto: &CryptoProvider,
        prf: &dyn Prf,
        suite: &IkeSuite,
        role: Role,
        skeyseed: &Secret,
        exchange: &Exchange<'_>,
    ) -> Result<Self, CryptoError> {
        let (encryption_len, integrity_len) = crypto
            .key_lens(suite.encryption, suite.key_bits, suite.integrity)
            .ok_or(CryptoError::Unsupported)?;
        let lens = [
            prf.key_len(),
            integrity_len,
            integrity_len,
            encryption_len,
            encryption_len,
            prf.key_len(),
            prf.key_len(),
        ];
        let (spi_i, spi_r) = (exchange.spi_i.to_be_bytes(), exchange.spi_r.to_be_bytes());
        let seed = [exchange.nonce_i, exchange.nonce_r, &spi_i, &spi_r];
        let stream = prf.plus(skeyseed.expose(), &seed, lens.iter().sum())?;
        let [sk_d, sk_ai, sk_ar, sk_ei, sk_er, sk_pi, sk_pr] = cut(&stream, lens);
        let key = |encryption: &Secret, integrity: &Secret| {
            let integrity = suite.integrity.filter(|_| !suite.encryption.is_aead()).map(|id| (id, integrity));
            crypto.packet_key_at_rest((suite.encryption, suite.key_bits, encryption), integrity)
        };
        let (initiator, responder) = (key(&sk_ei, &sk_ai)?, key(&sk_er, &sk_ar)?);
        let (outbound, inbound) = match role {
            Role::Initiator => (initiator, responder),
            Role::Responder => (responder, initiator),
        };
        let sealer = Sealer::new(outbound, crypto.random());
        Ok(Self { prf: suite.prf, sk_d, sk_pi, sk_pr, sealer, inbound })
    }
}

/// Shows nothing but the PRF.
impl std::fmt::Debug for IkeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IkeKeys({})", self.prf)
    }
}

/// The keys of a CHILD_SA: KEYMAT = prf+(SK_d, \[g^ir ‖\] Ni ‖ Nr), nonces of the exchange that creates it.
///
/// # Errors
/// [`CryptoError::Unsupported`] if the suite is not available.
pub fn child_keys(
    crypto: &CryptoProvider,
    ike: &IkeKeys,
    suite: &ChildSuite,
    nonce_i: &[u8],
    nonce_r: &[u8],
    secret: Option<&Secret>,
) -> Result<ChildKeys, CryptoError> {
    let prf = crypto.prf(ike.prf).ok_or(CryptoError::Unsupported)?;
    let (encryption_len, integrity_len) = match suite.encryption {
        Some(encryption) => {
            crypto.key_lens(encryption, suite.key_bits, suite.integrity).ok_or(CryptoError::Unsupported)?
        }
        None => {
            let mac = suite.integrity.and_then(|id| crypto.mac(id)).ok_or(CryptoError::Unsupported)?;
            (0, mac.key_len())
        }
    };
    let lens = [encryption_len, integrity_len, encryption_len, integrity_len];
    let seed = [secret.map_or(&[][..], Secret::expose), nonce_i, nonce_r];
    let stream = prf.plus(ike.sk_d.expose(), &seed, lens.iter().sum())?;
    let [encryption_i, integrity_i, encryption_r, integrity_r] = cut(&stream, lens);
    Ok(ChildKeys {
        initiator: DirectionKeys { encryption: encryption_i, integrity: integrity_i },
        responder: DirectionKeys { encryption: encryption_r, integrity: integrity_r },
    })
}

/// The key of the first PRF: both nonces, or their first octets for a PRF whose key length is fixed.
fn nonce_key(prf: &dyn Prf, nonce_i: &[u8], nonce_r: &[u8]) -> Secret {
    let len = match prf.id() {
        PrfId::AES128_XCBC | PrfId::AES128_CMAC => FIXED_KEY_NONCE_LEN,
        _ => usize::MAX,
    };
    let part = |nonce: &[u8]| nonce[..nonce.len().min(len)].to_vec();
    Secret::from([part(nonce_i), part(nonce_r)].concat())
}

/// Cuts a key stream into pieces; it has exactly as many octets.
fn cut<const N: usize>(stream: &Secret, lens: [usize; N]) -> [Secret; N] {
    let mut rest = stream.expose();
    lens.map(|len| {
        let (piece, behind) = rest.split_at(len);
        rest = behind;
        Secret::copy_from(piece)
    })
}
