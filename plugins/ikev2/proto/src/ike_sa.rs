//! One IKE_SA, initiator or responder: inputs, outputs, and nothing else.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use charon_types::Identity;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use charon_types::id::{EspSpi, IkeSpi, Role, UniqueId};
use charon_types::kernel_op::{KernelResult, SaUsage};
use charon_types::snapshot::{IkeSaSnapshot, IkeSaState, NatConditions};

use crate::admission::InitRequest;
use crate::env::{Env, Now};
use crate::job::JobResult;
use crate::output::{CommandToken, JobId, OpId, Output};
use crate::timer::{Deadline, TimerTable};

/// Children that one IKE_SA may have: more than any gateway needs, few enough to walk through.
pub const CHILDREN_MAX: usize = 256;

/// An IKE_SA. Feed it by its `handle_*` methods, then drain `poll_output`, then re-arm by `poll_timeout`.
pub struct IkeSa {
    unique_id: UniqueId,
    role: Role,
    local_spi: IkeSpi,
    path: Path,
    connection: Option<Arc<Connection>>,
    outputs: VecDeque<Output>,
    timers: TimerTable,
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
    /// Delete a child.
    TerminateChild {
        /// Which.
        child: UniqueId,
        /// Who is told the outcome.
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

/// Inbound counters of a child as the kernel last told, so that ESP counts as a sign of life.
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
    pub fn initiate(_now: Now, _env: &Env<'_>, initiate: Initiate) -> Self {
        Self {
            unique_id: initiate.unique_id,
            role: Role::Initiator,
            local_spi: initiate.spi,
            path: initiate.path,
            connection: Some(initiate.connection),
            outputs: VecDeque::new(),
            timers: TimerTable::default(),
        }
    }

    /// Begins a handshake as responder with an admitted request. Drain the outputs next.
    #[must_use]
    pub fn respond(_now: Now, _env: &Env<'_>, respond: Respond, _request: InitRequest) -> Self {
        Self {
            unique_id: respond.unique_id,
            role: Role::Responder,
            local_spi: respond.spi,
            path: respond.path,
            connection: None,
            outputs: VecDeque::new(),
            timers: TimerTable::default(),
        }
    }

    /// A datagram for this IKE_SA, non-ESP marker removed. A repeated IKE_SA_INIT request comes here, too.
    pub fn handle_datagram(&mut self, _now: Now, _env: &Env<'_>, _path: Path, _datagram: &[u8]) {}

    /// A command.
    pub fn handle_command(&mut self, _now: Now, _env: &Env<'_>, _command: Command) {}

    /// The result of a job. Results of jobs no longer awaited are dropped.
    pub fn handle_completion(&mut self, _now: Now, _env: &Env<'_>, _id: JobId, _result: JobResult) {}

    /// The results of a batch of kernel operations, in the order of the batch.
    pub fn handle_kernel(&mut self, _now: Now, _env: &Env<'_>, _op: OpId, _results: Vec<KernelResult>) {}

    /// Counters of children, read on the shell's own account (list-sas, or before a liveness check).
    pub fn handle_usage(&mut self, _now: Now, _usage: &[ChildUsage]) {}

    /// Some deadline has passed.
    pub fn handle_timeout(&mut self, _now: Now, _env: &Env<'_>) {}

    /// The next thing to do. Call until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `handle_timeout`.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Deadline> {
        self.timers.next()
    }

    /// Whether it is over: once its outputs are drained it may be dropped.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        false
    }

    /// Its number.
    #[must_use]
    pub fn unique_id(&self) -> UniqueId {
        self.unique_id
    }

    /// Its connection; a responder's may change until it is established.
    #[must_use]
    pub fn connection(&self) -> Option<&Arc<Connection>> {
        self.connection.as_ref()
    }

    /// Our role.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Our SPI.
    #[must_use]
    pub fn local_spi(&self) -> IkeSpi {
        self.local_spi
    }

    /// Where it talks now.
    #[must_use]
    pub fn path(&self) -> Path {
        self.path
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> IkeSaState {
        IkeSaState::Created
    }

    /// As listings and events show it. Counters are those of the last `handle_usage`.
    #[must_use]
    pub fn snapshot(&self, _now: Instant) -> IkeSaSnapshot {
        IkeSaSnapshot {
            name: self
                .connection
                .as_ref()
                .map_or_else(|| "".into(), |connection| Arc::clone(&connection.name)),
            unique_id: self.unique_id,
            state: self.state(),
            path: self.path,
            local_id: Identity::Any,
            remote_id: Identity::Any,
            role: self.role,
            spi_initiator: None,
            spi_responder: None,
            nat: NatConditions::default(),
            suite: None,
            established: None,
            rekey_in: None,
            reauth_in: None,
            local_vips: Vec::new(),
            remote_vips: Vec::new(),
            tasks_queued: Vec::new(),
            tasks_active: Vec::new(),
            tasks_passive: Vec::new(),
            children: Vec::new(),
        }
    }
}
