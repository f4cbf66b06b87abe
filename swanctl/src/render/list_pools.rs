//! Pools, a line each, and a line for each lease.

use std::io::{self, Write};

use vici::Section;

use super::text::shown;

/// Writes the reply of `get-pools`.
pub(crate) fn write(out: &mut dyn Write, reply: Section<'_>) -> io::Result<()> {
    for (name, pool) in reply.sections() {
        let usage =
            format!("{} / {} / {}", shown(pool, "online"), shown(pool, "offline"), shown(pool, "size"));
        writeln!(out, "{:<20} {:<30} {usage:>16}", name.as_str(), shown(pool, "base"))?;
        let leases = pool.section("leases");
        for (_, lease) in leases.iter().flat_map(|leases| leases.sections()) {
            let (address, status) = (shown(lease, "address"), shown(lease, "status"));
            writeln!(out, "  {address:<30} {status:<8} '{}'", shown(lease, "identity"))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use vici::Message;

    use super::*;

    #[test]
    fn leases_stand_below_their_pool() {
        let lease = Message::new()
            .with("address", "10.3.0.1")
            .with("identity", "moon.example.org")
            .with("status", "online");
        let leases = Message::new().with_section("0", &lease);
        let pool = Message::new()
            .with("base", "10.3.0.1")
            .with("size", "14")
            .with("online", "1")
            .with("offline", "0")
            .with_section("leases", &leases);
        let mut out = Vec::new();
        write(&mut out, Message::new().with_section("rw", &pool).root()).unwrap();
        let expected = "rw                   10.3.0.1                             1 / 0 / 14\n\
                        \x20 10.3.0.1                       online   'moon.example.org'\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
