//! What the configuration says of SAs and policies.

use std::time::Duration;

use charon_conf::ValueError;
use charon_conf::options::Configured;
use charon_core::kernel::{Transport, refused};
use charon_types::connection::Toggle;
use charon_types::kernel_op::KernelError;

use super::pipeline::Pipeline;
use super::wire::{self, Writer, XfrmWriter};

/// `plugins.kernel-netlink.*`, as far as XFRM is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XfrmSettings {
    /// How long the kernel keeps a reserved SPI, and a packet's wish for an SA (`xfrm_acq_expires`).
    pub larval_life: Duration,
    /// Room for events that wait, octets; 0 for what the system gives (`receive_buffer_size`).
    pub events_buffer: usize,
    /// Whether SAs in transport mode are for the protocol and ports of their selectors only (`set_proto_port_transport_sa`).
    pub transport_ports: Toggle,
    /// Whether a policy that others have installed is replaced without a word (`policy_update`).
    pub policy_update: Toggle,
    /// Prefixes from which the kernel hashes policies, if they are not its own (`spdh_thresh`).
    pub hashed_from: Option<HashedFrom>,
}

/// Shortest prefixes of policies that are found by hash, bits: local and remote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedFrom {
    /// IPv4, 32 at most.
    pub ipv4: (u8, u8),
    /// IPv6, 128 at most.
    pub ipv6: (u8, u8),
}

impl HashedFrom {
    /// What a kernel has that was told nothing.
    const KERNELS_OWN: Self = Self { ipv4: (32, 32), ipv6: (128, 128) };
}

impl Default for XfrmSettings {
    fn default() -> Self {
        Self {
            larval_life: Duration::from_secs(165),
            events_buffer: 8 << 20,
            transport_ports: Toggle::Disabled,
            policy_update: Toggle::Disabled,
            hashed_from: None,
        }
    }
}

impl XfrmSettings {
    /// Reads the daemon's settings.
    ///
    /// # Errors
    /// The value that is none, with file, line and key.
    pub fn read(daemon: &Configured<'_>) -> Result<Self, ValueError> {
        let bits = |key: &str| daemon.int(&format!("plugins.kernel-netlink.spdh_thresh.{key}"));
        let hashed_from = HashedFrom {
            ipv4: (bits("ipv4.lbits")?, bits("ipv4.rbits")?),
            ipv6: (bits("ipv6.lbits")?, bits("ipv6.rbits")?),
        };
        let buffer = daemon.bytes("plugins.kernel-netlink.receive_buffer_size")?;
        Ok(Self {
            larval_life: daemon.time("plugins.kernel-netlink.xfrm_acq_expires")?,
            // What does not fit an int is more than any system gives.
            events_buffer: usize::try_from(buffer.min(1 << 30)).unwrap_or(1 << 30),
            transport_ports: daemon.bool("plugins.kernel-netlink.set_proto_port_transport_sa")?.into(),
            policy_update: daemon.bool("plugins.kernel-netlink.policy_update")?.into(),
            hashed_from: Some(hashed_from).filter(|from| *from != HashedFrom::KERNELS_OWN),
        })
    }
}

/// Tells the kernel from which prefixes on it is to hash policies.
pub(crate) fn hash_policies<T: Transport>(
    pipeline: &mut Pipeline<T>,
    from: HashedFrom,
) -> Result<(), KernelError> {
    let mut message = Writer::message(wire::NEWSPDINFO, wire::F_ACK);
    message.u32(0);
    message.attribute(wire::A_SPD_IPV4_HTHRESH, &[from.ipv4.0, from.ipv4.1]);
    message.attribute(wire::A_SPD_IPV6_HTHRESH, &[from.ipv6.0, from.ipv6.1]);
    pipeline.run_one(message).map(drop).map_err(|errno| refused("set prefixes of hashed policies", errno))
}
