//! Pools of virtual addresses: ranges, who has which address, and what is handed out with it.
//!
//! A lease is online while IKE_SAs use it and offline afterwards: the same identity gets the same address again, until
//! nothing else is left for somebody new.

mod pool;
mod range;
mod store;

pub use pool::{LeaseState, LeaseView};
pub use range::AddressRange;
pub use store::{Detail, PoolError, PoolSpec, PoolView, Pools};
