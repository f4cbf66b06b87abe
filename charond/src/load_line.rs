//! The load line of strongswan.conf, as far as it means something here.
//!
//! An existing line works unchanged: names of strongSwan's plugins that we build in another way are known and need nothing; IKE and
//! cryptography are always there; userspace ESP stands by behind whatever kernel backend is named.

use charon_conf::{View, scalar};
use charon_core::plugin::Necessity;

use crate::plugins::{self, Kind};

/// What `charon.load` or `load_modular` chose.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Plugins of ours, in order.
    pub(crate) plugins: Vec<(&'static str, Necessity)>,
    /// Names that mean nothing to us.
    pub(crate) unknown: Vec<String>,
    /// The line names cryptographic plugins, so its order counts.
    pub(crate) orders_crypto: bool,
}

impl Selection {
    /// Reads the daemon's section.
    ///
    /// # Errors
    /// The text of a value error, naming file, line and key.
    pub(crate) fn of(daemon: &View<'_>) -> Result<Self, String> {
        let modular = daemon.bool("load_modular").map_err(|error| error.to_string())?.unwrap_or(false);
        let line = daemon.text("load").map_err(|error| error.to_string())?;
        let names = match line {
            _ if modular => modular_names(daemon)?,
            Some(line) => line.split_whitespace().map(str::to_owned).collect(),
            None => Vec::new(),
        };
        Ok(Self::from_names(&names))
    }

    fn from_names(names: &[String]) -> Self {
        let mut selection = Self { plugins: Vec::new(), unknown: Vec::new(), orders_crypto: false };
        for name in names {
            let (bare, necessity) = match name.strip_suffix('!') {
                Some(bare) => (bare, Necessity::Critical),
                None => (name.as_str(), Necessity::Optional),
            };
            match plugins::named(bare) {
                Some(own) => {
                    selection.orders_crypto |= own.kind == Kind::Crypto;
                    selection.add(own.name, necessity);
                }
                None if plugins::STRONGSWAN.contains(&bare) => {}
                None => selection.unknown.push(bare.to_owned()),
            }
        }
        selection.complete(names.is_empty());
        selection
    }

    /// Adds what a daemon cannot be without.
    fn complete(&mut self, by_default: bool) {
        let named = |selection: &Self, kind| {
            selection.plugins.iter().any(|(name, _)| plugins::named(name).is_some_and(|own| own.kind == kind))
        };
        let in_memory = self.plugins.iter().any(|(name, _)| *name == "kernel-null");
        for own in plugins::TABLE {
            let needed = match own.kind {
                Kind::Crypto => !self.orders_crypto,
                Kind::Ike => true,
                Kind::Kernel => !in_memory,
                Kind::Control | Kind::Follower => by_default,
                Kind::Test => false,
            };
            if needed && (own.kind != Kind::Control || !named(self, Kind::Control)) {
                self.add(own.name, Necessity::Optional);
            }
        }
    }

    fn add(&mut self, name: &'static str, necessity: Necessity) {
        if self.plugins.iter().all(|(known, _)| *known != name) {
            self.plugins.push((name, necessity));
        }
    }
}

/// `charon.plugins.<name>.load`: a switch or a priority; the higher comes first.
fn modular_names(daemon: &View<'_>) -> Result<Vec<String>, String> {
    let Some(plugins) = daemon.section("plugins") else { return Ok(Vec::new()) };
    let mut chosen = Vec::new();
    for plugin in plugins.sections() {
        let Some(load) = plugin.text("load").map_err(|error| error.to_string())? else { continue };
        let (load, mark) = match load.strip_suffix('!') {
            Some(load) => (load.trim(), "!"),
            None => (load, ""),
        };
        let switch = || scalar::parse_bool(load).map(i32::from).ok();
        let Some(priority) = load.parse::<i32>().ok().or_else(switch) else {
            let place = plugin.value("load").map(|value| value.location().to_string()).unwrap_or_default();
            return Err(format!(
                "{place}: plugins.{}.load: '{load}' is neither yes, no nor a priority",
                plugin.name()
            ));
        };
        if priority > 0 {
            chosen.push((priority, format!("{}{mark}", plugin.name())));
        }
    }
    chosen.sort_by_key(|(priority, _)| std::cmp::Reverse(*priority));
    Ok(chosen.into_iter().map(|(_, name)| name).collect())
}

#[cfg(test)]
mod tests {
    use charon_conf::Settings;
    use charon_core::plugin::daemon_section;

    use super::*;

    fn selection(settings: &str) -> Selection {
        Selection::of(&daemon_section(&Settings::parse("test", settings.as_bytes()).unwrap())).unwrap()
    }

    fn names(selection: &Selection) -> Vec<&'static str> {
        selection.plugins.iter().map(|(name, _)| *name).collect()
    }

    #[test]
    fn without_a_line_everything_loads_but_what_is_for_tests() {
        let selection = selection("");
        assert_eq!(
            names(&selection),
            [
                "crypto-aws-lc",
                "crypto-ring",
                "kernel-netlink",
                "kernel-pfkey",
                "kernel-libipsec",
                "updown",
                "ikev2",
                "vrrp",
                "http-api",
                "vici"
            ]
        );
        assert!(!selection.orders_crypto);
    }

    #[test]
    fn a_line_written_for_strongswan_means_the_same_here() {
        let selection = selection(
            "charon {\n load = random nonce openssl pem kernel-netlink socket-default vici updown frobnicate\n}",
        );
        assert_eq!(
            names(&selection),
            [
                "kernel-netlink",
                "vici",
                "updown",
                "crypto-aws-lc",
                "crypto-ring",
                "kernel-pfkey",
                "kernel-libipsec",
                "ikev2",
                "vrrp",
                "http-api"
            ]
        );
        assert_eq!(selection.unknown, ["frobnicate"]);
    }

    #[test]
    fn named_providers_are_ordered_as_named_and_others_stay_out() {
        let selection = selection("charond {\n load = crypto-ring! kernel-null vici\n}");
        assert_eq!(names(&selection), ["crypto-ring", "kernel-null", "vici", "ikev2", "vrrp", "http-api"]);
        assert_eq!(selection.plugins[0].1, Necessity::Critical);
        assert!(selection.orders_crypto);
    }

    #[test]
    fn modular_loading_follows_switches_and_priorities() {
        let selection = selection(
            "charon {\n load_modular = yes\n plugins {\n vici { load = 2\n }\n kernel-netlink { load = 10!\n }\n aes { load = no\n }\n }\n}",
        );
        assert_eq!(
            selection.plugins[..2],
            [("kernel-netlink", Necessity::Critical), ("vici", Necessity::Optional)]
        );
        let text = "charon {\n load_modular = yes\n plugins { vici {\n load = maybe\n } } }";
        let settings = Settings::parse("test", text.as_bytes()).unwrap();
        assert_eq!(
            Selection::of(&daemon_section(&settings)),
            Err("test:4: plugins.vici.load: 'maybe' is neither yes, no nor a priority".to_owned())
        );
    }
}
