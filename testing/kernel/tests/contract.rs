//! The contracts on the backends that every machine can run; the others need a kernel with IPsec and run in the guest.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use charon_kernel_suite::backend::{Backend, in_namespace};
use charon_kernel_suite::{ipsec, net};

fn keeps_its_contract(name: &'static str) {
    let results = in_namespace(async move || {
        let backend = Backend::start(name).await?;
        let mut results = ipsec::check(&*backend.ipsec).await;
        results.extend(net::check(&*backend.net).await);
        backend.stop().await?;
        Ok(results)
    });
    let faults: Vec<_> =
        results.unwrap().into_iter().filter_map(|(what, result)| Some((what, result.err()?))).collect();
    assert!(faults.is_empty(), "{faults:?}");
}

#[test]
fn the_kernel_in_memory_keeps_its_contract() {
    keeps_its_contract("kernel-null");
}

#[test]
fn userspace_esp_keeps_its_contract() {
    keeps_its_contract("kernel-libipsec");
}
