//! Whether an IKE_SA_INIT request gets an IKE_SA: version, cookies, proposals, key exchange method, limits.
//!
//! Everything here happens before state exists; answers to refused requests are made and forgotten.

use std::sync::Arc;

use charon_types::connection::Connection;
use charon_types::endpoint::Path;

use crate::env::{Env, Now};

/// How many IKE_SAs are half open, as the shell counts them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HalfOpen {
    /// All.
    pub total: u32,
    /// From the address that the request came from.
    pub from_source: u32,
}

/// `charon.*` settings of flood protection. Zero turns a limit off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Half-open IKE_SAs from which on cookies are demanded.
    pub cookie_threshold: u32,
    /// The same per source address.
    pub cookie_threshold_ip: u32,
    /// Half-open IKE_SAs per source address from which on requests are dropped.
    pub block_threshold: u32,
    /// Half-open IKE_SAs from which on requests are dropped.
    pub init_limit_half_open: u32,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        Self { cookie_threshold: 30, cookie_threshold_ip: 3, block_threshold: 5, init_limit_half_open: 0 }
    }
}

/// What to do with an IKE_SA_INIT request.
#[derive(Debug)]
pub enum Verdict {
    /// Create an IKE_SA with [`crate::IkeSa::respond`].
    Accept(Box<InitRequest>),
    /// Send this (without non-ESP marker) and forget the request.
    Answer(Vec<u8>),
    /// Not worth an answer.
    Drop(DropReason),
}

/// Why a request was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DropReason {
    /// Not an IKE_SA_INIT request.
    #[error("not an IKE_SA_INIT request")]
    NotInit,
    /// Malformed.
    #[error("malformed")]
    Malformed,
    /// Too many half-open IKE_SAs from that address.
    #[error("too many half-open IKE_SAs from that address")]
    Blocked,
    /// Too many half-open IKE_SAs.
    #[error("too many half-open IKE_SAs")]
    HalfOpenLimit,
}

/// An IKE_SA_INIT request that may have an IKE_SA.
#[derive(Debug)]
pub struct InitRequest {
    pub(crate) candidates: Vec<Arc<Connection>>,
}
