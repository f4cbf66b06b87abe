//! Links.

use std::collections::HashMap;

use charon_core::service::kernel_net::InterfaceIndex;
use charon_types::kernel_op::KernelError;
use futures_util::TryStreamExt;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage};
use rtnetlink::{Handle, LinkUnspec};

use crate::error::refused;

/// Names of all links that are up, by index.
pub(crate) async fn names_of_up(handle: &Handle) -> Result<HashMap<u32, String>, KernelError> {
    let mut links = handle.link().get().execute();
    let mut names = HashMap::new();
    while let Some(link) = links.try_next().await.map_err(|error| refused("list the links", &error))? {
        if link.header.flags.contains(LinkFlags::Up)
            && let Some(name) = name(&link)
        {
            names.insert(link.header.index, name);
        }
    }
    Ok(names)
}

pub(crate) async fn index(handle: &Handle, name: &str) -> Result<InterfaceIndex, KernelError> {
    let found = handle.link().get().match_name(name).execute().try_next().await;
    let link = found.map_err(|error| refused("find a link", &error))?;
    link.map(|link| InterfaceIndex(link.header.index)).ok_or(KernelError::NotFound)
}

pub(crate) async fn set_up(
    handle: &Handle,
    index: InterfaceIndex,
    mtu: Option<u32>,
) -> Result<(), KernelError> {
    let link = LinkUnspec::new_with_index(index.0).up();
    let link = match mtu {
        Some(mtu) => link.mtu(mtu),
        None => link,
    };
    let done = handle.link().set(link.build()).execute().await;
    done.map_err(|error| refused("bring a link up", &error))
}

fn name(link: &LinkMessage) -> Option<String> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(name.clone()),
        _ => None,
    })
}
