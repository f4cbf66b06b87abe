//! Certificates, keys and paths, checked with a real provider of cryptography.
//!
//! Files in `fixtures` were made with OpenSSL; `fixtures/README.md` says how. Everything else is made by the tests.

mod authority;
mod certificate;
mod constraint;
mod key_file;
mod path;
mod revocation;
