//! The contract of `KernelNet`, on a host whose e0 is 192.0.2.1/24.

use std::net::IpAddr;

use anyhow::{bail, ensure};
use charon_core::service::KernelNet;
use charon_core::service::kernel_net::{Family, Route, Rule, RulePackets, XfrmInterface};
use charon_types::id::IfId;
use charon_types::kernel_op::KernelError;

/// Checks all of it; each failure with what was checked.
pub async fn check(net: &dyn KernelNet) -> Vec<(&'static str, anyhow::Result<()>)> {
    vec![
        ("addresses come and go", addresses(net).await),
        ("routes are added, replaced and removed", routes(net).await),
        ("a rule may be there already", rules(net).await),
        ("the next hop to a neighbour is on the link", next_hop(net).await),
        ("an interface that is not there is not found", interfaces(net).await),
        ("an XFRM interface is made and found by its id, or refused by name", xfrm_interface(net).await),
    ]
}

async fn addresses(net: &dyn KernelNet) -> anyhow::Result<()> {
    let e0 = net.interface("e0").await?;
    let address = IpAddr::from([10, 99, 0, 1]);
    net.add_address(e0, address, 32).await?;
    let again = net.add_address(e0, address, 32).await;
    ensure!(again == Err(KernelError::Exists), "added twice: {again:?}");
    ensure!(net.addresses().await?.iter().any(|held| held.address == address && held.prefix == 32));
    net.remove_address(e0, address, 32).await?;
    let again = net.remove_address(e0, address, 32).await;
    ensure!(again == Err(KernelError::NotFound), "removed twice: {again:?}");
    ensure!(net.addresses().await?.iter().all(|held| held.address != address));
    Ok(())
}

async fn routes(net: &dyn KernelNet) -> anyhow::Result<()> {
    let interface = net.interface("e0").await?;
    let destination = (IpAddr::from([10, 2, 0, 0]), 16);
    let route =
        Route { destination, interface, gateway: None, source: Some([192, 0, 2, 1].into()), table: 220 };
    for _ in 0..2 {
        net.add_route(route.clone()).await?;
    }
    net.remove_route(route.clone()).await?;
    let again = net.remove_route(route.clone()).await;
    ensure!(again == Err(KernelError::NotFound), "removed twice: {again:?}");
    net.add_route(route.clone()).await?;
    net.flush_table(220).await?;
    let again = net.remove_route(route).await;
    ensure!(again == Err(KernelError::NotFound), "removed after a flush: {again:?}");
    Ok(())
}

async fn rules(net: &dyn KernelNet) -> anyhow::Result<()> {
    let rule = Rule {
        family: Family::Ipv4,
        packets: RulePackets::default(),
        table: Some(220),
        priority: 220,
        fwmark: None,
    };
    for _ in 0..2 {
        net.add_rule(rule).await?;
    }
    net.remove_rule(rule).await?;
    let again = net.remove_rule(rule).await;
    ensure!(again == Err(KernelError::NotFound), "removed twice: {again:?}");
    Ok(())
}

async fn next_hop(net: &dyn KernelNet) -> anyhow::Result<()> {
    let hop = net.next_hop([192, 0, 2, 9].into(), None).await?;
    ensure!(hop.source == IpAddr::from([192, 0, 2, 1]) && hop.gateway.is_none(), "{hop:?}");
    ensure!(hop.interface == net.interface("e0").await?, "{hop:?}");
    let nowhere = IpAddr::from([203, 0, 113, 1]);
    let lost = net.next_hop(nowhere, None).await;
    ensure!(lost == Err(KernelError::Unreachable(nowhere)), "{lost:?}");
    Ok(())
}

async fn interfaces(net: &dyn KernelNet) -> anyhow::Result<()> {
    let absent = net.interface("e9").await;
    ensure!(absent == Err(KernelError::NotFound), "{absent:?}");
    Ok(())
}

async fn xfrm_interface(net: &dyn KernelNet) -> anyhow::Result<()> {
    let parent = Some(net.interface("e0").await?);
    let wanted = XfrmInterface { name: "ipsec7".into(), if_id: IfId(7), parent };
    match net.add_xfrm_interface(wanted.clone()).await {
        Ok(index) => {
            ensure!(net.interface("ipsec7").await? == index);
            let found = net.xfrm_interfaces().await?;
            ensure!(found == [(index, wanted.clone())], "{found:?}");
            let again = net.add_xfrm_interface(wanted).await;
            ensure!(again == Err(KernelError::Exists), "made twice: {again:?}");
        }
        // Kernels may lack them, and so do the other backends.
        Err(KernelError::Unsupported(what)) => ensure!(what == "an XFRM interface", "{what}"),
        Err(error) => bail!("{error}"),
    }
    Ok(())
}
