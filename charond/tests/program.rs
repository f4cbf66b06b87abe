//! The program as its users start it: checks, plans, starts, reloads and ends.
#![expect(clippy::unwrap_used, reason = "a test may end by it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const DAEMON: &str = env!("CARGO_BIN_EXE_charond");

/// A directory that goes with its test.
struct Directory(PathBuf);

impl Directory {
    fn new(test: &str) -> Self {
        let path = std::env::temp_dir().join(format!("charond-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, text: &str) -> PathBuf {
        let path = self.file("strongswan.conf");
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn run(option: &str, settings: &Path) -> Output {
    Command::new(DAEMON).arg(option).arg("--config").arg(settings).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_check_names_every_fault_and_what_is_in_vain() {
    let directory = Directory::new("check");
    let settings = directory.write(
        "charon {\n  port = ike\n  retransmit_tires = 3\n  cisco_unity = yes\n  filelog { a { time_format = %! } }\n  \
         plugins { vici { socket = nonsense } }\n  spi_min = 0xd0000000\n}\n",
    );
    let output = run("--check", &settings);
    assert_eq!(output.status.code(), Some(1));
    let place = settings.display();
    let expected = [
        format!("{place}:3: charon.retransmit_tires is unknown"),
        format!("{place}:4: charon.cisco_unity has no effect: IKEv1 is not supported"),
        format!("{place}:2: charon.port: 'ike' is not an integer"),
        format!("{place}:7: charon.spi_min leaves no SPI: spi_min is above spi_max"),
        format!("{place}:5: filelog.a.time_format: '%!'"),
        format!("{place}:6: plugins.vici.socket: 'nonsense'"),
    ];
    let said = stderr(&output);
    for line in expected {
        assert!(said.contains(&line), "{line}\nis not in\n{said}");
    }
}

#[test]
fn a_check_of_what_is_right_succeeds_in_silence() {
    let directory = Directory::new("right");
    let output = run("--check", &directory.write("charon {\n retransmit_tries = 3\n threads = 4\n}\n"));
    assert!(output.status.success());
    assert_eq!(stderr(&output), "");
}

#[test]
fn a_file_that_cannot_be_read_or_understood_is_named() {
    let directory = Directory::new("syntax");
    let settings = directory.write("charon {\n a");
    let said = stderr(&run("--check", &settings));
    assert!(said.contains(&format!("{}:2:", settings.display())), "{said}");
    let said = stderr(&run("--check", &directory.file("missing")));
    assert!(said.contains("missing': No such file or directory"), "{said}");
}

#[test]
fn a_fault_keeps_the_daemon_from_starting() {
    let directory = Directory::new("fault");
    let settings = directory.write("charon {\n keep_alive = often\n}\n");
    let output = Command::new(DAEMON).arg("--config").arg(&settings).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&format!("{}:2: charon.keep_alive: 'often'", settings.display())));
}

#[test]
fn the_plan_tells_what_loads_and_what_does_not() {
    let directory = Directory::new("plan");
    let output = run("--plan", &directory.write("charon { load = kernel-null vici frobnicate }\n"));
    assert!(output.status.success());
    let expected = include_str!("snapshots/plan.txt");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

/// A daemon on ports of the system's choice, without a kernel; ended when dropped.
struct Running {
    child: Child,
    log: PathBuf,
}

impl Running {
    fn start(directory: &Directory, extra: &str) -> (Self, PathBuf) {
        let settings = directory.write(&Self::settings(directory, extra));
        let child =
            Command::new(DAEMON).arg("--config").arg(&settings).stderr(Stdio::null()).spawn().unwrap();
        (Self { child, log: directory.file("log") }, settings)
    }

    fn settings(directory: &Directory, extra: &str) -> String {
        format!(
            "charon {{\n load = kernel-null vici\n port = 0\n port_nat_t = 0\n threads = 2\n plugins {{ vici {{ \
             socket = unix://{} }} }}\n filelog {{ f {{ path = {}\n flush_line = yes }} }}\n{extra}\n}}\n",
            directory.file("vici").display(),
            directory.file("log").display(),
        )
    }

    fn waits_for(&self, text: &str) {
        let began = Instant::now();
        while !fs::read_to_string(&self.log).unwrap_or_default().contains(text) {
            assert!(began.elapsed() < Duration::from_secs(20), "never logged: {text}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn scripts_run_when_it_is_up_and_before_it_goes_down() {
    let directory = Directory::new("scripts");
    let extra = " start-scripts { hello = echo up; exit 3 }\n stop-scripts { bye = echo down }";
    let (mut daemon, _) = Running::start(&directory, extra);
    daemon.waits_for("start-scripts: hello: exit status 3");
    daemon.signal("-TERM");
    assert!(daemon.child.wait().unwrap().success());
    let log = fs::read_to_string(&daemon.log).unwrap();
    let at = |text: &str| log.find(text).unwrap_or_else(|| panic!("{text} is not in\n{log}"));
    assert!(at("loaded plugins:") < at("start-scripts: hello: up"));
    assert!(at("stop-scripts: bye: down") < at("charond has ended"));
}

#[test]
fn settings_read_anew_are_taken_as_a_whole_or_not_at_all() {
    let directory = Directory::new("reload");
    let (daemon, settings) = Running::start(&directory, " cisco_unity = yes");
    daemon.waits_for("charon.cisco_unity has no effect: IKEv1 is not supported");
    daemon.waits_for("loaded plugins:");
    // The signal is listened to once everything is loaded.
    std::thread::sleep(Duration::from_millis(200));
    fs::write(&settings, Running::settings(&directory, " keep_alive = often")).unwrap();
    daemon.signal("-HUP");
    daemon.waits_for("charon.keep_alive: 'often'");
    fs::write(&settings, Running::settings(&directory, " keep_alive = 5")).unwrap();
    daemon.signal("-HUP");
    daemon.waits_for("settings are reloaded");
}

/// Runs `charond rvrrpd-pw`; exit status and output.
fn password_tool(words: &[&str], input: &str) -> (bool, String, String) {
    use std::io::Write;

    let mut tool = Command::new(DAEMON);
    tool.arg("rvrrpd-pw").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut tool = tool.spawn().unwrap();
    tool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = tool.wait_with_output().unwrap();
    let text = |octets: Vec<u8>| String::from_utf8(octets).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

#[test]
fn entries_of_rvrrpd_users_are_made_and_checked() {
    for (words, input) in
        [(&["admin", "banana"][..], ""), (&["admin", "banana", "scrypt"], ""), (&["admin"], "banana\n")]
    {
        let (made, entry, _) = password_tool(words, input);
        let entry = entry.trim_end();
        assert!(made && entry.contains("}}admin:0:"), "{entry}");
        assert!(password_tool(&["--check", entry, "banana"], "").0);
        assert!(password_tool(&["--check", entry], "banana\n").0);
        let (right, _, says) = password_tool(&["--check", entry, "apple"], "");
        assert!(!right && says == "Error: wrong password for user admin\n", "{says}");
    }
    let (_, _, says) = password_tool(&["admin", "banana", "md5"], "");
    assert_eq!(says, "Error: unknown hashing algorithm md5\n");
}
