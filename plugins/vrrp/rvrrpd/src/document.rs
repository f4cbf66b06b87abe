//! The file as it stands.

use std::net::Ipv4Addr;
use std::num::NonZeroU8;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use crate::directive::{self, AuthType, Hidden};
use crate::place::FileError;
use crate::user::UserEntry;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// TOML, the default.
    Toml,
    /// JSON with the same keys.
    Json,
}

/// The whole file. What is absent shows as null, as rVRRPd's REST API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Document {
    /// Threshold of the log.
    #[serde(default, deserialize_with = "directive::debug")]
    pub debug: Option<u8>,
    /// `utc`; anything else is local time.
    pub time_zone: Option<String>,
    /// `short`, `rfc2822`; anything else stamps nothing.
    pub time_format: Option<String>,
    /// File of the process id.
    pub pid: Option<String>,
    /// Where relative paths of the file begin; absent, where the daemon was started.
    pub working_dir: Option<String>,
    /// File of the log.
    pub main_log: Option<String>,
    /// File of the errors.
    pub error_log: Option<String>,
    /// Virtual routers.
    pub vrouter: Option<Vec<RouterTable>>,
    /// Static routes.
    pub protocols: Option<Protocols>,
    /// Whether there is a REST API: any text turns it on.
    pub client_api: Option<String>,
    /// The REST API.
    pub api: Option<Api>,
}

/// `[[vrouter]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct RouterTable {
    /// VRID.
    #[serde(deserialize_with = "directive::group")]
    pub group: NonZeroU8,
    /// Name of the interface.
    #[serde(deserialize_with = "directive::interface")]
    pub interface: String,
    /// The virtual address.
    #[serde(deserialize_with = "directive::address")]
    pub vip: Ipv4Addr,
    /// 1 to 254.
    #[serde(default, deserialize_with = "directive::priority")]
    pub priority: Option<u8>,
    /// Whether a lower priority is replaced.
    pub preemption: Option<bool>,
    /// Authentication.
    pub auth_type: Option<AuthType>,
    /// Its secret.
    pub auth_secret: Option<Hidden>,
    /// Timers.
    pub timers: Option<Timers>,
    /// Whether only the virtual address is advertised.
    pub rfc3768: Option<bool>,
    /// `ioctl` or `libnl`: both are netlink here.
    pub netdrv: Option<String>,
    /// `macvlan`; anything else is the interface itself.
    pub iftype: Option<String>,
    /// Name of the macvlan.
    #[serde(default, deserialize_with = "directive::interface_if_set")]
    pub vifname: Option<String>,
    /// Whether packets are filtered in the kernel: always, here.
    pub socket_filter: Option<bool>,
}

/// `timers = { advert = 1 }`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Timers {
    /// Seconds between advertisements.
    #[serde(default, deserialize_with = "directive::advert")]
    pub advert: Option<NonZeroU8>,
}

/// `[protocols]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Protocols {
    /// Static routes, there while Active.
    #[serde(rename = "static")]
    pub routes: Option<Vec<StaticRoute>>,
}

/// `[[protocols.static]]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct StaticRoute {
    /// Network.
    #[serde(deserialize_with = "directive::address")]
    pub route: Ipv4Addr,
    /// Its mask.
    #[serde(deserialize_with = "directive::mask")]
    pub mask: Ipv4Addr,
    /// Next hop.
    #[serde(deserialize_with = "directive::address")]
    pub nh: Ipv4Addr,
    /// Metric.
    #[serde(default, deserialize_with = "directive::word")]
    pub metric: Option<u16>,
    /// Path MTU.
    #[serde(default, deserialize_with = "directive::word")]
    pub mtu: Option<u16>,
}

/// `[api]`
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Api {
    /// Who may ask.
    pub users: UserList,
    /// Key of the session tokens.
    pub secret: Option<Hidden>,
    /// Address and port.
    pub host: Option<String>,
    /// Whether TLS is spoken.
    pub tls: Option<bool>,
    /// File of the key.
    pub tls_key: Option<String>,
    /// File of the certificate.
    pub tls_cert: Option<String>,
}

/// `users`: entries that were understood, and how many were not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserList {
    /// In the order of the file.
    pub entries: Vec<UserEntry>,
    /// Lines that are no entries, from 1.
    pub strange: Vec<usize>,
}

impl<'de> Deserialize<'de> for UserList {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut list = Self::default();
        for (number, Hidden(line)) in (1..).zip(Vec::<Hidden>::deserialize(deserializer)?) {
            match std::str::from_utf8(line.expose()).ok().and_then(|line| line.parse().ok()) {
                Some(entry) => list.entries.push(entry),
                None => list.strange.push(number),
            }
        }
        Ok(list)
    }
}

impl Serialize for UserList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(UserEntry::without_hash))
    }
}

impl Document {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing in it that cannot be taken.
    pub fn parse(text: &str, format: Format) -> Result<Self, FileError> {
        let document: Self = match format {
            Format::Toml => toml::from_str(text).map_err(|error| FileError::of_toml(text, &error))?,
            Format::Json => serde_json::from_str(text).map_err(|error| FileError::of_json(text, &error))?,
        };
        document.check()?;
        Ok(document)
    }

    /// A path that the file names, from `working_dir` on if it is relative.
    #[must_use]
    pub fn path(&self, written: &str) -> PathBuf {
        self.working_dir.as_deref().map_or_else(PathBuf::new, PathBuf::from).join(written)
    }

    /// Directives that nobody knows, as paths. rVRRPd ignores them in silence.
    #[must_use]
    pub fn unknown_directives(text: &str, format: Format) -> Vec<String> {
        let tree: Option<serde_json::Value> = match format {
            Format::Toml => toml::from_str(text).ok(),
            Format::Json => serde_json::from_str(text).ok(),
        };
        let mut unknown = Vec::new();
        if let Some(tree) = tree {
            look_for_unknown(&tree, "", &mut unknown);
        }
        unknown
    }
}

fn look_for_unknown(tree: &serde_json::Value, section: &str, unknown: &mut Vec<String>) {
    let known: &[&str] = match section {
        "" => &[
            "debug",
            "time_zone",
            "time_format",
            "pid",
            "working_dir",
            "main_log",
            "error_log",
            "vrouter",
            "protocols",
            "client_api",
            "api",
        ],
        "vrouter" => &[
            "group",
            "interface",
            "vip",
            "priority",
            "preemption",
            "auth_type",
            "auth_secret",
            "timers",
            "rfc3768",
            "netdrv",
            "iftype",
            "vifname",
            "socket_filter",
        ],
        "vrouter.timers" => &["advert"],
        "protocols" => &["static"],
        "protocols.static" => &["route", "mask", "nh", "metric", "mtu"],
        "api" => &["users", "secret", "host", "tls", "tls_key", "tls_cert"],
        _ => return,
    };
    match tree {
        serde_json::Value::Array(items) => {
            items.iter().for_each(|item| look_for_unknown(item, section, unknown))
        }
        serde_json::Value::Object(table) => {
            for (key, value) in table {
                let path = if section.is_empty() { key.clone() } else { format!("{section}.{key}") };
                if known.contains(&key.as_str()) {
                    look_for_unknown(value, &path, unknown);
                } else if !unknown.contains(&path) {
                    unknown.push(path);
                }
            }
        }
        _ => {}
    }
}
