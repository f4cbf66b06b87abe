//! Two IKE_SAs against each other.

mod authentication;
mod certificates;
mod deletion;
mod forge;
mod handshake;
mod lies;
mod malformed;
mod mobike;
mod modes;
mod moving;
mod overtaking;
mod pair;
mod reauth;
mod rekey_child;
mod rekey_ike;
mod reload;
mod retransmission;
mod strangers;
mod virtual_ip;
mod world;
