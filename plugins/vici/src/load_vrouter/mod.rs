//! The section of `load-vrouter` as a [`Vrouter`]: every key of swanctl.conf's `vrouters.<name>`.

mod parts;
mod value;

use std::num::NonZeroU8;

use charon_types::Secret;
use charon_types::vrouter::{Vrouter, VrouterAuth, VrouterChecksum, VrouterFault, VrrpVersion};
use vici::{Section, Value};

/// Why a virtual router is discarded; each names the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// A key that does not exist, or a list given as a single value, or the reverse.
    #[error("unknown option: {0}, config discarded")]
    Unknown(String),
    /// A section that does not exist.
    #[error("invalid section: {0}")]
    Section(String),
    /// A key that is not there.
    #[error("missing value for: {0}, config discarded")]
    Missing(&'static str),
    /// A value that cannot be understood, or does not fit the others.
    #[error("{0}, config discarded")]
    Fault(#[from] VrouterFault),
}

/// Reads the section. The first key that is wrong refuses it.
pub(crate) fn parse(name: &str, section: Section<'_>) -> Result<Vrouter, Refusal> {
    let interface = required(section, "interface")?;
    let vrid = value::number(required_bytes(section, "vrid")?, 1..=255)
        .and_then(|id| NonZeroU8::new(u8::try_from(id).ok()?));
    let vrid = vrid.ok_or_else(|| fault("vrid", "must be 1 to 255"))?;
    let addresses = section.list("addresses").ok_or(Refusal::Missing("addresses"))?;
    let addresses = value::each(addresses, value::address).ok_or_else(|| fault("addresses", ADDRESSES))?;
    let mut router = Vrouter::new(name, interface, vrid, addresses);
    for (key, value) in section.iter() {
        match value {
            Value::Data(data) => set(&mut router, key.as_str(), data)?,
            Value::List(items) => match key.as_str() {
                "addresses" => {}
                "excluded" => {
                    router.excluded =
                        value::each(items, value::address).ok_or_else(|| fault("excluded", ADDRESSES))?;
                }
                "peers" => {
                    router.peers = value::each(items, value::plain_address)
                        .ok_or_else(|| fault("peers", "must be a list of addresses"))?;
                }
                other => return Err(Refusal::Unknown(other.to_owned())),
            },
            Value::Section(inner) => match key.as_str() {
                "track" => router.track = parts::each(inner, "track", parts::track)?,
                "routes" => router.routes = parts::each(inner, "routes", parts::route)?,
                "rules" => router.rules = parts::each(inner, "rules", parts::rule)?,
                other => return Err(Refusal::Section(other.to_owned())),
            },
        }
    }
    router.check()?;
    Ok(router)
}

const ADDRESSES: &str = "must be a list of addresses with a prefix length";
const YES_NO: &str = "must be yes or no";
const TIME: &str = "must be a time";
const OCTET: &str = "must be 0 to 255";

fn set(router: &mut Vrouter, key: &str, data: &[u8]) -> Result<(), Refusal> {
    let text = || value::text(data).map(str::to_owned).ok_or_else(|| fault(key, "must be text"));
    let toggle = || value::toggle(data).ok_or_else(|| fault(key, YES_NO));
    let time = || value::time(data).ok_or_else(|| fault(key, TIME));
    let octet = || value::octet(data).ok_or_else(|| fault(key, OCTET));
    match key {
        "interface" | "vrid" => {}
        "version" => {
            router.version = match value::text(data) {
                Some("2") => VrrpVersion::V2,
                Some("3") => VrrpVersion::V3,
                _ => return Err(fault(key, "must be 2 or 3")),
            }
        }
        "priority" => router.priority = value::octet(data).ok_or_else(|| fault(key, "must be 1 to 255"))?,
        "advert_interval" => router.advert_interval = time()?,
        "preempt" => router.preempt = toggle()?,
        "preempt_delay" => router.preempt_delay = time()?,
        "accept" => router.accept = toggle()?,
        "vmac" => router.vmac = toggle()?,
        "vmac_name" => router.vmac_name = Some(text()?),
        "auth" => {
            router.auth = match value::text(data) {
                Some("none") => VrouterAuth::None,
                Some("simple") => VrouterAuth::Simple,
                Some("p0") => VrouterAuth::P0,
                Some("p1") => VrouterAuth::P1,
                Some("hmac") => VrouterAuth::Hmac,
                _ => return Err(fault(key, "must be none, simple, p0, p1 or hmac")),
            }
        }
        "secret" => router.secret = Some(Secret::copy_from(data)).filter(|secret| !secret.is_empty()),
        "checksum" => {
            router.checksum = match value::text(data) {
                Some("auto") => VrouterChecksum::Auto,
                Some("rfc9568") => VrouterChecksum::Rfc9568,
                Some("pseudo") => VrouterChecksum::Pseudo,
                _ => return Err(fault(key, "must be auto, rfc9568 or pseudo")),
            }
        }
        "source" => {
            router.source = Some(value::plain_address(data).ok_or_else(|| fault(key, "must be an address"))?);
        }
        "down_adverts" => router.down_adverts = octet()?,
        "lower_priority_advert" => router.lower_priority_advert = toggle()?,
        "higher_priority_advert" => router.higher_priority_advert = toggle()?,
        "rvrrpd_compat" => router.rvrrpd_compat = toggle()?,
        "track_primary" => router.track_primary = toggle()?,
        "group" => router.group = Some(text()?).filter(|name| !name.is_empty()),
        "garp_repeat" => router.garp.repeat = octet()?,
        "garp_delay" => router.garp.delay = time()?,
        "garp_refresh" => router.garp.refresh = time()?,
        "garp_refresh_repeat" => router.garp.refresh_repeat = octet()?,
        "garp_lower_priority_repeat" => router.garp.lower_priority_repeat = octet()?,
        "garp_lower_priority_delay" => router.garp.lower_priority_delay = time()?,
        "notify" => router.notify.any = Some(text()?),
        "notify_active" => router.notify.active = Some(text()?),
        "notify_backup" => router.notify.backup = Some(text()?),
        "notify_fault" => router.notify.fault = Some(text()?),
        "notify_stop" => router.notify.stop = Some(text()?),
        "notify_group" => router.notify.group = Some(text()?),
        "notify_fifo" => router.notify.fifo = Some(text()?),
        other => return Err(Refusal::Unknown(other.to_owned())),
    }
    Ok(())
}

fn required<'a>(section: Section<'a>, key: &'static str) -> Result<&'a str, Refusal> {
    value::text(required_bytes(section, key)?).ok_or_else(|| fault(key, "must be text"))
}

fn required_bytes<'a>(section: Section<'a>, key: &'static str) -> Result<&'a [u8], Refusal> {
    section.data(key).filter(|data| !data.is_empty()).ok_or(Refusal::Missing(key))
}

fn fault(key: &str, reason: &'static str) -> Refusal {
    Refusal::Fault(VrouterFault::new(key, reason))
}

#[cfg(test)]
mod tests;
