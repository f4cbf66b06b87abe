//! Virtual routers with their roles.

use std::io::{self, Write};

use vici::Section;

use super::text::{Optional, joined, shown};

/// Writes the virtual routers of an event.
pub(crate) fn write(out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
    event.sections().try_for_each(|(name, router)| one(out, name.as_str(), router))
}

fn one(out: &mut dyn Write, name: &str, router: Section<'_>) -> io::Result<()> {
    let by = router.text("reason-address");
    writeln!(
        out,
        "{name}: {}, VRRPv{}, {} vrid {}, {}{} since {}s",
        shown(router, "state").to_ascii_uppercase(),
        shown(router, "version"),
        shown(router, "interface"),
        shown(router, "vrid"),
        shown(router, "reason"),
        Optional(" ", by, ""),
        shown(router, "since"),
    )?;
    let (base, effective) = (shown(router, "priority"), shown(router, "effective-priority"));
    let effective = Some(effective).filter(|effective| *effective != base);
    let active = router.text("active-router");
    writeln!(
        out,
        "  priority: {base}{}{}{}",
        Optional(", effective ", effective, ""),
        Optional(", active router is ", active, ""),
        Optional(" with priority ", router.text("active-priority").filter(|_| active.is_some()), ""),
    )?;
    writeln!(
        out,
        "  adverts:  every {}s{}, down after {}s",
        shown(router, "advert-interval"),
        Optional(", from ", router.text("source"), ""),
        shown(router, "down-interval"),
    )?;
    for (key, label) in [("addresses", "addresses:"), ("excluded", "excluded: "), ("failing", "failing:  ")] {
        if let Some(items) = joined(router, key) {
            writeln!(out, "  {label} {items}")?;
        }
    }
    for (key, label) in [("vmac-interface", "macvlan:  "), ("group", "group:    ")] {
        if let Some(text) = router.text(key) {
            writeln!(out, "  {label} {text}")?;
        }
    }
    let Some(statistics) = router.section("statistics") else { return Ok(()) };
    let count = |name| statistics.text(name).unwrap_or("0");
    writeln!(
        out,
        "  counters:  {} times active, {} adverts received, {} sent",
        count("master-transitions"),
        count("advertisement-rcvd"),
        count("advertisement-sent"),
    )?;
    let ordinary = ["master-transitions", "advertisement-rcvd", "advertisement-sent"];
    let errors: Vec<String> = statistics
        .iter()
        .filter_map(|(name, value)| match value {
            vici::Value::Data(data) if data != b"0" && !ordinary.contains(&name.as_str()) => {
                Some(format!("{name} {}", String::from_utf8_lossy(data)))
            }
            _ => None,
        })
        .collect();
    if errors.is_empty() { Ok(()) } else { writeln!(out, "             {}", errors.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    #[test]
    fn role_priorities_addresses_and_errors_have_their_lines() {
        let statistics = Message::new()
            .with("master-transitions", "1")
            .with("advertisement-rcvd", "7")
            .with("advertisement-sent", "9")
            .with("interval-errors", "0")
            .with("checksum-errors", "2");
        let router = Message::new()
            .with("state", "backup")
            .with("reason", "higher-priority")
            .with("reason-address", "192.0.2.12")
            .with("since", "42")
            .with("interface", "eth0")
            .with("vrid", "51")
            .with("version", "3")
            .with("priority", "100")
            .with("effective-priority", "80")
            .with_list("addresses", ["192.0.2.1/24"])
            .with("vmac-interface", "vrrp4-2-51")
            .with("advert-interval", "1")
            .with("down-interval", "3.6875")
            .with("source", "192.0.2.11")
            .with("active-router", "192.0.2.12")
            .with("active-priority", "150")
            .with_list("failing", ["uplink"])
            .with_section("statistics", &statistics);
        let mut out = Vec::new();
        write(&mut out, Message::new().with_section("gw", &router).root()).expect("memory is writable");
        let expected = "gw: BACKUP, VRRPv3, eth0 vrid 51, higher-priority 192.0.2.12 since 42s
  priority: 100, effective 80, active router is 192.0.2.12 with priority 150
  adverts:  every 1s, from 192.0.2.11, down after 3.6875s
  addresses: 192.0.2.1/24
  failing:   uplink
  macvlan:   vrrp4-2-51
  counters:  1 times active, 7 adverts received, 9 sent
             checksum-errors 2
";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
