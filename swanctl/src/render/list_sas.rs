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
