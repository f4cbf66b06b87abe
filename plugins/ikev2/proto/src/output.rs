//! What comes out of an IKE_SA, in one ordered queue.

use std::net::IpAddr;
use std::sync::Arc;

use charon_crypto::Cost;
use charon_types::connection::{ChildConfig, Connection};
use charon_types::endpoint::Path;
use charon_types::id::UniqueId;
use charon_types::kernel_op::KernelOp;
use charon_types::snapshot::{ChildSaSnapshot, IkeSaSnapshot};

use crate::failure::Failure;
use crate::ike_sa::IkeSa;
use crate::job::Job;

/// Names a batch of kernel operations within one IKE_SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OpId(pub u64);

/// Names a job within one IKE_SA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub u64);

/// Names a command, chosen by whoever gives it; comes back with the outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandToken(pub u64);

/// Something that the shell has to do. Order matters.
#[derive(Debug)]
pub enum Output {
    /// Send datagrams. They start with the IKE header: the shell puts the non-ESP marker in front unless the local port is
    /// the plain IKE port (`settings.port`).
    Transmit {
        /// From where to where.
        path: Path,
        /// One message, or its fragments in order.
        datagrams: Vec<Vec<u8>>,
    },
    /// Send a NAT keepalive: one octet 0xFF, no marker (RFC 3948 §2.3).
    Keepalive {
        /// From where to where.
        path: Path,
    },
    /// Submit to the kernel; the results come back by `handle_kernel`. Batches of one IKE_SA are submitted in order.
    Kernel {
        /// Names the batch.
        op: OpId,
        /// In order.
        ops: Vec<KernelOp>,
    },
    /// Put virtual addresses on the interface that has the address `beside`, or take them off; the results come back by
    /// `handle_addresses`. Batches of one IKE_SA are carried out in order.
    Addresses {
        /// Names the batch.
        op: OpId,
        /// An address of ours.
        beside: IpAddr,
        /// In order.
        ops: Vec<AddressOp>,
    },
    /// Look up from which of our addresses packets leave; the answers come back by `handle_sources`.
    FindSources {
        /// Names the batch.
        op: OpId,
        /// In order.
        queries: Vec<SourceQuery>,
    },
    /// Run a job; its result comes back by `handle_completion`.
    Job {
        /// Names the job.
        id: JobId,
        /// Whether it may be run at once.
        cost: Cost,
        /// The job.
        job: Job,
    },
    /// Another IKE_SA begins to live, under a number and an SPI of its own. It may have outputs already: drain it. Commands for
    /// this IKE_SA whose outcome was not told yet are the heir's.
    Successor {
        /// It.
        sa: Box<IkeSa>,
        /// What it is.
        standing: Standing,
    },
    /// Tell whoever wants to know.
    Event(IkeEvent),
}

/// What is done with a virtual address, or with what came with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressOp {
    /// Put it on the interface.
    Install(IpAddr),
    /// Take it off, unless another IKE_SA uses it.
    Remove(IpAddr),
    /// Have the host ask this name server.
    UseNameServer(IpAddr),
    /// No more, unless another IKE_SA wants it.
    DropNameServer(IpAddr),
}

/// A question to the routing tables, our own aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceQuery {
    /// Where to.
    pub remote: IpAddr,
    /// From that address of ours; `None`: from whichever the route asks for.
    pub source: Option<IpAddr>,
}

/// A fact about an IKE_SA.
#[derive(Debug)]
#[non_exhaustive]
pub enum IkeEvent {
    /// Both sides are authenticated.
    Established {
        /// The IKE_SA.
        sa: Arc<IkeSaSnapshot>,
        /// Its connection; `connection.ike.unique` is the uniqueness policy.
        connection: Arc<Connection>,
        /// Whether the initiator says that it has no other IKE_SA with the responder; see [`crate::uniqueness`].
        initial_contact: InitialContact,
    },
    /// The IKE_SA is to be established anew. With [`Order::MakeBeforeBreak`] the shell terminates the old one once the new one
    /// has the children; with [`Order::BreakBeforeMake`] it is closed already.
    Reauthenticate {
        /// The old IKE_SA.
        old: UniqueId,
        /// Its connection.
        connection: Arc<Connection>,
        /// What it carries.
        children: Vec<Arc<ChildConfig>>,
        /// Where it talks.
        path: Path,
        /// What comes first.
        order: Order,
    },
    /// The IKE_SA was replaced by another, which has its children now.
    Rekeyed {
        /// The old IKE_SA, without children.
        old: Arc<IkeSaSnapshot>,
        /// The new one, without children.
        new: Arc<IkeSaSnapshot>,
    },
    /// A CHILD_SA carries traffic.
    ChildInstalled {
        /// The IKE_SA.
        sa: Arc<IkeSaSnapshot>,
        /// The child.
        child: Arc<ChildSaSnapshot>,
    },
    /// A CHILD_SA was replaced by another, which carries its traffic now.
    ChildRekeyed {
        /// The IKE_SA.
        sa: Arc<IkeSaSnapshot>,
        /// The old child.
        old: Arc<ChildSaSnapshot>,
        /// The new one.
        new: Arc<ChildSaSnapshot>,
    },
    /// A CHILD_SA that carried traffic is gone.
    ChildRemoved {
        /// The IKE_SA.
        sa: Arc<IkeSaSnapshot>,
        /// The child, counters as last known.
        child: Arc<ChildSaSnapshot>,
        /// Its configuration; `close_action` applies if the peer closed it, `dpd_action` if the peer is dead.
        config: Arc<ChildConfig>,
        /// Why.
        reason: CloseReason,
    },
    /// The IKE_SA and its children go on at other addresses.
    Moved {
        /// As it was before.
        sa: Arc<IkeSaSnapshot>,
        /// Where it goes on.
        path: Path,
    },
    /// The IKE_SA is over. Its children were removed before; only outcomes of commands follow.
    Closed {
        /// As it was at the end: state CONNECTING for a failed handshake.
        sa: Arc<IkeSaSnapshot>,
        /// Why.
        reason: CloseReason,
        /// Its connection, once known.
        connection: Option<Arc<Connection>>,
    },
    /// A command was carried out or failed.
    CommandDone {
        /// Which.
        token: CommandToken,
        /// How it ended. For `InitiateChild` the new child's number.
        outcome: Result<CommandSuccess, Failure>,
    },
}

/// What a command achieved. A child that was rekeyed counts as installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandSuccess {
    /// The IKE_SA is established (no child was asked for).
    IkeEstablished,
    /// The IKE_SA is replaced.
    IkeRekeyed,
    /// The child is installed.
    ChildInstalled(UniqueId),
    /// It is gone.
    Terminated,
}

/// What comes first when an IKE_SA is established anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// The new IKE_SA.
    MakeBeforeBreak,
    /// The end of the old one.
    BreakBeforeMake,
}

/// What an IKE_SA is to the one that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It replaces it.
    Heir,
    /// Both sides rekeyed at once: it is there to be deleted.
    Redundant,
}

/// Whether INITIAL_CONTACT was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialContact {
    /// We said it.
    Sent,
    /// The peer did: older IKE_SAs of the same pair of identities are dead.
    Received,
    /// Nobody did, or it is not to be believed.
    Absent,
}

/// Why an IKE_SA or CHILD_SA ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseReason {
    /// A command of ours.
    Command,
    /// The peer deleted it.
    Peer,
    /// The peer did not answer.
    PeerDead,
    /// It was replaced.
    Rekeyed,
    /// It is established anew.
    Reauthentication,
    /// Its lifetime is over.
    Expired,
    /// No traffic for as long as `inactivity` says.
    Inactive,
    /// A responder's handshake was not completed in time.
    HalfOpen,
    /// It failed.
    Failed(Failure),
}
