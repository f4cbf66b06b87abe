//! What names a virtual router on its interface.

use charon_types::vrouter::Vrouter;
use vrrp_proto::{Family, Vrid};

/// Family and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) family: Family,
    pub(crate) vrid: Vrid,
}

impl Key {
    pub(crate) fn of(vrouter: &Vrouter) -> Self {
        let family = if vrouter.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        Self { family, vrid: Vrid::new(vrouter.vrid.get()).expect("a number that is not zero is an id") }
    }
}
