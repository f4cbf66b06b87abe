//! A kernel's IPsec: SAs and policies.

use charon_types::kernel_op::{KernelCapabilities, KernelEvent, KernelOp, KernelResult};
use tokio::sync::mpsc;

use super::BoxFuture;

/// Installs SAs and policies. Implemented by XFRM, PF_KEY, userspace ESP and the in-memory twin.
pub trait KernelIpsec: Send + Sync {
    /// Name of the backend, as in the load line.
    fn name(&self) -> &'static str;

    /// What it can install. Fixed once it is loaded.
    fn capabilities(&self) -> &KernelCapabilities;

    /// Whether SAs and policies are the operating system's, which then sees the packets of IKE, too, and takes ESP in UDP from the
    /// sockets that were given to it.
    fn is_of_system(&self) -> bool {
        false
    }

    /// Runs the operations in order and answers each, in the same order; a failed one does not stop those after it. Batches
    /// may overlap. Dropping the future does not undo what was submitted. Backends that need not wait return ready futures.
    fn submit(&self, ops: Vec<KernelOp>) -> BoxFuture<'static, Vec<KernelResult>>;

    /// The stream of events. The first caller gets it, later ones `None`. Bounded; an overflow drops the newest and counts,
    /// since an acquire or expire comes again.
    fn take_events(&self) -> Option<mpsc::Receiver<KernelEvent>>;
}
