//! Core's credentials as `ikev2-proto` sees them.

use std::sync::Arc;

use charon_core::credentials::{CredentialSnapshot, Demand, TrustError};
use charon_crypto::CryptoProvider;
use charon_pki::Certificate;
use charon_pki::path::PathError;
use charon_types::connection::AuthConfig;
use charon_types::{Identity, Secret};
use ikev2_proto::env::{
    Authority, AuthorityKeyId, CredentialView, OwnCredential, PeerVerifier, TrustFailure, TrustRequest,
    TrustedKey,
};

/// One snapshot of the credentials; cheap to clone, so that a job can take it along.
#[derive(Clone)]
pub(crate) struct Trust {
    credentials: Arc<CredentialSnapshot>,
    crypto: Arc<CryptoProvider>,
}

impl Trust {
    pub(crate) const fn new(credentials: Arc<CredentialSnapshot>, crypto: Arc<CryptoProvider>) -> Self {
        Self { credentials, crypto }
    }

    fn authority_of(&self, certificate: &Certificate) -> Option<Authority> {
        let key_id = AuthorityKeyId(certificate.public_key().info_hash(&self.crypto)?);
        Some(Authority { key_id, subject: subject(certificate) })
    }
}

fn subject(certificate: &Certificate) -> Identity {
    Identity::Dn(certificate.subject().clone())
}

impl CredentialView for Trust {
    fn shared_keys(&self, local: &Identity, remote: &Identity) -> Vec<Secret> {
        self.credentials.shared_keys(local, remote)
    }

    fn own_credential(&self, rules: &AuthConfig, requested: &[AuthorityKeyId]) -> Option<OwnCredential> {
        let requested: Vec<_> = requested.iter().map(|authority| authority.0).collect();
        let own = self.credentials.own_certificate(rules, &requested, &self.crypto)?;
        let identity = subject(own.chain.first()?);
        let chain = own.chain.iter().map(|certificate| Arc::clone(certificate.der())).collect();
        Some(OwnCredential {
            identity,
            chain,
            subjects: own.chain.iter().map(subject).collect(),
            key: own.key,
        })
    }

    fn authorities(&self, rules: &[AuthConfig]) -> Vec<Authority> {
        let certificates = self.credentials.authorities_for(rules);
        certificates.iter().filter_map(|certificate| self.authority_of(certificate)).collect()
    }

    fn authority(&self, key_id: &AuthorityKeyId) -> Option<Authority> {
        self.credentials
            .authorities
            .iter()
            .find(|certificate| certificate.public_key().info_hash(&self.crypto) == Some(key_id.0))
            .and_then(|certificate| self.authority_of(certificate))
    }

    fn verifier(&self) -> Arc<dyn PeerVerifier> {
        Arc::new(self.clone())
    }
}

impl PeerVerifier for Trust {
    fn trusted_key(&self, request: &TrustRequest) -> Result<TrustedKey, TrustFailure> {
        let demand = Demand {
            received: &request.chain,
            identity: &request.identity,
            rules: &request.rules,
            wall: request.wall,
        };
        let path = self.credentials.trusted_path(&demand, &self.crypto).map_err(|error| {
            tracing::info!(target: "CFG", "no trusted certificate for '{}': {error}", request.identity);
            failure(&error)
        })?;
        let key = path.end_entity().public_key();
        Ok(TrustedKey {
            public_key_info: key.info().to_vec(),
            kind: key.kind().ok_or(TrustFailure::Malformed)?,
            bits: key.bits(),
        })
    }
}

fn failure(error: &TrustError) -> TrustFailure {
    match error {
        TrustError::NoCertificate => TrustFailure::NoCertificate,
        TrustError::IdentityMismatch => TrustFailure::IdentityMismatch,
        TrustError::NotConfigured => TrustFailure::Constraint,
        TrustError::Path(error) => match error {
            PathError::NoIssuer { .. } | PathError::UntrustedRoot { .. } | PathError::Forged { .. } => {
                TrustFailure::NoTrustedPath
            }
            PathError::Expired { .. } | PathError::NotYetValid { .. } => TrustFailure::Expired,
            PathError::Revoked { .. } => TrustFailure::Revoked,
            PathError::RevocationUnknown { .. } => TrustFailure::RevocationUnknown,
            _ => TrustFailure::Constraint,
        },
        _ => TrustFailure::Malformed,
    }
}
