//! Who is told of changes by script and FIFO, as keepalived's users know it: `INSTANCE NAME STATE PRIORITY`, or `GROUP`.
//!
//! Scripts of one virtual router run one after the other, in the order of the changes; those of different ones side by side. Lines of a
//! FIFO are in order whatever the scripts do.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use charon_types::vrouter::{Vrouter, VrouterSnapshot, VrouterState};
use tokio::process::Command;
use tokio::sync::mpsc;
use tracing::{debug, warn};

/// Reports that may wait.
pub(crate) const DEPTH: usize = 8192;
/// Scripts of one virtual router that may wait; more means that they hang, and the oldest news are the least worth.
const SCRIPTS_DEPTH: usize = 64;
/// A script that takes longer is killed, so that it does not hold up those after it.
const SCRIPT_MAX: Duration = Duration::from_secs(60);

/// Something that happened.
pub(crate) enum Report {
    /// A router changed its role.
    Transition { snapshot: Arc<VrouterSnapshot>, former: VrouterState },
    /// An Active router heard one of lower priority.
    LowerPriorityHeard { config: Arc<Vrouter> },
    /// Its priority changed by what it tracks.
    PriorityChanged { config: Arc<Vrouter>, state: VrouterState, priority: u8 },
    /// All routers of a sync group have that state now; the last one to have it says so.
    Group { config: Arc<Vrouter>, state: VrouterState, priority: u8 },
    /// A router was unloaded, or the daemon ends.
    Stopped { config: Arc<Vrouter> },
}

/// Carries reports out until all who report are gone, then lets the last scripts finish.
pub(crate) async fn run(mut reports: mpsc::Receiver<Report>) {
    let mut notifier = Notifier::default();
    while let Some(report) = reports.recv().await {
        notifier.tell(&report);
    }
    notifier.finish().await;
}

/// What is run, one after the other, for one virtual router.
struct Queue {
    scripts: mpsc::Sender<Script>,
    task: tokio::task::JoinHandle<()>,
}

struct Script {
    command: String,
    arguments: [String; 4],
}

#[derive(Default)]
struct Notifier {
    queues: HashMap<Arc<str>, Queue>,
}

impl Notifier {
    fn tell(&mut self, report: &Report) {
        match report {
            Report::Transition { snapshot, .. } => {
                let config = &snapshot.config;
                let notify = &config.notify;
                let (word, own) = match snapshot.state {
                    VrouterState::Active => ("MASTER", &notify.active),
                    VrouterState::Backup => ("BACKUP", &notify.backup),
                    // Leaving by request is told by itself.
                    VrouterState::Init
                        if snapshot.reason == charon_types::vrouter::VrouterReason::Stopped =>
                    {
                        return;
                    }
                    VrouterState::Init => ("FAULT", &notify.fault),
                };
                self.spread(config, word, snapshot.effective_priority, own.as_deref());
            }
            Report::LowerPriorityHeard { config } => {
                write_instance(config, "MASTER_RX_LOWER_PRI", config.priority)
            }
            Report::PriorityChanged { config, state, priority } => {
                let word = match state {
                    VrouterState::Active => "MASTER_PRIORITY",
                    VrouterState::Backup => "BACKUP_PRIORITY",
                    VrouterState::Init => return,
                };
                write_instance(config, word, *priority);
            }
            Report::Group { config, state, priority } => self.tell_group(config, *state, *priority),
            Report::Stopped { config } => {
                self.spread(config, "STOP", config.priority, config.notify.stop.as_deref());
            }
        }
    }

    fn tell_group(&mut self, config: &Vrouter, state: VrouterState, priority: u8) {
        let Some(group) = &config.group else { return };
        let word = match state {
            VrouterState::Active => "MASTER",
            VrouterState::Backup => "BACKUP",
            VrouterState::Init => "FAULT",
        };
        write_line(config, &format!("GROUP \"{group}\" {word} {priority}\n"));
        if let Some(command) = &config.notify.group {
            let arguments = ["GROUP".into(), group.clone(), word.to_owned(), priority.to_string()];
            let queue: Arc<str> = format!("group {group}").into();
            self.run(&queue, Script { command: command.clone(), arguments });
        }
    }

    fn spread(&mut self, config: &Vrouter, word: &str, priority: u8, own: Option<&str>) {
        write_instance(config, word, priority);
        let arguments = ["INSTANCE".into(), config.name.to_string(), word.to_owned(), priority.to_string()];
        for command in [own, config.notify.any.as_deref()].into_iter().flatten() {
            self.run(&config.name, Script { command: command.to_owned(), arguments: arguments.clone() });
        }
    }

    fn run(&mut self, name: &Arc<str>, script: Script) {
        let queue = self.queues.entry(Arc::clone(name)).or_insert_with(|| {
            let (scripts, mut waiting) = mpsc::channel::<Script>(SCRIPTS_DEPTH);
            // Ends with the queue.
            let task = tokio::spawn(async move {
                while let Some(script) = waiting.recv().await {
                    execute(&script).await;
                }
            });
            Queue { scripts, task }
        });
        if queue.scripts.try_send(script).is_err() {
            warn!(target: "APP", "scripts of {name} hang, one is left out");
        }
    }

    async fn finish(self) {
        for Queue { scripts, task } in self.queues.into_values() {
            drop(scripts);
            drop(task.await);
        }
    }
}

async fn execute(script: &Script) {
    let mut command = Command::new("/bin/sh");
    command
        .args(["-c", &format!("{} \"$@\"", script.command), "sh"])
        .args(&script.arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    match tokio::time::timeout(SCRIPT_MAX, command.status()).await {
        Ok(Ok(status)) if status.success() => debug!(target: "APP", "{} ran", script.command),
        Ok(Ok(status)) => warn!(target: "APP", "{}: {status}", script.command),
        Ok(Err(error)) => warn!(target: "APP", "{}: {error}", script.command),
        Err(_) => warn!(target: "APP", "{}: killed after {} s", script.command, SCRIPT_MAX.as_secs()),
    }
}

fn write_instance(config: &Vrouter, word: &str, priority: u8) {
    write_line(config, &format!("INSTANCE \"{}\" {word} {priority}\n", config.name));
}

/// One line into the FIFO; nobody need read it.
fn write_line(config: &Vrouter, line: &str) {
    let Some(fifo) = &config.notify.fifo else { return };
    let opened = std::fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(fifo);
    match opened.and_then(|mut fifo| fifo.write_all(line.as_bytes())) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => {
            debug!(target: "APP", "nobody reads {fifo}");
        }
        Err(error) => warn!(target: "APP", "writing to {fifo} failed: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU8;
    use std::time::SystemTime;

    use charon_types::vrouter::{VirtualAddress, VrouterReason};

    use super::*;

    fn snapshot(config: &Arc<Vrouter>, state: VrouterState) -> Arc<VrouterSnapshot> {
        Arc::new(VrouterSnapshot {
            config: Arc::clone(config),
            state,
            reason: VrouterReason::Startup,
            since: SystemTime::now(),
            effective_priority: 120,
            source: None,
            active: None,
            active_priority: None,
            active_interval: Duration::from_secs(1),
            down_interval: Duration::from_secs(3),
            skew_time: Duration::ZERO,
            vmac_interface: None,
            failing: Vec::new(),
            counters: Vec::new(),
        })
    }

    #[tokio::test]
    async fn scripts_and_lines_come_in_the_order_of_the_changes() {
        let directory = std::env::temp_dir().join(format!("charon-vrrp-report-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let (log, fifo) = (directory.join("log"), directory.join("fifo"));
        std::fs::write(&fifo, "").unwrap();
        let held = VirtualAddress { address: "192.0.2.1".parse().unwrap(), prefix: 24 };
        let mut config = Vrouter::new("gw", "eth0", NonZeroU8::MIN, vec![held]);
        // The first takes longest: still the second comes after it.
        config.notify.backup = Some(format!("sleep 0.3; echo backup >>{}; true", log.display()));
        config.notify.any = Some(format!("f() {{ echo \"$@\" >>{}; }}; f", log.display()));
        config.notify.fifo = Some(fifo.display().to_string());
        config.group = Some("both".into());
        config.notify.group =
            Some(format!("f() {{ echo \"$@\" >>{}; }}; f", directory.join("group").display()));
        let config = Arc::new(config);
        let (sender, receiver) = mpsc::channel(DEPTH);
        for state in [VrouterState::Backup, VrouterState::Active] {
            let former = VrouterState::Init;
            assert!(
                sender.try_send(Report::Transition { snapshot: snapshot(&config, state), former }).is_ok()
            );
        }
        let news = Report::Group { config: Arc::clone(&config), state: VrouterState::Active, priority: 120 };
        assert!(sender.try_send(news).is_ok());
        assert!(sender.try_send(Report::Stopped { config: Arc::clone(&config) }).is_ok());
        drop(sender);
        run(receiver).await;
        let said = std::fs::read_to_string(&log).unwrap();
        let of_group = std::fs::read_to_string(directory.join("group")).unwrap();
        let lines = std::fs::read_to_string(&fifo).unwrap();
        std::fs::remove_dir_all(&directory).unwrap();
        assert_eq!(said, "backup\nINSTANCE gw BACKUP 120\nINSTANCE gw MASTER 120\nINSTANCE gw STOP 100\n");
        assert_eq!(of_group, "GROUP both MASTER 120\n");
        // A file stands in for the FIFO: the last line is what is left at its begin.
        assert!(lines.starts_with("INSTANCE \"gw\" STOP 100\n"), "{lines}");
    }
}
