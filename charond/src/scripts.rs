//! `start-scripts` and `stop-scripts`: commands that are run when everything is up, and before anything goes down.

use std::process::{ExitStatus, Output, Stdio};
use std::time::Duration;

use charon_conf::Settings;
use charon_core::plugin::daemon_section;
use tokio::process::Command;
use tracing::{info, warn};

/// A script that takes longer than this is ended.
const DEADLINE: Duration = Duration::from_secs(60);

/// Runs the commands of a section in their order, each when the one before has ended. What they print is logged.
pub(crate) async fn run(settings: &Settings, section: &str) {
    for (name, line) in commands(settings, section) {
        let command =
            Command::new("/bin/sh").args(["-c", &line]).stdin(Stdio::null()).kill_on_drop(true).output();
        match tokio::time::timeout(DEADLINE, command).await {
            Ok(Ok(output)) => report(section, &name, &output),
            Ok(Err(error)) => warn!(target: "DMN", "{section}: {name}: cannot run: {error}"),
            Err(_) => warn!(target: "DMN", "{section}: {name}: ended after {} s", DEADLINE.as_secs()),
        }
    }
}

fn commands(settings: &Settings, section: &str) -> Vec<(String, String)> {
    let Some(section) = daemon_section(settings).section(section) else { return Vec::new() };
    let keys = section.keys();
    keys.filter_map(|(name, value)| Some((name.to_owned(), value.as_text()?.to_owned()))).collect()
}

fn report(section: &str, name: &str, output: &Output) {
    for line in [&output.stdout, &output.stderr].iter().flat_map(|text| text.split(|byte| *byte == b'\n')) {
        if !line.is_empty() {
            info!(target: "DMN", "{section}: {name}: {}", String::from_utf8_lossy(line));
        }
    }
    if !output.status.success() {
        warn!(target: "DMN", "{section}: {name}: {}", outcome(output.status));
    }
}

fn outcome(status: ExitStatus) -> String {
    status.code().map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}
