//! Where log lines are written: standard error and files.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use charon_conf::View;
use charon_types::event::{LogGroup, LogRecord};
use parking_lot::Mutex;

/// Level of each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels([i8; LogGroup::ALL.len()]);

impl Levels {
    /// The same level for every group.
    #[must_use]
    pub const fn all(level: i8) -> Self {
        Self([level; LogGroup::ALL.len()])
    }

    /// Sets one group.
    pub fn set(&mut self, group: LogGroup, level: i8) {
        self.0[group as usize] = level;
    }

    /// Level of a group.
    #[must_use]
    pub fn get(&self, group: LogGroup) -> i8 {
        self.0[group as usize]
    }

    /// Reads `default` and the groups' keys of a logger's section.
    ///
    /// # Errors
    /// The text of a value error, naming file, line and key.
    pub fn from_section(section: &View<'_>, fallback: i8) -> Result<Self, String> {
        let read = |key: &str| section.int::<i8>(key).map_err(|error| error.to_string());
        let default = read("default")?.unwrap_or(fallback);
        let mut levels = Self::all(default);
        for &group in LogGroup::ALL {
            if let Some(level) = read(&group.name().to_ascii_lowercase())? {
                levels.set(group, level);
            }
        }
        Ok(levels)
    }
}

/// A place that lines are written to.
pub struct Sink {
    pub(super) levels: Levels,
    show_ike_name: bool,
    show_level: bool,
    show_time: Option<fn(std::time::SystemTime) -> String>,
    flush_line: bool,
    out: Mutex<Out>,
}

enum Out {
    Stderr,
    Stdout,
    File(std::io::BufWriter<File>),
}

impl Sink {
    /// Standard error; systemd adds the time.
    #[must_use]
    pub fn stderr(levels: Levels) -> Self {
        Self {
            levels,
            show_ike_name: false,
            show_level: false,
            show_time: None,
            flush_line: true,
            out: Mutex::new(Out::Stderr),
        }
    }

    /// One `filelog.<name>` section.
    ///
    /// # Errors
    /// What is wrong, naming file and key.
    pub fn from_filelog(section: &View<'_>) -> Result<Self, String> {
        let text = |key: &str| section.text(key).map_err(|error| error.to_string());
        let flag = |key: &str| section.bool(key).map_err(|error| error.to_string());
        let path = text("path")?.unwrap_or_else(|| section.name());
        let out = match path {
            "stderr" => Out::Stderr,
            "stdout" => Out::Stdout,
            file => Out::File(std::io::BufWriter::new(open(file, flag("append")?.unwrap_or(true))?)),
        };
        Ok(Self {
            levels: Levels::from_section(section, 1)?,
            show_ike_name: flag("ike_name")?.unwrap_or(false),
            show_level: flag("log_level")?.unwrap_or(false),
            show_time: None,
            flush_line: flag("flush_line")?.unwrap_or(false),
            out: Mutex::new(out),
        })
    }

    pub(super) fn takes(&self, group: LogGroup, level: i8) -> bool {
        level <= self.levels.get(group)
    }

    /// Writes a record, a line for each of its lines. A full disk is nobody's reason to stop: errors are swallowed.
    pub(super) fn write(&self, record: &LogRecord) {
        let mut prefix = String::new();
        if let Some(time) = self.show_time {
            prefix.push_str(&time(std::time::SystemTime::now()));
            prefix.push(' ');
        }
        prefix.push_str(&format!("{:02}[{}", record.thread, record.group.name()));
        if self.show_level {
            prefix.push_str(&record.level.to_string());
        }
        prefix.push_str("] ");
        if let (true, Some((name, id))) = (self.show_ike_name, &record.ike_sa) {
            prefix.push_str(&format!("<{name}|{id}> "));
        }
        let mut text = String::with_capacity(record.message.len() + prefix.len() + 1);
        for line in record.message.lines() {
            text.push_str(&prefix);
            text.push_str(line);
            text.push('\n');
        }
        let mut out = self.out.lock();
        let result = match &mut *out {
            Out::Stderr => std::io::stderr().write_all(text.as_bytes()),
            Out::Stdout => std::io::stdout().write_all(text.as_bytes()),
            Out::File(file) => file
                .write_all(text.as_bytes())
                .and_then(|()| if self.flush_line { file.flush() } else { Ok(()) }),
        };
        drop(result);
    }
}

fn open(path: &str, append: bool) -> Result<File, String> {
    let mut options = OpenOptions::new();
    options.create(true).write(true);
    if append {
        options.append(true)
    } else {
        options.truncate(true)
    };
    options.open(Path::new(path)).map_err(|error| format!("log file {path}: {error}"))
}

/// The sinks of the `filelog` section; standard error at `levels` if there is none.
///
/// # Errors
/// What is wrong, naming file and key.
pub fn sinks_from_settings(daemon: &View<'_>, levels: Levels) -> Result<Vec<Sink>, String> {
    let mut sinks = vec![Sink::stderr(levels)];
    if let Some(section) = daemon.section("filelog") {
        for file in section.sections() {
            sinks.push(Sink::from_filelog(&file)?);
        }
    }
    Ok(sinks)
}
