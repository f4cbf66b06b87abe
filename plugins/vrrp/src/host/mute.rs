//! The owner's addresses stand on the interface itself, and the kernel answers for them there with the interface's MAC address. With a
//! virtual MAC address nobody may hear that (RFC 9568 §8.1.2, §8.2.2): nftables drop these answers on their way out, those of the macvlan
//! pass. The table belongs to a process of ours, so that it is gone when we are, however we end.

use std::fmt::Write;
use std::net::IpAddr;
use std::process::Stdio;

use charon_core::service::kernel_links::MacAddress;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tracing::{info, warn};

use super::Worker;
use crate::net_state::OUR_PROTOCOL;

/// Where it is, whatever `PATH` says.
const NFT: &str = "/usr/sbin/nft";

/// What is kept from being said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Muted {
    mac: Option<MacAddress>,
    addresses: Vec<IpAddr>,
}

/// An interface that does not answer for some of its addresses.
#[derive(Default)]
pub(super) struct Mute {
    muted: Muted,
    /// Holds the table; `None` if nothing is muted or nothing can be. It ends with this.
    process: Option<Child>,
}

impl Worker {
    /// Mutes the interface for the addresses of owners that are Active on macvlans of it.
    pub(super) async fn settle_mute(&mut self) {
        let muted = self.to_be_muted();
        if muted == self.mute.muted {
            return;
        }
        let mut mute = Mute { muted, process: None };
        if !mute.muted.addresses.is_empty() {
            let interface = &self.interface;
            match hold(&ruleset(interface, &mute.muted)).await {
                Ok(process) => {
                    info!(target: "KNL", "interface {interface} leaves {:?} to the virtual MAC address", mute.muted.addresses);
                    mute.process = Some(process);
                }
                Err(error) => warn!(target: "KNL",
                    "interface {interface} answers for {:?} with its own MAC address as well: {NFT}: {error}", mute.muted.addresses),
            }
        }
        self.mute = mute;
    }

    fn to_be_muted(&self) -> Muted {
        let owners = self.applied.values().filter(|applied| {
            applied.macvlan.is_some() && applied.config.priority == u8::MAX && !applied.held.is_empty()
        });
        let state = self.state.borrow();
        let mut addresses: Vec<IpAddr> = owners
            .flat_map(|owner| owner.held.iter().map(|held| (owner.parent, held.address.address)))
            .filter(|(parent, address)| {
                let own = state.addresses(*parent).iter().filter(|known| known.protocol != OUR_PROTOCOL);
                own.into_iter().any(|known| known.held.address == *address)
            })
            .map(|(_, address)| address)
            .collect();
        addresses.sort_unstable();
        let mac = state.link(&self.interface).and_then(|link| link.mac);
        Muted { mac: mac.filter(|_| !addresses.is_empty()), addresses }
    }
}

/// One line, as an interactive nft takes it.
fn ruleset(interface: &str, muted: &Muted) -> String {
    let from = muted.mac.map(|MacAddress([a, b, c, d, e, f])| {
        format!("ether saddr {a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x} ")
    });
    let from = from.unwrap_or_default();
    let mut rules = String::new();
    for address in &muted.addresses {
        let written = match address {
            IpAddr::V4(address) => write!(rules, "{from}arp operation reply arp saddr ip {address} drop; "),
            IpAddr::V6(address) => write!(
                rules,
                "{from}icmpv6 type nd-neighbor-advert @th,64,128 0x{:032x} drop; ",
                u128::from(*address)
            ),
        };
        written.expect("writing to a string cannot fail");
    }
    format!(
        "add table netdev charond-vrrp-{interface} {{ flags owner; chain out {{ type filter hook egress device \"{interface}\" priority 0; {rules}}}; }}\n"
    )
}

async fn hold(ruleset: &str) -> std::io::Result<Child> {
    let mut process = Command::new(NFT)
        .arg("-i")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(input) = &mut process.stdin {
        input.write_all(ruleset.as_bytes()).await?;
        input.flush().await?;
    }
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_either_family_are_dropped_if_they_come_from_the_interface_s_own_mac() {
        let muted = Muted {
            mac: Some(MacAddress([2, 0, 0, 0, 0, 0x1f])),
            addresses: vec!["192.0.2.11".parse().unwrap(), "fd00::11".parse().unwrap()],
        };
        assert_eq!(
            ruleset("eth0", &muted),
            "add table netdev charond-vrrp-eth0 { flags owner; chain out { type filter hook egress device \"eth0\" priority 0; \
             ether saddr 02:00:00:00:00:1f arp operation reply arp saddr ip 192.0.2.11 drop; \
             ether saddr 02:00:00:00:00:1f icmpv6 type nd-neighbor-advert @th,64,128 0xfd000000000000000000000000000011 drop; }; }\n"
        );
    }
}
