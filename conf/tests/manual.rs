//! The manual pages and the reference page are what the tables say. `UPDATE_MANUAL=1 cargo test -p charon-conf` writes them.

use std::fmt::Write;
use std::path::Path;

use charon_conf::options::swanctl_conf::KEYS;
use charon_conf::options::{Opt, Program, Status, Unit, groups};

const GRAMMAR: &str = r#".SH LANGUAGE
A file consists of sections and settings. A setting is
.IR key " = " value
and ends with the line, with a comment or with the brace that closes its section; a section is a name and
settings and sections in braces. Comments start with # and end with the line.
.PP
.nf
    connections {
        office {
            remote_addrs = 192.0.2.1   # a comment
            children {
                net {
                    remote_ts = 10.0.0.0/8, 172.16.0.0/12
                }
            }
        }
    }
.fi
.PP
Names may hold any characters but blanks and any of # { } : . , = ".
Values in double quotes keep blanks and may span lines; \en, \er, \et, \e" and \e\e stand for what they do elsewhere, and a
backslash at the end of a line joins it with the next.
Words outside quotes are joined with one blank.
.PP
The same section may be written several times; what it holds is merged, and the last value of a key counts.
A key without a value
.RI ( "key =" )
takes away what was set before or would be inherited.
.PP
.RI "A section inherits from others with " "name : other.section, another { }" .
Keys and sections of those are seen in it unless it has its own.
.PP
.B include
.I pattern
reads all files that match a shell pattern, relative to the directory of the file, in the order of their names, as if they stood there.
Every file closes what it opens. No match is no error.
.PP
yes, true, enabled and 1 are the same, as are no, false, disabled and 0. Times are seconds, or an integer with s, m, h or d;
sizes are bytes, or an integer with k, m or g; integers may be written in hexadecimal (0x) and octal (0). Items of lists
are separated by commas.
"#;

fn strongswan_conf() -> String {
    let mut page = head("STRONGSWAN.CONF", 5, "strongswan.conf", "settings of charond and swanctl");
    page.push_str(
        ".SH DESCRIPTION\nRead from /etc/strongswan.conf, or from the file that the environment variable STRONGSWAN_CONF names. \
         The daemon reads the sections\n.BR charond ,\n.B charon\\-systemd\nand\n.BR charon ;\nwhat one does not say is looked up \
         in the next. Keys that are unknown or have no effect are named once when the daemon starts.\n",
    );
    page.push_str(GRAMMAR);
    for (subject, options) in groups() {
        for program in [Program::Daemon, Program::Swanctl] {
            let options: Vec<&Opt> = options.iter().filter(|option| option.program == program).collect();
            let effective = options.iter().filter(|option| option.status == Status::Effective);
            let mut first = true;
            for option in effective {
                if std::mem::take(&mut first) {
                    let heading = if program == Program::Swanctl { "swanctl" } else { subject };
                    let _ = writeln!(page, ".SH {}", roff(&heading.to_uppercase()));
                }
                entry(&mut page, &full_path(option), &value_of(option), option.meaning);
            }
        }
    }
    page.push_str(".SH ACCEPTED WITHOUT EFFECT\nThese keys of strongSwan may stay in the file.\n");
    for (_, options) in groups() {
        for option in options {
            if let Status::NoMeaning(reason) = option.status {
                let _ = writeln!(page, ".TP\n.B {}\n{}", roff(&full_path(option)), roff(reason));
            }
        }
    }
    page.push_str(".SH SEE ALSO\n.BR charond (8),\n.BR swanctl (8),\n.BR swanctl.conf (5)\n");
    page
}

fn swanctl_conf() -> String {
    let mut page = head("SWANCTL.CONF", 5, "swanctl.conf", "connections, secrets, pools and authorities");
    page.push_str(
        ".SH DESCRIPTION\nRead by\n.BR swanctl (8)\nfrom /etc/swanctl/swanctl.conf, or from the directory that the environment \
         variable SWANCTL_DIR names. Certificates and keys lie in directories beside it. What the daemon does not support it \
         refuses by name.\n",
    );
    page.push_str(GRAMMAR);
    for (section, keys) in KEYS {
        let _ = writeln!(page, ".SH {}", roff(section));
        for key in *keys {
            entry(&mut page, key.name, &with_default(&key.kind.to_string(), key.default), key.meaning);
        }
    }
    page.push_str(
        ".SH DIRECTORIES\nRegular files of these directories are loaded, in PEM or DER, whatever their names.\n",
    );
    for (directory, content) in [
        ("x509", "certificates of peers and our own"),
        ("x509ca", "certificates of CAs"),
        ("x509aa", "certificates of attribute authorities"),
        ("x509ocsp", "certificates of OCSP signers"),
        ("x509ac", "attribute certificates"),
        ("x509crl", "revocation lists"),
        ("pubkey", "raw public keys"),
        ("private, rsa, ecdsa, pkcs8", "private keys"),
        ("pkcs12", "containers of certificates and private keys"),
    ] {
        let _ = writeln!(page, ".TP\n.B {}\n{}", roff(directory), roff(content));
    }
    page.push_str(".SH SEE ALSO\n.BR charond (8),\n.BR swanctl (8),\n.BR strongswan.conf (5)\n");
    page
}

/// The reference page for reading on screen.
fn reference() -> String {
    let mut page =
        String::from("# Options of strongswan.conf\n\nFrom the table in `conf/src/options`; do not edit.\n");
    for (subject, options) in groups() {
        let _ = write!(page, "\n## {subject}\n\n| Key | Value | Meaning |\n|---|---|---|\n");
        for option in options {
            let meaning = match option.status {
                Status::Effective => option.meaning.to_owned(),
                Status::NoMeaning(reason) => format!("{} (no effect: {reason})", option.meaning),
            };
            let _ = writeln!(page, "| `{}` | {} | {meaning} |", full_path(option), value_of(option));
        }
    }
    page
}

fn full_path(option: &Opt) -> String {
    let section = if option.program == Program::Swanctl { "swanctl" } else { "charon" };
    format!("{section}.{}", option.path)
}

fn value_of(option: &Opt) -> String {
    let kind = if option.unit == Unit::None {
        option.kind.to_string()
    } else {
        format!("{} ({})", option.kind, option.unit)
    };
    with_default(&kind, option.default)
}

fn with_default(kind: &str, default: &str) -> String {
    if default.is_empty() { kind.to_owned() } else { format!("{kind}, default {default}") }
}

fn head(title: &str, section: u8, name: &str, purpose: &str) -> String {
    format!(".TH {title} {section}\n.SH NAME\n{} \\- {}\n", roff(name), roff(purpose))
}

fn entry(page: &mut String, name: &str, value: &str, meaning: &str) {
    let _ = writeln!(
        page,
        ".TP\n.BR {} \" [{}]\"\n{}",
        roff(name).replace(' ', "\\ "),
        roff(value),
        roff(meaning)
    );
}

/// Text that means nothing to roff.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

fn is_current(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os("UPDATE_MANUAL").is_some() {
        std::fs::write(&path, expected).expect("the manual is writable");
    }
    let written = std::fs::read_to_string(&path).expect("the manual is in the tree");
    assert!(written == expected, "{} is out of date: run with UPDATE_MANUAL=1", path.display());
}

#[test]
fn the_manual_of_strongswan_conf_is_current() {
    is_current("docs/man/strongswan.conf.5", &strongswan_conf());
}

#[test]
fn the_manual_of_swanctl_conf_is_current() {
    is_current("docs/man/swanctl.conf.5", &swanctl_conf());
}

#[test]
fn the_reference_page_is_current() {
    is_current("docs/options.md", &reference());
}
