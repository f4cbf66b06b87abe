//! What a component may touch while it loads.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use charon_conf::options::{Configured, Program};
use charon_conf::{Settings, View};
use charon_crypto::{Algorithm, CryptoProvider, ProviderBuilder, Rank};
use tokio::sync::watch;
use tracing::error;

use super::component::{Declared, Feature, LoadError, ServiceId};
use crate::bus::Bus;
use crate::log::LogHub;

/// The settings as last read; replaced as a whole on reload.
#[derive(Clone)]
pub struct SettingsHandle(Arc<Held>);

struct Held {
    settings: ArcSwap<Settings>,
    /// How often they were replaced.
    replaced: watch::Sender<u64>,
}

impl SettingsHandle {
    /// A handle on `settings`.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Held { settings: ArcSwap::from_pointee(settings), replaced: watch::Sender::new(0) }))
    }

    /// The settings now.
    #[must_use]
    pub fn current(&self) -> Arc<Settings> {
        self.0.settings.load_full()
    }

    /// Puts others in their place.
    pub fn replace(&self, settings: Settings) {
        self.0.settings.store(Arc::new(settings));
        self.0.replaced.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes when others are put in their place.
    #[must_use]
    pub fn follow(&self) -> watch::Receiver<u64> {
        self.0.replaced.subscribe()
    }
}

/// The daemon's own sections of the settings.
#[must_use]
pub fn daemon_section(settings: &Settings) -> View<'_> {
    settings.fallback(Program::Daemon.sections())
}

/// The daemon's settings with the defaults of the option table.
#[must_use]
pub fn daemon_settings(settings: &Settings) -> Configured<'_> {
    Configured::new(settings, Program::Daemon)
}

/// What a component may touch while it loads: declared services, settings, bus, log.
pub struct LoadContext {
    pub(super) component: Declared,
    pub(super) services: HashMap<ServiceId, Box<dyn Any + Send + Sync>>,
    pub(super) algorithms: ProviderBuilder,
    pub(super) provider: Option<Arc<CryptoProvider>>,
    pub(super) settings: SettingsHandle,
    pub(super) bus: Arc<Bus>,
    pub(super) log: LogHub,
    pub(super) loaded: Vec<&'static str>,
}

impl LoadContext {
    /// The service `T`, which the component declared as a dependency.
    ///
    /// # Errors
    /// [`LoadError::Undeclared`] if it did not, [`LoadError::Missing`] if no provider loaded.
    pub fn require<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Arc<T>, LoadError> {
        let feature = Feature::Service(ServiceId::of::<T>());
        if !self.component.depends.contains(&feature) {
            return Err(LoadError::Undeclared(feature));
        }
        self.lookup::<T>().ok_or(LoadError::Missing(feature))
    }

    /// The service `T` if some provider loaded.
    ///
    /// # Errors
    /// [`LoadError::Undeclared`] if the component did not declare that it wants it.
    pub fn want<T: ?Sized + Send + Sync + 'static>(&self) -> Result<Option<Arc<T>>, LoadError> {
        let feature = Feature::Service(ServiceId::of::<T>());
        if !self.component.wants.contains(&feature) {
            return Err(LoadError::Undeclared(feature));
        }
        Ok(self.lookup::<T>())
    }

    /// Offers the service `T`, which the component declared.
    ///
    /// # Errors
    /// [`LoadError::Undeclared`] if it did not.
    pub fn provide<T: ?Sized + Send + Sync + 'static>(&mut self, service: Arc<T>) -> Result<(), LoadError> {
        let id = ServiceId::of::<T>();
        if !self.component.provides.contains(&Feature::Service(id)) {
            return Err(LoadError::Undeclared(Feature::Service(id)));
        }
        self.services.insert(id, Box::new(service));
        Ok(())
    }

    /// Registers an algorithm; one that fails its self-test is refused and named in the log.
    ///
    /// # Errors
    /// [`LoadError::Undeclared`] if the component did not declare algorithms.
    pub fn add_algorithm(&mut self, algorithm: Algorithm) -> Result<(), LoadError> {
        self.add_ranked_algorithm(Rank::default(), algorithm)
    }

    /// As [`LoadContext::add_algorithm`], saying how it compares with the same algorithm of other plugins.
    ///
    /// # Errors
    /// As [`LoadContext::add_algorithm`].
    pub fn add_ranked_algorithm(&mut self, rank: Rank, algorithm: Algorithm) -> Result<(), LoadError> {
        if !self.component.provides.contains(&Feature::Algorithms) {
            return Err(LoadError::Undeclared(Feature::Algorithms));
        }
        if let Err(refused) = self.algorithms.add_ranked(self.component.plugin, rank, algorithm) {
            error!(target: "LIB", "{refused}");
        }
        Ok(())
    }

    /// The algorithms, frozen. The component must want algorithms, so that all of them are there.
    ///
    /// # Errors
    /// [`LoadError::Undeclared`] if it does not.
    pub fn crypto(&mut self) -> Result<Arc<CryptoProvider>, LoadError> {
        if !self.component.wants.contains(&Feature::Algorithms) {
            return Err(LoadError::Undeclared(Feature::Algorithms));
        }
        let algorithms = &mut self.algorithms;
        Ok(Arc::clone(self.provider.get_or_insert_with(|| Arc::new(std::mem::take(algorithms).freeze()))))
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &SettingsHandle {
        &self.settings
    }

    /// The event bus.
    #[must_use]
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> &LogHub {
        &self.log
    }

    /// Plugins of which something has loaded, in load order.
    #[must_use]
    pub fn loaded(&self) -> &[&'static str] {
        &self.loaded
    }

    fn lookup<T: ?Sized + 'static>(&self) -> Option<Arc<T>> {
        self.services.get(&ServiceId::of::<T>())?.downcast_ref::<Arc<T>>().cloned()
    }
}
