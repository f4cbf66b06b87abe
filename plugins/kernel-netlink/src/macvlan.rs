//! Links as virtual routers see them, and the macvlans that they make.

use charon_core::service::kernel_links::{Carrier, Link, LinkAdmin, LinkGroup, MacAddress, Macvlan};
use charon_core::service::kernel_net::InterfaceIndex;
use charon_types::kernel_op::KernelError;
use futures_util::TryStreamExt;
use netlink_packet_route::link::{LinkAttribute, LinkFlags, LinkMessage, MacVlanMode};
use rtnetlink::{Handle, LinkMacVlan, LinkUnspec};

use crate::error::refused;

pub(crate) async fn list(handle: &Handle) -> Result<Vec<Link>, KernelError> {
    let links = handle.link().get().execute().try_collect::<Vec<_>>().await;
    let links = links.map_err(|error| refused("list the links", &error))?;
    Ok(links.iter().filter_map(read).collect())
}

pub(crate) async fn named(handle: &Handle, name: &str) -> Result<Link, KernelError> {
    let found = handle.link().get().match_name(name).execute().try_next().await;
    let link = found.map_err(|error| refused("find a link", &error))?;
    link.as_ref().and_then(read).ok_or(KernelError::NotFound)
}

pub(crate) async fn add(handle: &Handle, macvlan: Macvlan) -> Result<InterfaceIndex, KernelError> {
    let message = LinkMacVlan::new(&macvlan.name, macvlan.parent.0, MacVlanMode::Private)
        .append_extra_attribute(LinkAttribute::Address(macvlan.mac.0.to_vec()))
        .append_extra_attribute(LinkAttribute::Group(macvlan.group.0))
        .build();
    let done = handle.link().add(message).execute().await;
    done.map_err(|error| refused("add a macvlan", &error))?;
    let index = named(handle, &macvlan.name).await?.index;
    // The kernel takes no alias while it makes a link.
    let alias = LinkUnspec::new_with_index(index.0)
        .append_extra_attribute(LinkAttribute::IfAlias(macvlan.alias))
        .build();
    let done = handle.link().set(alias).execute().await;
    done.map_err(|error| refused("name a macvlan", &error))?;
    Ok(index)
}

pub(crate) async fn remove(handle: &Handle, index: InterfaceIndex) -> Result<(), KernelError> {
    handle.link().del(index.0).execute().await.map_err(|error| refused("remove a link", &error))
}

/// The kernel waits for packets under way once, however many links there are.
pub(crate) async fn remove_group(handle: &Handle, group: LinkGroup) -> Result<(), KernelError> {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(group.0));
    handle.link().del_with_message(message).execute().await.map_err(|error| refused("remove links", &error))
}

pub(crate) async fn set(handle: &Handle, index: InterfaceIndex, admin: LinkAdmin) -> Result<(), KernelError> {
    let link = LinkUnspec::new_with_index(index.0);
    let (link, what) = match admin {
        LinkAdmin::Up => (link.up(), "bring a link up"),
        LinkAdmin::Down => (link.down(), "bring a link down"),
    };
    handle.link().set(link.build()).execute().await.map_err(|error| refused(what, &error))
}

pub(crate) fn read(message: &LinkMessage) -> Option<Link> {
    let flags = message.header.flags;
    let mut link = Link {
        index: InterfaceIndex(message.header.index),
        name: String::new(),
        mac: None,
        carrier: if flags.contains(LinkFlags::Up) && flags.contains(LinkFlags::Running) {
            Carrier::Running
        } else {
            Carrier::Down
        },
        parent: None,
        alias: None,
        group: LinkGroup(0),
    };
    for attribute in &message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name.clone_from(name),
            LinkAttribute::Address(mac) => link.mac = mac.as_slice().try_into().ok().map(MacAddress),
            LinkAttribute::Link(parent) => link.parent = Some(InterfaceIndex(*parent)),
            LinkAttribute::Group(group) => link.group = LinkGroup(*group),
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias.clone()),
            _ => {}
        }
    }
    (!link.name.is_empty()).then_some(link)
}
