//! What a record looks like as text.

use std::fmt::Write;

use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_types::connection::Toggle;
use charon_types::event::LogRecord;
use jiff::Zoned;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// How lines are written.
#[derive(Debug)]
pub(super) struct LineFormat {
    pub(super) ike_name: Toggle,
    pub(super) level: Toggle,
    pub(super) time: Option<TimeFormat>,
    pub(super) shape: Shape,
}

/// Text or objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `[time ]NN[GRP][ <conn|id>] text`, a line for each line of the message.
    Text,
    /// A JSON object for each message.
    Json,
}

/// The time in front of a line.
#[derive(Debug)]
pub(super) struct TimeFormat {
    /// In the notation of strftime; known to be valid.
    format: String,
    fraction: Fraction,
    zone: Zone,
}

/// Where the clock of a logger hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Zone {
    /// That of the host.
    Local,
    /// UTC.
    Utc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fraction {
    None,
    Milliseconds,
    Microseconds,
}

impl LineFormat {
    /// Nothing but thread, group and text.
    pub(super) const PLAIN: Self =
        Self { ike_name: Toggle::Disabled, level: Toggle::Disabled, time: None, shape: Shape::Text };

    /// The lines of a record, without their ends.
    pub(super) fn lines(&self, record: &LogRecord) -> Vec<String> {
        let now = self.time.as_ref().map(|time| time.render(&Zoned::now()));
        match self.shape {
            Shape::Text => self.text(record, now.as_deref()),
            Shape::Json => vec![json(record, &now.unwrap_or_else(|| jiff::Timestamp::now().to_string()))],
        }
    }

    fn text(&self, record: &LogRecord, now: Option<&str>) -> Vec<String> {
        let mut prefix = now.map(|now| format!("{now} ")).unwrap_or_default();
        let written = write!(prefix, "{:02}[{}", record.thread, record.group.name());
        written.expect("writing to a string cannot fail");
        if self.level.is_enabled() {
            prefix.push_str(&record.level.to_string());
        }
        prefix.push_str("] ");
        if let (true, Some((name, id))) = (self.ike_name.is_enabled(), &record.ike_sa) {
            prefix.push_str(&format!("<{name}|{id}> "));
        }
        record.message.lines().map(|line| format!("{prefix}{line}")).collect()
    }
}

impl TimeFormat {
    /// The time of a file logger, if it wants one.
    ///
    /// # Errors
    /// The text of a fault, naming file, line and key.
    pub(super) fn of_logger(settings: &Configured<'_>, logger: &str) -> Result<Option<Self>, String> {
        let text = |error: ValueError| error.to_string();
        let key = format!("{logger}.time_format");
        let Some(format) = settings.text(&key).map_err(text)? else { return Ok(None) };
        if let Err(error) = strtime::format(format, &Zoned::now()) {
            let place = settings.view().value(&key).map(|value| value.location().to_string());
            return Err(format!("{}: {key}: '{format}': {error}", place.unwrap_or_default()));
        }
        let older = settings.bool(&format!("{logger}.time_add_ms")).map_err(text)?;
        let fraction = match settings.choice(&format!("{logger}.time_precision")).map_err(text)? {
            Some("us") => Fraction::Microseconds,
            Some(_) => Fraction::Milliseconds,
            None if older => Fraction::Milliseconds,
            None => Fraction::None,
        };
        Ok(Some(Self { format: format.to_owned(), fraction, zone: Zone::Local }))
    }

    /// The time to the second; `format` is one that strftime knows.
    pub(super) fn plain(format: &str, zone: Zone) -> Self {
        Self { format: format.to_owned(), fraction: Fraction::None, zone }
    }

    fn render(&self, now: &Zoned) -> String {
        let utc;
        let now = match self.zone {
            Zone::Local => now,
            Zone::Utc => {
                utc = now.with_time_zone(TimeZone::UTC);
                &utc
            }
        };
        // It was formatted once when it was read, and nothing in it depends on the time.
        let mut text = strtime::format(&self.format, now).unwrap_or_default();
        let nanoseconds = now.subsec_nanosecond();
        let fraction = match self.fraction {
            Fraction::None => return text,
            Fraction::Milliseconds => format!(".{:03}", nanoseconds / 1_000_000),
            Fraction::Microseconds => format!(".{:06}", nanoseconds / 1000),
        };
        text.push_str(&fraction);
        text
    }
}

/// The keys are those of the `log` event.
fn json(record: &LogRecord, time: &str) -> String {
    let mut object = String::from("{");
    let mut field = |name: &str, value: &str| {
        if object.len() > 1 {
            object.push(',');
        }
        quote(&mut object, name);
        object.push(':');
        object.push_str(value);
    };
    let quoted = |text: &str| {
        let mut out = String::new();
        quote(&mut out, text);
        out
    };
    field("time", &quoted(time));
    field("thread", &record.thread.to_string());
    field("group", &quoted(record.group.name()));
    field("level", &record.level.to_string());
    if let Some((name, id)) = &record.ike_sa {
        field("ikesa-name", &quoted(name));
        field("ikesa-uniqueid", &id.to_string());
    }
    field("msg", &quoted(&record.message));
    object.push('}');
    object
}

/// A JSON string (RFC 8259 §7).
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use charon_types::UniqueId;
    use charon_types::event::LogGroup;

    use super::*;

    fn record() -> LogRecord {
        LogRecord {
            group: LogGroup::Ike,
            level: 1,
            thread: 7,
            ike_sa: Some(("gw".into(), UniqueId(3))),
            message: "first \"line\"\nsecond".to_owned(),
        }
    }

    #[test]
    fn a_line_has_thread_and_group_and_what_else_is_asked_for() {
        assert_eq!(LineFormat::PLAIN.lines(&record()), ["07[IKE] first \"line\"", "07[IKE] second"]);
        let all = LineFormat { ike_name: Toggle::Enabled, level: Toggle::Enabled, ..LineFormat::PLAIN };
        assert_eq!(all.lines(&record())[1], "07[IKE1] <gw|3> second");
    }

    #[test]
    fn the_time_stands_in_front_with_its_fraction() {
        let at: Zoned = "2026-03-01T09:05:07.001234567[UTC]".parse().unwrap();
        let time =
            |fraction| TimeFormat { format: "%b %e %T".to_owned(), fraction, zone: Zone::Local }.render(&at);
        assert_eq!(time(Fraction::None), "Mar  1 09:05:07");
        assert_eq!(time(Fraction::Milliseconds), "Mar  1 09:05:07.001");
        assert_eq!(time(Fraction::Microseconds), "Mar  1 09:05:07.001234");
    }

    #[test]
    fn an_object_escapes_what_json_wants_escaped() {
        assert_eq!(
            json(&record(), "now"),
            r#"{"time":"now","thread":7,"group":"IKE","level":1,"ikesa-name":"gw","ikesa-uniqueid":3,"msg":"first \"line\"\nsecond"}"#
        );
        let mut out = String::new();
        quote(&mut out, "\u{1}\\\t");
        assert_eq!(out, "\"\\u0001\\\\\\t\"");
    }
}
