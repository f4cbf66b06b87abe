//! What virtual routers track beside their own interface: each thing is watched by a task that tells when its health changes.

mod facts;
mod script;

use std::sync::Arc;
use std::time::Duration;

use charon_core::bus::Bus;
use charon_core::pools::{Detail, Pools};
use charon_core::service::kernel_net::Family;
use charon_core::service::{IkeEngine, KernelLinks};
use charon_types::vrouter::{Track, Tracked, VirtualAddress};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{info, warn};
use vrrp_proto::tracking::Health;

use crate::commands::WeakCommands;
use crate::interface::Command;
use crate::key::Key;
use crate::net_state::NetState;

/// How often files and processes are looked at.
const POLL: Duration = Duration::from_secs(1);

/// Where trackers get their facts.
#[derive(Clone)]
pub(crate) struct Sources {
    pub(crate) net: Arc<dyn KernelLinks>,
    pub(crate) state: watch::Receiver<NetState>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) ike: Option<Arc<dyn IkeEngine>>,
    pub(crate) pools: Option<Arc<Pools>>,
}

/// Whom a tracker tells.
pub(crate) struct Listener {
    pub(crate) router: Arc<str>,
    pub(crate) key: Key,
    pub(crate) name: Arc<str>,
    pub(crate) commands: WeakCommands,
    pub(crate) told: Option<Health>,
}

/// Tasks of one router; they end with this.
#[derive(Default)]
pub(crate) struct Trackers(Vec<(Track, AbortHandle)>);

impl Drop for Trackers {
    fn drop(&mut self) {
        for (_, task) in &self.0 {
            task.abort();
        }
    }
}

impl Trackers {
    /// Tracks those from now on; the tasks of what is tracked already go on.
    pub(crate) fn follow(
        &mut self,
        tracks: &[Track],
        sources: &Sources,
        listener: impl Fn(&Track) -> Listener,
    ) {
        let (kept, ended) =
            std::mem::take(&mut self.0).into_iter().partition(|(track, _)| tracks.contains(track));
        self.0 = kept;
        drop(Self(ended));
        for track in tracks {
            if self.0.iter().all(|(known, _)| known != track) {
                let task = tokio::spawn(watch_one(track.what.clone(), sources.clone(), listener(track)));
                self.0.push((track.clone(), task.abort_handle()));
            }
        }
    }
}

impl Listener {
    /// Tells a change.
    async fn tell(&mut self, health: Health) -> Interest {
        if self.told == Some(health) {
            return Interest::Kept;
        }
        match health {
            Health::Well => info!(target: "IKE", "vrouter {}: {} is well", self.router, self.name),
            Health::Failed => warn!(target: "IKE", "vrouter {}: {} failed", self.router, self.name),
            Health::Value(value) => info!(target: "IKE", "vrouter {}: {} is {value}", self.router, self.name),
        }
        self.told = Some(health);
        let Some(commands) = self.commands.upgrade() else { return Interest::Lost };
        let command = Command::Track { key: self.key, name: Arc::clone(&self.name), health };
        if commands.send(command).await.is_ok() { Interest::Kept } else { Interest::Lost }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Interest {
    Kept,
    Lost,
}

async fn watch_one(what: Tracked, sources: Sources, mut listener: Listener) {
    match what {
        Tracked::Interface(name) => {
            let mut state = sources.state;
            loop {
                let running = state.borrow_and_update().is_running(&name);
                if listener.tell(well_if(running)).await == Interest::Lost || state.changed().await.is_err() {
                    return;
                }
            }
        }
        Tracked::Script { command, interval, timeout, rise, fall } => {
            script::watch(&script::Script { command, interval, timeout, rise, fall }, &mut listener).await;
        }
        Tracked::File(path) => loop {
            if listener.tell(file(&path)).await == Interest::Lost {
                return;
            }
            tokio::time::sleep(POLL).await;
        },
        Tracked::Process(name) => loop {
            let wanted = name.clone();
            // Reading all of /proc takes a while on a large host.
            let runs = tokio::task::spawn_blocking(move || is_running(&wanted)).await.unwrap_or(false);
            if listener.tell(well_if(runs)).await == Interest::Lost {
                return;
            }
            tokio::time::sleep(POLL).await;
        },
        Tracked::Route(destination) => watch_route(destination, &sources, &mut listener).await,
        Tracked::Ike(name) => facts::watch(facts::Fact::Ike(name), &sources, &mut listener).await,
        Tracked::Child(name) => facts::watch(facts::Fact::Child(name), &sources, &mut listener).await,
        Tracked::Pool { name, fill_percent } => {
            while listener.tell(pool(&sources, &name, fill_percent)).await == Interest::Kept {
                tokio::time::sleep(POLL).await;
            }
        }
    }
}

/// Routes are looked at when one changed, but not for each of a thousand that change at once.
const ROUTES_PAUSE: Duration = Duration::from_millis(100);

async fn watch_route(destination: VirtualAddress, sources: &Sources, listener: &mut Listener) {
    let family = if destination.address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
    let mut state = sources.state.clone();
    let mut seen = None;
    loop {
        let routes = state.borrow_and_update().routes;
        if seen != Some(routes) {
            seen = Some(routes);
            match sources.net.destinations(family).await {
                Ok(all) => {
                    if listener.tell(well_if(all.contains(&destination))).await == Interest::Lost {
                        return;
                    }
                }
                Err(error) => warn!(target: "KNL", "routes cannot be listed: {error:?}"),
            }
            tokio::time::sleep(ROUTES_PAUSE).await;
        }
        if state.changed().await.is_err() {
            return;
        }
    }
}

/// The number in a file; nothing in it is 0.
fn file(path: &str) -> Health {
    match std::fs::read_to_string(path) {
        Ok(text) if text.trim().is_empty() => Health::Value(0),
        Ok(text) => text
            .split_whitespace()
            .next()
            .and_then(|word| word.parse().ok())
            .map_or(Health::Failed, Health::Value),
        Err(_) => Health::Failed,
    }
}

/// Whether a pool is less full than that. One that is not loaded has no addresses left.
fn pool(sources: &Sources, name: &str, fill_percent: u8) -> Health {
    let pools =
        sources.pools.as_ref().map(|pools| pools.list(Some(name), Detail::Summary)).unwrap_or_default();
    well_if(pools.first().is_some_and(|pool| has_room(pool.online, pool.range.len(), fill_percent)))
}

fn has_room(online: usize, addresses: u32, fill_percent: u8) -> bool {
    let online = u64::try_from(online).unwrap_or(u64::MAX);
    online.saturating_mul(100) < u64::from(addresses) * u64::from(fill_percent)
}

fn is_running(name: &str) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    // The kernel cuts names to 15 characters.
    let cut = name.get(..15).unwrap_or(name);
    processes.flatten().any(|process| {
        let path = process.path();
        std::fs::read_to_string(path.join("comm")).is_ok_and(|comm| {
            comm.trim_end() == cut
                && (cut == name
                    || std::fs::read_to_string(path.join("cmdline")).is_ok_and(|line| line.contains(name)))
        })
    })
}

const fn well_if(well: bool) -> Health {
    if well { Health::Well } else { Health::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_a_number_or_nothing() {
        let path = std::env::temp_dir().join(format!("charon-vrrp-track-{}", std::process::id()));
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            file(path.to_str().unwrap())
        };
        assert_eq!(read("-20\n"), Health::Value(-20));
        assert_eq!(read(""), Health::Value(0));
        assert_eq!(read("word"), Health::Failed);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(file(path.to_str().unwrap()), Health::Failed);
    }

    #[test]
    fn a_pool_has_room_until_the_share_is_in_use() {
        assert!(has_room(0, 10, 1) && !has_room(1, 10, 10) && has_room(8, 10, 90) && !has_room(9, 10, 90));
        assert!(has_room(9, 10, 100) && !has_room(10, 10, 100));
        assert!(!has_room(usize::MAX, u32::MAX, 100));
    }

    #[test]
    fn a_process_is_found_by_its_name() {
        let own = std::fs::read_to_string("/proc/self/comm").unwrap();
        assert!(is_running(own.trim_end()));
        assert!(!is_running("no-such-process-x"));
    }
}
