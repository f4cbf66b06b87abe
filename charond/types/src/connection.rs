//! A connection as configured: how to reach a peer, how each side proves who it is, and what may flow.
//!
//! Values are checked where they are built; whoever holds a [`Connection`] needs no later check. What holds unless it is
//! configured stands here: swanctl.conf starts from it, and so do tests.

mod auth;
mod child;
mod ike;

use std::sync::Arc;

pub use auth::{
    AuthConfig, AuthMethod, AuthRule, KeyConstraint, Revocation, RuleOrder, SignatureConstraint,
    SignatureConstraints,
};
pub use child::{Action, ChildConfig};
pub use ike::{Childless, Fragmentation, IkeConfig, IkeVersion, SendCert, Unique};

/// A named connection (`connections.<name>` of swanctl.conf). Immutable; a reload makes a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub name: Arc<str>,
    /// Endpoints, proposals and behaviour of the IKE_SA.
    pub ike: IkeConfig,
    /// Our authentication rounds, in order; never empty.
    pub local: Vec<AuthConfig>,
    /// What we demand of the peer, in order; never empty.
    pub remote: Vec<AuthConfig>,
    /// Children in the order of the configuration.
    pub children: Vec<Arc<ChildConfig>>,
    /// The virtual router that must be Active here, if it is bound to one.
    pub vrouter: Option<VrouterBinding>,
}

/// A connection that is answered and initiated only while a virtual router is Active here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VrouterBinding {
    /// Name of the virtual router.
    pub name: Arc<str>,
    /// What becomes of the SAs when it is Active no longer.
    pub on_loss: VrouterLoss,
}

/// What becomes of SAs when their virtual router is Active no longer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VrouterLoss {
    /// They are closed.
    #[default]
    Close,
    /// They stay, for the peer to find out.
    Keep,
}

impl Connection {
    /// One of which nothing but the name is configured. It has no children, and no proposals: those that hold by default
    /// depend on the algorithms available ([`default_proposals`](crate::proposal::default_proposals)).
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            ike: IkeConfig::default(),
            local: vec![AuthConfig::default()],
            remote: vec![AuthConfig::default()],
            children: Vec::new(),
            vrouter: None,
        }
    }

    /// The child of that name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Arc<ChildConfig>> {
        self.children.iter().find(|child| &*child.name == name)
    }
}

/// A yes-or-no setting that reads as a word at its use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toggle {
    /// yes
    Enabled,
    /// no
    Disabled,
}

impl Toggle {
    /// Whether it is on.
    #[must_use]
    pub fn is_enabled(self) -> bool {
        self == Self::Enabled
    }
}

impl From<bool> for Toggle {
    fn from(on: bool) -> Self {
        if on { Self::Enabled } else { Self::Disabled }
    }
}
