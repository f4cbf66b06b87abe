//! How the peer proves who it is.

use std::sync::Arc;

use charon_types::Secret;
use charon_types::connection::{AuthConfig, AuthMethod, SignatureConstraint};
use charon_types::identity::Identity;

use crate::auth::{psk, signature};
use crate::env::{TrustRequest, TrustedKey};
use crate::failure::{Failure, LocalFault, Refusal};
use crate::job::{Job, Verify, VerifyFailure};
use crate::sa::{Cx, Sa};
use crate::text;
use crate::wire::payload::{AuthMethodId, CertEncoding};
use crate::wire::{Auth, Message};

/// The peer proved its identity. Made here only.
#[derive(Debug)]
pub(crate) struct PeerAuthenticated(());

/// Most certificates of a peer that are looked at.
const CHAIN_MAX: usize = 16;

/// Checks a MAC by any of the keys that we share with the peer.
pub(crate) fn verify_psk(
    sa: &Sa,
    cx: Cx<'_>,
    local: &Identity,
    remote: &Identity,
    octets: &[u8],
    auth: &Auth,
) -> Result<PeerAuthenticated, Failure> {
    let keys: Vec<Secret> = cx.env.credentials.shared_keys(local, remote);
    let prf = sa.suite.ok_or(LocalFault::NoSharedKey)?.prf;
    for key in &keys {
        if psk::verify(super::prf(cx, prf)?, key, octets, &auth.data).is_ok() {
            tracing::info!(target: "IKE", "authentication of '{remote}' with pre-shared key successful");
            return Ok(PeerAuthenticated(()));
        }
    }
    if keys.is_empty() {
        tracing::info!(target: "IKE", "no shared key found for '{local}' - '{remote}'");
    } else {
        let plural = if keys.len() == 1 { "" } else { "s" };
        tracing::info!(
            target: "IKE",
            "tried {} shared key{plural} for '{local}' - '{remote}', but MAC mismatched",
            keys.len()
        );
    }
    Err(Refusal::AuthenticationFailed.into())
}

/// The job that checks a signature by a trusted key.
pub(crate) fn verify_job(
    cx: Cx<'_>,
    remote: &Identity,
    rules: &AuthConfig,
    message: &Message,
    octets: Vec<u8>,
    auth: &Auth,
) -> Result<Job, Failure> {
    let (scheme, signature) = signature::parse(auth.method, &auth.data).ok_or(Refusal::AuthMethod)?;
    let chain = message.certs().filter(|cert| cert.encoding == CertEncoding::X509_SIGNATURE);
    Ok(Job::Verify(Box::new(Verify {
        crypto: Arc::clone(cx.env.crypto),
        verifier: cx.env.credentials.verifier(),
        trust: TrustRequest {
            chain: chain.take(CHAIN_MAX).map(|cert| cert.data.clone()).collect(),
            identity: remote.clone(),
            rules: rules.clone(),
            wall: cx.now.wall,
        },
        scheme,
        octets,
        signature: signature.to_vec(),
    })))
}

/// What the job found; `rules` may demand more of the signature.
pub(crate) fn verified(
    cx: Cx<'_>,
    remote: &Identity,
    rules: &AuthConfig,
    auth: &Auth,
    result: Result<TrustedKey, VerifyFailure>,
) -> Result<PeerAuthenticated, Failure> {
    let (scheme, _) = signature::parse(auth.method, &auth.data).ok_or(Refusal::AuthMethod)?;
    let name = text::scheme(scheme);
    let key = result.map_err(|failure| match failure {
        VerifyFailure::Untrusted(why) => {
            tracing::info!(target: "IKE", "no trusted public key found for '{remote}': {why}");
            Failure::from(Refusal::Untrusted(why))
        }
        VerifyFailure::Signature(_) => {
            tracing::info!(target: "IKE", "signature validation failed, looking for another key");
            Refusal::AuthenticationFailed.into()
        }
    })?;
    let constraints: &[SignatureConstraint] = match &rules.method {
        AuthMethod::PublicKey(constraints) => {
            constraints.of_ike_signature(cx.env.settings.chain_constraints_bind)
        }
        AuthMethod::Unspecified | AuthMethod::Psk => &[],
    };
    if !signature::allowed(constraints, key.kind, key.bits, scheme) {
        tracing::info!(target: "IKE", "authentication of '{remote}' with {name} does not meet the constraints");
        return Err(Refusal::AuthMethod.into());
    }
    tracing::info!(target: "IKE", "authentication of '{remote}' with {name} successful");
    Ok(PeerAuthenticated(()))
}

/// Whether `rules` allow that AUTH method at all.
pub(crate) fn allows(rules: &AuthConfig, method: AuthMethodId) -> bool {
    match rules.method {
        AuthMethod::Psk => method == AuthMethodId::PSK,
        AuthMethod::Unspecified | AuthMethod::PublicKey(_) => matches!(
            method,
            AuthMethodId::RSA
                | AuthMethodId::ECDSA_256
                | AuthMethodId::ECDSA_384
                | AuthMethodId::ECDSA_521
                | AuthMethodId::DIGITAL_SIGNATURE
        ),
    }
}

/// Whether `rules` allow that identity.
pub(crate) fn names(rules: &AuthConfig, identity: &Identity) -> bool {
    rules.id.as_ref().is_none_or(|pattern| identity.matches(pattern).is_some())
}
