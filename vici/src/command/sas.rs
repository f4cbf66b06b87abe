//! SAs as `list-sas` tells of them.

use super::{Listing, push_some};
use crate::message::Message;
use crate::section::Section;
use std::time::Duration;

/// `list-sas`: the IKE_SAs that all given names and numbers fit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListSas {
    /// Name of the connection.
    pub ike: Option<String>,
    /// Unique number of the IKE_SA.
    pub ike_id: Option<u32>,
    /// Name of CHILD_SAs; IKE_SAs without such are listed, too.
    pub child: Option<String>,
    /// Unique number of a CHILD_SA.
    pub child_id: Option<u32>,
}

/// An IKE_SA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IkeSa {
    /// Name of its connection.
    pub name: String,
    /// Its unique number.
    pub unique_id: u32,
    /// 1 or 2.
    pub version: u8,
    /// Such as `ESTABLISHED`.
    pub state: String,
    /// Own address.
    pub local_host: String,
    /// Own identity.
    pub local_id: String,
    /// The peer's address.
    pub remote_host: String,
    /// The peer's identity.
    pub remote_id: String,
    /// The peer's EAP identity, if it is another.
    pub remote_eap_id: Option<String>,
    /// How long ago it was established; `None` while it is not.
    pub established: Option<Duration>,
    /// Its CHILD_SAs.
    pub children: Vec<ChildSa>,
}

/// A CHILD_SA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildSa {
    /// Name of its configuration.
    pub name: String,
    /// Its unique number.
    pub unique_id: u32,
    /// Such as `INSTALLED`.
    pub state: String,
    /// Such as `TUNNEL`.
    pub mode: String,
    /// What came in; `None` while nothing is installed.
    pub inbound: Option<Traffic>,
    /// What went out.
    pub outbound: Option<Traffic>,
    /// Own traffic selectors.
    pub local_ts: Vec<String>,
    /// The peer's traffic selectors.
    pub remote_ts: Vec<String>,
}

/// One direction of a CHILD_SA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traffic {
    /// The SPI, in host byte order.
    pub spi: u32,
    /// Bytes inside the tunnel.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
}

impl Listing for ListSas {
    const COMMAND: &'static str = "list-sas";
    const EVENT: &'static str = "list-sa";
    type Item = IkeSa;

    fn message(&self) -> Message {
        let mut message = Message::new();
        push_some(&mut message, "ike", self.ike.as_ref());
        push_some(&mut message, "ike-id", self.ike_id);
        push_some(&mut message, "child", self.child.as_ref());
        push_some(&mut message, "child-id", self.child_id);
        message
    }

    fn items(event: &Message, items: &mut Vec<IkeSa>) -> Option<()> {
        for (name, sa) in event.root().sections() {
            items.push(ike_sa(name.as_str(), sa)?);
        }
        Some(())
    }
}

fn ike_sa(name: &str, sa: Section<'_>) -> Option<IkeSa> {
    let text = |key| sa.text(key).map(str::to_owned);
    let children = sa.section("child-sas").into_iter().flat_map(Section::sections);
    Some(IkeSa {
        name: name.to_owned(),
        unique_id: sa.text("uniqueid")?.parse().ok()?,
        version: sa.text("version")?.parse().ok()?,
        state: text("state")?,
        local_host: text("local-host")?,
        local_id: text("local-id")?,
        remote_host: text("remote-host")?,
        remote_id: text("remote-id")?,
        remote_eap_id: text("remote-eap-id"),
        established: sa.text("established").and_then(|time| time.parse().ok()).map(Duration::from_secs),
        children: children.map(|(_, child)| child_sa(child)).collect::<Option<_>>()?,
    })
}

fn child_sa(sa: Section<'_>) -> Option<ChildSa> {
    let text = |key| sa.text(key).map(str::to_owned);
    let list = |key| sa.list(key).map(|items| items.texts().map(str::to_owned).collect()).unwrap_or_default();
    let traffic = |spi, bytes, packets| {
        Some(Traffic {
            spi: u32::from_str_radix(sa.text(spi)?, 16).ok()?,
            bytes: sa.text(bytes)?.parse().ok()?,
            packets: sa.text(packets)?.parse().ok()?,
        })
    };
    Some(ChildSa {
        name: text("name")?,
        unique_id: sa.text("uniqueid")?.parse().ok()?,
        state: text("state")?,
        mode: text("mode")?,
        inbound: traffic("spi-in", "bytes-in", "packets-in"),
        outbound: traffic("spi-out", "bytes-out", "packets-out"),
        local_ts: list("local-ts"),
        remote_ts: list("remote-ts"),
    })
}
