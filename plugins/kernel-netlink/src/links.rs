//! The service for virtual routers.

use charon_core::service::kernel_links::{
    Link, LinkAddress, LinkAdmin, LinkGroup, LinkRoute, LinksChange, Macvlan,
};
use charon_core::service::kernel_net::{Family, InterfaceIndex};
use charon_core::service::{BoxFuture, KernelLinks};
use charon_types::kernel_op::KernelError;
use charon_types::vrouter::{VirtualAddress, VirtualRule};
use futures_util::StreamExt;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use tokio::sync::mpsc;
use tracing::warn;

use crate::net::NetlinkNet;
use crate::watch::GROUPS;
use crate::{address, macvlan, marked, sysctl};

/// Changes that may wait; what comes on top is summed up as one [`LinksChange::Unknown`].
const DEPTH: usize = 4096;

impl KernelLinks for NetlinkNet {
    fn links(&self) -> BoxFuture<'_, Result<Vec<Link>, KernelError>> {
        Box::pin(self.one_at_a_time(macvlan::list(self.handle())))
    }

    fn link<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Link, KernelError>> {
        Box::pin(macvlan::named(self.handle(), name))
    }

    fn link_addresses(&self) -> BoxFuture<'_, Result<Vec<LinkAddress>, KernelError>> {
        Box::pin(self.one_at_a_time(marked::addresses(self.handle())))
    }

    fn add_macvlan(&self, macvlan: Macvlan) -> BoxFuture<'_, Result<InterfaceIndex, KernelError>> {
        Box::pin(macvlan::add(self.handle(), macvlan))
    }

    fn remove_link(&self, index: InterfaceIndex) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(macvlan::remove(self.handle(), index))
    }

    fn remove_link_group(&self, group: LinkGroup) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(macvlan::remove_group(self.handle(), group))
    }

    fn set_link(&self, index: InterfaceIndex, admin: LinkAdmin) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(macvlan::set(self.handle(), index, admin))
    }

    fn add_link_address(
        &self,
        index: InterfaceIndex,
        held: VirtualAddress,
        protocol: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(marked::add_address(self.handle(), index, held, protocol))
    }

    fn remove_link_address(
        &self,
        index: InterfaceIndex,
        held: VirtualAddress,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(address::remove(self.handle(), index, held.address, held.prefix))
    }

    fn add_link_route(&self, route: LinkRoute) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(marked::add_route(self.handle(), route))
    }

    fn remove_link_route(&self, route: LinkRoute) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(marked::remove_route(self.handle(), route))
    }

    fn flush_link_routes(&self, protocol: u8) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(self.one_at_a_time(marked::flush_routes(self.handle(), protocol)))
    }

    fn destinations(&self, family: Family) -> BoxFuture<'_, Result<Vec<VirtualAddress>, KernelError>> {
        Box::pin(self.one_at_a_time(marked::destinations(self.handle(), family)))
    }

    fn add_marked_rule(
        &self,
        family: Family,
        rule: VirtualRule,
        protocol: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(marked::add_rule(self.handle(), family, rule, protocol))
    }

    fn remove_marked_rule(
        &self,
        family: Family,
        rule: VirtualRule,
        protocol: u8,
    ) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(marked::remove_rule(self.handle(), family, rule, protocol))
    }

    fn flush_rules(&self, protocol: u8) -> BoxFuture<'_, Result<(), KernelError>> {
        Box::pin(self.one_at_a_time(marked::flush_rules(self.handle(), protocol)))
    }

    fn sysctl(&self, path: &str) -> Result<String, KernelError> {
        sysctl::read(path)
    }

    fn set_sysctl(&self, path: &str, value: &str) -> Result<(), KernelError> {
        sysctl::write(path, value)
    }

    fn watch_links(&self) -> mpsc::Receiver<LinksChange> {
        watch()
    }
}

fn watch() -> mpsc::Receiver<LinksChange> {
    let (sender, receiver) = mpsc::channel(DEPTH);
    match rtnetlink::new_multicast_connection(GROUPS) {
        Ok((connection, _, mut messages)) => {
            let socket = tokio::spawn(connection);
            // Ends with the receiver: it sees it closed and drops the messages, which ends the socket.
            tokio::spawn(async move {
                let mut missed = false;
                loop {
                    let message = tokio::select! {
                        message = messages.next() => message,
                        () = sender.closed() => break,
                    };
                    let Some((message, _)) = message else { break };
                    let change = match message.payload {
                        NetlinkPayload::InnerMessage(message) => change_of(&message),
                        // The kernel's queue overflowed.
                        _ => Some(LinksChange::Unknown),
                    };
                    let Some(change) = change else { continue };
                    if missed {
                        missed = sender.try_send(LinksChange::Unknown).is_err();
                    }
                    missed |= sender.try_send(change).is_err();
                }
                socket.abort();
            });
        }
        Err(error) => warn!(target: "KNL", "changes of links are not watched: {error}"),
    }
    receiver
}

fn change_of(message: &RouteNetlinkMessage) -> Option<LinksChange> {
    match message {
        // Bridges tell of their ports by the same messages.
        RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link)
            if link.header.interface_family != AddressFamily::Unspec =>
        {
            None
        }
        RouteNetlinkMessage::NewLink(link) => macvlan::read(link).map(LinksChange::LinkSet),
        RouteNetlinkMessage::DelLink(link) => Some(LinksChange::LinkGone(InterfaceIndex(link.header.index))),
        RouteNetlinkMessage::NewAddress(address) => marked::read(address).map(LinksChange::AddressSet),
        RouteNetlinkMessage::DelAddress(address) => marked::read(address).map(LinksChange::AddressGone),
        RouteNetlinkMessage::NewRoute(_) | RouteNetlinkMessage::DelRoute(_) => Some(LinksChange::Route),
        _ => None,
    }
}
