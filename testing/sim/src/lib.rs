//! IKE machines on a lossy network under virtual time.
#![forbid(unsafe_code)]
