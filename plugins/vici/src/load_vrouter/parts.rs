//! Sub-sections of a virtual router: what it tracks, its routes and rules.

use std::time::Duration;

use charon_types::connection::Toggle;
use charon_types::vrouter::{Track, Tracked, VirtualAddress, VirtualRoute, VirtualRule, VrouterFault};
use vici::{Section, Value};

use super::{Refusal, value};

const TABLE_MAIN: u32 = 254;

/// Every sub-section; faults name it.
pub(super) fn each<T>(
    section: Section<'_>,
    within: &str,
    read: fn(&str, Section<'_>) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    let mut all = Vec::new();
    for (name, value) in section.iter() {
        let path = |key: &str| format!("{within}.{name}.{key}");
        let Value::Section(inner) = value else { return Err(Refusal::Unknown(format!("{within}.{name}"))) };
        all.push(read(name.as_str(), inner).map_err(|refusal| match refusal {
            Refusal::Fault(VrouterFault { key, reason }) => {
                Refusal::Fault(VrouterFault { key: path(&key), reason })
            }
            Refusal::Unknown(key) => Refusal::Unknown(path(&key)),
            Refusal::Section(key) => Refusal::Section(path(&key)),
            missing @ Refusal::Missing(_) => missing,
        })?);
    }
    Ok(all)
}

pub(super) fn track(name: &str, section: Section<'_>) -> Result<Track, Refusal> {
    let mut what = None;
    let (mut weight, mut inverted) = (0, Toggle::Disabled);
    let (mut interval, mut timeout, mut rise, mut fall) = (Duration::from_secs(1), None, 1, 1);
    let mut fill_percent = 100;
    for (key, data) in plain(section)? {
        let text = || {
            value::text(data)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| fault(key, "must be text"))
        };
        let count = || {
            value::number(data, 1..=1_000_000)
                .and_then(|count| u32::try_from(count).ok())
                .ok_or_else(|| fault(key, "must be 1 to 1000000"))
        };
        let time = || {
            value::time(data)
                .filter(|time| !time.is_zero())
                .ok_or_else(|| fault(key, "must be a time above zero"))
        };
        let tracked = match key {
            "interface" => Tracked::Interface(text()?),
            "script" => Tracked::Script { command: text()?, interval, timeout: interval, rise, fall },
            "file" => Tracked::File(text()?),
            "process" => Tracked::Process(text()?),
            "route" => Tracked::Route(value::network(data).ok_or_else(|| fault(key, "must be a network"))?),
            "ike" => Tracked::Ike(text()?),
            "child" => Tracked::Child(text()?),
            "pool" => Tracked::Pool { name: text()?, fill_percent },
            "bfd" => return Err(fault(key, "sessions of BFD cannot be tracked")),
            "fill" => {
                fill_percent = value::number(data, 1..=100)
                    .and_then(|fill| u8::try_from(fill).ok())
                    .ok_or_else(|| fault(key, "must be 1 to 100"))?;
                continue;
            }
            "weight" => {
                weight = value::number(data, -254..=254)
                    .and_then(|weight| i16::try_from(weight).ok())
                    .ok_or_else(|| fault(key, "must be -254 to 254"))?;
                continue;
            }
            "reverse" => {
                inverted = value::toggle(data).ok_or_else(|| fault(key, "must be yes or no"))?;
                continue;
            }
            "interval" => {
                interval = time()?;
                continue;
            }
            "timeout" => {
                timeout = Some(time()?);
                continue;
            }
            "rise" => {
                rise = count()?;
                continue;
            }
            "fall" => {
                fall = count()?;
                continue;
            }
            other => return Err(Refusal::Unknown(other.to_owned())),
        };
        if what.replace(tracked).is_some() {
            return Err(fault(key, "only one thing can be tracked in a section"));
        }
    }
    let what = match what {
        Some(Tracked::Script { command, .. }) => {
            Tracked::Script { command, interval, timeout: timeout.unwrap_or(interval), rise, fall }
        }
        Some(Tracked::Pool { name, .. }) => Tracked::Pool { name, fill_percent },
        Some(what) => what,
        None => return Err(fault("interface", "nothing is tracked")),
    };
    Ok(Track { name: name.to_owned(), what, weight, inverted })
}

pub(super) fn route(_: &str, section: Section<'_>) -> Result<VirtualRoute, Refusal> {
    let mut destination = None;
    let (mut gateway, mut interface, mut source) = (None, None, None);
    let (mut table, mut metric, mut mtu) = (TABLE_MAIN, 0, 0);
    for (key, data) in plain(section)? {
        let address = || value::plain_address(data).ok_or_else(|| fault(key, "must be an address"));
        match key {
            "to" => destination = Some(value::network(data).ok_or_else(|| fault(key, "must be a network"))?),
            "via" => gateway = Some(address()?),
            "source" => source = Some(address()?),
            "dev" => {
                interface = Some(value::text(data).ok_or_else(|| fault(key, "must be text"))?.to_owned())
            }
            "table" => table = number(key, data)?,
            "metric" => metric = number(key, data)?,
            "mtu" => mtu = number(key, data)?,
            other => return Err(Refusal::Unknown(other.to_owned())),
        }
    }
    let destination: VirtualAddress = destination.ok_or_else(|| fault("to", "there must be one"))?;
    let family = |address: &std::net::IpAddr| address.is_ipv4() == destination.address.is_ipv4();
    if gateway.as_ref().is_some_and(|gateway| !family(gateway)) {
        return Err(fault("via", "must be of the family of the destination"));
    }
    if source.as_ref().is_some_and(|source| !family(source)) {
        return Err(fault("source", "must be of the family of the destination"));
    }
    Ok(VirtualRoute { destination, gateway, interface, source, table, metric, mtu })
}

pub(super) fn rule(_: &str, section: Section<'_>) -> Result<VirtualRule, Refusal> {
    let mut rule = VirtualRule { from: None, to: None, table: TABLE_MAIN, priority: 0 };
    for (key, data) in plain(section)? {
        let network = || value::network(data).ok_or_else(|| fault(key, "must be a network"));
        match key {
            "from" => rule.from = Some(network()?),
            "to" => rule.to = Some(network()?),
            "table" => rule.table = number(key, data)?,
            "priority" => rule.priority = number(key, data)?,
            other => return Err(Refusal::Unknown(other.to_owned())),
        }
    }
    match (rule.from, rule.to) {
        (Some(from), Some(to)) if from.address.is_ipv4() != to.address.is_ipv4() => {
            Err(fault("to", "must be of the family of from"))
        }
        (None, None) => Err(fault("from", "there must be from or to")),
        _ => Ok(rule),
    }
}

/// The single values of a section; anything else in it is refused.
fn plain(section: Section<'_>) -> Result<Vec<(&str, &[u8])>, Refusal> {
    section
        .iter()
        .map(|(key, value)| match value {
            Value::Data(data) => Ok((key.as_str(), data)),
            Value::List(_) => Err(Refusal::Unknown(key.as_str().to_owned())),
            Value::Section(_) => Err(Refusal::Section(key.as_str().to_owned())),
        })
        .collect()
}

fn number(key: &str, data: &[u8]) -> Result<u32, Refusal> {
    value::number(data, 0..=i64::from(u32::MAX))
        .and_then(|number| u32::try_from(number).ok())
        .ok_or_else(|| fault(key, "must be a number of 32 bits"))
}

fn fault(key: &str, reason: &'static str) -> Refusal {
    Refusal::Fault(VrouterFault::new(key, reason))
}
