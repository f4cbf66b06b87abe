//! Making advertisements.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::auth::Authenticator;
use crate::checksum::{self, ChecksumForm};
use crate::config::{RouterConfig, Transport};
use crate::id::{Priority, Version};
use crate::output::Advert;
use crate::packet::{self, HEADER_LEN, Header};

/// One advertisement for the group, or one for each peer.
pub(crate) fn adverts(
    config: &RouterConfig,
    auth: &mut Authenticator,
    priority: Priority,
    form: ChecksumForm,
    source: IpAddr,
    wall: SystemTime,
) -> Vec<Advert> {
    let destinations: Vec<IpAddr> = match &config.transport {
        Transport::Multicast => vec![config.family().group()],
        Transport::Unicast { peers } => peers.iter().map(|peer| peer.address).collect(),
    };
    destinations
        .into_iter()
        .map(|destination| Advert {
            source,
            destination,
            payload: message(config, auth, priority, form, (source, destination), wall),
        })
        .collect()
}

fn message(
    config: &RouterConfig,
    auth: &mut Authenticator,
    priority: Priority,
    form: ChecksumForm,
    (source, destination): (IpAddr, IpAddr),
    wall: SystemTime,
) -> Vec<u8> {
    let count =
        u8::try_from(config.addresses.len()).expect("a checked configuration has at most 255 addresses");
    let header = Header::new(
        config.version,
        config.vrid.get(),
        priority,
        count,
        auth.auth_type(),
        config.advert_interval,
    );
    let len = packet::message_len(config.version, config.family(), config.addresses.len());
    let mut message = Vec::with_capacity(len + crate::auth::TRAILER_LEN);
    message.extend_from_slice(&header.octets());
    packet::emit_addresses(&config.addresses, &mut message);
    if config.version == Version::V2 {
        let data = auth.data(&message);
        message.extend_from_slice(&data);
    }
    let sum = checksum::of_message(config.version, form, source, destination, &message);
    message[HEADER_LEN - 2..HEADER_LEN].copy_from_slice(&sum.to_be_bytes());
    if let Some(trailer) = auth.trailer() {
        trailer.append(config.version, source, wall, &mut message);
    }
    message
}
