//! An address lent to a peer.

use std::net::IpAddr;
use std::sync::Arc;

use crate::identity::Identity;

/// An address of a pool, in use by one IKE_SA. It travels with the IKE_SA and is given back once, when that ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Name of the pool.
    pub pool: Arc<str>,
    /// The address.
    pub address: IpAddr,
    /// To whom it is lent.
    pub identity: Identity,
    /// From where the peer asked for it.
    pub peer: IpAddr,
}
