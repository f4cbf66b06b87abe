//! From a peer's certificate to a trusted authority (RFC 5280 §6, without policies).
//!
//! Building is a bounded depth-first search; what it finds is judged in `path/validation.rs`. Authorities that are loaded
//! and self-signed are anchors; other loaded ones only help to build.

mod name_constraint;
mod validation;

use std::time::SystemTime;

use charon_crypto::{CryptoError, CryptoProvider};
use charon_types::connection::{Revocation, SignatureConstraint};
use charon_types::distinguished_name::DistinguishedName;

use crate::certificate::Certificate;
use crate::crl::Crl;

/// Most certificates in a path, both ends included.
pub const PATH_LEN_MAX: usize = 10;
/// Most signatures checked for one path, so that a peer cannot make us try for ever.
pub const SIGNATURE_CHECKS_MAX: usize = 48;
/// Most received certificates looked at.
pub const RECEIVED_MAX: usize = 32;

/// Where certificates come from.
#[derive(Clone, Copy, Debug, Default)]
pub struct TrustSources<'a> {
    /// Certificates of authorities as loaded.
    pub authorities: &'a [Certificate],
    /// End entity certificates as loaded: trusted as they are.
    pub pinned: &'a [Certificate],
    /// Certificates that the peer sent, trusted by nobody.
    pub received: &'a [Certificate],
    /// Revocation lists as loaded.
    pub crls: &'a [Crl],
}

/// What is demanded of a path.
#[derive(Clone, Copy, Debug)]
pub struct Requirements<'a> {
    /// When its certificates must be valid.
    pub wall: SystemTime,
    /// One of these authorities must be in it; empty demands none.
    pub through: &'a [Certificate],
    /// Strength of keys and signatures; empty demands none.
    pub chain: &'a [SignatureConstraint],
    /// What a missing revocation list means.
    pub revocation: Revocation,
}

/// A path that was found and validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPath {
    certificates: Vec<Certificate>,
}

impl TrustPath {
    /// The certificates, the end entity's first, the trusted authority's last. A pinned certificate stands alone.
    #[must_use]
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The end entity's certificate.
    ///
    /// # Panics
    /// Never: paths are made with one.
    #[must_use]
    pub fn end_entity(&self) -> &Certificate {
        self.certificates.first().expect("a path begins with the end entity's certificate")
    }

    /// The certificate that is trusted by itself.
    ///
    /// # Panics
    /// Never, as above.
    #[must_use]
    pub fn anchor(&self) -> &Certificate {
        self.certificates.last().expect("a path has at least one certificate")
    }
}

/// Why there is no valid path. Where several were tried, the reason of the one that came farthest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Nobody whom we know issued it.
    #[error("no issuer certificate found for '{subject}'")]
    NoIssuer {
        /// Whose issuer is missing.
        subject: DistinguishedName,
    },
    /// The path ends at a self-signed certificate that is not loaded.
    #[error("self-signed certificate '{subject}' is not trusted")]
    UntrustedRoot {
        /// Whose.
        subject: DistinguishedName,
    },
    /// The search was ended at [`SIGNATURE_CHECKS_MAX`].
    #[error("more than {SIGNATURE_CHECKS_MAX} signatures to check")]
    TooComplex,
    /// The signature is not its issuer's.
    #[error("signature on certificate '{subject}' is invalid")]
    Forged {
        /// Whose certificate.
        subject: DistinguishedName,
    },
    /// Signed with an algorithm or key that no provider can check.
    #[error("signature on certificate '{subject}' is of an unsupported kind")]
    Unsupported {
        /// Whose certificate.
        subject: DistinguishedName,
    },
    /// The issuer is no authority, or may not sign certificates.
    #[error("issuer '{subject}' is not allowed to sign certificates")]
    NotAuthority {
        /// The issuer.
        subject: DistinguishedName,
    },
    /// The key may not be used for signatures (RFC 4945 §5.1.3.2).
    #[error("key of certificate '{subject}' is not meant for signatures")]
    KeyUsage {
        /// Whose certificate.
        subject: DistinguishedName,
    },
    /// Not valid yet.
    #[error("certificate '{subject}' is not valid yet")]
    NotYetValid {
        /// Whose certificate.
        subject: DistinguishedName,
        /// When it will be.
        not_before: SystemTime,
    },
    /// Not valid any more.
    #[error("certificate '{subject}' has expired")]
    Expired {
        /// Whose certificate.
        subject: DistinguishedName,
        /// Until when it was valid.
        not_after: SystemTime,
    },
    /// More authorities below it than it allows, or more than [`PATH_LEN_MAX`] at all.
    #[error("path below '{subject}' is too long")]
    PathTooLong {
        /// The authority that limits it.
        subject: DistinguishedName,
    },
    /// A name outside of what an authority may certify.
    #[error("certificate '{subject}' violates name constraints of an authority")]
    NameConstraint {
        /// Whose name.
        subject: DistinguishedName,
    },
    /// A critical extension that we do not know.
    #[error("certificate '{subject}' has the unknown critical extension {oid}")]
    UnknownExtension {
        /// Whose certificate.
        subject: DistinguishedName,
        /// Which extension.
        oid: der::asn1::ObjectIdentifier,
    },
    /// None of the demanded authorities is in the path.
    #[error("path does not lead through a demanded authority")]
    WrongAuthority,
    /// A key or signature is weaker than configured, or of another kind.
    #[error("certificate '{subject}' does not meet the configured constraints on keys and signatures")]
    TooWeak {
        /// Whose certificate.
        subject: DistinguishedName,
    },
    /// Revoked.
    #[error("certificate '{subject}' is revoked")]
    Revoked {
        /// Whose certificate.
        subject: DistinguishedName,
    },
    /// Revocation must be known and is not.
    #[error("revocation status of certificate '{subject}' is not known")]
    RevocationUnknown {
        /// Whose certificate.
        subject: DistinguishedName,
    },
}

impl PathError {
    /// How far a search came that failed like this.
    const fn progress(&self) -> u8 {
        match self {
            Self::NoIssuer { .. } => 0,
            Self::Forged { .. } | Self::Unsupported { .. } => 1,
            Self::UntrustedRoot { .. } | Self::NotAuthority { .. } => 2,
            Self::TooComplex => 3,
            _ => 4,
        }
    }
}

/// A valid path for `end_entity`. Whether the certificate confirms an identity is asked elsewhere
/// ([`Certificate::has_identity`]).
///
/// # Errors
/// [`PathError`] of the attempt that came farthest.
pub fn find_path(
    end_entity: &Certificate,
    sources: &TrustSources<'_>,
    requirements: &Requirements<'_>,
    crypto: &CryptoProvider,
) -> Result<TrustPath, PathError> {
    let mut search =
        Search { sources, requirements, crypto, checks_left: SIGNATURE_CHECKS_MAX, failure: None };
    let mut path = vec![end_entity.clone()];
    // One that is pinned needs no authority, unless one is demanded.
    if sources.pinned.contains(end_entity) && requirements.through.is_empty() {
        validation::validate_pinned(end_entity, requirements)?;
        return Ok(TrustPath { certificates: path });
    }
    if search.extend(&mut path) {
        return Ok(TrustPath { certificates: path });
    }
    let subject = end_entity.subject().clone();
    Err(search.failure.unwrap_or(PathError::NoIssuer { subject }))
}

struct Search<'a> {
    sources: &'a TrustSources<'a>,
    requirements: &'a Requirements<'a>,
    crypto: &'a CryptoProvider,
    checks_left: usize,
    failure: Option<PathError>,
}

impl Search<'_> {
    /// Whether `path` could be continued to a valid one; then it is that.
    fn extend(&mut self, path: &mut Vec<Certificate>) -> bool {
        let Some(last) = path.last().cloned() else { return false };
        if self.is_anchor(&last) {
            let verdict = validation::validate(path, self.sources, self.requirements, self.crypto);
            return verdict.map_err(|failure| self.note(failure)).is_ok();
        }
        let subject = last.subject().clone();
        if path.len() >= PATH_LEN_MAX {
            self.note(PathError::PathTooLong { subject });
            return false;
        }
        let issuers = self.issuers_of(&last, path);
        if issuers.is_empty() {
            self.note(if last.is_self_issued() {
                PathError::UntrustedRoot { subject }
            } else {
                PathError::NoIssuer { subject }
            });
        }
        for issuer in issuers {
            if let Err(failure) = self.check_issuer(&last, &issuer) {
                let exhausted = failure == PathError::TooComplex;
                self.note(failure);
                if exhausted {
                    return false;
                }
                continue;
            }
            path.push(issuer);
            if self.extend(path) {
                return true;
            }
            path.pop();
        }
        false
    }

    /// Loaded and self-signed. The signature on itself protects nothing, so names and key ids decide.
    fn is_anchor(&self, certificate: &Certificate) -> bool {
        certificate.may_be_issued_by(certificate) && self.sources.authorities.contains(certificate)
    }

    /// Those who may have issued it, anchors first, then other loaded ones, then received ones; none twice.
    fn issuers_of(&self, certificate: &Certificate, path: &[Certificate]) -> Vec<Certificate> {
        let received = self.sources.received.iter().take(RECEIVED_MAX);
        let mut issuers: Vec<Certificate> = Vec::new();
        for candidate in self.sources.authorities.iter().chain(received) {
            let repeats = path.contains(candidate) || issuers.contains(candidate);
            if !repeats && certificate.may_be_issued_by(candidate) {
                issuers.push(candidate.clone());
            }
        }
        // Stable: the order within each kind stays.
        issuers.sort_by_key(|issuer| !self.is_anchor(issuer));
        issuers
    }

    fn check_issuer(&mut self, certificate: &Certificate, issuer: &Certificate) -> Result<(), PathError> {
        let may_sign = issuer.is_ca() && issuer.key_usage().is_none_or(|usage| usage.signs_certificates());
        if !may_sign {
            return Err(PathError::NotAuthority { subject: issuer.subject().clone() });
        }
        self.checks_left = self.checks_left.checked_sub(1).ok_or(PathError::TooComplex)?;
        let subject = || certificate.subject().clone();
        certificate.verify_signature(issuer, self.crypto).map_err(|error| match error {
            CryptoError::Unsupported => PathError::Unsupported { subject: subject() },
            _ => PathError::Forged { subject: subject() },
        })
    }

    fn note(&mut self, failure: PathError) {
        if self.failure.as_ref().is_none_or(|known| known.progress() < failure.progress()) {
            self.failure = Some(failure);
        }
    }
}
