//! What we authenticate with: a certificate of ours, its private key, and the certificates between it and its root.

use std::sync::Arc;

use charon_crypto::CryptoProvider;
use charon_crypto::signature::PrivateKey;
use charon_pki::{Certificate, KeyHash};
use charon_types::connection::AuthConfig;

use super::store::{CredentialSnapshot, KeyId};

/// Most certificates sent.
const CHAIN_MAX: usize = 8;

/// A certificate of ours and what belongs to it.
#[derive(Clone)]
pub struct OwnCertificate {
    /// The end entity's first, then intermediate ones; the root is not sent.
    pub chain: Vec<Certificate>,
    /// The end entity's private key.
    pub key: Arc<dyn PrivateKey>,
}

impl CredentialSnapshot {
    /// A certificate with which we can authenticate as `rules` say: one of `rules.certs` if there are any, else one that confirms
    /// `rules.id`; in both cases with a private key loaded. One that leads to an authority in `requested` is preferred.
    #[must_use]
    pub fn own_certificate(
        &self,
        rules: &AuthConfig,
        requested: &[KeyHash],
        crypto: &CryptoProvider,
    ) -> Option<OwnCertificate> {
        let configured: Vec<Certificate> = rules.certs.iter().filter_map(|der| self.parsed(der)).collect();
        let loaded = self.certificates.iter().filter(|certificate| match &rules.id {
            Some(id) => certificate.matches(id).is_some(),
            None => true,
        });
        let candidates = if rules.certs.is_empty() { loaded.cloned().collect() } else { configured };
        let usable = candidates.into_iter().filter_map(|certificate| {
            let id = KeyId(certificate.public_key().key_hash(crypto)?);
            Some((certificate, Arc::clone(self.key(&id)?)))
        });
        let mut fallback = None;
        for (certificate, key) in usable {
            let (chain, leads_to) = self.chain_of(certificate, crypto);
            let own = OwnCertificate { chain, key };
            if leads_to.iter().any(|authority| requested.contains(authority)) {
                return Some(own);
            }
            fallback.get_or_insert(own);
        }
        fallback
    }

    /// Authorities to name in a CERTREQ to a peer that must satisfy one of `rules`: their `cacerts`, or all loaded.
    #[must_use]
    pub fn authorities_for(&self, rules: &[AuthConfig]) -> Vec<Certificate> {
        let named: Vec<Certificate> =
            rules.iter().flat_map(|auth| &auth.cacerts).filter_map(|der| self.parsed(der)).collect();
        if named.is_empty() { self.authorities.clone() } else { named }
    }

    /// A certificate from its DER; one that is loaded is not parsed again.
    pub(super) fn parsed(&self, der: &Arc<[u8]>) -> Option<Certificate> {
        let loaded = self.certificates.iter().chain(&self.authorities);
        let same =
            |certificate: &&Certificate| Arc::ptr_eq(certificate.der(), der) || certificate.der() == der;
        loaded.clone().find(same).cloned().or_else(|| Certificate::from_der(der).ok())
    }

    /// A certificate and those between it and its root, and the key hashes of every authority above it that is known.
    fn chain_of(
        &self,
        certificate: Certificate,
        crypto: &CryptoProvider,
    ) -> (Vec<Certificate>, Vec<KeyHash>) {
        let mut chain = vec![certificate];
        let mut authorities = Vec::new();
        while let Some(last) = chain.last().filter(|last| !last.is_self_issued()) {
            let Some(issuer) =
                self.authorities.iter().find(|authority| last.may_be_issued_by(authority)).cloned()
            else {
                break;
            };
            authorities.extend(issuer.public_key().info_hash(crypto));
            if issuer.is_self_issued() || chain.len() == CHAIN_MAX || chain.contains(&issuer) {
                break;
            }
            chain.push(issuer);
        }
        (chain, authorities)
    }
}
