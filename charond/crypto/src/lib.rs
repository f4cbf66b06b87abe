//! Traits of the cryptographic providers, the frozen provider tables and their self-tests.
#![forbid(unsafe_code)]
