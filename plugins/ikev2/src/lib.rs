//! IKEv2: sockets, shards and jobs around ikev2-proto.
#![forbid(unsafe_code)]
