//! What a predecessor that was killed left in the kernel.

use charon_core::service::KernelLinks;
use charon_types::kernel_op::KernelError;
use tracing::{info, warn};

use crate::host::ALIAS;
use crate::net_state::{NetState, OUR_PROTOCOL};

/// Removes it: macvlans by their alias, addresses, routes and rules by the mark that they carry.
pub(crate) async fn remove(net: &dyn KernelLinks, state: &NetState) {
    let ours =
        state.links().filter(|link| link.alias.as_deref().is_some_and(|alias| alias.starts_with(ALIAS)));
    for link in ours {
        info!(target: "KNL", "removing the macvlan {} that was left over", link.name);
        complain(net.remove_link(link.index).await);
    }
    for known in state.all_addresses().filter(|known| known.protocol == OUR_PROTOCOL) {
        info!(target: "KNL", "removing the address {} that was left over", known.held.address);
        complain(net.remove_link_address(known.index, known.held).await);
    }
    complain(net.flush_link_routes(OUR_PROTOCOL).await);
    complain(net.flush_rules(OUR_PROTOCOL).await);
}

fn complain(done: Result<(), KernelError>) {
    match done {
        Ok(()) | Err(KernelError::NotFound) => {}
        Err(error) => warn!(target: "KNL", "something that was left over stays: {error:?}"),
    }
}
