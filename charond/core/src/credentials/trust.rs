//! Whether a peer's certificate is to be trusted.

use std::time::SystemTime;

use charon_crypto::CryptoProvider;
use charon_pki::path::{PathError, Requirements};
use charon_pki::{Certificate, TrustPath, TrustSources, find_path};
use charon_types::Identity;
use charon_types::connection::{AuthConfig, AuthMethod};
use tracing::info;

use super::store::CredentialSnapshot;

/// What is demanded of a peer's certificate.
#[derive(Clone, Copy, Debug)]
pub struct Demand<'a> {
    /// Certificates as received, DER, the end entity's first. Empty: look among those loaded.
    pub received: &'a [Vec<u8>],
    /// The identity that it must confirm.
    pub identity: &'a Identity,
    /// Rules of the connection.
    pub rules: &'a AuthConfig,
    /// When it must be valid.
    pub wall: SystemTime,
}

/// Why it is not trusted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// Neither sent nor loaded.
    #[error("no certificate for the peer's identity")]
    NoCertificate,
    /// Not a certificate.
    #[error("a certificate is malformed")]
    Malformed,
    /// It does not speak for the identity.
    #[error("the certificate does not confirm the peer's identity")]
    IdentityMismatch,
    /// `certs` names others.
    #[error("the certificate is none of those configured")]
    NotConfigured,
    /// No valid path.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl CredentialSnapshot {
    /// A valid path for the peer's certificate.
    ///
    /// # Errors
    /// [`TrustError`]
    pub fn trusted_path(
        &self,
        demand: &Demand<'_>,
        crypto: &CryptoProvider,
    ) -> Result<TrustPath, TrustError> {
        let mut received = Vec::with_capacity(demand.received.len());
        for der in demand.received {
            let known = self.received.get(der);
            let parsed = known.map_or_else(|| Certificate::from_der(der), Ok);
            received.push(parsed.map_err(|_| TrustError::Malformed)?);
        }
        let configured: Vec<Certificate> =
            demand.rules.certs.iter().filter_map(|der| self.parsed(der)).collect();
        let end_entity = match received.first() {
            Some(sent) => sent.clone(),
            None => configured
                .iter()
                .chain(&self.certificates)
                .find(|certificate| certificate.has_identity(demand.identity))
                .cloned()
                .ok_or(TrustError::NoCertificate)?,
        };
        if !end_entity.has_identity(demand.identity) {
            info!(target: "CFG", "certificate '{}' does not confirm '{}'", end_entity.subject(), demand.identity);
            return Err(TrustError::IdentityMismatch);
        }
        if !configured.is_empty() && !configured.contains(&end_entity) {
            return Err(TrustError::NotConfigured);
        }
        let through: Vec<Certificate> =
            demand.rules.cacerts.iter().filter_map(|der| self.parsed(der)).collect();
        let sources = TrustSources {
            authorities: &self.authorities,
            pinned: &self.certificates,
            received: &received,
            crls: &self.crls,
        };
        let chain = match &demand.rules.method {
            AuthMethod::PublicKey(constraints) => constraints.chain.as_slice(),
            AuthMethod::Unspecified | AuthMethod::Psk => &[],
        };
        let requirements =
            Requirements { wall: demand.wall, through: &through, chain, revocation: demand.rules.revocation };
        let path = find_path(&end_entity, &sources, &requirements, crypto)?;
        let loaded = |certificate: &Certificate| {
            self.authorities.contains(certificate) || self.certificates.contains(certificate)
        };
        for certificate in path.certificates().iter().filter(|certificate| !loaded(certificate)) {
            self.received.keep(certificate);
        }
        info!(target: "CFG", "using trusted certificate '{}' (authority '{}')", end_entity.subject(), path.anchor().subject());
        Ok(path)
    }
}
