//! `charond xfrmi`: makes XFRM interfaces for route-based tunnels, and lists them, as strongSwan's tool of that name does.

use std::process::ExitCode;

use charon_core::service::KernelNet;
use charon_core::service::kernel_net::XfrmInterface;
use charon_kernel_netlink::{Interfaces, NetlinkNet};
use charon_types::id::IfId;

use crate::cli::Xfrmi;

/// Does it; a list goes to standard output.
pub(crate) fn run(asked: &Xfrmi) -> ExitCode {
    match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => match runtime.block_on(ask(asked)) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => eprintln!("charond: {error}"),
        },
        Err(error) => eprintln!("charond: {error}"),
    }
    ExitCode::FAILURE
}

async fn ask(asked: &Xfrmi) -> Result<(), String> {
    let net = NetlinkNet::connect(Interfaces::default(), 0);
    let net = net.map_err(|error| format!("opening a netlink socket: {error}"))?;
    let (Some(name), Some(id)) = (&asked.name, asked.id) else { return list(&net).await };
    let parent = match &asked.dev {
        Some(dev) => Some(net.interface(dev).await.map_err(|error| format!("{dev}: {error}"))?),
        None => None,
    };
    let wanted = XfrmInterface { name: name.clone(), if_id: IfId(id), parent };
    net.add_xfrm_interface(wanted).await.map(drop).map_err(|error| format!("{name}: {error}"))
}

#[expect(clippy::print_stdout, reason = "the list is what was asked for")]
async fn list(net: &NetlinkNet) -> Result<(), String> {
    let mut all = net.xfrm_interfaces().await.map_err(|error| error.to_string())?;
    all.sort_by(|(_, one), (_, other)| one.name.cmp(&other.name));
    for (_, interface) in all {
        let parent = interface.parent.map(|parent| format!(" on interface {}", parent.0));
        println!("{} if_id {:#x}{}", interface.name, interface.if_id.0, parent.unwrap_or_default());
    }
    Ok(())
}
