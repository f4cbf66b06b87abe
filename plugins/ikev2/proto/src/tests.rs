//! Two IKE_SAs against each other.

mod handshake;
mod pair;
mod world;
