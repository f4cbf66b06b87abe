//! X.509 certificates, key files, trust path building and validation.
#![forbid(unsafe_code)]
