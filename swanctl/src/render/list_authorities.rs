//! Certification authorities.

use std::io::{self, Write};

use vici::Section;

/// Writes the authorities of an event.
pub(crate) fn write(out: &mut dyn Write, event: Section<'_>) -> io::Result<()> {
    for (name, authority) in event.sections() {
        writeln!(out, "{name}:")?;
        if let Some(certificate) = authority.text("cacert") {
            writeln!(out, "  cacert: {certificate}")?;
        }
        for (list, label) in [("crl_uris", "crl_uris: "), ("ocsp_uris", "ocsp_uris:")] {
            let uris = authority.list(list).into_iter().flat_map(|uris| uris.texts());
            for (at, uri) in uris.enumerate() {
                writeln!(out, "  {:10} {uri}", if at == 0 { label } else { "" })?;
            }
        }
        if let Some(base) = authority.text("cert_uri_base") {
            writeln!(out, "  cert_uri_base: {base}")?;
        }
    }
    Ok(())
}
