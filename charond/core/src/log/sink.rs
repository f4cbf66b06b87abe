//! Where log lines are written: standard error, files, the system log.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};

use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_types::connection::Toggle;
use charon_types::event::{LogGroup, LogRecord};
use parking_lot::Mutex;

use super::levels::Levels;
use super::line::{LineFormat, Shape, TimeFormat, Zone};
use super::syslog::Syslog;

/// A place that lines are written to.
pub struct Sink {
    pub(super) levels: Levels,
    format: LineFormat,
    out: Mutex<Out>,
}

/// A file that no logger of the settings is for. It is appended to, line by line.
#[derive(Clone, Copy, Debug)]
pub struct LogFile<'a> {
    /// Where it is.
    pub path: &'a str,
    /// What it takes.
    pub levels: Levels,
    /// The time in front of each line, in a notation of strftime.
    pub time: Option<(&'a str, Zone)>,
}

enum Out {
    Stderr,
    Stdout,
    File { file: BufWriter<File>, flush_line: Toggle },
    Syslog(Syslog),
}

impl Sink {
    /// Standard error; systemd adds the time.
    #[must_use]
    pub fn stderr(levels: Levels) -> Self {
        Self { levels, format: LineFormat::PLAIN, out: Mutex::new(Out::Stderr) }
    }

    /// A file.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn file(log: &LogFile<'_>) -> std::io::Result<Self> {
        let file = BufWriter::new(open(log.path, Toggle::Enabled)?);
        let time = log.time.map(|(format, zone)| TimeFormat::plain(format, zone));
        Ok(Self {
            levels: log.levels,
            format: LineFormat { time, ..LineFormat::PLAIN },
            out: Mutex::new(Out::File { file, flush_line: Toggle::Enabled }),
        })
    }

    /// One `filelog.<name>` section.
    fn of_filelog(settings: &Configured<'_>, name: &str) -> Result<Self, String> {
        let logger = format!("filelog.{name}");
        let key = |key: &str| format!("{logger}.{key}");
        let toggle = |name: &str| settings.bool(&key(name)).map(Toggle::from).map_err(text);
        let out = match settings.text(&key("path")).map_err(text)?.unwrap_or(name) {
            "stderr" => Out::Stderr,
            "stdout" => Out::Stdout,
            path => {
                let file = open(path, toggle("append")?).map_err(|error| {
                    let place = settings.view().section(&logger).and_then(|section| section.location());
                    let place = place.map(|place| place.to_string()).unwrap_or_default();
                    format!("{place}: {logger}: cannot open '{path}': {error}")
                })?;
                Out::File { file: BufWriter::new(file), flush_line: toggle("flush_line")? }
            }
        };
        let format = LineFormat {
            ike_name: toggle("ike_name")?,
            level: toggle("log_level")?,
            time: TimeFormat::of_logger(settings, &logger)?,
            shape: if toggle("json")?.is_enabled() { Shape::Json } else { Shape::Text },
        };
        Ok(Self { levels: Levels::of_logger(settings, &logger).map_err(text)?, format, out: Mutex::new(out) })
    }

    /// One `syslog.<facility>` section; `None` for an unknown facility.
    fn of_syslog(settings: &Configured<'_>, name: &str) -> Result<Option<Self>, String> {
        let Some(syslog) = Syslog::of_facility(settings, name)? else { return Ok(None) };
        let logger = format!("syslog.{name}");
        let toggle = |name: &str| settings.bool(&format!("{logger}.{name}")).map(Toggle::from).map_err(text);
        let format =
            LineFormat { ike_name: toggle("ike_name")?, level: toggle("log_level")?, ..LineFormat::PLAIN };
        let levels = Levels::of_logger(settings, &logger).map_err(text)?;
        Ok(Some(Self { levels, format, out: Mutex::new(Out::Syslog(syslog)) }))
    }

    pub(super) fn takes(&self, group: LogGroup, level: i8) -> bool {
        level <= self.levels.get(group)
    }

    /// Writes a record. A full disk is nobody's reason to stop: errors are swallowed.
    pub(super) fn write(&self, record: &LogRecord) {
        let lines = self.format.lines(record);
        let mut out = self.out.lock();
        let joined = || lines.iter().flat_map(|line| [line, "\n"]).collect::<String>();
        let result = match &mut *out {
            Out::Stderr => std::io::stderr().write_all(joined().as_bytes()),
            Out::Stdout => std::io::stdout().write_all(joined().as_bytes()),
            Out::File { file, flush_line } => file
                .write_all(joined().as_bytes())
                .and_then(|()| if flush_line.is_enabled() { file.flush() } else { Ok(()) }),
            Out::Syslog(syslog) => {
                lines.iter().for_each(|line| syslog.write(record.level, line));
                Ok(())
            }
        };
        drop(result);
    }

    fn is_stderr(&self) -> bool {
        matches!(*self.out.lock(), Out::Stderr)
    }
}

fn open(path: &str, append: Toggle) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if append.is_enabled() {
        options.append(true)
    } else {
        options.truncate(true)
    };
    options.open(path)
}

fn text(error: ValueError) -> String {
    error.to_string()
}

/// The sinks of the `filelog` and `syslog` sections, and standard error at `stderr_levels` unless one of them is that.
///
/// # Errors
/// What is wrong, naming file, line and key.
pub fn sinks_from_settings(settings: &Configured<'_>, stderr_levels: Levels) -> Result<Vec<Sink>, String> {
    let mut sinks = Vec::new();
    let names = |section: &str| {
        let section = settings.view().section(section);
        let sections = section.iter().flat_map(|section| section.sections());
        sections.map(|section| section.name().to_owned()).collect::<Vec<_>>()
    };
    for name in names("filelog") {
        sinks.push(Sink::of_filelog(settings, &name)?);
    }
    for name in names("syslog") {
        sinks.extend(Sink::of_syslog(settings, &name)?);
    }
    if !sinks.iter().any(Sink::is_stderr) {
        sinks.insert(0, Sink::stderr(stderr_levels));
    }
    Ok(sinks)
}

/// What is wrong with the loggers, as far as it can be told without opening them.
#[must_use]
pub fn logger_faults(settings: &Configured<'_>) -> Vec<String> {
    let section = settings.view().section("filelog");
    let files = section.iter().flat_map(|section| section.sections());
    let times = files.map(|file| TimeFormat::of_logger(settings, &format!("filelog.{}", file.name())));
    times.filter_map(Result::err).collect()
}

#[cfg(test)]
mod tests {
    use charon_conf::Settings;
    use charon_conf::options::Program;

    use super::*;

    fn sinks(text: &str) -> Result<Vec<Sink>, String> {
        let settings = Settings::parse("s.conf", text.as_bytes()).unwrap();
        sinks_from_settings(&Configured::new(&settings, Program::Daemon), Levels::all(1))
    }

    fn record(level: i8) -> LogRecord {
        LogRecord { group: LogGroup::Net, level, thread: 1, ike_sa: None, message: "hello".to_owned() }
    }

    #[test]
    fn a_file_gets_the_levels_and_the_format_of_its_section() {
        let path = std::env::temp_dir().join(format!("charon-filelog-{}", std::process::id()));
        drop(std::fs::remove_file(&path));
        let text = format!(
            "charon {{ filelog {{ f {{ path = {}\n default = 0\n net = 2\n log_level = yes\n time_format = %Y\n }} }} }}",
            path.display()
        );
        let sinks = sinks(&text).unwrap();
        assert_eq!(sinks.len(), 2, "the file and standard error");
        assert!(sinks[1].takes(LogGroup::Net, 2) && !sinks[1].takes(LogGroup::Ike, 1));
        sinks[1].write(&record(2));
        drop(sinks);
        let written = std::fs::read_to_string(&path).unwrap();
        let year = jiff::Zoned::now().year();
        assert_eq!(written, format!("{year} 01[NET2] hello\n"));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn standard_error_is_written_to_once() {
        let sinks = sinks("charon { filelog { stderr { default = 2 } }\n syslog { daemon { }\n mail { } } }")
            .unwrap();
        assert_eq!(sinks.len(), 2);
        assert!(sinks[0].takes(LogGroup::Ike, 2), "as the section says");
    }

    #[test]
    fn what_is_wrong_is_told_with_file_line_and_key() {
        let fault = |text: &str| sinks(text).err().unwrap();
        let text = fault("charon {\n filelog {\n a { path = /nowhere/at/all\n } } }");
        assert!(text.starts_with("s.conf:3: filelog.a: cannot open '/nowhere/at/all': "), "{text}");
        let text = fault("charon {\n filelog {\n stdout {\n time_format = %!\n } } }");
        assert!(text.starts_with("s.conf:4: filelog.stdout.time_format: '%!': "), "{text}");
        let text = fault("charon { syslog { auth { ike = 9 } } }");
        assert_eq!(text, "s.conf:1: charon.syslog.auth.ike: '9' is out of range");
    }
}
