//! Completion scripts for shells, from the table of commands.

use std::fmt::Write;

use crate::args::{COMMON, HELP, Opt, Takes};
use crate::command::{self, Command};

/// A shell that completes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl Shell {
    /// The shell of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "bash" => Some(Self::Bash),
            "zsh" => Some(Self::Zsh),
            "fish" => Some(Self::Fish),
            _ => None,
        }
    }

    /// The script that teaches it.
    pub(crate) fn script(self) -> String {
        match self {
            Self::Bash => bash(),
            Self::Zsh => zsh(),
            Self::Fish => fish(),
        }
    }
}

/// What may stand behind an option.
enum Values {
    None,
    Files,
    Words(&'static str),
    Anything,
}

fn values(option: &Opt) -> Values {
    match (option.takes, option.name) {
        (Takes::Nothing, _) => Values::None,
        (Takes::Value, "file" | "options") => Values::Files,
        (Takes::Value, "type") => Values::Words("x509 x509_ac x509_crl ocsp_response pubkey"),
        (Takes::Value, "flag") => Values::Words("none ca aa ocsp any"),
        (Takes::Value, "debug" | "loglevel") => Values::Words("-1 0 1 2 3 4"),
        (Takes::Value, _) => Values::Anything,
    }
}

fn options(command: &Command) -> impl Iterator<Item = &'static Opt> {
    std::iter::once(&HELP).chain(command.options).chain(&COMMON)
}

fn bash() -> String {
    let mut script = String::from(
        "_swanctl() {\n    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} word command=\n    COMPREPLY=()\n\
         \x20   for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n        case $word in\n",
    );
    for Command { name, short, .. } in command::ALL {
        let _ = writeln!(script, "            --{name}|-{short}|{name}) command={name}; break ;;");
    }
    script.push_str("        esac\n    done\n    case $command:$prev in\n");
    for command in command::ALL {
        for option in options(command) {
            let reply = match values(option) {
                Values::None => continue,
                Values::Files => "compopt -o filenames; COMPREPLY=($(compgen -f -- \"$cur\"))".to_owned(),
                Values::Words(words) => format!("COMPREPLY=($(compgen -W '{words}' -- \"$cur\"))"),
                Values::Anything => ":".to_owned(),
            };
            let (command, name, short) = (command.name, option.name, option.short);
            let _ = writeln!(script, "        {command}:--{name}|{command}:-{short}) {reply}; return ;;");
        }
    }
    script.push_str("    esac\n    local words=\n    case $command in\n");
    let _ =
        writeln!(script, "        '') words='{}' ;;", long(command::ALL.iter().map(|command| command.name)));
    for command in command::ALL {
        let _ = writeln!(
            script,
            "        {}) words='{}' ;;",
            command.name,
            long(options(command).map(|o| o.name))
        );
    }
    script.push_str(
        "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -F _swanctl swanctl\n",
    );
    script
}

fn long<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.map(|name| format!("--{name}")).collect::<Vec<_>>().join(" ")
}

fn zsh() -> String {
    let mut script = String::from(
        "#compdef swanctl\n_swanctl() {\n    local word command=\n    for word in ${words[2,CURRENT-1]}; do\n        case $word in\n",
    );
    for Command { name, short, .. } in command::ALL {
        let _ = writeln!(script, "            --{name}|-{short}|{name}) command={name}; break ;;");
    }
    script.push_str("        esac\n    done\n    case $command in\n        '') _arguments");
    for Command { name, summary, .. } in command::ALL {
        let _ = write!(script, " \\\n            '--{name}[{}]'", quoted(summary));
    }
    script.push_str(" ;;\n");
    for command in command::ALL {
        let Command { name, short, summary, .. } = command;
        let _ = write!(
            script,
            "        {name}) _arguments -s \\\n            {{--{name},-{short}}}'[{}]'",
            quoted(summary)
        );
        for option in options(command) {
            let (name, short, help) = (option.name, option.short, quoted(option.help));
            let value = match values(option) {
                Values::None => String::new(),
                Values::Files => format!(":{name}:_files"),
                Values::Words(words) => format!(":{name}:({words})"),
                Values::Anything => format!(":{name}:"),
            };
            let _ = write!(script, " \\\n            {{--{name},-{short}}}'[{help}]{value}'");
        }
        script.push_str(" ;;\n");
    }
    script + "    esac\n}\n_swanctl \"$@\"\n"
}

fn fish() -> String {
    let mut script = String::from("complete -c swanctl -f\n");
    for Command { name, short, summary, .. } in command::ALL {
        let _ = writeln!(
            script,
            "complete -c swanctl -n 'test (count (commandline -opc)) -eq 1' -l {name} -s {short} -d '{}'",
            summary.replace('\'', "\\'")
        );
    }
    for command in command::ALL {
        for option in options(command) {
            let value = match values(option) {
                Values::None => String::new(),
                Values::Files => " -r -F".to_owned(),
                Values::Words(words) => format!(" -x -a '{words}'"),
                Values::Anything => " -x".to_owned(),
            };
            let _ = writeln!(
                script,
                "complete -c swanctl -n '__fish_contains_opt -s {} {}' -l {} -s {}{value} -d '{}'",
                command.short,
                command.name,
                option.name,
                option.short,
                option.help.replace('\'', "\\'")
            );
        }
    }
    script
}

/// Text between single quotes and brackets of zsh.
fn quoted(text: &str) -> String {
    text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command as Process;

    /// What bash offers behind these words.
    fn offered(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let ask = format!(
            "{}\nCOMP_WORDS=({}); COMP_CWORD={}; _swanctl; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            bash(),
            words.join(" "),
            words.len() - 1
        );
        let output = Process::new("bash").args(["-c", &ask]).output().expect("bash is there");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    #[test]
    fn bash_offers_commands_then_their_options_then_values() {
        assert_eq!(offered(&["swanctl", "--list-s"]), ["--list-sas"]);
        assert!(offered(&["swanctl", ""]).contains(&"--load-all".to_owned()));
        assert_eq!(offered(&["swanctl", "-l", "--n"]), ["--noblock"]);
        assert_eq!(offered(&["swanctl", "--list-certs", "--flag", "a"]), ["aa", "any"]);
        assert_eq!(offered(&["swanctl", "--initiate", "--child", ""]), [""]);
    }

    #[test]
    fn every_script_knows_every_command_and_option() {
        for shell in ["bash", "zsh", "fish"] {
            let script = Shell::named(shell).expect("a known shell").script();
            for command in command::ALL {
                for name in options(command).map(|option| option.name).chain([command.name]) {
                    assert!(script.contains(name), "{shell}: {name}");
                }
            }
        }
    }
}
