//! The roles of virtual routers, for connections that are bound to one.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use charon_types::vrouter::VrouterState;
use parking_lot::Mutex;

/// Which virtual router has which role. Readers never wait.
#[derive(Default)]
pub struct VrouterRoles {
    roles: ArcSwap<HashMap<Arc<str>, VrouterState>>,
    writing: Mutex<()>,
}

impl VrouterRoles {
    /// Whether the virtual router of that name is Active here. One that is not loaded is not.
    #[must_use]
    pub fn is_active(&self, name: &str) -> bool {
        self.roles.load().get(name) == Some(&VrouterState::Active)
    }

    /// Notes a role.
    pub fn set(&self, name: &Arc<str>, state: VrouterState) {
        self.change(|roles| {
            roles.insert(Arc::clone(name), state);
        });
    }

    /// Forgets a virtual router.
    pub fn remove(&self, name: &str) {
        self.change(|roles| {
            roles.remove(name);
        });
    }

    fn change(&self, change: impl FnOnce(&mut HashMap<Arc<str>, VrouterState>)) {
        let _writing = self.writing.lock();
        let mut roles = HashMap::clone(&self.roles.load());
        change(&mut roles);
        self.roles.store(Arc::new(roles));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_router_known_to_be_active_is_active() {
        let roles = VrouterRoles::default();
        assert!(!roles.is_active("gw"));
        roles.set(&"gw".into(), VrouterState::Active);
        assert!(roles.is_active("gw"));
        roles.set(&"gw".into(), VrouterState::Backup);
        assert!(!roles.is_active("gw"));
        roles.set(&"gw".into(), VrouterState::Active);
        roles.remove("gw");
        assert!(!roles.is_active("gw"));
    }
}
