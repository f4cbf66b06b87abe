//! Two IKE_SAs against each other.

mod certificates;
mod deletion;
mod handshake;
mod malformed;
mod mobike;
mod overtaking;
mod pair;
mod reauth;
mod rekey_child;
mod rekey_ike;
mod retransmission;
mod virtual_ip;
mod world;
