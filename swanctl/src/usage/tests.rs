//! Usage texts, against those of strongSwan 5.9.8 in `tests/golden`. The version whose surface we keep spaces them in
//! another way and has other letters for two commands; what we add stands beside what was there.

use std::fs;
use std::path::Path;

use super::usage;
use crate::args::COMMON;
use crate::command::{self, Command};

/// Commands and options that are ours alone.
const ADDED: [&str; 6] =
    ["--check", "--completions", "--json", "--list-vrouters", "--load-vrouters", "--watch"];
/// Letters that changed after 5.9.8.
const LETTERS: [(&str, &str, &str); 2] = [("--uninstall", "(-u)", "(-U)"), ("--version", "(-v)", "(-V)")];

/// Usage and options of a text, without the blanks between columns.
#[derive(Debug, PartialEq, Eq, Default)]
struct Shown {
    usage: Vec<String>,
    options: Vec<String>,
}

fn shown(text: &str) -> Shown {
    let mut shown = Shown::default();
    for line in text.lines().skip_while(|line| *line != "usage:") {
        let words: Vec<&str> = line.split_whitespace().filter(|word| *word != "swanctl").collect();
        match words.as_slice() {
            [name, letter, ..] if name.starts_with("--") && letter.starts_with("(-") => {
                if !ADDED.contains(name) {
                    shown.options.push(words.join(" "));
                }
            }
            ["usage:" | "options:" | "commands:" | "---", ..] => {}
            _ => shown.usage.push(words.join(" ")),
        }
    }
    shown
}

fn recorded(name: &str) -> Shown {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    let text = fs::read_to_string(path).expect("the recording is in the tree");
    let mut shown = shown(&text);
    for line in &mut shown.options {
        for (command, then, now) in LETTERS {
            if line.starts_with(command) {
                *line = line.replace(then, now);
            }
        }
    }
    shown
}

#[test]
fn commands_explain_themselves_as_recorded() {
    let commands: Vec<&Command> = command::ALL
        .iter()
        .filter(|command| !ADDED.contains(&format!("--{}", command.name).as_str()))
        .filter(|command| command.name != "help")
        .collect();
    for command in commands {
        let recording = recorded(&format!("help-{}.txt", command.name));
        assert_eq!(shown(&usage(Some(command))), recording, "{}", command.name);
    }
}

#[test]
fn all_recorded_commands_are_there_in_their_order() {
    let mut ours = shown(&usage(None)).options;
    ours.retain(|line| !COMMON.iter().any(|option| line.starts_with(&format!("--{} ", option.name))));
    let recorded = recorded("help.txt").options;
    assert_eq!(ours, recorded);
}

#[test]
fn no_letter_means_two_options() {
    for command in command::ALL {
        let mut letters: Vec<char> = command.options.iter().map(|option| option.short).collect();
        letters.extend(COMMON.iter().map(|option| option.short));
        letters.sort_unstable();
        let count = letters.len();
        letters.dedup();
        assert_eq!(letters.len(), count, "{}", command.name);
    }
    let mut letters: Vec<char> = command::ALL.iter().map(|command| command.short).collect();
    letters.sort_unstable();
    letters.dedup();
    assert_eq!(letters.len(), command::ALL.len());
}
