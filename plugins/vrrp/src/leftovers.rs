//! What a predecessor that was killed left in the kernel.

use std::collections::BTreeSet;

use charon_core::service::KernelLinks;
use charon_core::service::kernel_links::LinkGroup;
use charon_types::kernel_op::KernelError;
use tracing::{info, warn};

use crate::host::ALIAS;
use crate::net_state::{NetState, OUR_PROTOCOL};

/// Removes it: macvlans by their alias, addresses, routes and rules by the mark that they carry.
pub(crate) async fn remove(net: &dyn KernelLinks, state: &NetState) {
    let mut groups = BTreeSet::new();
    for link in state.links() {
        // Without a group they are others', whatever they are called.
        let ours = link.alias.as_deref().is_some_and(|alias| alias.starts_with(ALIAS));
        if ours && link.group != LinkGroup(0) {
            info!(target: "KNL", "removing the macvlan {} that was left over", link.name);
            groups.insert(link.group.0);
        }
    }
    for group in groups {
        complain(net.remove_link_group(LinkGroup(group)).await);
    }
    for known in state.all_addresses().filter(|known| known.protocol == OUR_PROTOCOL) {
        // Those of macvlans went with them.
        match net.remove_link_address(known.index, known.held).await {
            Ok(()) => info!(target: "KNL", "removed the address {} that was left over", known.held.address),
            other => complain(other),
        }
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
