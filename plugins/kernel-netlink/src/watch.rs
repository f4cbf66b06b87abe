//! What changes, as it changes.

use std::collections::HashMap;
use std::sync::Arc;

use charon_core::service::kernel_net::{InterfaceIndex, NetEvent};
use futures_util::StreamExt;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use rtnetlink::{Handle, MulticastGroup};
use tokio::sync::{Mutex, mpsc};
use tracing::warn;

use crate::net::Interfaces;
use crate::{address, link};

/// Events that may wait; what comes on top is summed up as one [`NetEvent::RoutesChanged`].
const DEPTH: usize = 256;

const GROUPS: &[MulticastGroup] = &[
    MulticastGroup::Link,
    MulticastGroup::Ipv4Ifaddr,
    MulticastGroup::Ipv6Ifaddr,
    MulticastGroup::Ipv4Route,
    MulticastGroup::Ipv6Route,
];

/// Watches until the receiver is dropped. A socket that cannot be opened ends the stream at once, with a line in the log.
pub(crate) fn start(
    handle: Handle,
    interfaces: Interfaces,
    listing: Arc<Mutex<()>>,
) -> mpsc::Receiver<NetEvent> {
    let (sender, receiver) = mpsc::channel(DEPTH);
    match rtnetlink::new_multicast_connection(GROUPS) {
        Ok((connection, _, mut messages)) => {
            // Both tasks end with the receiver: the reader sees it closed and drops the messages, which ends the socket.
            let socket = tokio::spawn(connection);
            tokio::spawn(async move {
                let mut reader =
                    Reader { handle, listing, interfaces, names: HashMap::new(), sender, missed: false };
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
            RouteNetlinkMessage::NewRoute(_) | RouteNetlinkMessage::DelRoute(_) => {
                Some(NetEvent::RoutesChanged)
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
