//! Pre-shared keys and passwords.

use charon_types::identity::{Identity, MatchQuality};
use charon_types::secret::Secret;

/// What a shared key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SharedKeyKind {
    /// IKE pre-shared key.
    Ike,
    /// EAP or XAuth password.
    Eap,
    /// NT hash of a password.
    Ntlm,
    /// Postquantum pre-shared key (RFC 8784).
    Ppk,
}

/// A shared key and who may use it.
#[derive(Clone, Debug)]
pub struct SharedKey {
    /// Name by which it is replaced and unloaded.
    pub name: Option<String>,
    /// What it is for.
    pub kind: SharedKeyKind,
    /// The key.
    pub secret: Secret,
    /// Who it belongs to; empty means anybody.
    pub owners: Vec<Identity>,
}

impl SharedKey {
    /// How well it fits a pair of identities; `None` if it does not. A key that names both beats one that names one, which beats
    /// one that names nobody.
    #[must_use]
    pub fn fit(
        &self,
        local: &Identity,
        remote: &Identity,
    ) -> Option<(Option<MatchQuality>, Option<MatchQuality>)> {
        if self.owners.is_empty() {
            return Some((None, None));
        }
        let best = |identity: &Identity| self.owners.iter().filter_map(|owner| identity.matches(owner)).max();
        match (best(remote), best(local)) {
            (None, None) => None,
            fit => Some(fit),
        }
    }
}
