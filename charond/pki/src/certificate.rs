//! X.509 certificates (RFC 5280 §4), parsed once.

mod encoding;
mod extension;
mod general_name;

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use charon_crypto::CryptoProvider;
use charon_crypto::signature::SignatureScheme;
use charon_types::distinguished_name::DistinguishedName;
use charon_types::identity::{Identity, MatchQuality};
use der::asn1::ObjectIdentifier;

use crate::{ParseError, PublicKey, pem};

pub(crate) use encoding::{Signed, list_element, unix_time};
pub(crate) use general_name::{Subtree, general_name};

pub use extension::{BasicConstraints, KeyUsage};
pub(crate) use extension::{Extension, Extensions, NameConstraints};

/// Largest certificate taken, in octets of DER.
pub const CERTIFICATE_LEN_MAX: usize = 128 * 1024;

/// A certificate. Cheap to clone; two are equal if their octets are.
#[derive(Clone)]
pub struct Certificate {
    inner: Arc<Inner>,
}

struct Inner {
    der: Arc<[u8]>,
    signed: Range<usize>,
    scheme: Option<SignatureScheme>,
    signature: Box<[u8]>,
    serial: Box<[u8]>,
    issuer: DistinguishedName,
    subject: DistinguishedName,
    not_before: Duration,
    not_after: Duration,
    public_key: PublicKey,
    extensions: Extensions,
    /// The key that the signature was found to be of.
    verified_by: OnceLock<PublicKey>,
}

impl Certificate {
    /// Takes the DER of a certificate.
    ///
    /// # Errors
    /// If it is none, or an extension that we know is malformed.
    pub fn from_der(der: &[u8]) -> Result<Self, ParseError> {
        encoding::parse(der).map(|inner| Self { inner: Arc::new(inner) })
    }

    /// Takes a file or message: DER, or PEM with a certificate as its first block of that kind.
    ///
    /// # Errors
    /// As [`Certificate::from_der`].
    pub fn from_file(file: &[u8]) -> Result<Self, ParseError> {
        if !pem::is_pem(file) {
            return Self::from_der(file);
        }
        Self::all_from_pem(file)?.into_iter().next().ok_or(ParseError::NotFound)
    }

    /// All certificates of a PEM text, in order.
    ///
    /// # Errors
    /// That of the first that is malformed.
    pub fn all_from_pem(file: &[u8]) -> Result<Vec<Self>, ParseError> {
        if file.len() > pem::FILE_LEN_MAX {
            return Err(ParseError::TooLong { limit: pem::FILE_LEN_MAX });
        }
        let blocks = pem::blocks(file);
        let certificates = blocks.iter().filter(|block| LABELS.contains(&block.label.as_str()));
        certificates.map(|block| Self::from_der(&block.octets)).collect()
    }

    /// The DER octets.
    #[must_use]
    pub fn der(&self) -> &Arc<[u8]> {
        &self.inner.der
    }

    /// Whom it speaks of; may be empty.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.inner.subject
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.inner.issuer
    }

    /// Serial number, big endian as encoded.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        &self.inner.serial
    }

    /// First moment of validity.
    #[must_use]
    pub fn not_before(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.inner.not_before
    }

    /// Last moment of validity.
    #[must_use]
    pub fn not_after(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.inner.not_after
    }

    /// The key that it certifies.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.inner.public_key
    }

    /// How it was signed, `None` for an algorithm that no provider can check.
    #[must_use]
    pub fn signature_scheme(&self) -> Option<SignatureScheme> {
        self.inner.scheme
    }

    /// Subject alternative names, in order. Kinds without an identity type of their own are [`Identity::Gn`].
    #[must_use]
    pub fn alternative_names(&self) -> &[Identity] {
        &self.inner.extensions.alternative_names
    }

    /// Basic constraints, `None` if it has none: then it is no authority's.
    #[must_use]
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.inner.extensions.basic_constraints
    }

    /// Whether it is an authority's.
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.basic_constraints().is_some_and(|constraints| constraints.is_ca)
    }

    /// Key usage, `None` if any use is allowed.
    #[must_use]
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.inner.extensions.key_usage
    }

    /// Extended key usages; empty if there is no such extension.
    #[must_use]
    pub fn extended_key_usages(&self) -> &[ObjectIdentifier] {
        &self.inner.extensions.extended_key_usages
    }

    /// Subject key identifier, as the issuer chose it.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.inner.extensions.subject_key_id.as_deref()
    }

    /// Key identifier of the issuer's key.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.inner.extensions.authority_key_id.as_deref()
    }

    /// Where CRLs are to be had.
    #[must_use]
    pub fn crl_uris(&self) -> &[String] {
        &self.inner.extensions.crl_uris
    }

    /// Where OCSP is to be had.
    #[must_use]
    pub fn ocsp_uris(&self) -> &[String] {
        &self.inner.extensions.ocsp_uris
    }

    /// A critical extension that we do not know: the certificate must not be relied upon (RFC 5280 §4.2).
    #[must_use]
    pub fn unknown_critical_extension(&self) -> Option<ObjectIdentifier> {
        self.inner.extensions.unknown_critical
    }

    /// Whether it confirms that identity (RFC 4945 §3.1): it is an alternative name, or the DN is the subject, or the key
    /// id is the subject key identifier. The common name confirms nothing. Patterns are confirmed by nobody.
    #[must_use]
    pub fn has_identity(&self, identity: &Identity) -> bool {
        self.identities().any(|own| own.is_equivalent(identity))
    }

    /// How closely a pattern describes one of its identities.
    #[must_use]
    pub fn matches(&self, pattern: &Identity) -> Option<MatchQuality> {
        self.identities().filter_map(|own| own.matches(pattern)).max()
    }

    /// Whether the wall clock is within its validity.
    #[must_use]
    pub fn is_valid_at(&self, wall: SystemTime) -> bool {
        self.not_before() <= wall && wall <= self.not_after()
    }

    /// Whether subject and issuer are the same. The signature is not looked at.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject().is_equivalent(self.issuer())
    }

    /// Whether `issuer` could have signed it, by names and key identifiers.
    #[must_use]
    pub fn may_be_issued_by(&self, issuer: &Self) -> bool {
        let same_key = match (self.authority_key_id(), issuer.subject_key_id()) {
            (Some(asked), Some(held)) => asked == held,
            _ => true,
        };
        same_key && !issuer.subject().is_empty() && self.issuer().is_equivalent(issuer.subject())
    }

    /// Whether the signature is that of `issuer`'s key. What was found good is remembered.
    ///
    /// # Errors
    /// [`charon_crypto::CryptoError`] if it is not, or cannot be checked.
    pub fn verify_signature(
        &self,
        issuer: &Self,
        crypto: &CryptoProvider,
    ) -> Result<(), charon_crypto::CryptoError> {
        let key = issuer.public_key();
        if self.inner.verified_by.get() == Some(key) {
            return Ok(());
        }
        let scheme = self.signature_scheme().ok_or(charon_crypto::CryptoError::Unsupported)?;
        let signed = self.der().get(self.inner.signed.clone()).unwrap_or_default();
        crypto.verify(scheme, key.info(), signed, &self.inner.signature)?;
        // A second issuer with another key of the same name keeps being checked.
        drop(self.inner.verified_by.set(key.clone()));
        Ok(())
    }

    /// Name constraints that it puts on what is issued below it.
    pub(crate) fn name_constraints(&self) -> Option<&NameConstraints> {
        self.inner.extensions.name_constraints.as_ref()
    }

    /// The subject, if not empty, the alternative names, and the subject key identifier.
    fn identities(&self) -> impl Iterator<Item = Identity> {
        let subject = (!self.subject().is_empty()).then(|| Identity::Dn(self.subject().clone()));
        let key_id = self.subject_key_id().map(|id| Identity::KeyId(id.to_vec()));
        subject.into_iter().chain(self.alternative_names().iter().cloned()).chain(key_id)
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject())
    }
}

const LABELS: [&str; 3] = ["CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"];
