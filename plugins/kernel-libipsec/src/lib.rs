//! Userspace ESP over a TUN device, for machines whose kernel has none.
#![forbid(unsafe_code)]
