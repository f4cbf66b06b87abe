//! Virtual addresses on interfaces, and the name servers that came with them: put there for the first IKE_SA that has one,
//! taken off after the last.
//!
//! One task does it in the order asked for, so that a successor's address is never taken away by its predecessor's end.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use charon_core::service::KernelNet;
use charon_core::service::kernel_net::InterfaceIndex;
use charon_types::IkeSpi;
use charon_types::kernel_op::KernelError;
use ikev2_proto::output::{AddressOp, OpId};
use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use crate::name_servers::NameServers;
use crate::settings::Options;
use crate::shard::Input;

/// Batches that may wait. Each IKE_SA has two in its life.
const DEPTH: usize = 4096;

/// A batch of an IKE_SA.
pub(crate) struct Batch {
    pub(crate) spi: IkeSpi,
    pub(crate) op: OpId,
    /// An address of the interface, unless another one is configured.
    pub(crate) beside: IpAddr,
    pub(crate) ops: Vec<AddressOp>,
    /// Where the answer goes.
    pub(crate) answer: mpsc::Sender<Input>,
    /// As they were when it was asked for.
    pub(crate) options: Arc<Options>,
}

enum Request {
    Change(Batch),
    /// Take everything off.
    Finish(oneshot::Sender<()>),
}

/// Hands batches to the task.
pub(crate) struct VirtualIps {
    requests: mpsc::Sender<Request>,
    held: Arc<RwLock<HashMap<IpAddr, Held>>>,
}

struct Held {
    /// `None`: not ours to remove.
    on: Option<InterfaceIndex>,
    users: usize,
}

impl VirtualIps {
    /// With the task's work, which ends with the last who can ask, or by [`VirtualIps::finish`].
    pub(crate) fn new(net: Arc<dyn KernelNet>) -> (Self, impl Future<Output = ()> + Send) {
        let (requests, receiver) = mpsc::channel(DEPTH);
        let held = Arc::new(RwLock::new(HashMap::new()));
        let keeper = Keeper { net, held: Arc::clone(&held), name_servers: NameServers::default() };
        (Self { requests, held }, keeper.run(receiver))
    }

    /// Whether it is a virtual address.
    pub(crate) fn contain(&self, address: IpAddr) -> bool {
        self.held.read().contains_key(&address)
    }

    /// Has a batch done; the answer comes as [`Input::Addresses`].
    pub(crate) fn submit(&self, batch: Batch) {
        if self.requests.try_send(Request::Change(batch)).is_err() {
            error!(target: "KNL", "too many changes of virtual IPs at once");
        }
    }

    /// Takes every address off, after all that was asked for before.
    pub(crate) async fn finish(&self) {
        let (done, finished) = oneshot::channel();
        if self.requests.send(Request::Finish(done)).await.is_ok() {
            // An error says that the task has ended, and it takes everything off before.
            let _ = finished.await;
        }
    }
}

struct Keeper {
    net: Arc<dyn KernelNet>,
    held: Arc<RwLock<HashMap<IpAddr, Held>>>,
    name_servers: NameServers,
}

impl Keeper {
    async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut finished = None;
        while let Some(request) = requests.recv().await {
            let batch = match request {
                Request::Change(batch) => batch,
                Request::Finish(done) => {
                    finished = Some(done);
                    break;
                }
            };
            let mut results = Vec::with_capacity(batch.ops.len());
            for op in &batch.ops {
                results.push(match op {
                    AddressOp::UseNameServer(server) => {
                        self.name_servers.add(*server, &batch.options.resolver).await;
                        Ok(())
                    }
                    AddressOp::DropNameServer(server) => {
                        self.name_servers.remove(*server).await;
                        Ok(())
                    }
                    _ if !batch.options.install_virtual_ip.is_enabled() => Ok(()),
                    AddressOp::Install(address) => self.install(*address, &batch).await,
                    AddressOp::Remove(address) => self.remove(*address).await,
                });
            }
            // A shard that has ended awaits nothing.
            drop(batch.answer.send(Input::Addresses { spi: batch.spi, op: batch.op, results }).await);
        }
        self.name_servers.remove_all().await;
        let left: Vec<IpAddr> = self.held.read().keys().copied().collect();
        for address in left {
            self.take_off(address).await;
        }
        if let Some(finished) = finished {
            let _ = finished.send(());
        }
    }

    async fn install(&self, address: IpAddr, batch: &Batch) -> Result<(), KernelError> {
        if let Some(held) = self.held.write().get_mut(&address) {
            held.users += 1;
            return Ok(());
        }
        let on = self.interface(batch).await?;
        // Known as virtual before it shows as an address of ours.
        self.held.write().insert(address, Held { on: Some(on), users: 1 });
        let prefix = if address.is_ipv4() { 32 } else { 128 };
        match self.net.add_address(on, address, prefix).await {
            Ok(()) => Ok(()),
            Err(KernelError::Exists) => {
                info!(target: "KNL", "virtual IP {address} is already there, and stays when it is not needed any more");
                self.held.write().insert(address, Held { on: None, users: 1 });
                Ok(())
            }
            Err(error) => {
                self.held.write().remove(&address);
                Err(error)
            }
        }
    }

    async fn interface(&self, batch: &Batch) -> Result<InterfaceIndex, KernelError> {
        if let Some(name) = &batch.options.install_virtual_ip_on {
            return self.net.interface(name).await;
        }
        let addresses = self.net.addresses().await?;
        let held = addresses.iter().find(|held| held.address == batch.beside);
        held.map(|held| held.index).ok_or(KernelError::NotFound)
    }

    async fn remove(&self, address: IpAddr) -> Result<(), KernelError> {
        {
            let mut all = self.held.write();
            let Some(held) = all.get_mut(&address) else { return Ok(()) };
            held.users -= 1;
            if held.users > 0 {
                return Ok(());
            }
        }
        self.take_off(address).await;
        Ok(())
    }

    async fn take_off(&self, address: IpAddr) {
        let on = self.held.read().get(&address).and_then(|held| held.on);
        if let Some(on) = on {
            let prefix = if address.is_ipv4() { 32 } else { 128 };
            match self.net.remove_address(on, address, prefix).await {
                // It went with its link.
                Ok(()) | Err(KernelError::NotFound) => {}
                Err(error) => warn!(target: "KNL", "removing virtual IP {address} failed: {error}"),
            }
        }
        self.held.write().remove(&address);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;

    use charon_conf::Settings as Stored;
    use charon_core::plugin::daemon_settings;
    use charon_kernel_null::NullNet;

    use super::*;

    const OURS: &str = "192.0.2.1";
    const VIP: &str = "10.3.0.1";

    struct Bench {
        net: Arc<NullNet>,
        vips: VirtualIps,
        answers: mpsc::Receiver<Input>,
        answer: mpsc::Sender<Input>,
        options: Arc<Options>,
    }

    async fn bench(settings: &str) -> Bench {
        let net = Arc::new(NullNet::new());
        for (link, address) in [("e0", OURS), ("e1", "10.9.0.1")] {
            let index = net.add_link(link);
            net.set_link_up(index, None).await.unwrap();
            net.add_address(index, address.parse().unwrap(), 24).await.unwrap();
        }
        let (vips, task) = VirtualIps::new(Arc::clone(&net) as Arc<dyn KernelNet>);
        tokio::spawn(task);
        let stored = Stored::parse("s.conf", settings.as_bytes()).unwrap();
        let options = Arc::new(Options::read(&daemon_settings(&stored), (500, 4500)).unwrap());
        let (answer, answers) = mpsc::channel(8);
        Bench { net, vips, answers, answer, options }
    }

    impl Bench {
        async fn change(&mut self, op: fn(IpAddr) -> AddressOp) -> Result<(), KernelError> {
            self.vips.submit(Batch {
                spi: IkeSpi(NonZeroU64::MIN),
                op: OpId(1),
                beside: OURS.parse().unwrap(),
                ops: vec![op(VIP.parse().unwrap())],
                answer: self.answer.clone(),
                options: Arc::clone(&self.options),
            });
            let Some(Input::Addresses { mut results, .. }) = self.answers.recv().await else {
                panic!("no answer")
            };
            results.remove(0)
        }

        async fn holder(&self) -> Option<String> {
            let vip: IpAddr = VIP.parse().unwrap();
            let addresses = self.net.addresses().await.unwrap();
            addresses.into_iter().find(|held| held.address == vip).map(|held| held.name)
        }
    }

    #[tokio::test]
    async fn an_address_stays_until_its_last_user_is_gone() {
        let mut bench = bench("").await;
        for _ in 0..2 {
            bench.change(AddressOp::Install).await.unwrap();
        }
        bench.change(AddressOp::Remove).await.unwrap();
        assert_eq!(bench.holder().await.as_deref(), Some("e0"), "beside the address that it is used from");
        assert!(bench.vips.contain(VIP.parse().unwrap()));
        bench.change(AddressOp::Remove).await.unwrap();
        assert_eq!(bench.holder().await, None);
        assert!(!bench.vips.contain(VIP.parse().unwrap()));
    }

    #[tokio::test]
    async fn the_interface_can_be_configured() {
        let mut bench = bench("charon { install_virtual_ip_on = e1 }").await;
        bench.change(AddressOp::Install).await.unwrap();
        assert_eq!(bench.holder().await.as_deref(), Some("e1"));
    }

    #[tokio::test]
    async fn an_interface_that_is_not_there_is_an_error() {
        let mut bench = bench("charon { install_virtual_ip_on = e7 }").await;
        assert_eq!(bench.change(AddressOp::Install).await, Err(KernelError::NotFound));
        assert_eq!(bench.holder().await, None);
    }

    #[tokio::test]
    async fn nothing_is_installed_if_that_is_configured() {
        let mut bench = bench("charon { install_virtual_ip = no }").await;
        bench.change(AddressOp::Install).await.unwrap();
        assert_eq!(bench.holder().await, None);
    }

    #[tokio::test]
    async fn an_address_that_was_there_before_stays() {
        let mut bench = bench("").await;
        let e1 = bench.net.interface("e1").await.unwrap();
        bench.net.add_address(e1, VIP.parse().unwrap(), 32).await.unwrap();
        bench.change(AddressOp::Install).await.unwrap();
        bench.change(AddressOp::Remove).await.unwrap();
        assert_eq!(bench.holder().await.as_deref(), Some("e1"));
    }
}
