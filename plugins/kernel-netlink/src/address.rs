//! Addresses of interfaces.

use std::collections::HashMap;
use std::net::IpAddr;

use charon_core::service::kernel_net::{InterfaceAddress, InterfaceIndex};
use charon_types::kernel_op::KernelError;
use futures_util::TryStreamExt;
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage, AddressProtocol};
use rtnetlink::Handle;

use crate::error::refused;
use crate::interfaces::Interfaces;
use crate::link;

/// The origin (IFA_PROTO) that addresses added by us are marked with; the kernel uses numbers below 4.
const OURS: u8 = 0xc4;

/// Every usable address of every interface that is up and counts, in the kernel's order.
pub(crate) async fn list(
    handle: &Handle,
    interfaces: &Interfaces,
) -> Result<Vec<InterfaceAddress>, KernelError> {
    let names = link::names_of_up(handle).await?;
    let mut messages = handle.address().get().execute();
    let mut all = Vec::new();
    while let Some(message) =
        messages.try_next().await.map_err(|error| refused("list the addresses", &error))?
    {
        all.extend(read(&message, &names).filter(|held| interfaces.count(&held.name)));
    }
    Ok(all)
}

/// The address that a message speaks of, if it is usable and its link known.
pub(crate) fn read(message: &AddressMessage, names: &HashMap<u32, String>) -> Option<InterfaceAddress> {
    let unusable = AddressHeaderFlags::Tentative | AddressHeaderFlags::Dadfailed;
    if message.header.flags.intersects(unusable) {
        return None;
    }
    // IFA_LOCAL is ours, IFA_ADDRESS the peer's on a point-to-point link; IPv6 mostly has the latter alone.
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let plain = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    Some(InterfaceAddress {
        index: InterfaceIndex(message.header.index),
        name: names.get(&message.header.index)?.clone(),
        address: local.or(plain)?,
        prefix: message.header.prefix_len,
    })
}

pub(crate) async fn add(
    handle: &Handle,
    index: InterfaceIndex,
    address: IpAddr,
    prefix: u8,
) -> Result<(), KernelError> {
    let mut request = handle.address().add(index.0, address, prefix);
    let message = request.message_mut();
    message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(OURS)));
    if address.is_ipv6() {
        // Assigned by a peer: nobody on this link has it, and it is needed at once.
        message.header.flags |= AddressHeaderFlags::Nodad;
    }
    let done = request.execute().await;
    done.map_err(|error| refused("add an address", &error))
}

/// Removes every address that is marked as added by us; for what a killed predecessor left. Kernels before 5.18 do not keep
/// the mark.
pub(crate) async fn remove_leftovers(handle: &Handle) -> Result<usize, KernelError> {
    let mut messages = handle.address().get().execute();
    let mut left = Vec::new();
    while let Some(message) =
        messages.try_next().await.map_err(|error| refused("list the addresses", &error))?
    {
        let ours = AddressAttribute::Protocol(AddressProtocol::Other(OURS));
        if message.attributes.contains(&ours) {
            left.push(message);
        }
    }
    let mut removed = 0;
    for message in left {
        match handle
            .address()
            .del(message)
            .execute()
            .await
            .map_err(|error| refused("remove an address", &error))
        {
            Ok(()) => removed += 1,
            // It went by itself meanwhile.
            Err(KernelError::NotFound) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

pub(crate) async fn remove(
    handle: &Handle,
    index: InterfaceIndex,
    address: IpAddr,
    prefix: u8,
) -> Result<(), KernelError> {
    let message = handle.address().add(index.0, address, prefix).message_mut().clone();
    let done = handle.address().del(message).execute().await;
    done.map_err(|error| refused("remove an address", &error))
}
