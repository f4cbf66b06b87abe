//! Carries a plan out, and undoes it in reverse.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use charon_crypto::provider::{Order, ProviderBuilder};
use tracing::{error, info, warn};

use super::component::{Component, Declared, Feature, LoadError, Necessity, Plugin, Unload};
use super::context::{LoadContext, SettingsHandle};
use super::resolve::{Plan, ResolveError, resolve};
use crate::bus::Bus;
use crate::log::LogHub;

/// How long one component may take to unload before the next one has its turn.
const UNLOAD_DEADLINE: Duration = Duration::from_secs(5);

/// The plugins chosen by the load line, ready to be planned or started.
pub struct Registry {
    declared: Vec<Declared>,
    components: Vec<Component>,
    order: Order,
}

/// Why the daemon cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// No plan.
    Resolve(ResolveError),
    /// A critical component failed.
    Critical {
        /// Which.
        component: String,
        /// Why.
        error: LoadError,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Resolve(error) => error.fmt(f),
            Self::Critical { component, error } => {
                write!(f, "critical plugin component {component}: {error}")
            }
        }
    }
}

impl std::error::Error for StartError {}

/// What is running.
pub struct Loaded {
    guards: Vec<(String, Unload)>,
    /// Plugins of which something has loaded, in load order.
    pub plugins: Vec<&'static str>,
    /// Components that did not load, with the reason.
    pub failed: Vec<(String, String)>,
}

impl Registry {
    /// A registry of `plugins` in the order of the load line.
    #[must_use]
    pub fn new(plugins: &[(Box<dyn Plugin>, Necessity)]) -> Self {
        let mut registry = Self { declared: Vec::new(), components: Vec::new(), order: Order::default() };
        for (plugin, necessity) in plugins {
            for component in plugin.components() {
                registry.declared.push(component.declared(plugin.name(), *necessity));
                registry.components.push(component);
            }
        }
        registry
    }

    /// How algorithms that several plugins offer are ordered.
    #[must_use]
    pub const fn with_order(mut self, order: Order) -> Self {
        self.order = order;
        self
    }

    /// The declarations, in the order of the load line.
    #[must_use]
    pub fn declared(&self) -> &[Declared] {
        &self.declared
    }

    /// What would load.
    ///
    /// # Errors
    /// As [`resolve`].
    pub fn plan(&self) -> Result<Plan, ResolveError> {
        resolve(&self.declared)
    }

    /// Loads everything in order.
    ///
    /// # Errors
    /// [`StartError`] if there is no plan or a critical component fails; what had loaded is unloaded again.
    pub async fn start(
        self,
        settings: SettingsHandle,
        bus: Arc<Bus>,
        log: LogHub,
    ) -> Result<Loaded, StartError> {
        let plan = self.plan().map_err(StartError::Resolve)?;
        let mut running = Loaded { guards: Vec::new(), plugins: Vec::new(), failed: Vec::new() };
        for skipped in &plan.skipped {
            let component = self.declared[skipped.index].to_string();
            warn!(target: "CFG", "plugin component {component} is left out: {}", skipped.reason);
            running.failed.push((component, skipped.reason.to_string()));
        }
        let Some(&first) = plan.order.first() else { return Ok(running) };
        let mut context = LoadContext {
            component: self.declared[first].clone(),
            services: HashMap::new(),
            algorithms: ProviderBuilder::new(self.order),
            provider: None,
            settings,
            bus,
            log,
            loaded: Vec::new(),
        };
        let mut components: Vec<Option<Component>> = self.components.into_iter().map(Some).collect();
        for index in plan.order {
            let declared = &self.declared[index];
            let Some(component) = components[index].take() else { continue };
            if let Some(feature) = superseded(declared, &context) {
                info!(target: "CFG", "plugin component {declared} stands by: {feature} is provided already");
                continue;
            }
            context.component = declared.clone();
            match (component.load)(&mut context).await {
                Ok(guard) => {
                    running.guards.push((declared.to_string(), guard));
                    if !context.loaded.contains(&declared.plugin) {
                        context.loaded.push(declared.plugin);
                    }
                }
                Err(error) if declared.necessity == Necessity::Critical => {
                    let component = declared.to_string();
                    running.stop().await;
                    return Err(StartError::Critical { component, error });
                }
                Err(error) => {
                    warn!(target: "CFG", "plugin component {declared} did not load: {error}");
                    running.failed.push((declared.to_string(), error.to_string()));
                }
            }
        }
        running.plugins = context.loaded;
        Ok(running)
    }
}

/// A service that the component would provide although another provides it already.
fn superseded(declared: &Declared, context: &LoadContext) -> Option<Feature> {
    declared.provides.iter().copied().find(|feature| match feature {
        Feature::Service(id) => context.services.contains_key(id),
        Feature::Algorithms => false,
    })
}

impl Loaded {
    /// Whether the component `plugin:component` is running.
    #[must_use]
    pub fn runs(&self, component: &str) -> bool {
        self.guards.iter().any(|(name, _)| name == component)
    }

    /// Unloads everything in reverse order, each under a deadline.
    pub async fn stop(&mut self) {
        while let Some((component, unload)) = self.guards.pop() {
            if tokio::time::timeout(UNLOAD_DEADLINE, unload()).await.is_err() {
                error!(target: "DMN", "plugin component {component} did not unload within {UNLOAD_DEADLINE:?}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use charon_conf::Settings;

    use super::super::component::nothing_to_undo;
    use super::*;

    /// Has a component that loads and one that does not.
    struct Half;

    impl Plugin for Half {
        fn name(&self) -> &'static str {
            "half"
        }

        fn components(&self) -> Vec<Component> {
            vec![
                Component::new("well", |_| Box::pin(async { Ok(nothing_to_undo()) })),
                Component::new("ill", |_| {
                    Box::pin(async { Err(LoadError::Unavailable("no such device".to_owned())) })
                }),
            ]
        }
    }

    #[tokio::test]
    async fn a_component_that_failed_does_not_run_though_its_plugin_is_loaded() {
        let bus = Arc::new(Bus::default());
        let registry = Registry::new(&[(Box::new(Half) as Box<dyn Plugin>, Necessity::Optional)]);
        let settings = SettingsHandle::new(Settings::empty());
        let log = LogHub::new(Arc::clone(&bus));
        let loaded = registry.start(settings, bus, log).await.unwrap();
        assert_eq!(loaded.plugins, ["half"]);
        assert!(loaded.runs("half:well"));
        assert!(!loaded.runs("half:ill"));
        assert_eq!(loaded.failed, [("half:ill".to_owned(), "no such device".to_owned())]);
    }
}
