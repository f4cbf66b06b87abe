//! The TUN device.

use std::io::{self, IoSlice};

use charon_core::plugin::LoadError;
use charon_core::service::kernel_net::InterfaceIndex;
use tun_rs::{AsyncDevice, DeviceBuilder};

use crate::offload::join::Joinable;

/// Devices that may exist already, made by others, before we give up.
const DEVICES_MAX: u8 = 10;
/// Packets that wait for us in the device: room for bursts of many senders, half a second at the least.
const QUEUE_LEN: u32 = 1000;
const EBUSY: i32 = 16;

/// A TUN device without addresses, non-blocking, with segmentation offload. It goes with its last handle, hence with the
/// process, however that ends.
pub(crate) struct TunDevice {
    device: AsyncDevice,
    name: String,
    index: InterfaceIndex,
    joinable: Joinable,
}

impl TunDevice {
    /// Makes `ipsec0`, or the first of its successors that nobody else has. Call it within a tokio runtime.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`] if this machine, or this process, cannot make one.
    pub(crate) fn create() -> Result<Self, LoadError> {
        for number in 0..DEVICES_MAX {
            let name = format!("ipsec{number}");
            match open(&name) {
                Err(error) if error.raw_os_error() == Some(EBUSY) => {}
                Err(error) => {
                    let text = format!("userspace ESP needs /dev/net/tun and CAP_NET_ADMIN: {error}");
                    return Err(LoadError::Unavailable(text));
                }
                Ok(device) => {
                    let failed = |error| LoadError::Os { what: format!("set up {name}"), error };
                    let index = InterfaceIndex(device.if_index().map_err(failed)?);
                    let joinable = if device.udp_gso() { Joinable::TcpAndUdp } else { Joinable::Tcp };
                    return Ok(Self { device, name, index, joinable });
                }
            }
        }
        Err(LoadError::Unavailable(format!("ipsec0 to ipsec{} are in use", DEVICES_MAX - 1)))
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn index(&self) -> InterfaceIndex {
        self.index
    }

    /// What it takes in large packets.
    pub(crate) const fn joinable(&self) -> Joinable {
        self.joinable
    }

    /// Waits until packets can be written: soon after the link came up.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        self.device.writable().await
    }

    /// Waits for a packet and reads it, behind its virtio header, into `buffer`.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.recv(buffer).await
    }

    /// Reads a packet that is there already.
    pub(crate) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.device.try_recv(buffer)
    }

    /// Hands a packet, its virtio header first, to the kernel. Never waits.
    pub(crate) fn send(&self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        self.device.try_send_vectored(parts).map(drop)
    }
}

fn open(name: &str) -> io::Result<AsyncDevice> {
    let device = DeviceBuilder::new().name(name).offload(true).enable(false).build_async()?;
    // Root of a user namespace may make the device, but not lengthen its queue; it works with the default, too.
    if let Err(error) = device.set_tx_queue_len(QUEUE_LEN) {
        tracing::debug!(target: "KNL", "the queue of {name} keeps its length: {error}");
    }
    Ok(device)
}
