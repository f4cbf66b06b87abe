//! The UDP sockets of IKE, as far as others need them: ESP in UDP shares port 4500.

use std::io;
use std::sync::Arc;

use charon_types::endpoint::Path;

/// Takes ESP packets that arrive on the NAT-T socket. Called by the socket's own task, so it must not block.
pub trait EspReceiver: Send + Sync {
    /// One buffer as received: datagrams of `stride` octets back to back (the last may be shorter), all on one path, each an
    /// ESP packet from its SPI on. May be changed in place.
    fn receive(&self, path: Path, datagrams: &mut [u8], stride: usize);

    /// The socket has nothing more right now: hand on what was collected.
    fn flush(&self);
}

/// The sockets.
pub trait IkeSockets: Send + Sync {
    /// Routes ESP packets to `receiver` from now on. Before that they are dropped and counted.
    fn attach_esp(&self, receiver: Arc<dyn EspReceiver>);

    /// Sends ESP packets of `segment` octets back to back (the last may be shorter) from `path.local` to `path.remote`, in as
    /// few system calls as the kernel allows. Callable from any thread; does not wait.
    ///
    /// # Errors
    /// `WouldBlock` when the socket is full: the packets are lost, as in a full device queue; others as the kernel gave them.
    fn send_esp(&self, path: Path, datagrams: &[u8], segment: usize) -> io::Result<()>;
}
