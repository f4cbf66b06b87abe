//! What changes, as it changes.

use std::collections::HashMap;
use std::sync::Arc;

use charon_core::service::kernel_net::{InterfaceIndex, NetEvent};
use charon_types::connection::Toggle;
use futures_util::StreamExt;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::rule::{RuleAttribute, RuleMessage};
use rtnetlink::{Handle, MulticastGroup};
use tokio::sync::{Mutex, mpsc};
use tracing::warn;

use crate::interfaces::Interfaces;
use crate::route::table_of;
use crate::{address, link};

/// Events that may wait; what comes on top is summed up as one [`NetEvent::RoutesChanged`].
const DEPTH: usize = 256;

/// What addresses, routes and links are told of in.
pub(crate) const GROUPS: &[MulticastGroup] = &[
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// With `process_rules`.
const RULES: &[MulticastGroup] = &[MulticastGroup::Ipv4Rule, MulticastGroup::Ipv6Rule];

/// Watches until the receiver is dropped. A socket that cannot be opened ends the stream at once, with a line in the log.
pub(crate) fn start(
    handle: Handle,
    interfaces: Interfaces,
    listing: Arc<Mutex<()>>,
    own_table: u32,
    rules: Toggle,
) -> mpsc::Receiver<NetEvent> {
    let (sender, receiver) = mpsc::channel(DEPTH);
    let groups = if rules.is_enabled() { [GROUPS, RULES].concat() } else { GROUPS.to_vec() };
    match rtnetlink::new_multicast_connection(&groups) {
        Ok((connection, _, mut messages)) => {
            // Both tasks end with the receiver: the reader sees it closed and drops the messages, which ends the socket.
            let socket = tokio::spawn(connection);
            tokio::spawn(async move {
                let names = HashMap::new();
                let mut reader =
                    Reader { handle, listing, interfaces, own_table, names, sender, missed: false };
                loop {
                    tokio::select! {
                        message = messages.next() => {
                            let Some((message, _)) = message else { break };
                            if let NetlinkPayload::InnerMessage(message) = message.payload {
                                reader.handle_message(message).await;
                            }
                        }
                        () = reader.sender.closed() => break,
                    }
                }
                socket.abort();
            });
        }
        Err(error) => warn!(target: "KNL", "changes of the network are not watched: {error}"),
    }
    receiver
}

struct Reader {
    handle: Handle,
    /// Held while something is listed.
    listing: Arc<Mutex<()>>,
    interfaces: Interfaces,
    own_table: u32,
    names: HashMap<u32, String>,
    sender: mpsc::Sender<NetEvent>,
    missed: bool,
}

impl Reader {
    async fn handle_message(&mut self, message: RouteNetlinkMessage) {
        let event = match message {
            RouteNetlinkMessage::NewAddress(message) => {
                self.learn(message.header.index).await;
                let read = address::read(&message, &self.names);
                read.filter(|held| self.interfaces.count(&held.name)).map(NetEvent::AddressAdded)
            }
            RouteNetlinkMessage::DelAddress(message) => {
                let read = address::read(&message, &self.names);
                read.filter(|held| self.interfaces.count(&held.name)).map(NetEvent::AddressRemoved)
            }
            RouteNetlinkMessage::NewLink(message) | RouteNetlinkMessage::DelLink(message) => {
                self.learn(message.header.index).await;
                Some(NetEvent::LinkChanged(InterfaceIndex(message.header.index)))
            }
            RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route) => {
                of_route(&route, self.own_table)
            }
            RouteNetlinkMessage::NewRule(rule) | RouteNetlinkMessage::DelRule(rule) => {
                of_rule(&rule, self.own_table)
            }
            _ => None,
        };
        if let Some(event) = event {
            self.tell(event);
        }
    }

    /// Remembers names, since the message of an address that goes may come after its link went.
    async fn learn(&mut self, index: u32) {
        if self.names.contains_key(&index) {
            return;
        }
        let _listing = self.listing.lock().await;
        if let Ok(names) = link::names_of_up(&self.handle).await {
            self.names.extend(names);
        }
    }

    fn tell(&mut self, event: NetEvent) {
        if self.missed && self.sender.try_send(NetEvent::RoutesChanged).is_ok() {
            self.missed = false;
        }
        self.missed |= self.sender.try_send(event).is_err();
    }
}

/// What a route that came or went means. Those of tunnels are no news: each of thousands would make all look for other paths.
fn of_route(route: &RouteMessage, own_table: u32) -> Option<NetEvent> {
    (table_of(route) != own_table).then_some(NetEvent::RoutesChanged)
}

/// The same of rules: the one that leads to routes of tunnels is ours.
fn of_rule(rule: &RuleMessage, own_table: u32) -> Option<NetEvent> {
    let in_attribute = rule.attributes.iter().find_map(|attribute| match attribute {
        RuleAttribute::Table(table) => Some(*table),
        _ => None,
    });
    (in_attribute.unwrap_or_else(|| u32::from(rule.header.table)) != own_table)
        .then_some(NetEvent::RoutesChanged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_tunnels_are_no_change_of_the_network() {
        let mut route = RouteMessage::default();
        route.header.table = 254;
        assert_eq!(of_route(&route, 220), Some(NetEvent::RoutesChanged));
        route.header.table = 220;
        assert_eq!(of_route(&route, 220), None);
        let mut rule = RuleMessage::default();
        rule.header.table = 254;
        assert_eq!(of_rule(&rule, 220), Some(NetEvent::RoutesChanged));
        rule.attributes.push(RuleAttribute::Table(220));
        assert_eq!(of_rule(&rule, 220), None);
    }
}
