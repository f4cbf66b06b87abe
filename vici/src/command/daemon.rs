//! The daemon itself.

use super::Command;
use crate::message::Message;

/// `version`: who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Version;

/// Who answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonVersion {
    /// Name of the daemon, such as `charon`.
    pub daemon: String,
    /// Its version.
    pub version: String,
    /// Name of the operating system.
    pub sysname: String,
    /// Its release.
    pub release: String,
    /// Its hardware.
    pub machine: String,
}

impl Command for Version {
    const NAME: &'static str = "version";
    type Reply = DaemonVersion;

    fn message(&self) -> Message {
        Message::new()
    }

    fn reply(message: &Message) -> Option<DaemonVersion> {
        let text = |name| message.text(name).map(str::to_owned);
        Some(DaemonVersion {
            daemon: text("daemon")?,
            version: text("version")?,
            sysname: text("sysname")?,
            release: text("release")?,
            machine: text("machine")?,
        })
    }
}

/// `stats`: figures of the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats;

/// Figures of the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DaemonStats {
    /// How long it has run, in words.
    pub running: String,
    /// When it was started, in local time.
    pub since: String,
    /// IKE_SAs.
    pub ike_sas: u64,
    /// Those of them that are being set up.
    pub half_open: u64,
    /// Jobs that wait for their time.
    pub scheduled: u64,
    /// Names of the plugins, in the order in which they were loaded.
    pub plugins: Vec<String>,
}

impl Command for Stats {
    const NAME: &'static str = "stats";
    type Reply = DaemonStats;

    fn message(&self) -> Message {
        Message::new()
    }

    fn reply(message: &Message) -> Option<DaemonStats> {
        let root = message.root();
        let uptime = root.section("uptime")?;
        let sas = root.section("ikesas")?;
        Some(DaemonStats {
            running: uptime.text("running")?.to_owned(),
            since: uptime.text("since")?.to_owned(),
            ike_sas: sas.text("total")?.parse().ok()?,
            half_open: sas.text("half-open")?.parse().ok()?,
            scheduled: root.text("scheduled")?.parse().ok()?,
            plugins: root.list("plugins")?.texts().map(str::to_owned).collect(),
        })
    }
}

/// `reload-settings`: the daemon reads its settings again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReloadSettings;

impl Command for ReloadSettings {
    const NAME: &'static str = "reload-settings";
    type Reply = ();

    fn message(&self) -> Message {
        Message::new()
    }

    fn reply(_: &Message) -> Option<()> {
        Some(())
    }
}
