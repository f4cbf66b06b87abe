//! `/run/global` and `/run/protocols*`: what the file amounts to. `/config/*` shows it as it was read, secrets hidden.

use std::net::Ipv4Addr;

use rvrrpd_conf::Document;
use serde::Serialize;

/// `/run/global`
#[derive(Serialize)]
pub(crate) struct Global {
    debug: u8,
    /// The same as `timeformat`.
    timestamp: u8,
    timezone: u8,
    timeformat: u8,
    pid: String,
    working_dir: String,
    main_log: String,
    error_log: String,
}

/// `/run/protocols`
#[derive(Serialize)]
pub(crate) struct Protocols {
    #[serde(rename = "static")]
    routes: Vec<Route>,
}

/// An entry of `/run/protocols/static`
#[derive(Serialize)]
pub(crate) struct Route {
    destination: Ipv4Addr,
    mask: Ipv4Addr,
    next_hop: Ipv4Addr,
    metric: u16,
    mtu: u16,
}

impl Global {
    pub(crate) fn of(document: &Document) -> Self {
        let time_format = match document.time_format.as_deref() {
            Some("short") => 1,
            Some("rfc2822") => 2,
            _ => 0,
        };
        let text = |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
        Self {
            debug: document.debug.unwrap_or(0),
            timestamp: time_format,
            timezone: u8::from(document.time_zone.as_deref() == Some("utc")),
            timeformat: time_format,
            pid: text(&document.pid, "/var/run/rvrrpd.pid"),
            working_dir: text(&document.working_dir, "/tmp"),
            main_log: text(&document.main_log, "/var/log/rvrrpd.log"),
            error_log: text(&document.error_log, "/var/log/rvrrpd-error.log"),
        }
    }
}

impl Protocols {
    /// `None` if the file says nothing of protocols.
    pub(crate) fn of(document: &Document) -> Option<Self> {
        document.protocols.as_ref().map(|_| Self { routes: routes(document) })
    }
}

/// Static routes.
pub(crate) fn routes(document: &Document) -> Vec<Route> {
    let routes = document.protocols.iter().filter_map(|protocols| protocols.routes.as_deref()).flatten();
    let route = |route: &rvrrpd_conf::StaticRoute| Route {
        destination: route.route,
        mask: route.mask,
        next_hop: route.nh,
        metric: route.metric.unwrap_or(0),
        mtu: route.mtu.unwrap_or(0),
    };
    routes.map(route).collect()
}
