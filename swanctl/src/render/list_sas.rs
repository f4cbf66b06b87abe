//! IKE SAs and their CHILD SAs.

use std::io::{self, Write};

use vici::Section;

use super::text::{Optional, joined, shown};

/// Key exchanges beyond the first.
const ADDITIONAL_KEY_EXCHANGES: std::ops::RangeInclusive<u8> = 1..=7;

/// Writes all IKE SAs of an event.
pub(crate) fn write(out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
    event.sections().try_for_each(|(name, sa)| ike_sa(out, name.as_str(), sa))
}

fn ike_sa(out: &mut dyn Write, name: &str, sa: Section<'_>) -> io::Result<()> {
    let get = |key| shown(sa, key);
    let (initiator, responder) = if sa.text("initiator") == Some("yes") { ("*", "") } else { ("", "*") };
    writeln!(
        out,
        "{name}: #{}, {}, IKEv{}, {}_i{initiator} {}_r{responder}",
        get("uniqueid"),
        get("state"),
        get("version"),
        get("initiator-spi"),
        get("responder-spi"),
    )?;
    let vips = |key| joined(sa, key).map(|vips| format!(" [{vips}]")).unwrap_or_default();
    writeln!(
        out,
        "  local  '{}' @ {}[{}]{}",
        get("local-id"),
        get("local-host"),
        get("local-port"),
        vips("local-vips")
    )?;
    writeln!(
        out,
        "  remote '{}' @ {}[{}]{}{}{}",
        get("remote-id"),
        get("remote-host"),
        get("remote-port"),
        Optional(" EAP: '", sa.text("remote-eap-id"), "'"),
        Optional(" XAuth: '", sa.text("remote-xauth-id"), "'"),
        vips("remote-vips")
    )?;
    if let Some(encryption) = sa.text("encr-alg") {
        writeln!(
            out,
            "  {encryption}{}{}{}/{}/{}{}{}",
            Optional("-", sa.text("encr-keysize"), ""),
            Optional("/", sa.text("integ-alg"), ""),
            Optional("-", sa.text("integ-keysize"), ""),
            get("prf-alg"),
            get("dh-group"),
            additional_key_exchanges(sa),
            if sa.text("ppk") == Some("yes") { "/PPK" } else { "" },
        )?;
    }
    if let Some(established) = sa.text("established") {
        writeln!(
            out,
            "  established {established}s ago{}{}",
            Optional(", rekeying in ", sa.text("rekey-time"), "s"),
            Optional(", reauth in ", sa.text("reauth-time"), "s"),
        )?;
    }
    for (label, key) in
        [("queued:  ", "tasks-queued"), ("active:  ", "tasks-active"), ("passive: ", "tasks-passive")]
    {
        if let Some(tasks) = joined(sa, key) {
            writeln!(out, "  {label}{tasks}")?;
        }
    }
    match sa.section("child-sas") {
        Some(children) => children.sections().try_for_each(|(_, child)| child_sa(out, child)),
        None => Ok(()),
    }
}

fn child_sa(out: &mut dyn Write, sa: Section<'_>) -> io::Result<()> {
    let get = |key| shown(sa, key);
    let cpu = match (sa.text("cpu"), sa.text("per-cpu-sas")) {
        (Some(cpu), _) => Some(cpu),
        (None, Some(_)) => Some("-"),
        (None, None) => None,
    };
    writeln!(
        out,
        "  {}: #{}, reqid {}{}, {}, {}{}, {}:{}{}{}{}{}{}{}",
        get("name"),
        get("uniqueid"),
        get("reqid"),
        Optional(", cpu ", cpu, ""),
        get("state"),
        get("mode"),
        if sa.text("encap") == Some("yes") { "-in-UDP" } else { "" },
        get("protocol"),
        sa.text("encr-alg").unwrap_or_default(),
        Optional("-", sa.text("encr-keysize"), ""),
        Optional(if sa.text("encr-alg").is_some() { "/" } else { "" }, sa.text("integ-alg"), ""),
        Optional("-", sa.text("integ-keysize"), ""),
        Optional("/", sa.text("dh-group"), ""),
        additional_key_exchanges(sa),
        if sa.text("esn").is_some() { "/ESN" } else { "" },
    )?;
    writeln!(
        out,
        "    installed {}s ago{}{}",
        get("install-time"),
        Optional(", rekeying in ", sa.text("rekey-time"), "s"),
        Optional(", expires in ", sa.text("life-time"), "s"),
    )?;
    traffic(out, sa, "in  ", "in")?;
    traffic(out, sa, "out ", "out")?;
    if let Some(label) = sa.text("label") {
        writeln!(out, "    label  {label}")?;
    }
    for (label, key) in [("local ", "local-ts"), ("remote", "remote-ts")] {
        writeln!(out, "    {label} {}", joined(sa, key).unwrap_or_default())?;
    }
    Ok(())
}

/// One direction of a CHILD SA.
fn traffic(out: &mut dyn Write, sa: Section<'_>, label: &str, direction: &str) -> io::Result<()> {
    let get = |key: &str| sa.text(&format!("{key}-{direction}"));
    let mark = match (get("mark"), get("if-id")) {
        (None, None) => String::new(),
        (mark, interface) => format!(
            " ({}{}{})",
            mark.map_or_else(|| "-".to_owned(), |mark| format!("0x{mark}")),
            Optional("/0x", get("mark-mask"), ""),
            Optional("|0x", interface, ""),
        ),
    };
    let missing = "(null)";
    writeln!(
        out,
        "    {label}{}{}{mark}, {:>6} bytes, {:>5} packets{}",
        get("spi").unwrap_or(missing),
        Optional("/", get("cpi"), ""),
        get("bytes").unwrap_or(missing),
        get("packets").unwrap_or(missing),
        Optional(", ", get("use").map(|seconds| format!("{seconds:>5}s ago")).as_deref(), ""),
    )
}

fn additional_key_exchanges(sa: Section<'_>) -> String {
    ADDITIONAL_KEY_EXCHANGES
        .filter_map(|at| sa.text(&format!("ake{at}")).map(|method| format!("/KE{at}_{method}")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    fn shown_as(event: &Message) -> String {
        let mut out = Vec::new();
        write(&mut out, event.root()).expect("memory is writable");
        String::from_utf8(out).expect("the output is text")
    }

    fn message(pairs: &[(&str, &str)]) -> Message {
        pairs.iter().fold(Message::new(), |message, (name, value)| message.with(name, value))
    }

    #[test]
    fn all_that_an_ike_sa_can_have_has_its_place() {
        let sa = message(&[
            ("uniqueid", "7"),
            ("version", "2"),
            ("state", "ESTABLISHED"),
            ("local-host", "192.0.2.1"),
            ("local-port", "4500"),
            ("local-id", "moon"),
            ("remote-host", "192.0.2.2"),
            ("remote-port", "4500"),
            ("remote-id", "sun"),
            ("remote-eap-id", "carol"),
            ("initiator-spi", "0000000000000001"),
            ("responder-spi", "0000000000000002"),
            ("encr-alg", "AES_GCM_16"),
            ("encr-keysize", "256"),
            ("prf-alg", "PRF_HMAC_SHA2_384"),
            ("dh-group", "CURVE_25519"),
            ("ake1", "ML_KEM_768"),
            ("ake3", "ECP_384"),
            ("ppk", "yes"),
            ("established", "5"),
            ("rekey-time", "100"),
            ("reauth-time", "-3"),
        ])
        .with_list("local-vips", ["10.3.0.1", "fec3::1"])
        .with_list("remote-vips", ["10.4.0.1"])
        .with_list("tasks-queued", ["IKE_REKEY"])
        .with_list("tasks-active", ["IKE_DPD", "IKE_MOBIKE"])
        .with_list("tasks-passive", ["CHILD_CREATE"])
        .with_section("child-sas", &Message::new());
        let expected = "gw: #7, ESTABLISHED, IKEv2, 0000000000000001_i 0000000000000002_r*
  local  'moon' @ 192.0.2.1[4500] [10.3.0.1 fec3::1]
  remote 'sun' @ 192.0.2.2[4500] EAP: 'carol' [10.4.0.1]
  AES_GCM_16-256/PRF_HMAC_SHA2_384/CURVE_25519/KE1_ML_KEM_768/KE3_ECP_384/PPK
  established 5s ago, rekeying in 100s, reauth in -3s
  queued:  IKE_REKEY
  active:  IKE_DPD IKE_MOBIKE
  passive: CHILD_CREATE
";
        assert_eq!(shown_as(&Message::new().with_section("gw", &sa)), expected);
    }

    #[test]
    fn marks_interface_ids_processors_and_sequence_numbers_show_on_child_sas() {
        let child = message(&[
            ("name", "net"),
            ("uniqueid", "9"),
            ("reqid", "3"),
            ("state", "INSTALLED"),
            ("mode", "TUNNEL"),
            ("label", "6c00"),
            ("protocol", "ESP"),
            ("spi-in", "c0000001"),
            ("spi-out", "c0000002"),
            ("cpi-in", "00aa"),
            ("mark-in", "0000002a"),
            ("mark-mask-in", "0000ffff"),
            ("if-id-in", "00000007"),
            ("if-id-out", "00000008"),
            ("cpu", "1"),
            ("encr-alg", "AES_CBC"),
            ("encr-keysize", "128"),
            ("integ-alg", "HMAC_SHA2_256_128"),
            ("dh-group", "ECP_256"),
            ("esn", "1"),
            ("bytes-in", "1234567"),
            ("packets-in", "1"),
            ("bytes-out", "0"),
            ("packets-out", "0"),
            ("use-in", "12"),
            ("install-time", "20"),
        ])
        .with_list("local-ts", ["10.1.0.0/16", "10.2.0.0/16[tcp/ssh]"])
        .with_list("remote-ts", ["0.0.0.0/0"]);
        let sa = Message::new().with_section("child-sas", &Message::new().with_section("net-9", &child));
        let expected =
            "  net: #9, reqid 3, cpu 1, INSTALLED, TUNNEL, ESP:AES_CBC-128/HMAC_SHA2_256_128/ECP_256/ESN
    installed 20s ago
    in  c0000001/00aa (0x0000002a/0x0000ffff|0x00000007), 1234567 bytes,     1 packets,    12s ago
    out c0000002 (-|0x00000008),      0 bytes,     0 packets
    label  6c00
    local  10.1.0.0/16 10.2.0.0/16[tcp/ssh]
    remote 0.0.0.0/0
";
        let shown = shown_as(&Message::new().with_section("gw", &sa));
        assert_eq!(shown.lines().skip(3).map(|line| format!("{line}\n")).collect::<String>(), expected);
    }
}
