//! The fence: calls into AWS-LC that its safe interface does not offer, each wrapped into a safe one.
#![expect(unsafe_code, reason = "foreign functions; one block is one operation")]

pub(crate) mod aead;
pub(crate) mod modexp;
pub(crate) mod pkey;
