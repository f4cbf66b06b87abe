//! A virtual router as `list-vrouter` and `vrouter-state` show it.

use std::time::{Duration, SystemTime};

use charon_types::connection::Toggle;
use charon_types::vrouter::{
    VrouterAuth, VrouterChecksum, VrouterReason, VrouterSnapshot, VrouterState, VrrpVersion,
};
use vici::Message;

/// The event `list-vrouter`: one section named after the router.
pub(crate) fn listed(vrouter: &VrouterSnapshot) -> Message {
    Message::new().with_section(&vrouter.config.name, &section(vrouter, None))
}

/// The event `vrouter-state`: the same, with the state before.
pub(crate) fn changed(vrouter: &VrouterSnapshot, former: VrouterState) -> Message {
    Message::new().with_section(&vrouter.config.name, &section(vrouter, Some(former)))
}

fn section(vrouter: &VrouterSnapshot, former: Option<VrouterState>) -> Message {
    let config = &*vrouter.config;
    let mut message = Message::new().with("state", vrouter.state.name());
    if let Some(former) = former {
        message.push("former-state", former.name());
    }
    message.push("reason", vrouter.reason.name());
    if let VrouterReason::HigherPriority { by, priority } = vrouter.reason {
        message.push("reason-address", by.to_string());
        message.push("reason-priority", priority.to_string());
    }
    let since = SystemTime::now().duration_since(vrouter.since).unwrap_or_default();
    message.push("since", since.as_secs().to_string());
    message.push("interface", &config.interface);
    message.push("vrid", config.vrid.to_string());
    message.push("version", if config.version == VrrpVersion::V2 { "2" } else { "3" });
    message.push("priority", config.priority.to_string());
    message.push("effective-priority", vrouter.effective_priority.to_string());
    let addresses = |all: &[charon_types::vrouter::VirtualAddress]| {
        all.iter().map(|held| format!("{}/{}", held.address, held.prefix)).collect::<Vec<_>>()
    };
    message.push_list("addresses", addresses(&config.addresses));
    if !config.excluded.is_empty() {
        message.push_list("excluded", addresses(&config.excluded));
    }
    message.push("preempt", yes_no(config.preempt));
    message.push("preempt-delay", seconds(config.preempt_delay));
    message.push("accept", yes_no(config.accept));
    message.push("vmac", yes_no(config.vmac));
    if let Some(interface) = &vrouter.vmac_interface {
        message.push("vmac-interface", interface);
    }
    message.push("auth", auth(config.auth));
    message.push("checksum", checksum(config.checksum));
    if let Some(group) = &config.group {
        message.push("group", group);
    }
    message.push("advert-interval", seconds(config.advert_interval));
    message.push("active-interval", seconds(vrouter.active_interval));
    message.push("down-interval", seconds(vrouter.down_interval));
    message.push("skew-time", seconds(vrouter.skew_time));
    if let Some(source) = vrouter.source {
        message.push("source", source.to_string());
    }
    if let Some(active) = vrouter.active {
        message.push("active-router", active.to_string());
    }
    if let Some(priority) = vrouter.active_priority {
        message.push("active-priority", priority.to_string());
    }
    if !vrouter.failing.is_empty() {
        message.push_list("failing", &vrouter.failing);
    }
    let mut statistics = Message::new();
    for (name, value) in &vrouter.counters {
        statistics.push(name, value.to_string());
    }
    message.push_section("statistics", &statistics);
    message
}

const fn yes_no(toggle: Toggle) -> &'static str {
    match toggle {
        Toggle::Enabled => "yes",
        Toggle::Disabled => "no",
    }
}

const fn auth(auth: VrouterAuth) -> &'static str {
    match auth {
        VrouterAuth::None => "none",
        VrouterAuth::Simple => "simple",
        VrouterAuth::P0 => "p0",
        VrouterAuth::P1 => "p1",
        VrouterAuth::Hmac => "hmac",
    }
}

const fn checksum(checksum: VrouterChecksum) -> &'static str {
    match checksum {
        VrouterChecksum::Auto => "auto",
        VrouterChecksum::Rfc9568 => "rfc9568",
        VrouterChecksum::Pseudo => "pseudo",
    }
}

/// Seconds with as many decimals as they need, at most six.
fn seconds(time: Duration) -> String {
    let text = format!("{}.{:06}", time.as_secs(), time.subsec_micros());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_without_needless_decimals() {
        assert_eq!(seconds(Duration::from_secs(1)), "1");
        assert_eq!(seconds(Duration::from_millis(3_609)), "3.609");
        assert_eq!(seconds(Duration::from_micros(609_375)), "0.609375");
        assert_eq!(seconds(Duration::ZERO), "0");
    }
}
