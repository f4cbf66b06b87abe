//! One host: its IKE_SAs and what a shell does for them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use charon_types::connection::{ChildConfig, Unique};
use charon_types::endpoint::Path;
use charon_types::id::{IkeSpi, Role, UniqueId};
use charon_types::kernel_op::{KernelEvent, KernelOp};
use ikev2_proto::admission::{AdmissionLimits, HalfOpen, Verdict, admit};
use ikev2_proto::cookie::CookieJar;
use ikev2_proto::env::IdSource;
use ikev2_proto::env::Now;
use ikev2_proto::ike_sa::{Command, Force, IkeSa, Initiate, Respond};
use ikev2_proto::output::{CommandSuccess, CommandToken, IkeEvent, InitialContact, JobId, OpId, Output};
use ikev2_proto::wire::Header;
use ikev2_proto::{Failure, Job, JobResult};

use crate::Side;
use crate::chance::Chance;
use crate::kernel::Kernel;
use crate::network::{Sent, address};
use crate::world::World;

/// What a host wants done, in order.
pub enum Wish {
    /// Send a datagram.
    Send(Sent),
    /// Let the kernel work for an IKE_SA.
    Kernel(UniqueId, OpId, Vec<KernelOp>),
    /// Run a job for an IKE_SA.
    Job(UniqueId, JobId, Job),
}

/// See the module.
pub struct Host {
    side: Side,
    /// What its IKE_SAs look at.
    pub world: World,
    /// Its kernel.
    pub kernel: Kernel,
    sas: Vec<IkeSa>,
    cookies: CookieJar,
    chance: Chance,
    next_token: u64,
    commands: BTreeMap<CommandToken, Option<Result<CommandSuccess, Failure>>>,
    /// Children as the events tell.
    announced: BTreeSet<UniqueId>,
    log: Vec<String>,
    violations: Vec<String>,
}

impl Host {
    /// Without IKE_SAs.
    #[must_use]
    pub fn new(side: Side, world: World, kernel: Kernel, chance: Chance) -> Self {
        Self {
            side,
            world,
            kernel,
            sas: Vec::new(),
            cookies: CookieJar::default(),
            chance,
            next_token: 0,
            commands: BTreeMap::new(),
            announced: BTreeSet::new(),
            log: Vec::new(),
            violations: Vec::new(),
        }
    }

    /// Its IKE_SAs.
    #[must_use]
    pub fn sas(&self) -> &[IkeSa] {
        &self.sas
    }

    /// Commands given and how they ended.
    pub fn commands(
        &self,
    ) -> impl Iterator<Item = (&CommandToken, &Option<Result<CommandSuccess, Failure>>)> {
        self.commands.iter()
    }

    /// Children that live, by the events alone.
    #[must_use]
    pub const fn announced(&self) -> &BTreeSet<UniqueId> {
        &self.announced
    }

    /// Misuse seen so far.
    #[must_use]
    pub fn violations(&self) -> &[String] {
        &self.violations
    }

    /// What happened since the last call.
    pub fn take_log(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    /// The earliest timer.
    #[must_use]
    pub fn next_timer(&self) -> Option<Instant> {
        self.sas.iter().filter_map(|sa| sa.poll_timeout().map(|next| next.at)).min()
    }

    /// Everything in memory and in the kernel is gone; the peer hears nothing.
    pub fn reboot(&mut self) {
        self.sas.clear();
        self.announced.clear();
        self.commands.retain(|_, outcome| outcome.is_some());
        self.world.clear();
        self.kernel.clear();
        self.cookies = CookieJar::default();
    }

    /// Begins a handshake.
    pub fn initiate(&mut self, now: Now, child: Option<Arc<ChildConfig>>) -> Vec<Wish> {
        let initiate = Initiate {
            unique_id: self.world.ike_unique_id(),
            spi: self.fresh_spi(),
            connection: Arc::clone(&self.world.connection),
            child,
            packet: None,
            path: Path {
                local: SocketAddr::new(address(self.side), 500),
                remote: SocketAddr::new(address(self.side.other()), 500),
            },
            token: Some(self.fresh_token()),
        };
        let sa = IkeSa::initiate(now, &self.world.env(), initiate);
        self.sas.push(sa);
        self.drain(now)
    }

    /// Gives a command to an IKE_SA.
    pub fn command(
        &mut self,
        now: Now,
        sa: UniqueId,
        make: impl FnOnce(Option<CommandToken>) -> Command,
    ) -> Vec<Wish> {
        let token = self.fresh_token();
        let Some(at) = self.position(sa) else {
            self.commands.remove(&token);
            return Vec::new();
        };
        self.sas[at].handle_command(now, &self.world.env(), make(Some(token)));
        self.drain(now)
    }

    /// A datagram arrives.
    pub fn receive(&mut self, now: Now, path: Path, octets: &[u8]) -> Vec<Wish> {
        let found = Header::parse(octets).ok().and_then(|header| {
            let ours = match header.sender {
                Role::Initiator => header.spi_responder,
                Role::Responder => Some(header.spi_initiator),
            };
            self.sas.iter().position(|sa| match ours {
                Some(spi) => sa.local_spi() == spi,
                None => sa.role() == Role::Responder && sa.remote_spi() == Some(header.spi_initiator),
            })
        });
        match found {
            Some(at) => self.sas[at].handle_datagram(now, &self.world.env(), path, octets),
            None => return self.admit(now, path, octets),
        }
        self.drain(now)
    }

    fn admit(&mut self, now: Now, path: Path, octets: &[u8]) -> Vec<Wish> {
        let open = self.sas.iter().filter(|sa| sa.is_half_open()).count();
        let open = u32::try_from(open).unwrap_or(u32::MAX);
        let half_open = HalfOpen { total: open, from_source: open };
        let limits = AdmissionLimits::default();
        let env = self.world.env();
        match admit(now, &env, &limits, half_open, &mut self.cookies, path, octets) {
            Verdict::Accept(request) => {
                let respond = Respond { unique_id: self.world.ike_unique_id(), spi: self.fresh_spi(), path };
                let sa = IkeSa::respond(now, &self.world.env(), respond, *request);
                self.sas.push(sa);
                self.drain(now)
            }
            Verdict::Answer(octets) => vec![Wish::Send(Sent { from: self.side, path, octets })],
            Verdict::Drop(_) => Vec::new(),
        }
    }

    /// The kernel has done its work.
    pub fn complete_kernel(&mut self, now: Now, sa: UniqueId, op: OpId, ops: Vec<KernelOp>) -> Vec<Wish> {
        let results = ops.into_iter().map(|op| self.kernel.perform(op)).collect();
        let Some(at) = self.position(sa) else { return Vec::new() };
        self.sas[at].handle_kernel(now, &self.world.env(), op, results);
        self.drain(now)
    }

    /// A job is done.
    pub fn complete_job(&mut self, now: Now, sa: UniqueId, id: JobId, result: JobResult) -> Vec<Wish> {
        let Some(at) = self.position(sa) else { return Vec::new() };
        self.sas[at].handle_completion(now, &self.world.env(), id, result);
        self.drain(now)
    }

    /// The kernel reports something about an IKE_SA's child.
    pub fn kernel_event(&mut self, now: Now, sa: UniqueId, event: &KernelEvent) -> Vec<Wish> {
        let Some(at) = self.position(sa) else { return Vec::new() };
        self.sas[at].handle_kernel_event(now, &self.world.env(), event);
        self.drain(now)
    }

    /// Fires what is due.
    pub fn fire(&mut self, now: Now) -> Vec<Wish> {
        for sa in &mut self.sas {
            if sa.poll_timeout().is_some_and(|next| next.at <= now.mono) {
                sa.handle_timeout(now, &self.world.env());
            }
        }
        self.drain(now)
    }

    fn drain(&mut self, now: Now) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut replaced = Vec::new();
        loop {
            let mut next = 0;
            while next < self.sas.len() {
                let at = next;
                next += 1;
                let unique_id = self.sas[at].unique_id();
                while let Some(output) = self.sas[at].poll_output() {
                    match output {
                        Output::Transmit { path, datagrams } => {
                            let from = self.side;
                            let sent = |octets| Wish::Send(Sent { from, path, octets });
                            wishes.extend(datagrams.into_iter().map(sent));
                        }
                        Output::Keepalive { .. } | Output::Addresses { .. } | Output::FindSources { .. } => {}
                        Output::Successor { sa, .. } => self.sas.push(*sa),
                        Output::Kernel { op, ops } => wishes.push(Wish::Kernel(unique_id, op, ops)),
                        Output::Job { id, job, .. } => wishes.push(Wish::Job(unique_id, id, job)),
                        Output::Event(event) => replaced.extend(self.on_event(unique_id, event)),
                    }
                }
            }
            self.sas.retain(|sa| !sa.is_finished());
            let Some(older) = replaced.pop() else { return wishes };
            if let Some(at) = self.position(older) {
                let command = Command::TerminateIke { force: Force::Immediate, token: None };
                self.sas[at].handle_command(now, &self.world.env(), command);
            }
        }
    }

    /// Keeps books; returns IKE_SAs that the new one replaces.
    fn on_event(&mut self, unique_id: UniqueId, event: IkeEvent) -> Vec<UniqueId> {
        match event {
            IkeEvent::Established { initial_contact, connection, .. } => {
                self.log.push(format!("{:?} established {unique_id}", self.side));
                let mut established = self.world.established.borrow_mut();
                let older = established.clone();
                established.push(unique_id);
                let replaces = match initial_contact {
                    InitialContact::Received => connection.ike.unique != Unique::Never,
                    InitialContact::Absent => connection.ike.unique == Unique::Replace,
                };
                return if replaces { older } else { Vec::new() };
            }
            IkeEvent::Rekeyed { old, new } => {
                let (old, new) = (old.unique_id, new.unique_id);
                self.log.push(format!("{:?} rekeyed {old}: now {new}", self.side));
                let mut established = self.world.established.borrow_mut();
                match established.iter_mut().find(|known| **known == old) {
                    Some(known) => *known = new,
                    None => self.violations.push(format!("IKE_SA {old} was replaced, but never established")),
                }
            }
            IkeEvent::Closed { reason, .. } => {
                self.log.push(format!("{:?} closed {unique_id}: {reason:?}", self.side));
                self.world.established.borrow_mut().retain(|established| *established != unique_id);
            }
            IkeEvent::CommandDone { token, outcome } => {
                self.log.push(format!("{:?} done {token:?}: {outcome:?}", self.side));
                match self.commands.get_mut(&token) {
                    Some(pending @ None) => *pending = Some(outcome),
                    _ => self.violations.push(format!("{token:?} was done twice, or by nobody's order")),
                }
            }
            IkeEvent::ChildInstalled { child, .. } => {
                self.log.push(format!("{:?} installed child {} of {unique_id}", self.side, child.unique_id));
                self.announce(child.unique_id);
            }
            IkeEvent::ChildRemoved { child, reason, .. } => {
                let number = child.unique_id;
                self.log.push(format!("{:?} removed child {number} of {unique_id}: {reason:?}", self.side));
                self.renounce(number);
            }
            IkeEvent::ChildRekeyed { old, new, .. } => {
                let (old, new) = (old.unique_id, new.unique_id);
                self.log.push(format!("{:?} rekeyed child {old} of {unique_id}: now {new}", self.side));
                self.renounce(old);
                self.announce(new);
            }
            _ => {}
        }
        Vec::new()
    }

    fn announce(&mut self, child: UniqueId) {
        if !self.announced.insert(child) {
            self.violations.push(format!("child {child} was announced twice"));
        }
    }

    fn renounce(&mut self, child: UniqueId) {
        if !self.announced.remove(&child) {
            self.violations.push(format!("child {child} ended, but was never announced"));
        }
    }

    fn position(&self, unique_id: UniqueId) -> Option<usize> {
        self.sas.iter().position(|sa| sa.unique_id() == unique_id)
    }

    fn fresh_token(&mut self) -> CommandToken {
        self.next_token += 1;
        let token = CommandToken(self.next_token);
        self.commands.insert(token, None);
        token
    }

    fn fresh_spi(&mut self) -> IkeSpi {
        loop {
            if let Some(spi) = IkeSpi::from_be_bytes(self.chance.word().to_be_bytes()) {
                return spi;
            }
        }
    }
}
