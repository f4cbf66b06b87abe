//! Public keys: those in certificates, and raw ones.

use std::fmt;
use std::sync::{Arc, OnceLock};

use charon_crypto::CryptoProvider;
use charon_crypto::hash::HashAlgorithm;
use charon_crypto::signature::KeyKind;
use der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use der::{Decode, Encode};
use spki::SubjectPublicKeyInfo;

use crate::{ParseError, algorithm, pem};

/// SHA-1 of a key: a name for it, not a protection.
pub type KeyHash = [u8; 20];

/// A public key as SubjectPublicKeyInfo. Cheap to clone. Keys of kinds that no provider knows can be held and listed.
#[derive(Clone)]
pub struct PublicKey {
    inner: Arc<Inner>,
}

struct Inner {
    info: Box<[u8]>,
    key_octets: Box<[u8]>,
    kind: Option<KeyKind>,
    bits: u32,
    info_hash: OnceLock<Option<KeyHash>>,
    key_hash: OnceLock<Option<KeyHash>>,
}

impl PublicKey {
    /// Takes a SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] if it is none.
    pub fn from_info_der(info: &[u8]) -> Result<Self, ParseError> {
        let parsed = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(info)?;
        let key_octets = parsed.subject_public_key.as_bytes().ok_or(ParseError::Malformed)?;
        let kind = algorithm::key_kind(parsed.algorithm.oid, parsed.algorithm.parameters);
        let bits = match kind {
            Some(KeyKind::Rsa) => rsa_bits(key_octets)?,
            Some(KeyKind::EcdsaP256) => 256,
            Some(KeyKind::EcdsaP384) => 384,
            Some(KeyKind::EcdsaP521) => 521,
            Some(KeyKind::Ed25519) => 256,
            Some(KeyKind::Ed448) => 456,
            None => 0,
        };
        Ok(Self {
            inner: Arc::new(Inner {
                info: info.into(),
                key_octets: key_octets.into(),
                kind,
                bits,
                info_hash: OnceLock::new(),
                key_hash: OnceLock::new(),
            }),
        })
    }

    /// Takes a file or message: PEM (`PUBLIC KEY`, `RSA PUBLIC KEY`) or DER of either form.
    ///
    /// # Errors
    /// If there is no public key in it.
    pub fn from_file(file: &[u8]) -> Result<Self, ParseError> {
        if file.len() > pem::FILE_LEN_MAX {
            return Err(ParseError::TooLong { limit: pem::FILE_LEN_MAX });
        }
        if !pem::is_pem(file) {
            return Self::from_info_der(file).or_else(|_| Self::from_pkcs1_der(file));
        }
        let blocks = pem::blocks(file);
        let key = blocks.iter().find_map(|block| match block.label.as_str() {
            "PUBLIC KEY" => Some(Self::from_info_der(&block.octets)),
            "RSA PUBLIC KEY" => Some(Self::from_pkcs1_der(&block.octets)),
            _ => None,
        });
        key.unwrap_or(Err(ParseError::NotFound))
    }

    /// Takes a PKCS#1 RSAPublicKey.
    ///
    /// # Errors
    /// [`ParseError::Malformed`] if it is none.
    pub fn from_pkcs1_der(key: &[u8]) -> Result<Self, ParseError> {
        rsa_bits(key)?;
        let algorithm = spki::AlgorithmIdentifier { oid: RSA_ENCRYPTION, parameters: Some(AnyRef::NULL) };
        let info = SubjectPublicKeyInfo { algorithm, subject_public_key: BitStringRef::from_bytes(key)? };
        Self::from_info_der(&info.to_der()?)
    }

    /// Kind of the key, `None` if no provider can know it.
    #[must_use]
    pub fn kind(&self) -> Option<KeyKind> {
        self.inner.kind
    }

    /// Size in bits (modulus or field), 0 if the kind is unknown.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.inner.bits
    }

    /// SubjectPublicKeyInfo, DER.
    #[must_use]
    pub fn info(&self) -> &[u8] {
        &self.inner.info
    }

    /// Octets of the `subjectPublicKey` BIT STRING.
    #[must_use]
    pub fn key_octets(&self) -> &[u8] {
        &self.inner.key_octets
    }

    /// SHA-1 of the SubjectPublicKeyInfo, as CERTREQ payloads list authorities (RFC 7296 §3.7). `None` without SHA-1.
    #[must_use]
    pub fn info_hash(&self, crypto: &CryptoProvider) -> Option<KeyHash> {
        *self.inner.info_hash.get_or_init(|| sha1(crypto, self.info()))
    }

    /// SHA-1 of the subjectPublicKey bits, the key id that listings show. `None` without SHA-1.
    #[must_use]
    pub fn key_hash(&self, crypto: &CryptoProvider) -> Option<KeyHash> {
        *self.inner.key_hash.get_or_init(|| sha1(crypto, self.key_octets()))
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.info() == other.info()
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey")
            .field("kind", &self.kind())
            .field("bits", &self.bits())
            .finish_non_exhaustive()
    }
}

const RSA_ENCRYPTION: ObjectIdentifier = const_oid::db::rfc5912::RSA_ENCRYPTION;

fn rsa_bits(key: &[u8]) -> Result<u32, ParseError> {
    let key = pkcs1::RsaPublicKeyRef::from_der(key)?;
    let modulus = key.modulus.as_bytes();
    let octets = u32::try_from(modulus.len()).map_err(|_| ParseError::Malformed)?;
    let unused = modulus.first().map_or(0, |octet| octet.leading_zeros());
    Ok(octets.saturating_mul(8).saturating_sub(unused))
}

fn sha1(crypto: &CryptoProvider, octets: &[u8]) -> Option<KeyHash> {
    crypto.hash(HashAlgorithm::Sha1, &[octets]).and_then(|hash| hash.try_into().ok())
}
