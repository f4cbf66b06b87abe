//! What an IKE_SA wants done after a turn, and who comes after it.

use std::sync::Arc;
use std::time::Instant;

use charon_core::counters::Counter;
use charon_core::log::ike_sa_span;
use charon_core::service::ike_engine::EngineError;
use charon_types::IkeSpi;
use charon_types::kernel_op::SaKey;
use charon_types::snapshot::{ChildSaSnapshot, IkeSaSnapshot};
use ikev2_proto::Output;
use ikev2_proto::env::Env;
use ikev2_proto::ike_sa::IkeSa;
use ikev2_proto::output::{IkeEvent, InitialContact, Standing};
use ikev2_proto::uniqueness::Origin;
use tracing::Span;

use super::{Entry, Shard};
use crate::peers::Peer;
use crate::shared::now;
use crate::virtual_ips::Batch;
use crate::{counting, events, jobs, kernel_queue, roam};

impl Shard {
    /// Drains an IKE_SA's outputs, then re-arms its timer or lets it go.
    pub(super) fn settle(&mut self, env: &Env<'_>, spi: IkeSpi, span: &Span) {
        let Some(mut entry) = self.sas.remove(&spi) else { return };
        if entry.sa.is_finished() {
            // Whoever hears of its end and begins anew must not find it.
            self.shared.peers.remove(entry.sa.unique_id());
        }
        span.in_scope(|| self.drain(env, spi, &mut entry));
        self.count(&mut entry);
        if entry.sa.is_finished() {
            self.timers.arm(spi, None);
            if let Some(digest) = entry.init_digest {
                self.inits.remove(&digest);
            }
            self.shared.peers.remove(entry.sa.unique_id());
            for (_, order) in entry.orders.drain(..) {
                order.finish(Err(EngineError::Failed));
            }
        } else {
            self.name(&mut entry);
            self.timers.arm(spi, entry.sa.poll_timeout().map(|deadline| deadline.at));
            self.sas.insert(spi, entry);
        }
    }

    /// Has it found by the name of its connection: as a responder it may learn late which that is.
    fn name(&self, entry: &mut Entry) {
        let Some(connection) = entry.sa.connection() else { return };
        if entry.name.as_ref().is_none_or(|known| *known != connection.name) {
            self.shared.peers.rename(entry.sa.unique_id(), &connection.name);
            entry.name = Some(Arc::clone(&connection.name));
        }
    }

    fn count(&self, entry: &mut Entry) {
        let tally = entry.sa.take_tally();
        if tally.is_empty() {
            return;
        }
        let connection = entry.sa.connection().map(|connection| &connection.name);
        for tallied in tally.iter() {
            if let Some(counter) = counting::counter_of(tallied) {
                self.shared.counted.add(self.index, counter, connection, 1);
            }
        }
    }

    fn drain(&mut self, env: &Env<'_>, spi: IkeSpi, entry: &mut Entry) {
        while let Some(output) = entry.sa.poll_output() {
            match output {
                Output::Transmit { path, datagrams } => {
                    datagrams.iter().for_each(|message| self.shared.sockets.send_ike(&path, message));
                }
                Output::Keepalive { path } => self.shared.sockets.send_keepalive(&path),
                Output::Kernel { op, ops } => {
                    if let Some(results) = kernel_queue::submit(&self.shared, ops, spi, op, &self.inputs) {
                        entry.sa.handle_kernel(now(), env, op, results);
                    }
                }
                Output::Addresses { op, beside, ops } => {
                    let (answer, options) = (self.inputs.clone(), self.shared.options.current());
                    self.shared.virtual_ips.submit(Batch { spi, op, beside, ops, answer, options });
                }
                Output::FindSources { op, queries } => {
                    roam::find_sources(&self.shared, self.inputs.clone(), spi, op, queries);
                }
                Output::Job { id, cost, job } => {
                    if let Some(result) = jobs::run(&self.shared, cost, job, spi, id, &self.inputs) {
                        entry.sa.handle_completion(now(), env, id, result);
                    }
                }
                Output::Successor { sa, standing } => self.adopt(env, entry, *sa, standing),
                Output::Event(IkeEvent::CommandDone { token, outcome }) => {
                    if let Some(at) = entry.orders.iter().position(|(known, _)| *known == token) {
                        let (_, order) = entry.orders.swap_remove(at);
                        order.finish(outcome.map(drop).map_err(|_| EngineError::Failed));
                    }
                }
                Output::Event(event) => {
                    if matches!(event, IkeEvent::Established { .. })
                        && let Some(digest) = entry.init_digest.take()
                    {
                        self.inits.remove(&digest);
                    }
                    match &event {
                        IkeEvent::ChildInstalled { sa, child } => {
                            self.kernel_sas.extend(sa_keys(sa, child).map(|key| (key, spi)));
                        }
                        IkeEvent::Rekeyed { new, .. } => {
                            let counter = counting::of_rekeying(new.role);
                            self.shared.counted.add(self.index, counter, Some(&new.name), 1);
                        }
                        IkeEvent::ChildRekeyed { sa, old, new } => {
                            self.shared.counted.add(self.index, Counter::ChildRekey, Some(&sa.name), 1);
                            for key in sa_keys(sa, old) {
                                self.kernel_sas.remove(&key);
                            }
                            self.kernel_sas.extend(sa_keys(sa, new).map(|key| (key, spi)));
                        }
                        IkeEvent::Moved { sa, path } => {
                            let after = IkeSaSnapshot { path: *path, ..IkeSaSnapshot::clone(sa) };
                            for child in &sa.children {
                                for key in sa_keys(sa, child) {
                                    self.kernel_sas.remove(&key);
                                }
                                self.kernel_sas.extend(sa_keys(&after, child).map(|key| (key, spi)));
                            }
                        }
                        IkeEvent::ChildRemoved { sa, child, .. } => {
                            for key in sa_keys(sa, child) {
                                self.kernel_sas.remove(&key);
                            }
                        }
                        _ => {}
                    }
                    events::on_event(&self.shared, entry, event);
                }
            }
        }
    }

    /// Takes up an IKE_SA that comes from another one, here in the same shard.
    fn adopt(&mut self, env: &Env<'_>, parent: &mut Entry, sa: IkeSa, standing: Standing) {
        let (spi, unique_id) = (sa.local_spi(), sa.unique_id());
        let snapshot = sa.snapshot(Instant::now());
        let span = ike_sa_span(&snapshot.name, unique_id);
        // A parent that has ended already is not known any more.
        let parent_origin = self.shared.peers.by_id(parent.sa.unique_id()).and_then(|parent| parent.origin);
        let origin = parent_origin
            .unwrap_or_else(|| Origin::new(&snapshot, InitialContact::Absent, snapshot.unique_id));
        let known = |unique_id, spi, connection, identities: Option<_>| {
            let origin = identities.as_ref().map(|_| origin);
            let name = Some(Arc::clone(&snapshot.name));
            Peer { unique_id, spi, name, connection, identities, origin, path: snapshot.path }
        };
        let mut orders = Vec::new();
        match standing {
            Standing::Heir => {
                let identities = (snapshot.local_id.clone(), snapshot.remote_id.clone());
                self.shared.peers.insert(known(unique_id, spi, sa.connection().cloned(), Some(identities)));
                // Nobody finds the old one by name or identity any more.
                self.shared.peers.insert(known(parent.sa.unique_id(), parent.sa.local_spi(), None, None));
                for child in &snapshot.children {
                    self.kernel_sas.extend(sa_keys(&snapshot, child).map(|key| (key, spi)));
                }
                orders = std::mem::take(&mut parent.orders);
                for tap in orders.iter().filter_map(|(_, order)| order.tap.as_ref()) {
                    tap.attach(unique_id);
                }
                parent.heir = Some(spi);
            }
            Standing::Redundant => self.shared.peers.insert(known(unique_id, spi, None, None)),
        }
        let name = Some(Arc::clone(&snapshot.name));
        let entry = Entry { sa, half_open: None, name, init_digest: None, heir: None, orders };
        self.sas.insert(spi, Box::new(entry));
        self.settle(env, spi, &span);
    }

    /// The IKE_SA that replaced it, if one did; and so on.
    pub(super) fn heir_of(&self, spi: IkeSpi) -> IkeSpi {
        let mut spi = spi;
        while let Some(heir) = self.sas.get(&spi).and_then(|entry| entry.heir) {
            spi = heir;
        }
        spi
    }
}

/// The kernel's two SAs of an installed child.
fn sa_keys(sa: &IkeSaSnapshot, child: &ChildSaSnapshot) -> impl Iterator<Item = SaKey> + use<> {
    let keys = kernel_queue::usage_keys(&sa.path, std::slice::from_ref(child));
    keys.into_iter().flat_map(|(inbound, outbound)| [inbound, outbound])
}
