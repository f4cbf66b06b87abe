//! How we prove who we are.

use std::sync::Arc;

use charon_crypto::signature::PrivateKey;
use charon_types::Secret;
use charon_types::algorithm::HashId;
use charon_types::connection::{
    AuthConfig, AuthMethod, Connection, KeyConstraint, SendCert, SignatureConstraint,
};
use charon_types::identity::Identity;

use crate::auth::psk;
use crate::auth::signature::{self, Announced, RsaPadding};
use crate::env::OwnCredential;
use crate::failure::{Failure, LocalFault};
use crate::job::Job;
use crate::sa::{Cx, Sa};
use crate::text;
use crate::wire::payload::{AuthMethodId, CertEncoding};
use crate::wire::{Auth, Cert, Payload};

/// What we prove it with.
pub(crate) enum OwnProof {
    /// A shared key.
    Psk(Secret),
    /// A private key, in the way that the peer can check.
    Signature {
        /// The key.
        key: Arc<dyn PrivateKey>,
        /// How to sign, and how to say so.
        announced: Announced,
        /// Certificates for the peer, the end entity's first.
        chain: Vec<Arc<[u8]>>,
        /// Their subjects.
        subjects: Vec<Identity>,
    },
}

/// Our identity and the means to prove it. `wanted` is what the peer calls us (IDr), if it said so.
pub(crate) fn prepare(
    sa: &Sa,
    cx: Cx<'_>,
    connection: &Connection,
    remote: &Identity,
    wanted: Option<&Identity>,
) -> Result<(Identity, OwnProof), Failure> {
    let rules = connection.local.first().ok_or(LocalFault::NoPrivateKey)?;
    if connection.local.len() > 1 || connection.remote.len() > 1 {
        return Err(LocalFault::MultipleAuthentication.into());
    }
    let named =
        rules.id.as_ref().filter(|id| !id.is_pattern()).or_else(|| wanted.filter(|id| !id.is_pattern()));
    match &rules.method {
        AuthMethod::Psk => {
            let identity = named.cloned().unwrap_or_else(|| Identity::Address(sa.path.local.ip()));
            let Some(secret) = cx.env.credentials.shared_keys(&identity, remote).into_iter().next() else {
                tracing::info!(target: "IKE", "no shared key found for '{identity}' - '{remote}'");
                return Err(LocalFault::NoSharedKey.into());
            };
            Ok((identity, OwnProof::Psk(secret)))
        }
        AuthMethod::Unspecified | AuthMethod::PublicKey(_) => {
            let rules = AuthConfig { id: named.cloned(), ..rules.clone() };
            let requested = sa.peer.authorities.as_deref().unwrap_or_default();
            let Some(credential) = cx.env.credentials.own_credential(&rules, requested) else {
                tracing::info!(
                    target: "IKE",
                    "no private key found for '{}'",
                    named.unwrap_or(&Identity::Any)
                );
                return Err(LocalFault::NoPrivateKey.into());
            };
            with_credential(sa, cx, connection, &rules, credential)
        }
    }
}

fn with_credential(
    sa: &Sa,
    cx: Cx<'_>,
    connection: &Connection,
    rules: &AuthConfig,
    credential: OwnCredential,
) -> Result<(Identity, OwnProof), Failure> {
    let OwnCredential { identity, chain, subjects, key } = credential;
    let identity = rules.id.clone().unwrap_or(identity);
    let constraints: &[SignatureConstraint] = match &rules.method {
        AuthMethod::PublicKey(constraints) => {
            constraints.of_ike_signature(cx.env.settings.chain_constraints_bind)
        }
        AuthMethod::Unspecified | AuthMethod::Psk => &[],
    };
    let of_key = || constraints.iter().filter(|constraint| signature::speaks_of(constraint, key.kind()));
    let wanted: Vec<HashId> = of_key().flat_map(|constraint| constraint.hashes.iter().copied()).collect();
    let demands_pss = of_key().any(|constraint| constraint.key == KeyConstraint::RsaPss);
    let padding =
        if demands_pss || cx.env.settings.rsa_pss.is_enabled() { RsaPadding::Pss } else { RsaPadding::Pkcs1 };
    let chosen = signature::choose(key.kind(), key.bits(), &sa.peer.hashes, &wanted, padding)
        .filter(|chosen| signature::allowed(constraints, key.kind(), key.bits(), chosen.scheme));
    let Some(announced) = chosen else {
        tracing::info!(target: "IKE", "no signature scheme is one that the peer takes and our configuration allows");
        return Err(LocalFault::NoPrivateKey.into());
    };
    let asked = sa.peer.authorities.is_some();
    let send = match connection.ike.send_cert {
        SendCert::Always => true,
        SendCert::IfAsked => asked,
        SendCert::Never => false,
    };
    let (chain, subjects) = if send { (chain, subjects) } else { (Vec::new(), Vec::new()) };
    Ok((identity, OwnProof::Signature { key, announced, chain, subjects }))
}

impl OwnProof {
    /// CERT payloads.
    pub(crate) fn certificates(&self) -> Vec<Payload> {
        let Self::Signature { chain, subjects, .. } = self else { return Vec::new() };
        for (position, subject) in subjects.iter().enumerate() {
            let kind = if position == 0 { "end entity" } else { "issuer" };
            tracing::info!(target: "IKE", "sending {kind} cert \"{subject}\"");
        }
        let payload = |der: &Arc<[u8]>| {
            Payload::Cert(Cert { encoding: CertEncoding::X509_SIGNATURE, data: der.to_vec() })
        };
        chain.iter().map(payload).collect()
    }

    /// The AUTH payload if it is to be had at once, else the job that signs.
    pub(crate) fn prove(&self, sa: &Sa, cx: Cx<'_>, octets: Vec<u8>) -> Result<Proving, Failure> {
        match self {
            Self::Psk(secret) => {
                let prf = sa.suite.ok_or(LocalFault::NoSharedKey)?.prf;
                let mac = psk::auth(super::prf(cx, prf)?, secret, &octets).map_err(LocalFault::Crypto)?;
                tracing::info!(
                    target: "IKE",
                    "authentication of '{}' (myself) with pre-shared key",
                    sa.local_id
                );
                Ok(Proving::Done(Auth { method: AuthMethodId::PSK, data: mac.expose().to_vec() }))
            }
            Self::Signature { key, announced, .. } => {
                Ok(Proving::Job(Job::Sign { key: Arc::clone(key), scheme: announced.scheme, octets }))
            }
        }
    }

    /// The AUTH payload that a signature makes.
    pub(crate) fn signed(
        &self,
        sa: &Sa,
        signature: Result<Vec<u8>, charon_crypto::CryptoError>,
    ) -> Result<Auth, Failure> {
        let Self::Signature { announced, .. } = self else { return Err(LocalFault::NoPrivateKey.into()) };
        let how = text::scheme(announced.scheme);
        let result = if signature.is_ok() { "successful" } else { "failed" };
        tracing::info!(target: "IKE", "authentication of '{}' (myself) with {how} {result}", sa.local_id);
        let signature = signature.map_err(LocalFault::Crypto)?;
        let data = signature::emit(*announced, &signature).ok_or(LocalFault::NoPrivateKey)?;
        Ok(Auth { method: announced.method, data })
    }
}

/// See [`OwnProof::prove`].
pub(crate) enum Proving {
    /// At once.
    Done(Auth),
    /// By a job.
    Job(Job),
}
