//! One run of a script.

use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Semaphore;
use tracing::{error, info, warn};

use crate::environment::Environment;

/// Scripts that run at once: ten thousand tunnels that come up are not ten thousand processes.
const AT_ONCE: usize = 32;
/// How long one may take, so that one that hangs does not hold up those behind it for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// Octets of its output that are logged.
const OUTPUT_MAX: usize = 16 * 1024;

static SLOTS: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(AT_ONCE));

/// Runs a command line by the shell and logs what it says.
pub(crate) async fn run(script: &str, environment: &Environment) {
    // Nobody closes it.
    let Ok(_slot) = SLOTS.acquire().await else { return };
    let mut command = Command::new("/bin/sh");
    command.arg("-c").arg(format!("exec 2>&1; {script}")).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()));
    command.envs(environment.0.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    command.stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => {
            let said = output.stdout.get(..OUTPUT_MAX).unwrap_or(&output.stdout);
            for line in String::from_utf8_lossy(said).lines() {
                info!(target: "CHD", "updown: {line}");
            }
            if !output.status.success() {
                warn!(target: "CHD", "updown script '{script}': {}", output.status);
            }
        }
        Ok(Err(fault)) => error!(target: "CHD", "running updown script '{script}' failed: {fault}"),
        Err(_) => {
            error!(target: "CHD", "updown script '{script}' ended after {} s", PATIENCE.as_secs());
        }
    }
}

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
