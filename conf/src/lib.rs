//! The settings language of strongswan.conf and swanctl.conf.
#![forbid(unsafe_code)]
