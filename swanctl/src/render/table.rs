//! IKE SAs and CHILD SAs as a table that is drawn again and again.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use vici::Section;

use super::text::shown;

/// Rows of SAs, and what their counters were a moment ago.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    ike_sas: usize,
    before: HashMap<String, Traffic>,
    now: HashMap<String, Traffic>,
    /// The sum of all CHILD SAs, for the line above the table.
    rate: Traffic,
}

/// Bytes in each direction, or bytes per second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Traffic {
    inbound: u64,
    outbound: u64,
}

type Row = [String; HEADINGS.len()];

const HEADINGS: [&str; 10] =
    ["CONNECTION", "STATE", "PEER", "IDENTITY", "AGE", "CHILD", "STATE", "IN", "OUT", "IN/s OUT/s"];

/// How much of the table fits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
}

impl Table {
    /// Adds the IKE SAs of an event.
    pub(crate) fn add(&mut self, event: Section<'_>, since: Duration) {
        for (name, sa) in event.sections() {
            self.ike_sas += 1;
            let mut ike = [
                format!("{name}[{}]", shown(sa, "uniqueid")),
                shown(sa, "state").to_owned(),
                shown(sa, "remote-host").to_owned(),
                sa.text("remote-eap-id").unwrap_or_else(|| shown(sa, "remote-id")).to_owned(),
                sa.text("established").map(age).unwrap_or_default(),
            ];
            let children: Vec<_> = sa.section("child-sas").into_iter().flat_map(Section::sections).collect();
            for (_, child) in &children {
                let [connection, state, peer, identity, since_when] = std::mem::take(&mut ike);
                let [child, child_state, inbound, outbound, rates] = self.child(*child, since);
                self.rows.push([
                    connection,
                    state,
                    peer,
                    identity,
                    since_when,
                    child,
                    child_state,
                    inbound,
                    outbound,
                    rates,
                ]);
            }
            if children.is_empty() {
                let mut row = Row::default();
                row.iter_mut().zip(ike).for_each(|(cell, text)| *cell = text);
                self.rows.push(row);
            }
        }
    }

    fn child(&mut self, child: Section<'_>, since: Duration) -> [String; 5] {
        let id = shown(child, "uniqueid");
        let count = |key| child.text(key).and_then(|bytes| bytes.parse().ok()).unwrap_or(0);
        let now = Traffic { inbound: count("bytes-in"), outbound: count("bytes-out") };
        let rates = match self.before.get(id) {
            Some(before) => {
                let inbound = per_second(now.inbound.saturating_sub(before.inbound), since);
                let outbound = per_second(now.outbound.saturating_sub(before.outbound), since);
                self.rate.inbound = self.rate.inbound.saturating_add(inbound);
                self.rate.outbound = self.rate.outbound.saturating_add(outbound);
                format!("{} {}", size(inbound), size(outbound))
            }
            None => String::new(),
        };
        self.now.insert(id.to_owned(), now);
        [
            format!("{}{{{id}}}", shown(child, "name")),
            shown(child, "state").to_owned(),
            size(now.inbound),
            size(now.outbound),
            rates,
        ]
    }

    /// The table as lines no longer and no more than fit, and an empty one for the next time.
    pub(crate) fn draw(self, extent: Extent) -> (Vec<String>, Self) {
        let widths: Vec<usize> = HEADINGS
            .iter()
            .enumerate()
            .map(|(at, heading)| {
                self.rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0).max(heading.len())
            })
            .collect();
        let line = |cells: &[&str]| {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(line, "{cell:<width$}  ");
            }
            line.trim_end().chars().take(extent.columns).collect::<String>()
        };
        let children = self.now.len();
        let Traffic { inbound, outbound } = self.rate;
        let mut lines = vec![
            format!(
                "{} IKE_SAs, {children} CHILD_SAs, {}/s in, {}/s out",
                self.ike_sas,
                size(inbound),
                size(outbound)
            )
            .chars()
            .take(extent.columns)
            .collect(),
            line(&HEADINGS),
        ];
        let room = extent.rows.saturating_sub(lines.len() + 1);
        for row in self.rows.iter().take(room) {
            lines.push(line(&row.each_ref().map(String::as_str)));
        }
        if self.rows.len() > room {
            lines.push(format!("and {} more", self.rows.len() - room));
        }
        (lines, Self { before: self.now, ..Self::default() })
    }
}

/// Bytes in the largest unit of which there is one.
fn size(bytes: u64) -> String {
    let units = ["", "k", "M", "G", "T"];
    let (mut whole, mut tenths, mut unit) = (bytes, 0, 0);
    while whole >= 1000 && unit + 1 < units.len() {
        tenths = whole % 1000 / 100;
        whole /= 1000;
        unit += 1;
    }
    if unit > 0 && whole < 10 {
        format!("{whole}.{tenths}{}", units[unit])
    } else {
        format!("{whole}{}", units[unit])
    }
}

/// Seconds as hours, minutes and seconds.
fn age(seconds: &str) -> String {
    match seconds.parse::<u64>() {
        Ok(seconds) if seconds >= 86_400 => format!("{}d{:02}h", seconds / 86_400, seconds / 3_600 % 24),
        Ok(seconds) if seconds >= 3_600 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        Ok(seconds) if seconds >= 60 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        Ok(seconds) => format!("{seconds}s"),
        Err(_) => seconds.to_owned(),
    }
}

fn per_second(bytes: u64, time: Duration) -> u64 {
    let milliseconds = time.as_millis().max(1);
    u64::try_from(u128::from(bytes) * 1000 / milliseconds).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use vici::Message;

    fn event(bytes: &str) -> Message {
        let child = Message::new()
            .with("name", "net")
            .with("uniqueid", "7")
            .with("state", "INSTALLED")
            .with("bytes-in", bytes)
            .with("bytes-out", "84");
        let children = Message::new().with_section("net-7", &child);
        let sa = Message::new()
            .with("uniqueid", "3")
            .with("state", "ESTABLISHED")
            .with("remote-host", "192.0.2.2")
            .with("remote-id", "sun")
            .with("established", "3725")
            .with_section("child-sas", &children);
        Message::new().with_section("gw", &sa)
    }

    const WIDE: Extent = Extent { columns: 200, rows: 50 };

    #[test]
    fn each_child_sa_has_a_row_with_what_passed_since_the_last_time() {
        let mut table = Table::default();
        table.add(event("1000000").root(), Duration::ZERO);
        let (lines, mut table) = table.draw(WIDE);
        let expected = [
            "1 IKE_SAs, 1 CHILD_SAs, 0/s in, 0/s out",
            "CONNECTION  STATE        PEER       IDENTITY  AGE    CHILD   STATE      IN    OUT  IN/s OUT/s",
            "gw[3]       ESTABLISHED  192.0.2.2  sun       1h02m  net{7}  INSTALLED  1.0M  84",
        ];
        assert_eq!(lines, expected);
        table.add(event("1004000").root(), Duration::from_secs(2));
        let (lines, _) = table.draw(WIDE);
        assert_eq!(lines[0], "1 IKE_SAs, 1 CHILD_SAs, 2.0k/s in, 0/s out");
        assert!(lines[2].ends_with("1.0M  84   2.0k 0"), "{}", lines[2]);
    }

    #[test]
    fn what_does_not_fit_is_cut_and_counted() {
        let mut table = Table::default();
        for _ in 0..10 {
            table.add(event("1").root(), Duration::ZERO);
        }
        let (lines, _) = table.draw(Extent { columns: 20, rows: 5 });
        assert_eq!(lines.len(), 5);
        assert!(lines.iter().all(|line| line.chars().count() <= 20));
        assert_eq!(lines[4], "and 8 more");
    }

    #[test]
    fn sizes_and_ages_take_few_columns() {
        assert_eq!(
            [0, 999, 1000, 9_990, 10_000, 123_456_789].map(size),
            ["0", "999", "1.0k", "9.9k", "10k", "123M"]
        );
        assert_eq!(size(u64::MAX), "18446744T");
        assert_eq!(["59", "60", "3600", "90000", "-"].map(age), ["59s", "1m00s", "1h00m", "1d01h", "-"]);
    }
}
