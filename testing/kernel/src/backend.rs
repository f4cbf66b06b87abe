//! The backends, each in a network namespace of its own.

use std::io;
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use charon_core::kernel::SpiRange;
use charon_core::service::{EspReceiver, IkeSockets, KernelIpsec, KernelNet};
use charon_crypto::{CryptoProvider, ProviderBuilder};
use charon_kernel_libipsec::{LibIpsec, Settings};
use charon_kernel_netlink::{Interfaces, NetlinkNet, XfrmIpsec, XfrmSettings};
use charon_kernel_null::{NullIpsec, NullNet};
use charon_kernel_pfkey::PfkeyIpsec;
use charon_types::algorithm::{EncryptionId, Esn, IntegrityId};
use charon_types::endpoint::Path;
use charon_types::kernel_op::{EncapSupport, KernelCapabilities, Mode};
use charon_types::proposal::Protocol;
use nix::sched::{CloneFlags, unshare};

/// Every backend, by the name of its plugin.
pub const NAMES: &[&str] = &["kernel-null", "kernel-libipsec", "kernel-netlink", "kernel-pfkey"];

const SPIS: SpiRange = SpiRange { min: 0xc000_0000, max: 0xcfff_ffff };

/// A backend of IPsec with the network it stands on.
pub struct Backend {
    /// SAs and policies.
    pub ipsec: Arc<dyn KernelIpsec>,
    /// Addresses and routes.
    pub net: Arc<dyn KernelNet>,
    kind: Kind,
}

enum Kind {
    Null,
    Libipsec(Arc<LibIpsec>),
    Netlink(Arc<XfrmIpsec>),
    Pfkey(Arc<PfkeyIpsec>),
}

/// Runs `work` on a thread with a new network namespace: e0 is 192.0.2.1/24 and 2001:db8::1/64.
///
/// # Errors
/// What `work` says; and if there can be no namespace.
pub fn in_namespace<T: Send + 'static>(
    work: impl AsyncFnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNET).context("a network namespace needs root")?;
        for arguments in [
            "link set lo up",
            "link add e0 type veth peer name e1",
            "addr add 192.0.2.1/24 dev e0",
            "addr add 2001:db8::1/64 dev e0 nodad",
            "link set e1 up",
            "link set e0 up",
        ] {
            ip(arguments)?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(work())
    });
    thread.join().unwrap_or_else(|_| bail!("it panicked"))
}

/// What `ip` says to those arguments.
///
/// # Errors
/// If it fails.
pub fn ip(arguments: &str) -> anyhow::Result<String> {
    let output = Command::new("ip").args(arguments.split(' ')).output().context("ip")?;
    ensure!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

impl Backend {
    /// Starts the backend of that name in the namespace of the thread.
    ///
    /// # Errors
    /// What the backend says, or that there is none of that name.
    pub async fn start(name: &str) -> anyhow::Result<Self> {
        let net: Arc<dyn KernelNet> = match name {
            "kernel-null" => Arc::new(null_net().await?),
            _ => Arc::new(NetlinkNet::connect(Interfaces::default(), 220)?),
        };
        let (ipsec, kind): (Arc<dyn KernelIpsec>, _) = match name {
            "kernel-null" => (Arc::new(NullIpsec::new(everything())), Kind::Null),
            "kernel-libipsec" => {
                let engine = esp_proto::Engine::new(crypto()?);
                let started =
                    LibIpsec::start(engine, Arc::clone(&net), Arc::new(NoSockets), Settings::default());
                let ipsec = Arc::new(started.await?);
                (Arc::clone(&ipsec) as Arc<dyn KernelIpsec>, Kind::Libipsec(ipsec))
            }
            "kernel-netlink" => {
                let started = XfrmIpsec::start(Arc::clone(&net), None, SPIS, XfrmSettings::default());
                let ipsec = Arc::new(started.await?);
                (Arc::clone(&ipsec) as Arc<dyn KernelIpsec>, Kind::Netlink(ipsec))
            }
            "kernel-pfkey" => {
                let ipsec = Arc::new(PfkeyIpsec::start(Arc::clone(&net), None, SPIS, 0).await?);
                (Arc::clone(&ipsec) as Arc<dyn KernelIpsec>, Kind::Pfkey(ipsec))
            }
            _ => bail!("no backend {name}; there are {}", NAMES.join(", ")),
        };
        Ok(Self { ipsec, net, kind })
    }

    /// Ends it; nothing may be left in the kernel.
    ///
    /// # Errors
    /// If something is.
    pub async fn stop(self) -> anyhow::Result<()> {
        match &self.kind {
            Kind::Null => return Ok(()),
            Kind::Libipsec(ipsec) => ipsec.stop().await,
            Kind::Netlink(ipsec) => ipsec.stop().await,
            Kind::Pfkey(ipsec) => ipsec.stop().await,
        }
        for what in ["state", "policy"] {
            let left = ip(&format!("xfrm {what}")).unwrap_or_default();
            ensure!(left.trim().is_empty(), "left in the kernel: {left}");
        }
        Ok(())
    }
}

/// Sockets that carry nothing.
struct NoSockets;

impl IkeSockets for NoSockets {
    fn attach_esp(&self, _: Arc<dyn EspReceiver>) {}

    fn send_esp(&self, _: Path, _: &[u8], _: usize) -> io::Result<()> {
        Ok(())
    }
}

async fn null_net() -> anyhow::Result<NullNet> {
    let net = NullNet::new();
    let e0 = net.add_link("e0");
    net.set_link_up(e0, None).await?;
    net.add_address(e0, [192, 0, 2, 1].into(), 24).await?;
    Ok(net)
}

fn crypto() -> anyhow::Result<Arc<CryptoProvider>> {
    let mut builder = ProviderBuilder::default();
    for algorithm in charon_crypto_aws_lc::algorithms() {
        builder.add(charon_crypto_aws_lc::NAME, algorithm).map_err(|error| anyhow::anyhow!("{error}"))?;
    }
    Ok(Arc::new(builder.freeze()))
}

fn everything() -> KernelCapabilities {
    KernelCapabilities {
        encryption: vec![
            (EncryptionId::AES_GCM_16, 128),
            (EncryptionId::AES_CBC, 128),
            (EncryptionId::AES_CBC, 256),
        ],
        integrity: vec![IntegrityId::HMAC_SHA2_256_128, IntegrityId::HMAC_SHA1_96],
        modes: vec![Mode::Tunnel, Mode::Transport, Mode::Beet, Mode::Pass, Mode::Drop],
        protocols: vec![Protocol::Esp, Protocol::Ah],
        encapsulation: EncapSupport::Any,
        esn: Esn::Enabled,
    }
}
