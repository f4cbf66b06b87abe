//! CREATE_CHILD_SA (RFC 7296 §1.3) and the child negotiation that it shares with IKE_AUTH.

pub(crate) mod answer;
pub(crate) mod initiator;
pub(crate) mod install;
mod mode;
pub(crate) mod offer;
pub(crate) mod rekey_child;
pub(crate) mod responder;
pub(crate) mod spis;
