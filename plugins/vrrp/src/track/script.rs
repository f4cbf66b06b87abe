//! A script that says by its exit status whether something is well.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::{Instant, sleep_until, timeout};
use vrrp_proto::tracking::Health;

use super::{Interest, Listener};

pub(super) struct Script {
    pub(super) command: String,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) rise: u32,
    pub(super) fall: u32,
}

/// Runs it at every interval. It is well from the start until it failed `fall` times in a row, then not until it was well `rise` times.
pub(super) async fn watch(script: &Script, listener: &mut Listener) {
    let (mut health, mut against) = (Health::Well, 0_u32);
    loop {
        let next = Instant::now() + script.interval;
        let outcome = run(script).await;
        if outcome == health {
            against = 0;
        } else {
            against += 1;
            let needed = if outcome == Health::Well { script.rise } else { script.fall };
            if against >= needed {
                (health, against) = (outcome, 0);
            }
        }
        if listener.tell(health).await == Interest::Lost {
            return;
        }
        sleep_until(next).await;
    }
}

async fn run(script: &Script) -> Health {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &script.command])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match timeout(script.timeout, command.status()).await {
        Ok(Ok(status)) if status.success() => Health::Well,
        Ok(Ok(_) | Err(_)) | Err(_) => Health::Failed,
    }
}
