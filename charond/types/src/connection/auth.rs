//! How the sides of a connection prove who they are.

use std::sync::Arc;

use super::Toggle;
use crate::algorithm::HashId;
use crate::identity::Identity;

/// How one side authenticates in one round. By default by any public key, as anybody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthConfig {
    /// The `auth` value.
    pub method: AuthMethod,
    /// The `id` value; `None`: the first certificate's subject or our address locally, anybody remotely.
    pub id: Option<Identity>,
    /// Local: certificates offered, the first one preferred. Remote: acceptable end-entity certificates. DER.
    pub certs: Vec<Arc<[u8]>>,
    /// Remote: CA certificates the peer's path must lead to; empty means any loaded CA. DER.
    pub cacerts: Vec<Arc<[u8]>>,
    /// Remote: what to do without revocation information.
    pub revocation: Revocation,
    /// Keys in the order in which they were configured, for listings.
    pub order: RuleOrder,
}

/// The rules of an auth section in the order in which they were last set, each once. Kept in place: there are two for each
/// connection, and there may be very many of those.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RuleOrder([Option<AuthRule>; 3]);

impl RuleOrder {
    /// A rule was set, again or for the first time.
    pub fn note(&mut self, rule: AuthRule) {
        let others = self.0.into_iter().flatten().filter(|noted| *noted != rule);
        let mut order = others.chain([rule]);
        self.0 = std::array::from_fn(|_| order.next());
    }

    /// The rules, the one set last at the end.
    pub fn rules(&self) -> impl DoubleEndedIterator<Item = AuthRule> {
        self.0.into_iter().flatten()
    }
}

/// The rules of an auth section that listings show as scalars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthRule {
    /// `auth`
    Class,
    /// `id`
    Id,
    /// `revocation`
    Revocation,
}

/// Authentication class and its constraints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AuthMethod {
    /// No `auth` key: any public key.
    #[default]
    Unspecified,
    /// Pre-shared key.
    Psk,
    /// A signature with the constraints given.
    PublicKey(Box<SignatureConstraints>),
}

/// Key types, strengths and hashes allowed, as in `auth = rsa-3072-sha256` or `ike:ecdsa-sha384`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SignatureConstraints {
    /// The text as configured.
    pub text: String,
    /// Constraints on the IKE signature; empty means none.
    pub ike: Vec<SignatureConstraint>,
    /// Constraints on the trust chain (and on the IKE signature when `ike` is empty); empty means none.
    pub chain: Vec<SignatureConstraint>,
}

impl SignatureConstraints {
    /// What the IKE signature must satisfy: its own constraints, else, if those of the chain bind it
    /// (`signature_authentication_constraints`), these.
    #[must_use]
    pub fn of_ike_signature(&self, chain_binds: Toggle) -> &[SignatureConstraint] {
        if self.ike.is_empty() && chain_binds.is_enabled() { &self.chain } else { &self.ike }
    }
}

/// One allowed kind of key with the hashes allowed for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureConstraint {
    /// Kind of key.
    pub key: KeyConstraint,
    /// Least size in bits, 0 for none.
    pub bits_min: u32,
    /// Hashes in order of preference for our own signatures; empty means any.
    pub hashes: Vec<HashId>,
}

/// Kind of key that a constraint allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyConstraint {
    /// `pubkey`
    Any,
    /// `rsa`
    Rsa,
    /// `rsa/pss`
    RsaPss,
    /// `ecdsa`
    Ecdsa,
    /// `ed25519`
    Ed25519,
    /// `ed448`
    Ed448,
}

/// How missing revocation information is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// Fail.
    Strict,
    /// Fail if a URI was named.
    IfUri,
    /// Go on.
    #[default]
    Relaxed,
}
