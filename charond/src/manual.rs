//! The manual page, from the command line. `UPDATE_MANUAL=1 cargo test -p charond` writes it.

use std::fmt::Write;
use std::path::Path;

use clap::CommandFactory;

use crate::cli::Arguments;

const HEAD: &str = r".TH CHAROND 8
.SH NAME
charond \- IKEv2 daemon
.SH SYNOPSIS
.B charond
.RI [ options ]
.SH DESCRIPTION
Speaks IKEv2 and drives the IPsec of the kernel, or its own where the kernel has none. It stays in the foreground, logs to
standard error and, if
.BR strongswan.conf (5)
says so, to files, tells systemd when it is ready, and is configured, steered and watched over its control socket, most easily with
.BR swanctl (8).
.SH OPTIONS
";

const TAIL: &str = r#".SH SIGNALS
.TP
.B SIGHUP
read the settings again
.TP
.BR SIGTERM ", " SIGINT
delete all SAs, telling the peers, and end
.SH ENVIRONMENT
.TP
.B STRONGSWAN_CONF
file of settings instead of /etc/strongswan.conf
.SH FILES
.I /etc/strongswan.conf
.br
.I /var/run/charon.vici
.SH SEE ALSO
.BR swanctl (8),
.BR strongswan.conf (5),
.BR swanctl.conf (5)
"#;

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut command = Arguments::command();
    command.build();
    let (groups, options): (Vec<_>, Vec<_>) =
        command.get_arguments().partition(|option| option.is_hide_set());
    for option in options {
        let Some(long) = option.get_long() else { continue };
        let name = roff(&format!("--{long}"));
        let help = option.get_help().map(ToString::to_string).unwrap_or_default();
        let _ = match option.get_value_names().filter(|_| option.get_action().takes_values()) {
            Some([value]) => write!(page, ".TP\n.BI {name} \" {value}\"\n{}\n", roff(&help)),
            _ => write!(page, ".TP\n.B {name}\n{}\n", roff(&help)),
        };
    }
    let groups: Vec<&str> =
        groups.iter().filter_map(|option| option.get_long()?.strip_prefix("debug-")).collect();
    let _ = write!(
        page,
        ".TP\n.BI \\-\\-debug\\- \"GROUP LEVEL\"\nLog level of a group: {}\n",
        groups.join(", ")
    );
    page + TAIL
}

fn roff(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-")
}

#[test]
fn the_manual_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/man/charond.8");
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&path, page()).expect("the manual is writable");
    }
    let written = std::fs::read_to_string(&path).expect("the manual is in the tree");
    assert!(written == page(), "{} is out of date: run with UPDATE_MANUAL=1", path.display());
}
