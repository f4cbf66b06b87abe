//! Certificate revocation lists (RFC 5280 §5), as loaded. Fetching them is somebody else's job.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use charon_crypto::CryptoProvider;
use charon_crypto::signature::SignatureScheme;
use charon_types::distinguished_name::DistinguishedName;
use const_oid::db::rfc5280;
use der::asn1::{AnyRef, IntRef};
use der::{Decode, Encode, Sequence};
use spki::AlgorithmIdentifierRef;
use x509_cert::time::Time;

use crate::certificate::{Certificate, Extension, Signed, unix_time};
use crate::{ParseError, algorithm, pem};

/// Largest CRL taken, in octets of DER.
pub const CRL_LEN_MAX: usize = 16 << 20;

/// A revocation list. Cheap to clone.
#[derive(Clone)]
pub struct Crl {
    inner: Arc<Inner>,
}

struct Inner {
    der: Arc<[u8]>,
    signed: Range<usize>,
    scheme: Option<SignatureScheme>,
    signature: Box<[u8]>,
    issuer: DistinguishedName,
    this_update: Duration,
    next_update: Option<Duration>,
    /// Sorted.
    serials: Vec<Box<[u8]>>,
    scope: Scope,
}

/// What a list says about certificates that are not on it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// They are good.
    Full,
    /// Nothing: a delta, or limited by an extension that is not computed with.
    Partial,
    /// Entries may belong to other issuers, so they say nothing either.
    Indirect,
}

/// What a list says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevocationStatus {
    /// Not revoked, by a list that is current and complete.
    Good,
    /// Revoked or on hold.
    Revoked,
    /// This list does not tell: of another issuer, forged, out of date, or partial.
    Unknown,
}

impl Crl {
    /// Takes DER.
    ///
    /// # Errors
    /// If it is no CRL.
    pub fn from_der(der: &[u8]) -> Result<Self, ParseError> {
        parse(der).map(|inner| Self { inner: Arc::new(inner) })
    }

    /// Takes a file or message: DER, or PEM with a block `X509 CRL`.
    ///
    /// # Errors
    /// As [`Crl::from_der`].
    pub fn from_file(file: &[u8]) -> Result<Self, ParseError> {
        if !pem::is_pem(file) {
            return Self::from_der(file);
        }
        if file.len() > CRL_LEN_MAX {
            return Err(ParseError::TooLong { limit: CRL_LEN_MAX });
        }
        let blocks = pem::blocks(file);
        let crl = blocks.iter().find(|block| block.label == "X509 CRL").ok_or(ParseError::NotFound)?;
        Self::from_der(&crl.octets)
    }

    /// The DER octets.
    #[must_use]
    pub fn der(&self) -> &Arc<[u8]> {
        &self.inner.der
    }

    /// Who signed it.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.inner.issuer
    }

    /// When it was made.
    #[must_use]
    pub fn this_update(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + self.inner.this_update
    }

    /// When a newer one is due.
    #[must_use]
    pub fn next_update(&self) -> Option<SystemTime> {
        self.inner.next_update.map(|time| SystemTime::UNIX_EPOCH + time)
    }

    /// What it says of `certificate`, which `issuer` has signed. A revoked certificate stays so when the list gets old.
    #[must_use]
    pub fn status(
        &self,
        certificate: &Certificate,
        issuer: &Certificate,
        wall: SystemTime,
        crypto: &CryptoProvider,
    ) -> RevocationStatus {
        if !self.issuer().is_equivalent(certificate.issuer())
            || self.inner.scope == Scope::Indirect
            || self.this_update() > wall
            || !self.is_signed_by(issuer, crypto)
        {
            return RevocationStatus::Unknown;
        }
        let serial = certificate.serial();
        if self.inner.serials.binary_search_by(|entry| entry.as_ref().cmp(serial)).is_ok() {
            return RevocationStatus::Revoked;
        }
        let is_current = self.next_update().is_none_or(|next| wall <= next);
        if is_current && self.inner.scope == Scope::Full {
            RevocationStatus::Good
        } else {
            RevocationStatus::Unknown
        }
    }

    fn is_signed_by(&self, issuer: &Certificate, crypto: &CryptoProvider) -> bool {
        let Some(scheme) = self.inner.scheme else { return false };
        let signed = self.der().get(self.inner.signed.clone()).unwrap_or_default();
        issuer.subject().is_equivalent(self.issuer())
            && issuer.key_usage().is_none_or(|usage| usage.signs_crls())
            && crypto.verify(scheme, issuer.public_key().info(), signed, &self.inner.signature).is_ok()
    }
}

impl fmt::Debug for Crl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {} revoked)", self.issuer(), self.inner.serials.len())
    }
}

/// TBSCertList.
#[derive(Sequence)]
struct Fields<'a> {
    #[asn1(optional = "true")]
    _version: Option<u8>,
    algorithm: AlgorithmIdentifierRef<'a>,
    issuer: AnyRef<'a>,
    this_update: Time,
    #[asn1(optional = "true")]
    next_update: Option<Time>,
    #[asn1(optional = "true")]
    revoked: Option<Vec<Entry<'a>>>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<Vec<Extension<'a>>>,
}

#[derive(Sequence)]
struct Entry<'a> {
    serial: IntRef<'a>,
    _date: Time,
    #[asn1(optional = "true")]
    extensions: Option<Vec<Extension<'a>>>,
}

/// `removeFromCRL`: the entry takes back what the base list said.
const REASON_REMOVED: [u8; 3] = [0x0a, 0x01, 8];

fn parse(octets: &[u8]) -> Result<Inner, ParseError> {
    if octets.len() > CRL_LEN_MAX {
        return Err(ParseError::TooLong { limit: CRL_LEN_MAX });
    }
    let signed = Signed::parse(octets)?;
    let fields = Fields::from_der(signed.part)?;
    if fields.algorithm != signed.algorithm {
        return Err(ParseError::AlgorithmMismatch);
    }
    let mut scope = Scope::Full;
    if fields.extensions.unwrap_or_default().iter().any(|extension| extension.critical) {
        scope = Scope::Partial;
    }
    let mut serials = Vec::new();
    for entry in fields.revoked.unwrap_or_default() {
        let extensions = entry.extensions.unwrap_or_default();
        if extensions.iter().any(|extension| extension.critical) {
            scope = Scope::Indirect;
        }
        let reason = extensions.iter().find(|extension| extension.oid == rfc5280::ID_CE_CRL_REASONS);
        if reason.is_none_or(|reason| reason.value.as_bytes() != REASON_REMOVED) {
            serials.push(Box::from(entry.serial.as_bytes()));
        }
    }
    serials.sort_unstable();
    Ok(Inner {
        der: octets.into(),
        signed: signed.range,
        scheme: algorithm::signature_scheme(&signed.algorithm),
        signature: signed.signature.into(),
        issuer: DistinguishedName::from_der(&fields.issuer.to_der()?).map_err(|_| ParseError::Malformed)?,
        this_update: unix_time(fields.this_update),
        next_update: fields.next_update.map(unix_time),
        serials,
        scope,
    })
}
