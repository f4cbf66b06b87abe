//! Large packets between kernel and daemon: what a network card with segmentation offload does, for the TUN device.
//!
//! The kernel hands over TCP and UDP packets of up to 64 KiB behind a virtio header ([`header`]); [`split`] cuts them to the
//! tunnel's size straight into the ESP packets. In the other direction [`join`] puts TCP packets of one flow back together by
//! reference, so that one system call delivers them.

pub(crate) mod checksum;
pub(crate) mod header;
pub(crate) mod join;
pub(crate) mod split;
