//! Credentials as they lie in files: encodings, passphrases, private keys.

pub(crate) mod key_file;
pub(crate) mod passphrase;
pub(crate) mod pem;
pub(crate) mod text;
