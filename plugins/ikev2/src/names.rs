//! Host names of peers: looked up when connections change, and again from time to time, never on a packet's path.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use charon_core::config::{Connections, ResolvedNames};
use futures_util::StreamExt;
use futures_util::stream;
use tokio::task::JoinSet;
use tracing::{debug, info};

/// Between two look-ups of the same name.
const REFRESH: Duration = Duration::from_secs(60);
/// How long connections may go on changing before their names are looked at.
const SETTLE: Duration = Duration::from_millis(100);
/// A look-up that takes longer has failed.
const LOOKUP_MAX: Duration = Duration::from_secs(10);
/// Look-ups at a time; each occupies a thread.
const LOOKUPS_AT_ONCE: usize = 4;
/// Names that are looked up; connections beyond that are found by their other addresses alone.
const NAMES_MAX: usize = 1024;

/// The names, as last resolved.
#[derive(Default)]
pub(crate) struct Names(ArcSwap<ResolvedNames>);

impl Names {
    /// As of now.
    pub(crate) fn current(&self) -> Arc<ResolvedNames> {
        self.0.load_full()
    }

    /// Resolves the names of the connections until the set is dropped, which leaves the last known addresses.
    pub(crate) fn follow(self: &Arc<Self>, connections: &Arc<Connections>) -> JoinSet<()> {
        let (names, connections) = (Arc::clone(self), Arc::clone(connections));
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut changes = connections.changes();
            loop {
                changes.mark_unchanged();
                let wanted = ResolvedNames::wanted(&connections.all());
                if wanted.is_empty() {
                    names.0.store(Arc::default());
                    if changes.changed().await.is_err() {
                        return;
                    }
                    // Connections are often loaded by the thousand; one look at the end is enough.
                    tokio::time::sleep(SETTLE).await;
                    continue;
                }
                names.resolve(wanted).await;
                // Either ends the wait: another set of names, or time.
                drop(tokio::time::timeout(REFRESH, changes.changed()).await);
            }
        });
        task
    }

    /// A name that cannot be resolved now keeps the addresses that it had.
    async fn resolve(&self, wanted: Vec<String>) {
        let before = self.current();
        let lookups = wanted.into_iter().take(NAMES_MAX).map(|name| async {
            let found = addresses(&name).await;
            let found = found.unwrap_or_else(|| before.addresses(&name).to_vec());
            (name, found)
        });
        let resolved: Vec<_> = stream::iter(lookups).buffer_unordered(LOOKUPS_AT_ONCE).collect().await;
        let resolved: ResolvedNames = resolved.into_iter().collect();
        if resolved != *before {
            debug!(target: "CFG", "addresses of host names changed");
            self.0.store(Arc::new(resolved));
        }
    }
}

/// The addresses of a name, in the resolver's order; `None` if it cannot tell.
pub(crate) async fn addresses(name: &str) -> Option<Vec<IpAddr>> {
    match tokio::time::timeout(LOOKUP_MAX, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(found)) => {
            let mut addresses: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            addresses.dedup();
            Some(addresses)
        }
        Ok(Err(error)) => {
            info!(target: "IKE", "resolving '{name}' failed: {error}");
            None
        }
        Err(_) => {
            info!(target: "IKE", "resolving '{name}' failed: no answer in {} s", LOOKUP_MAX.as_secs());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_resolved_and_one_that_cannot_be_keeps_its_addresses() {
        let names = Names::default();
        let known = ("no such host".to_owned(), vec![IpAddr::from([192, 0, 2, 1])]);
        names.0.store(Arc::new(std::iter::once(known).collect()));
        names.resolve(vec!["localhost".to_owned(), "no such host".to_owned()]).await;
        let current = names.current();
        assert!(current.addresses("localhost").iter().any(IpAddr::is_loopback));
        assert_eq!(current.addresses("no such host"), [IpAddr::from([192, 0, 2, 1])]);
        names.resolve(vec!["localhost".to_owned()]).await;
        assert!(names.current().addresses("no such host").is_empty(), "nobody wants it any more");
    }
}
