//! What strongswan.conf says about userspace ESP.

use charon_conf::View;
use charon_core::plugin::LoadError;
use charon_core::service::kernel_net::{FwMark, Inverted};

/// Table and priority as strongSwan is built.
const ROUTING_TABLE: u32 = 220;
const ROUTING_TABLE_PRIORITY: u32 = 220;

/// What the backend goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether routes into the tunnel are installed.
    pub routes: Routes,
    /// Table of those routes.
    pub table: u32,
    /// Priority of the rule that leads there.
    pub priority: u32,
    /// Mark that the rule asks for.
    pub fwmark: Option<FwMark>,
    /// Whether a remote selector may be or contain the peer itself.
    pub peer_selector: PeerSelector,
}

/// Whether routes are installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routes {
    /// By us.
    Install,
    /// By somebody else.
    Leave,
}

/// Whether packets to the peer itself may go into the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerSelector {
    /// The peer's address is routed around the tunnel, and a selector of that address alone is refused.
    Exclude,
    /// They may: the mark keeps our own packets out.
    Allow,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            routes: Routes::Install,
            table: ROUTING_TABLE,
            priority: ROUTING_TABLE_PRIORITY,
            fwmark: None,
            peer_selector: PeerSelector::Exclude,
        }
    }
}

impl Settings {
    /// Reads the daemon's section.
    ///
    /// # Errors
    /// [`LoadError::Settings`] with file, line and key.
    pub fn read(daemon: &View<'_>) -> Result<Self, LoadError> {
        let wrong = |error: charon_conf::ValueError| LoadError::Settings(error.to_string());
        let routes = if daemon.bool("install_routes").map_err(wrong)?.unwrap_or(true) {
            Routes::Install
        } else {
            Routes::Leave
        };
        let allow = daemon.bool("plugins.kernel-libipsec.allow_peer_ts").map_err(wrong)?;
        let peer_selector = if allow.unwrap_or(false) { PeerSelector::Allow } else { PeerSelector::Exclude };
        Ok(Self {
            routes,
            table: daemon.int("routing_table").map_err(wrong)?.unwrap_or(ROUTING_TABLE),
            priority: daemon.int("routing_table_prio").map_err(wrong)?.unwrap_or(ROUTING_TABLE_PRIORITY),
            fwmark: rule_mark(daemon)?,
            peer_selector,
        })
    }
}

/// The mark of the rule: as configured for it, else "not what our own sockets set".
fn rule_mark(daemon: &View<'_>) -> Result<Option<FwMark>, LoadError> {
    let read = |key: &'static str| {
        let text = daemon.text(key).map_err(|error| LoadError::Settings(error.to_string()))?;
        let parsed = text.map(|text| parse_mark(text).ok_or((key, text))).transpose();
        parsed.map_err(|(key, text)| LoadError::Settings(format!("{key} = {text} is no [!]mark[/mask]")))
    };
    if let Some(mark) = read("plugins.kernel-netlink.fwmark")? {
        return Ok(Some(mark));
    }
    let of_sockets = read("plugins.socket-default.fwmark")?;
    Ok(of_sockets.map(|mark| FwMark { invert: Inverted::Yes, ..mark }))
}

/// Reads `[!]mark[/mask]`, decimal or with `0x`.
fn parse_mark(text: &str) -> Option<FwMark> {
    let text = text.trim();
    let (invert, text) = match text.strip_prefix('!') {
        Some(rest) => (Inverted::Yes, rest),
        None => (Inverted::No, text),
    };
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (number(value)?, number(mask)?),
        None => (number(text)?, u32::MAX),
    };
    Some(FwMark { invert, value: value & mask, mask })
}

fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use charon_core::plugin::daemon_section;

    use super::*;

    fn read(text: &str) -> Result<Settings, LoadError> {
        let settings = charon_conf::Settings::parse("test.conf", text.as_bytes()).unwrap();
        Settings::read(&daemon_section(&settings))
    }

    #[test]
    fn without_settings_the_defaults_are_strongswans() {
        assert_eq!(read("charon {\n}\n").unwrap(), Settings::default());
    }

    #[test]
    fn the_rule_is_for_packets_without_the_mark_of_our_sockets() {
        let settings =
            read("charon {\n plugins {\n socket-default {\n fwmark = 0x42/0xff\n }\n }\n}\n").unwrap();
        let expected = FwMark { invert: Inverted::Yes, value: 0x42, mask: 0xff };
        assert_eq!(settings.fwmark, Some(expected));
    }

    #[test]
    fn the_rules_own_mark_counts_as_it_stands() {
        let text = "charon {\n routing_table = 300\n plugins {\n kernel-netlink {\n fwmark = !7\n }\n socket-default {\n fwmark = 8\n }\n kernel-libipsec {\n allow_peer_ts = yes\n }\n }\n}\n";
        let settings = read(text).unwrap();
        assert_eq!(settings.fwmark, Some(FwMark { invert: Inverted::Yes, value: 7, mask: u32::MAX }));
        assert_eq!((settings.table, settings.peer_selector), (300, PeerSelector::Allow));
    }

    #[test]
    fn a_mark_that_is_none_is_named() {
        let error = read("charon {\n plugins {\n kernel-netlink {\n fwmark = soon\n }\n }\n}\n").unwrap_err();
        assert!(error.to_string().contains("fwmark = soon"), "{error}");
    }
}
