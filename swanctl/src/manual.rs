//! The manual page, from the table of commands. `UPDATE_MANUAL=1 cargo test -p swanctl` writes it.

use std::fmt::Write;
use std::path::Path;

use crate::args::{COMMON, Opt, Takes};
use crate::command;

const MORE: &str = r#".SH COMPLETION
.nf
    swanctl \-\-completions bash > /usr/share/bash\-completion/completions/swanctl
    swanctl \-\-completions zsh > /usr/share/zsh/vendor\-completions/_swanctl
    swanctl \-\-completions fish > /usr/share/fish/vendor_completions.d/swanctl.fish
.fi
.SH JSON
Commands that list something print JSON with
.BR \-\-json :
an array of the events of the daemon where it sends one for each item (\-\-list\-sas, \-\-list\-conns, \-\-list\-certs,
\-\-list\-authorities, \-\-list\-pols), one item a line; else the one reply as an object.
Sections are objects in the order of the daemon, lists are arrays, and every value is a string as the protocol has it. A value that is
not UTF\-8, such as a certificate, is 0x and hexadecimal digits. If a section holds a key again, #2, #3 stand behind its name.
Commands that follow the daemon (\-\-log, \-\-monitor\-sa) print an object a line, whose one key is the name of the event.
The exit status is 1 if the daemon reports a failure.
.PP
.nf
    [{"gw":{"uniqueid":"1","version":"2","state":"ESTABLISHED","child\-sas":{"net\-1":{"name":"net"}}}}
    ,{"gw2":{"uniqueid":"2","version":"2","state":"CONNECTING","child\-sas":{}}}
    ]
.fi
"#;

const ENVIRONMENT: &str = r".SH ENVIRONMENT
.TP
.B SWANCTL_DIR
directory of swanctl.conf and of the credentials instead of /etc/swanctl
.TP
.B STRONGSWAN_CONF
file to read the address of the daemon from instead of /etc/strongswan.conf
.SH EXIT STATUS
.TP
.B 0
success; also a command that the daemon reports as failed if the output is \-\-raw or \-\-pretty
.TP
.B 1
a command line that makes no sense, or a command that the daemon reports as failed
.TP
.B 22
a file that is not in the language or that \-\-check finds fault with, or a connection, pool or authority that was refused
.TP
.B 111
credentials that could not be cleared
.TP
.B others
the number of the system's error: 2 for a socket or a file that does not exist, 13 for one that may not be opened,
104 for a daemon that closed the connection
.SH FILES
.I /etc/swanctl/swanctl.conf
.SH SEE ALSO
.BR charond (8),
.BR swanctl.conf (5),
.BR strongswan.conf (5)
";

fn page() -> String {
    let mut page = String::from(
        ".TH SWANCTL 8\n.SH NAME\nswanctl \\- configure, control and watch the IKE daemon\n.SH SYNOPSIS\n\
         .B swanctl\n.BI \\-\\- command\n.RI [ options ]\n.SH DESCRIPTION\nLoads connections and credentials of\n\
         .BR swanctl.conf (5)\ninto the daemon over its control socket, sets connections up, takes them down and shows what there is. \
         Commands may also be written as plain words, and long names may be cut short.\n.SH COMMANDS\n",
    );
    for command in command::ALL {
        let (name, short, summary) = (command.name, command.short, command.summary);
        let _ = writeln!(
            page,
            ".TP\n.BR {} \", {}\"\n{}",
            roff(&format!("--{name}")),
            roff(&format!("-{short}")),
            roff(summary)
        );
        if !command.options.is_empty() {
            page.push_str(".RS\n");
            command.options.iter().for_each(|option| entry(&mut page, option));
            page.push_str(".RE\n");
        }
    }
    page.push_str(".SH OPTIONS OF ALL COMMANDS\n");
    COMMON.iter().for_each(|option| entry(&mut page, option));
    page + MORE + ENVIRONMENT
}

fn entry(page: &mut String, option: &Opt) {
    let value = if option.takes == Takes::Value { " VALUE" } else { "" };
    let forms = format!("--{}{value}, -{}{value}", option.name, option.short);
    let _ = writeln!(page, ".TP\n.B {}\n{}", roff(&forms), roff(option.help));
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

#[test]
fn the_manual_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man/swanctl.8");
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&path, page()).expect("the manual is writable");
    }
    let written = std::fs::read_to_string(&path).expect("the manual is in the tree");
    assert!(written == page(), "{} is out of date: run with UPDATE_MANUAL=1", path.display());
}
