//! What strongswan.conf says about userspace ESP.

use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_core::kernel::rule_mark;
use charon_core::plugin::{LoadError, daemon_settings};
use charon_core::service::kernel_net::FwMark;

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
    /// Our ports of IKE, and of IKE and ESP in UDP; 0 if the system chooses.
    pub ports: [u16; 2],
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

/// What counts when nothing is configured.
impl Default for Settings {
    fn default() -> Self {
        let nothing = charon_conf::Settings::empty();
        Self::read(&daemon_settings(&nothing)).expect("the defaults of the option table are valid")
    }
}

impl Settings {
    /// Reads the daemon's settings.
    ///
    /// # Errors
    /// [`LoadError::Settings`] with file, line and key.
    pub fn read(daemon: &Configured<'_>) -> Result<Self, LoadError> {
        Self::typed(daemon).map_err(|error| LoadError::Settings(error.to_string()))
    }

    fn typed(daemon: &Configured<'_>) -> Result<Self, ValueError> {
        let allow = daemon.bool("plugins.kernel-libipsec.allow_peer_ts")?;
        Ok(Self {
            routes: if daemon.bool("install_routes")? { Routes::Install } else { Routes::Leave },
            table: daemon.int("routing_table")?,
            priority: daemon.int("routing_table_prio")?,
            fwmark: rule_mark(daemon)?,
            ports: [daemon.int("port")?, daemon.int("port_nat_t")?],
            peer_selector: if allow { PeerSelector::Allow } else { PeerSelector::Exclude },
        })
    }
}

#[cfg(test)]
mod tests {
    use charon_core::service::kernel_net::Inverted;

    use super::*;

    fn read(text: &str) -> Result<Settings, LoadError> {
        let settings = charon_conf::Settings::parse("test.conf", text.as_bytes()).unwrap();
        Settings::read(&daemon_settings(&settings))
    }

    #[test]
    fn without_settings_the_defaults_are_strongswans() {
        let expected = Settings {
            routes: Routes::Install,
            table: 220,
            priority: 220,
            fwmark: None,
            ports: [500, 4500],
            peer_selector: PeerSelector::Exclude,
        };
        assert_eq!(read("charon {\n}\n").unwrap(), expected);
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
        assert!(
            error.to_string().contains("test.conf:4: charon.plugins.kernel-netlink.fwmark: 'soon'"),
            "{error}"
        );
    }
}
