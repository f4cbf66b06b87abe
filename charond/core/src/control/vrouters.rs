//! Loading, unloading and listing virtual routers.

use std::sync::Arc;

use charon_types::vrouter::{Vrouter, VrouterSnapshot};
use tracing::info;

use super::Control;
use crate::service::VrrpEngine;
use crate::service::vrrp_engine::{VrouterError, VrouterLoading};

impl Control {
    /// Loads a virtual router: new, or in place of the one of its name, which goes on undisturbed if nothing changed.
    ///
    /// # Errors
    /// The key that is wrong, or that something else has its place.
    pub async fn load_vrouter(&self, vrouter: Vrouter) -> Result<(), VrouterError> {
        vrouter.check().map_err(VrouterError::Fault)?;
        let name = Arc::clone(&vrouter.name);
        match self.vrrp()?.load(vrouter).await? {
            VrouterLoading::Unchanged => {}
            VrouterLoading::Added => info!(target: "CFG", "added vrouter: {name}"),
            VrouterLoading::Replaced => info!(target: "CFG", "updated vrouter: {name}"),
        }
        Ok(())
    }

    /// Unloads a virtual router; its addresses are gone afterwards.
    ///
    /// # Errors
    /// [`VrouterError::NotFound`]
    pub async fn unload_vrouter(&self, name: &str) -> Result<(), VrouterError> {
        self.vrrp()?.unload(name).await?;
        info!(target: "CFG", "removed vrouter: {name}");
        Ok(())
    }

    /// Names of the virtual routers loaded.
    #[must_use]
    pub fn vrouters(&self) -> Vec<Arc<str>> {
        self.vrrp.as_ref().map_or_else(Vec::new, |engine| engine.names())
    }

    /// The virtual routers as they stand.
    pub async fn list_vrouters(&self) -> Vec<VrouterSnapshot> {
        match &self.vrrp {
            Some(engine) => engine.list().await,
            None => Vec::new(),
        }
    }

    fn vrrp(&self) -> Result<&Arc<dyn VrrpEngine>, VrouterError> {
        self.vrrp.as_ref().ok_or(VrouterError::Unavailable)
    }
}
