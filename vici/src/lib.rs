//! Codec and client for VICI, the configuration and control protocol of strongSwan and charond.
#![forbid(unsafe_code)]
