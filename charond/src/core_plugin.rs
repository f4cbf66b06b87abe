//! The daemon's own plugin: the stores, and reloading.

use std::sync::Arc;

use charon_core::config::{Connections, VrouterRoles};
use charon_core::credentials::{CertificateCache, Credentials};
use charon_core::plugin::{Component, LoadError, Necessity, Plugin, daemon_settings, nothing_to_undo};
use charon_core::pools::Pools;
use charon_core::service::SettingsReload;

use crate::reload::Reloader;

struct Core {
    reloader: Arc<Reloader>,
}

/// The plugin. Nothing works without it.
pub(crate) fn necessary(reloader: Arc<Reloader>) -> (Box<dyn Plugin>, Necessity) {
    (Box::new(Core { reloader }), Necessity::Critical)
}

impl Plugin for Core {
    fn name(&self) -> &'static str {
        "charond"
    }

    fn components(&self) -> Vec<Component> {
        let reloader = Arc::clone(&self.reloader);
        let stores = Component::new("stores", move |context| {
            Box::pin(async move {
                context.provide::<Connections>(Arc::default())?;
                context.provide::<VrouterRoles>(Arc::default())?;
                let settings = context.settings().current();
                let caches = daemon_settings(&settings).bool("cert_cache");
                let caches = caches.map_err(|error| LoadError::Settings(error.to_string()))?;
                let received = if caches { CertificateCache::keeping() } else { CertificateCache::default() };
                context.provide::<Credentials>(Arc::new(Credentials::new(received)))?;
                context.provide::<Pools>(Arc::default())?;
                context.provide::<dyn SettingsReload>(reloader)?;
                Ok(nothing_to_undo())
            })
        });
        vec![
            stores
                .provides::<Connections>()
                .provides::<VrouterRoles>()
                .provides::<Credentials>()
                .provides::<Pools>()
                .provides::<dyn SettingsReload>(),
        ]
    }
}
