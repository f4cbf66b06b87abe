//! What a certificate says, as text.

pub(crate) mod clock;
pub(crate) mod key;
pub(crate) mod name;
