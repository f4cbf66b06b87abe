//! The program as a shell meets it.

use std::process::{Command, Output};

fn swanctl(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_swanctl"))
        .args(arguments)
        .env("STRONGSWAN_CONF", "/nonexistent/strongswan.conf")
        .output()
        .expect("the program was built")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn no_arguments_and_help_show_the_commands() {
    for arguments in [&[][..], &["--help"], &["-h"]] {
        let output = swanctl(arguments);
        assert_eq!(output.status.code(), Some(0));
        assert!(
            text(&output.stdout).contains("\n  --list-sas         (-l)  list currently active IKE_SAs\n")
        );
        assert_eq!(text(&output.stderr), "");
    }
}

#[test]
fn a_command_explains_itself_without_a_daemon() {
    let output = swanctl(&["--initiate", "--help"]);
    assert_eq!(output.status.code(), Some(0));
    let usage = text(&output.stdout);
    assert!(
        usage.contains(
            "(--initiate/-i)\ninitiate a connection\nusage:\n  swanctl --initiate [--child <name>]"
        )
    );
    assert!(usage.contains("\n  --timeout          (-t)  timeout in seconds before detaching\n"), "{usage}");
}

#[test]
fn what_makes_no_sense_ends_with_an_error_and_status_1() {
    for (arguments, error) in [
        (&["--nonsense"][..], "error: invalid operation\n"),
        (&["--list-sas", "--nonsense"], "error: invalid options\n"),
        (&["--list-sas", "--ike"], "error: invalid options\n"),
        (&["--stats", "--uri", "nowhere"], "unknown scheme, expected unix://, tcp:// or vsock://\n"),
        (&["--stats", "--debug", "much"], "error: --debug needs a number, not 'much'\n"),
    ] {
        let output = swanctl(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).ends_with(error), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("usage:\n"));
    }
}

#[test]
fn an_absent_daemon_is_told_with_the_number_of_the_system() {
    let output = swanctl(&["--stats", "--uri", "unix:///nonexistent/charon.vici"]);
    assert_eq!(output.status.code(), Some(2));
    let error = text(&output.stderr);
    assert!(
        error.starts_with(
            "connecting to 'unix:///nonexistent/charon.vici' failed: No such file or directory\n"
        )
    );
    assert!(error.ends_with(
        "error: connecting to 'unix:///nonexistent/charon.vici' URI failed: No such file or directory\n"
    ));
}

#[test]
fn the_version_needs_no_daemon() {
    let output = swanctl(&["--version"]);
    assert_eq!(text(&output.stdout), format!("strongSwan swanctl {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn the_socket_is_taken_from_strongswan_conf() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let file = directory.path().join("strongswan.conf");
    let socket = directory.path().join("vici");
    std::fs::write(&file, format!("swanctl {{ socket = unix://{} }}", socket.display())).expect("writable");
    let output = Command::new(env!("CARGO_BIN_EXE_swanctl"))
        .arg("--stats")
        .env("STRONGSWAN_CONF", &file)
        .output()
        .expect("the program was built");
    assert!(text(&output.stderr).starts_with(&format!("connecting to 'unix://{}' failed", socket.display())));
}

#[test]
fn a_file_is_checked_without_a_daemon() {
    let directory = tempfile::tempdir().expect("a directory for the test");
    let file = directory.path().join("swanctl.conf");
    let check = |text: &str| {
        std::fs::write(&file, text).expect("writable");
        swanctl(&["--check", "--file", file.to_str().expect("a temporary path is text")])
    };
    let good = check("connections { gw { version = 2 } }\nsecrets { ike { secret = x } }");
    assert_eq!(good.status.code(), Some(0), "{}", text(&good.stderr));
    assert!(text(&good.stdout).ends_with(" is valid: 1 connections, 0 pools, 0 authorities, 1 secrets\n"));
    let bad = check("connections { gw {\n version = 7\n mobyke = no } }");
    assert_eq!(bad.status.code(), Some(22));
    let place = file.display();
    let expected = format!(
        "{place}:2: connections.gw.version: '7' is none of 0, 1, 2\n\
         {place}:3: connections.gw.mobyke: unknown option\n2 errors in '{place}'\n"
    );
    assert_eq!(text(&bad.stderr), expected);
    let broken = check("connections {\n gw");
    assert_eq!(broken.status.code(), Some(22));
    assert!(text(&broken.stderr).starts_with(&format!("{place}:2:4: ")), "{}", text(&broken.stderr));
}

#[test]
fn a_shell_is_taught_the_commands() {
    let output = swanctl(&["--completions", "bash"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).ends_with("complete -F _swanctl swanctl\n"));
    let output = swanctl(&["--completions", "tcsh"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).ends_with("error: the shell must be bash, zsh or fish\n"));
}
