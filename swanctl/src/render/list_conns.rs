//! Connections as the daemon knows them.

use std::io::{self, Write};

use vici::Section;

use super::text::{Optional, joined, shown};

/// Writes all connections of an event.
pub(crate) fn write(out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
    event.sections().try_for_each(|(name, connection)| one(out, name.as_str(), connection))
}

fn one(out: &mut dyn Write, name: &str, connection: Section<'_>) -> io::Result<()> {
    let version = shown(connection, "version");
    let reauth = nonzero(connection, "reauth_time");
    let rekey = nonzero(connection, "rekey_time");
    // IKEv1 knows no rekeying but reauthentication.
    let (reauth, rekeying) = if version == "IKEv1" {
        (reauth.or(rekey), String::new())
    } else {
        let every = rekey.map(|seconds| format!(", rekeying every {seconds}s"));
        (reauth, every.unwrap_or_else(|| ", no rekeying".into()))
    };
    let reauthentication = reauth
        .map_or_else(|| "no reauthentication".into(), |seconds| format!("reauthentication every {seconds}s"));
    let dpd_delay = nonzero(connection, "dpd_delay");
    writeln!(
        out,
        "{name}: {version}, {reauthentication}{rekeying}{}",
        Optional(", dpd delay ", dpd_delay, "s")
    )?;

    if connection.text("ppk_id").is_some() || connection.text("ppk_required").is_some() {
        let required =
            if connection.text("ppk_required") == Some("yes") { "required" } else { "not required" };
        writeln!(out, "  ppk: {}{required}", Optional("", connection.text("ppk_id"), ", "))?;
    }
    for (label, addresses, port) in
        [("local: ", "local_addrs", "local_port"), ("remote:", "remote_addrs", "remote_port")]
    {
        for address in connection.list(addresses).into_iter().flat_map(|addresses| addresses.texts()) {
            let port = Optional("[", connection.text(port), "]");
            writeln!(out, "  {label} {address}{port}")?;
        }
    }
    for (name, round) in connection.sections().filter(|(name, _)| *name != "children") {
        let side = name.as_str().split('-').next().unwrap_or_default();
        authentication(out, side, round)?;
    }
    match connection.section("children") {
        Some(children) => {
            children.sections().try_for_each(|(name, config)| child(out, name.as_str(), config, dpd_delay))
        }
        None => Ok(()),
    }
}

fn authentication(out: &mut dyn Write, side: &str, round: Section<'_>) -> io::Result<()> {
    let class = match (round.text("class"), round.text("eap-type"), round.text("eap-vendor")) {
        (Some("EAP"), Some(method), vendor) => format!("{method}{}", Optional("-", vendor, "")),
        (class, _, _) => class.unwrap_or("unspecified").to_owned(),
    };
    writeln!(out, "  {side} {class} authentication:")?;
    for key in ["id", "ca_id", "eap_id", "xauth_id", "aaa_id"] {
        if let Some(identity) = round.text(key) {
            writeln!(out, "    {key}: {identity}")?;
        }
    }
    for (label, key) in
        [("groups", "groups"), ("cert policy", "cert_policy"), ("certs", "certs"), ("cacerts", "cacerts")]
    {
        if let Some(items) = joined(round, key) {
            writeln!(out, "    {label}: {items}")?;
        }
    }
    Ok(())
}

fn child(out: &mut dyn Write, name: &str, config: Section<'_>, dpd_delay: Option<&str>) -> io::Result<()> {
    let mode = shown(config, "mode");
    let limits: Vec<String> = [("rekey_time", "s"), ("rekey_bytes", " bytes"), ("rekey_packets", " packets")]
        .into_iter()
        .filter_map(|(key, unit)| nonzero(config, key).map(|amount| format!("{amount}{unit}")))
        .collect();
    let rekeying = if limits.is_empty() || matches!(mode, "PASS" | "DROP") {
        "no rekeying".to_owned()
    } else {
        format!("rekeying every {}", limits.join(" or "))
    };
    let dpd_action = dpd_delay.and_then(|_| config.text("dpd_action"));
    writeln!(out, "  {name}: {mode}, {rekeying}{}", Optional(", dpd action is ", dpd_action, ""))?;
    if let Some(label) = config.text("label") {
        writeln!(out, "    label:  {label}")?;
    }
    for (label, key) in [("local: ", "local-ts"), ("remote:", "remote-ts")] {
        writeln!(out, "    {label} {}", joined(config, key).unwrap_or_default())?;
    }
    for key in ["interface", "priority"] {
        if let Some(value) = config.text(key) {
            writeln!(out, "    {key}: {value}")?;
        }
    }
    Ok(())
}

/// A number that is set and is not zero.
fn nonzero<'a>(section: Section<'a>, key: &str) -> Option<&'a str> {
    section.text(key).filter(|value| *value != "0")
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    #[test]
    fn ports_keys_for_quantum_computers_and_limits_of_traffic_have_their_place() {
        let child = Message::new()
            .with("mode", "TUNNEL")
            .with("label", "l")
            .with("rekey_time", "0")
            .with("rekey_bytes", "500")
            .with("rekey_packets", "7")
            .with("dpd_action", "trap")
            .with_list("local-ts", ["dynamic"])
            .with_list("remote-ts", ["10.0.0.0/8"])
            .with("interface", "eth0")
            .with("priority", "9");
        let round = Message::new()
            .with("class", "EAP")
            .with("eap-type", "7")
            .with("eap-vendor", "99")
            .with_list("cert_policy", ["1.2.3", "1.2.4"]);
        let connection = Message::new()
            .with_list("local_addrs", ["192.0.2.1", "fec0::1"])
            .with_list("remote_addrs", ["%any"])
            .with("local_port", "500")
            .with("remote_port", "4500")
            .with("version", "IKEv1")
            .with("reauth_time", "0")
            .with("rekey_time", "60")
            .with("dpd_delay", "5")
            .with("ppk_id", "p")
            .with_section("remote-1", &round)
            .with_section("children", &Message::new().with_section("net", &child));
        let mut out = Vec::new();
        write(&mut out, Message::new().with_section("gw", &connection).root()).expect("memory is writable");
        let expected = "gw: IKEv1, reauthentication every 60s, dpd delay 5s
  ppk: p, not required
  local:  192.0.2.1[500]
  local:  fec0::1[500]
  remote: %any[4500]
  remote 7-99 authentication:
    cert policy: 1.2.3 1.2.4
  net: TUNNEL, rekeying every 500 bytes or 7 packets, dpd action is trap
    label:  l
    local:  dynamic
    remote: 10.0.0.0/8
    interface: eth0
    priority: 9
";
        assert_eq!(String::from_utf8_lossy(&out), expected);
    }
}
