//! Algorithms of ring.
#![forbid(unsafe_code)]
