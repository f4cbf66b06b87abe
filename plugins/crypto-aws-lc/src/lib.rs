//! Algorithms of AWS-LC.
#![forbid(unsafe_code)]
