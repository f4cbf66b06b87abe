//! The command line: which command, with which options.
//!
//! Commands are written as options (`--list-sas`, `-l`) or as plain words (`list-sas`); long names may be cut short
//! while they stay unambiguous; words that are no options are ignored, as getopt does.

use std::ffi::OsString;
use std::fs;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches};

use crate::command::{self, Command};
use crate::render::raw::Format;

/// Files of options within files of options.
const OPTION_FILES_MAX: usize = 10;

/// Words that are no options.
const WORDS: &str = "words";

/// An option of a command.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opt {
    pub(crate) name: &'static str,
    pub(crate) short: char,
    pub(crate) takes: Takes,
    pub(crate) help: &'static str,
}

/// Whether an option stands alone or before a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    Nothing,
    Value,
}

/// An option that stands alone.
pub(crate) const fn flag(name: &'static str, short: char, help: &'static str) -> Opt {
    Opt { name, short, takes: Takes::Nothing, help }
}

/// An option with a value.
pub(crate) const fn value(name: &'static str, short: char, help: &'static str) -> Opt {
    Opt { name, short, takes: Takes::Value, help }
}

/// Of every command, before its own options.
pub(crate) const HELP: Opt = flag("help", 'h', "show usage information");
/// Of nearly every command.
pub(crate) const RAW: Opt = flag("raw", 'r', "dump raw response message");
/// Of nearly every command.
pub(crate) const PRETTY: Opt = flag("pretty", 'P', "dump raw response message in pretty print");
/// Of every command that lists something.
pub(crate) const JSON: Opt = flag("json", 'j', "print JSON");
/// Of every command, after its own options; also allowed before the command.
pub(crate) const COMMON: [Opt; 3] = [
    value("debug", 'v', "set debug level, default: 1"),
    value("options", '+', "read command line options from file"),
    value("uri", 'u', "service URI to connect to"),
];

/// A command line that makes sense.
pub(crate) struct Invocation {
    pub(crate) command: Option<&'static Command>,
    pub(crate) options: Options,
}

/// The options given to a command.
#[derive(Default)]
pub(crate) struct Options {
    own: ArgMatches,
    before: ArgMatches,
}

/// A command line that does not.
pub(crate) struct Misuse {
    /// The command whose usage helps, if one was recognised.
    pub(crate) command: Option<&'static Command>,
    /// What is wrong, in a line of its own.
    pub(crate) detail: Option<String>,
    /// Which part of the line is wrong.
    pub(crate) what: String,
}

/// Reads the arguments after the program's name, and files of options that they name.
pub(crate) fn parse(mut arguments: Vec<OsString>) -> Result<Invocation, Misuse> {
    let mut files_read = 0;
    loop {
        let invocation = parse_once(&arguments)?;
        let files = invocation.options.values("options");
        if files.len() == files_read {
            return Ok(invocation);
        }
        let misuse = |what: String| Misuse { command: invocation.command, detail: None, what };
        if files.len() > OPTION_FILES_MAX {
            return Err(misuse("too many files of options".into()));
        }
        for file in &files[files_read..] {
            let text = fs::read_to_string(file)
                .map_err(|error| misuse(format!("reading options from '{file}' failed: {error}")))?;
            arguments.extend(words(&text).into_iter().map(OsString::from));
        }
        files_read = files.len();
    }
}

fn parse_once(arguments: &[OsString]) -> Result<Invocation, Misuse> {
    let program = OsString::from("swanctl");
    match grammar().try_get_matches_from(std::iter::once(&program).chain(arguments)) {
        Ok(mut before) => Ok(match before.remove_subcommand() {
            Some((name, own)) => {
                Invocation { command: command::named(&name), options: Options { own, before } }
            }
            None => Invocation { command: None, options: Options { own: ArgMatches::default(), before } },
        }),
        Err(error) => {
            let command = arguments.iter().find_map(|argument| command::meant_by(argument.to_str()?));
            let what = if command.is_some() { "invalid options" } else { "invalid operation" };
            Err(Misuse { command, detail: Some(complaint(&error)), what: what.into() })
        }
    }
}

/// What clap found wrong, in getopt's words where it has some.
fn complaint(error: &clap::Error) -> String {
    let argument = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand].into_iter().find_map(|kind| {
        match error.get(kind) {
            Some(ContextValue::String(argument)) => Some(argument.as_str()),
            _ => None,
        }
    });
    match (error.kind(), argument) {
        (clap::error::ErrorKind::UnknownArgument, Some(argument)) => {
            format!("swanctl: unrecognized option '{argument}'")
        }
        (clap::error::ErrorKind::InvalidValue, Some(argument)) => {
            let name = argument.split(' ').next().unwrap_or(argument);
            format!("swanctl: option '{name}' requires an argument")
        }
        (kind, Some(argument)) => format!("swanctl: {kind}: '{argument}'"),
        (kind, None) => format!("swanctl: {kind}"),
    }
}

fn grammar() -> clap::Command {
    let root = plain("swanctl").args(COMMON.iter().map(argument)).infer_subcommands(true);
    root.subcommands(command::ALL.iter().map(|command| {
        plain(command.name)
            .long_flag(command.name)
            .short_flag(command.short)
            .args(std::iter::once(&HELP).chain(command.options).chain(&COMMON).map(argument))
            .arg(Arg::new(WORDS).num_args(0..).hide(true))
    }))
}

/// A clap command that leaves help and version to us.
fn plain(name: &'static str) -> clap::Command {
    clap::Command::new(name)
        .disable_help_flag(true)
        .disable_help_subcommand(true)
        .disable_version_flag(true)
        .infer_long_args(true)
}

fn argument(option: &Opt) -> Arg {
    let argument = Arg::new(option.name).long(option.name).short(option.short);
    match option.takes {
        Takes::Nothing => argument.action(ArgAction::Count),
        Takes::Value => argument.action(ArgAction::Append).allow_hyphen_values(true),
    }
}

impl Options {
    /// Whether an option that stands alone was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        matches!(self.own.try_get_one::<u8>(name), Ok(Some(count)) if *count > 0)
    }

    /// The value of an option; the last one if it was given more than once.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values(name).pop()
    }

    /// The first word that is no option. Most commands ignore such.
    pub(crate) fn word(&self) -> Option<&str> {
        self.values(WORDS).first().copied()
    }

    /// An id: a positive number.
    pub(crate) fn id(&self, name: &str) -> Result<Option<u32>, String> {
        match self.value(name) {
            None => Ok(None),
            Some(text) => match text.parse() {
                Ok(id) if id > 0 => Ok(Some(id)),
                _ => Err(format!("--{name} needs a positive number, not '{text}'")),
            },
        }
    }

    /// A number, possibly negative.
    pub(crate) fn number(&self, name: &str) -> Result<Option<i32>, String> {
        self.value(name)
            .map(|text| text.parse().map_err(|_| format!("--{name} needs a number, not '{text}'")))
            .transpose()
    }

    /// How replies are to be shown.
    pub(crate) fn format(&self) -> Format {
        [("json", Format::Json), ("pretty", Format::Pretty), ("raw", Format::Raw)]
            .into_iter()
            .find_map(|(name, format)| self.has(name).then_some(format))
            .unwrap_or(Format::Human)
    }

    fn values(&self, name: &str) -> Vec<&str> {
        [&self.before, &self.own]
            .into_iter()
            .filter_map(|matches| matches.try_get_many::<String>(name).ok().flatten())
            .flatten()
            .map(String::as_str)
            .collect()
    }
}

/// The words of a file of options: separated by blanks, quoted with ' or ", comments from # on.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    for line in text.lines() {
        let mut word: Option<String> = None;
        let mut quote = None;
        for c in line.chars() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (None, '"' | '\'') => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (None, '#') if word.is_none() => break,
                (None, c) if c.is_whitespace() => words.extend(word.take()),
                _ => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Result<Invocation, Misuse> {
        parse(arguments.iter().map(OsString::from).collect())
    }

    fn command(arguments: &[&str]) -> Option<&'static str> {
        parsed(arguments).ok().and_then(|invocation| invocation.command).map(|command| command.name)
    }

    #[test]
    fn a_command_is_an_option_a_letter_or_a_word_and_may_be_cut_short() {
        for form in ["--list-sas", "-l", "list-sas", "--list-s"] {
            assert_eq!(command(&[form]), Some("list-sas"), "{form}");
        }
        assert_eq!(command(&["--list"]), None);
        assert_eq!(command(&[]), None);
    }

    #[test]
    fn options_come_with_equals_signs_bundled_cut_short_or_twice() {
        let Ok(invocation) = parsed(&["-l", "--ike=a", "-rc", "net", "--ike-i", "7", "word", "--ike", "b"])
        else {
            panic!("the line is valid");
        };
        let options = invocation.options;
        assert_eq!(options.value("ike"), Some("b"));
        assert_eq!(options.value("child"), Some("net"));
        assert_eq!(options.id("ike-id"), Ok(Some(7)));
        assert_eq!(options.format(), Format::Raw);
    }

    #[test]
    fn a_value_may_start_with_a_dash() {
        let invocation = parsed(&["-i", "--timeout", "-1", "-l", "-1"]).ok().expect("the line is valid");
        assert_eq!(invocation.options.number("timeout"), Ok(Some(-1)));
        assert_eq!(invocation.options.number("loglevel"), Ok(Some(-1)));
    }

    #[test]
    fn common_options_may_stand_before_the_command() {
        let invocation = parsed(&["--uri", "unix:///x", "--stats"]).ok().expect("the line is valid");
        assert_eq!(invocation.options.value("uri"), Some("unix:///x"));
    }

    #[test]
    fn an_unknown_option_is_named_with_the_command_it_was_given_to() {
        let misuse = parsed(&["--list-sas", "--nonsense"]).err().expect("the line is invalid");
        assert_eq!(misuse.command.map(|command| command.name), Some("list-sas"));
        assert_eq!(misuse.detail.as_deref(), Some("swanctl: unrecognized option '--nonsense'"));
        assert_eq!(misuse.what, "invalid options");
        let misuse = parsed(&["--nonsense"]).err().expect("the line is invalid");
        assert_eq!(misuse.what, "invalid operation");
    }

    #[test]
    fn a_file_of_options_is_read_as_if_it_stood_on_the_line() {
        let file = tempfile::NamedTempFile::new().expect("a file for the test");
        fs::write(file.path(), "--ike \"a b\" # comment\n--raw 'c'\n").expect("writable");
        let path = file.path().to_str().expect("a temporary path is text");
        let invocation = parsed(&["--list-sas", "--options", path]).ok().expect("the line is valid");
        assert_eq!(invocation.options.value("ike"), Some("a b"));
        assert_eq!(invocation.options.format(), Format::Raw);
    }

    #[test]
    fn files_of_options_that_name_themselves_are_refused() {
        let file = tempfile::NamedTempFile::new().expect("a file for the test");
        let path = file.path().to_str().expect("a temporary path is text");
        fs::write(file.path(), format!("--options {path}")).expect("writable");
        let misuse = parsed(&["--stats", "-+", path]).err().expect("the line is invalid");
        assert_eq!(misuse.what, "too many files of options");
    }
}
