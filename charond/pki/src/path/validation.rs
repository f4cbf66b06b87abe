//! Whether a complete path holds.

use charon_crypto::CryptoProvider;
use charon_types::connection::Revocation;

use super::{PathError, Requirements, TrustSources, name_constraint};
use crate::certificate::Certificate;
use crate::constraint::{allows_authority, allows_end_entity, allows_scheme};
use crate::crl::RevocationStatus;

/// A certificate that is trusted by itself: its time and its key still count.
pub(super) fn validate_pinned(
    certificate: &Certificate,
    requirements: &Requirements<'_>,
) -> Result<(), PathError> {
    check_validity(certificate, requirements)?;
    check_end_entity(certificate, requirements)
}

/// A path whose signatures are checked already, the end entity first, the anchor last.
pub(super) fn validate(
    path: &[Certificate],
    sources: &TrustSources<'_>,
    requirements: &Requirements<'_>,
    crypto: &CryptoProvider,
) -> Result<(), PathError> {
    let Some((end_entity, authorities)) = path.split_first() else { return Err(PathError::WrongAuthority) };
    for certificate in path {
        check_validity(certificate, requirements)?;
        if let Some(oid) = certificate.unknown_critical_extension() {
            return Err(PathError::UnknownExtension { subject: certificate.subject().clone(), oid });
        }
    }
    check_end_entity(end_entity, requirements)?;
    check_path_lengths(authorities)?;
    name_constraint::check(path)?;
    check_authorities(path, requirements)?;
    check_revocation(path, sources, requirements, crypto)
}

fn check_validity(certificate: &Certificate, requirements: &Requirements<'_>) -> Result<(), PathError> {
    let subject = || certificate.subject().clone();
    if requirements.wall < certificate.not_before() {
        return Err(PathError::NotYetValid { subject: subject(), not_before: certificate.not_before() });
    }
    if requirements.wall > certificate.not_after() {
        return Err(PathError::Expired { subject: subject(), not_after: certificate.not_after() });
    }
    Ok(())
}

fn check_end_entity(certificate: &Certificate, requirements: &Requirements<'_>) -> Result<(), PathError> {
    let subject = || certificate.subject().clone();
    if certificate.key_usage().is_some_and(|usage| !usage.signs_data()) && !certificate.is_ca() {
        return Err(PathError::KeyUsage { subject: subject() });
    }
    if !allows_end_entity(requirements.chain, certificate.public_key()) {
        return Err(PathError::TooWeak { subject: subject() });
    }
    Ok(())
}

/// Each authority limits how many may follow below it; self-issued ones (new keys of the same authority) do not count.
fn check_path_lengths(authorities: &[Certificate]) -> Result<(), PathError> {
    let mut below: usize = 0;
    for authority in authorities {
        let limit = authority.basic_constraints().and_then(|constraints| constraints.path_len);
        if limit.is_some_and(|limit| below > usize::from(limit)) {
            return Err(PathError::PathTooLong { subject: authority.subject().clone() });
        }
        if !authority.is_self_issued() {
            below = below.saturating_add(1);
        }
    }
    Ok(())
}

fn check_authorities(path: &[Certificate], requirements: &Requirements<'_>) -> Result<(), PathError> {
    let through = requirements.through;
    let authorities = path.get(1..).unwrap_or_default();
    if !through.is_empty() && !authorities.iter().any(|authority| through.contains(authority)) {
        return Err(PathError::WrongAuthority);
    }
    for authority in authorities {
        if !allows_authority(requirements.chain, authority.public_key()) {
            return Err(PathError::TooWeak { subject: authority.subject().clone() });
        }
    }
    // The anchor's signature on itself does not matter.
    let signed = path.len().saturating_sub(1);
    for certificate in path.iter().take(signed) {
        let scheme = certificate.signature_scheme();
        if !scheme.is_some_and(|scheme| allows_scheme(requirements.chain, scheme)) {
            return Err(PathError::TooWeak { subject: certificate.subject().clone() });
        }
    }
    Ok(())
}

fn check_revocation(
    path: &[Certificate],
    sources: &TrustSources<'_>,
    requirements: &Requirements<'_>,
    crypto: &CryptoProvider,
) -> Result<(), PathError> {
    for (certificate, issuer) in path.iter().zip(path.iter().skip(1)) {
        let subject = || certificate.subject().clone();
        let mut status = RevocationStatus::Unknown;
        for crl in sources.crls {
            match crl.status(certificate, issuer, requirements.wall, crypto) {
                RevocationStatus::Revoked => return Err(PathError::Revoked { subject: subject() }),
                RevocationStatus::Good => status = RevocationStatus::Good,
                RevocationStatus::Unknown => {}
            }
        }
        let named = !(certificate.crl_uris().is_empty() && certificate.ocsp_uris().is_empty());
        let must_know = match requirements.revocation {
            Revocation::Strict => true,
            Revocation::IfUri => named,
            Revocation::Relaxed => false,
        };
        if must_know && status != RevocationStatus::Good {
            return Err(PathError::RevocationUnknown { subject: subject() });
        }
    }
    Ok(())
}
