//! One IKE_SA, initiator or responder: inputs, outputs, and nothing else.
//!
//! ```text
//! initiator  AwaitKeyPair > ExpectInit > AwaitSecret > AwaitSpi > AwaitSignature > ExpectAnswer > AwaitTrust > AwaitAddress \
//! responder  AwaitResponse > ExpectRequest > AwaitPeerTrust > AwaitOwnSignature > AwaitChildSpi > AwaitInstall > Established > Finished
//! ```

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use charon_types::config_attribute::ConfigAttribute;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IkeSpi, Role, UniqueId};
use charon_types::kernel_op::{KernelError, KernelEvent, KernelResult, SaUsage};
use charon_types::selector::PacketSelectors;
use charon_types::snapshot::{IkeSaSnapshot, IkeSaState};

use crate::admission::InitRequest;
use crate::env::{Env, Now};
use crate::exchange::create_child::offer::ChildWish;
use crate::exchange::ike_sa_init;
use crate::job::JobResult;
use crate::output::{CommandToken, JobId, OpId, Output};
use crate::sa::{Cx, Sa};
use crate::state::State;
use crate::tally::{Tally, Way};
use crate::timer::{Deadline, Timer};
use crate::wire::{ExchangeType, MessageKind};

/// Children that one IKE_SA may have: more than any gateway needs, few enough to walk through.
pub const CHILDREN_MAX: usize = 256;

/// An IKE_SA. Feed it by its `handle_*` methods, then drain `poll_output`, then re-arm by `poll_timeout`.
pub struct IkeSa {
    pub(crate) sa: Sa,
    pub(crate) state: State,
}

/// What [`IkeSa::initiate`] needs.
#[derive(Clone, Debug)]
pub struct Initiate {
    /// Number of the new IKE_SA.
    pub unique_id: UniqueId,
    /// Our SPI; its low bits may name a shard.
    pub spi: IkeSpi,
    /// The connection to establish.
    pub connection: Arc<Connection>,
    /// The first child; `None`: the IKE_SA alone (if the peer accepts it, RFC 6023; else the first child configured).
    pub child: Option<Arc<ChildConfig>>,
    /// The packet that asks for that child, if one does.
    pub packet: Option<PacketSelectors>,
    /// Resolved addresses; ports as configured.
    pub path: Path,
    /// Who is told the outcome.
    pub token: Option<CommandToken>,
}

/// What [`IkeSa::respond`] needs, beside the request.
#[derive(Clone, Copy, Debug)]
pub struct Respond {
    /// Number of the new IKE_SA.
    pub unique_id: UniqueId,
    /// Our SPI; its low bits may name a shard.
    pub spi: IkeSpi,
    /// The path on which the request came.
    pub path: Path,
}

/// What can be asked of an IKE_SA.
#[derive(Clone, Debug)]
pub enum Command {
    /// Create a further child (or the first one, once established).
    InitiateChild {
        /// Which.
        child: Arc<ChildConfig>,
        /// Who is told the outcome.
        token: Option<CommandToken>,
    },
    /// Create a child because a packet met its trap.
    AcquireChild {
        /// Which.
        child: Arc<ChildConfig>,
        /// The packet.
        packet: PacketSelectors,
        /// Who is told the outcome.
        token: Option<CommandToken>,
    },
    /// Replace the IKE_SA by one with fresh keys, which takes over its children.
    RekeyIke {
        /// Who is told the outcome.
        token: Option<CommandToken>,
    },
    /// Establish the IKE_SA anew, with its children.
    Reauthenticate {
        /// Who is told that it has begun, or that the old IKE_SA is closed.
        token: Option<CommandToken>,
    },
    /// Replace a child by one with fresh keys.
    RekeyChild {
        /// Which.
        child: UniqueId,
        /// Who is told the outcome.
        token: Option<CommandToken>,
    },
    /// Delete a child.
    TerminateChild {
        /// Which.
        child: UniqueId,
        /// Who is told the outcome.
        token: Option<CommandToken>,
    },
    /// Ask whether the peer lives, after everything that was asked before.
    CheckLiveness {
        /// Who is told that it does.
        token: Option<CommandToken>,
    },
    /// Send on no child any more, but receive: another IKE_SA carries the same, and this one is to be deleted.
    Mute {
        /// Who is told that the kernel has done so.
        token: Option<CommandToken>,
    },
    /// Delete the IKE_SA with all its children.
    TerminateIke {
        /// How.
        force: Force,
        /// Who is told the outcome.
        token: Option<CommandToken>,
    },
}

/// How an IKE_SA is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Force {
    /// Wait for the peer's answer.
    Polite,
    /// Send DELETE if established, but do not wait.
    Immediate,
}

/// Counters of a child as the kernel last told, so that ESP counts as a sign of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChildUsage {
    /// Our SPI of the child.
    pub spi_in: EspSpi,
    /// Inbound counters.
    pub inbound: SaUsage,
    /// Outbound counters.
    pub outbound: SaUsage,
}

impl IkeSa {
    /// Begins a handshake as initiator. Drain the outputs next.
    #[must_use]
    pub fn initiate(now: Now, env: &Env<'_>, initiate: Initiate) -> Self {
        let Initiate { unique_id, spi, connection, child, packet, path, token } = initiate;
        let cx = Cx { now, env };
        let mut sa = Sa::new(now, Role::Initiator, unique_id, spi, path);
        sa.connection = Some(Arc::clone(&connection));
        tracing::error!(target: "IKE", "initiating IKE_SA {}[{unique_id}] to {}", sa.name(), path.remote.ip());
        sa.handshake_token = token;
        let child = child.map(|config| ChildWish { config, packet });
        let state = ike_sa_init::initiator::Attempt::new(cx, connection, child)
            .and_then(|attempt| attempt.begin(&mut sa, cx));
        let mut ike_sa = Self { sa, state: State::Finished };
        ike_sa.settle(cx, state);
        ike_sa
    }

    /// Begins a handshake as responder with an admitted request. Drain the outputs next.
    #[must_use]
    pub fn respond(now: Now, env: &Env<'_>, respond: Respond, request: InitRequest) -> Self {
        let cx = Cx { now, env };
        let mut sa = Sa::new(now, Role::Responder, respond.unique_id, respond.spi, respond.path);
        sa.timers.set(Timer::HalfOpen, now.mono + env.settings.half_open_timeout);
        sa.tally.note_message(ExchangeType::IKE_SA_INIT, MessageKind::Request, Way::In);
        let state = ike_sa_init::responder::begin(&mut sa, cx, request);
        let mut ike_sa = Self { sa, state: State::Finished };
        ike_sa.settle(cx, state);
        ike_sa
    }

    /// A datagram for this IKE_SA, non-ESP marker removed. A repeated IKE_SA_INIT request comes here, too.
    pub fn handle_datagram(&mut self, now: Now, env: &Env<'_>, path: Path, datagram: &[u8]) {
        self.on_datagram(Cx { now, env }, path, datagram);
        self.start_next_task(Cx { now, env });
    }

    /// A command.
    pub fn handle_command(&mut self, now: Now, env: &Env<'_>, command: Command) {
        self.on_command(Cx { now, env }, command);
        self.start_next_task(Cx { now, env });
    }

    /// The result of a job. Results of jobs no longer awaited are dropped.
    pub fn handle_completion(&mut self, now: Now, env: &Env<'_>, id: JobId, result: JobResult) {
        self.on_completion(Cx { now, env }, id, result);
        self.start_next_task(Cx { now, env });
    }

    /// The results of a batch of kernel operations, in the order of the batch.
    pub fn handle_kernel(&mut self, now: Now, env: &Env<'_>, op: OpId, results: Vec<KernelResult>) {
        self.on_kernel(Cx { now, env }, op, &results);
        self.start_next_task(Cx { now, env });
    }

    /// The results of a batch of changes to virtual addresses, in the order of the batch.
    pub fn handle_addresses(
        &mut self,
        now: Now,
        env: &Env<'_>,
        op: OpId,
        results: &[Result<(), KernelError>],
    ) {
        self.on_addresses(Cx { now, env }, op, results);
        self.start_next_task(Cx { now, env });
    }

    /// Addresses, links or routes of the host changed; [`crate::env::HostView`] tells what they are now.
    pub fn handle_network_change(&mut self, now: Now, env: &Env<'_>) {
        self.sa.on_network_change(Cx { now, env });
        self.start_next_task(Cx { now, env });
    }

    /// From which addresses packets leave, in the order of the queries; `None`: from none.
    pub fn handle_sources(&mut self, now: Now, env: &Env<'_>, op: OpId, sources: &[Option<IpAddr>]) {
        self.sa.on_sources(Cx { now, env }, op, sources);
        self.start_next_task(Cx { now, env });
    }

    /// What was to take its place ([`crate::output::IkeEvent::Reauthenticate`]) could not be established.
    pub fn handle_reauthentication_failure(&mut self, now: Now, env: &Env<'_>) {
        self.sa.reauthenticate_again(Cx { now, env });
        self.start_next_task(Cx { now, env });
    }

    /// What the kernel reports by itself about one of our SAs.
    pub fn handle_kernel_event(&mut self, now: Now, env: &Env<'_>, event: &KernelEvent) {
        self.on_kernel_event(Cx { now, env }, event);
        self.start_next_task(Cx { now, env });
    }

    /// Counters of children, read on the shell's own account (for list-sas, say).
    pub fn handle_usage(&mut self, now: Now, usage: &[ChildUsage]) {
        self.sa.note_usage(now.mono, usage);
    }

    /// Some deadline has passed.
    pub fn handle_timeout(&mut self, now: Now, env: &Env<'_>) {
        let cx = Cx { now, env };
        while let Some(timer) = self.sa.timers.take_due(now.mono) {
            self.on_timer(cx, timer);
        }
        self.start_next_task(cx);
    }

    /// The next thing to do. Call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.sa.take_output()
    }

    /// What was received and sent since the last call.
    pub fn take_tally(&mut self) -> Tally {
        std::mem::take(&mut self.sa.tally)
    }

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.sa.timers.next()
    }

    /// Whether it is over: once its outputs are drained it may be dropped. (An SPI reserved in vain is awaited first.)
    #[must_use]
    pub fn is_finished(&self) -> bool {
        matches!(self.state, State::Finished) && !self.sa.awaits_reservation()
    }

    /// Whether it is a responder's handshake that is not complete. Counts for admission.
    #[must_use]
    pub fn is_half_open(&self) -> bool {
        self.sa.role == Role::Responder && self.state() == IkeSaState::Connecting
    }

    /// Its number.
    #[must_use]
    pub fn unique_id(&self) -> UniqueId {
        self.sa.unique_id
    }

    /// Its connection; a responder's may change until it is established.
    #[must_use]
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        self.sa.connection.as_ref()
    }

    /// Whether it has a child of which that is true, by name and number.
    #[must_use]
    pub fn has_child(&self, is_meant: impl Fn(&str, UniqueId) -> bool) -> bool {
        self.sa.children.iter().any(|child| is_meant(&child.config.name, child.unique_id))
    }

    /// Our role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.sa.role
    }

    /// Our SPI.
    #[must_use]
    pub fn local_spi(&self) -> IkeSpi {
        self.sa.local_spi
    }

    /// The peer's SPI, once known. A repeated IKE_SA_INIT request is recognised by it, and by its digest.
    #[must_use]
    pub fn remote_spi(&self) -> Option<IkeSpi> {
        self.sa.remote_spi
    }

    /// Where it talks now.
    #[must_use]
    pub fn path(&self) -> Path {
        self.sa.path
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> IkeSaState {
        match self.state.name() {
            IkeSaState::Established if self.sa.succeeded => IkeSaState::Rekeyed,
            state => state,
        }
    }

    /// Our SPIs of its children, for counters (QuerySa) and kernel events.
    pub fn child_spis(&self) -> impl Iterator<Item = EspSpi> {
        self.sa.children.iter().map(|child| child.spi_in)
    }

    /// What the peer told us beside our virtual addresses: name servers, domains, networks.
    #[must_use]
    pub fn received_attributes(&self) -> &[ConfigAttribute] {
        &self.sa.assignment.received
    }

    /// As listings and events show it. Counters are those of the last `handle_usage`.
    #[must_use]
    pub fn snapshot(&self, now: Instant) -> IkeSaSnapshot {
        let mut snapshot = self.sa.snapshot(now);
        snapshot.state = self.state();
        snapshot.tasks_queued = self.sa.queue.iter().map(crate::task::Task::name).collect();
        snapshot.tasks_active = self.state.tasks_active();
        snapshot.tasks_passive = self.state.tasks_passive();
        snapshot
    }
}

/// Names it, no more.
impl std::fmt::Debug for IkeSa {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IkeSa({}[{}])", self.sa.name(), self.sa.unique_id)
    }
}
