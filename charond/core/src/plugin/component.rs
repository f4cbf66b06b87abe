//! What a plugin declares.

use std::any::TypeId;
use std::fmt;

use crate::plugin::context::LoadContext;
use crate::service::BoxFuture;

/// A plugin: a name and its components.
pub trait Plugin: Send + Sync {
    /// Name, as in the load line.
    fn name(&self) -> &'static str;
    /// Its components. Pure: no I/O, nothing acquired.
    fn components(&self) -> Vec<Component>;
}

/// Identity of a service: the trait object's type, and its short name for people.
#[derive(Clone, Copy)]
pub struct ServiceId {
    type_id: TypeId,
    path: &'static str,
}

impl ServiceId {
    /// The id of the service `T`, for example `ServiceId::of::<dyn KernelNet>()`.
    #[must_use]
    pub fn of<T: ?Sized + 'static>() -> Self {
        Self { type_id: TypeId::of::<T>(), path: std::any::type_name::<T>() }
    }

    /// The trait's name without its path.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let path = self.path.strip_prefix("dyn ").unwrap_or(self.path);
        path.rsplit("::").next().unwrap_or(path)
    }
}

impl PartialEq for ServiceId {
    fn eq(&self, other: &Self) -> bool {
        self.type_id == other.type_id
    }
}

impl Eq for ServiceId {}

impl std::hash::Hash for ServiceId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.type_id.hash(state);
    }
}

impl fmt::Debug for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Something that one component provides and another depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Feature {
    /// A service. The first provider that loads wins; those after it stand by in case it cannot.
    Service(ServiceId),
    /// Cryptographic algorithms. All providers accumulate, in order.
    Algorithms,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(id) => f.write_str(id.name()),
            Self::Algorithms => f.write_str("algorithms"),
        }
    }
}

/// Undoes a load.
pub type Unload = Box<dyn FnOnce() -> BoxFuture<'static, ()> + Send>;

/// The guard of a component that has nothing to undo.
#[must_use]
pub fn nothing_to_undo() -> Unload {
    Box::new(|| Box::pin(async {}))
}

/// Loads a component.
pub type Load =
    Box<dyn for<'c> FnOnce(&'c mut LoadContext) -> BoxFuture<'c, Result<Unload, LoadError>> + Send>;

/// Why a component did not load.
#[derive(Debug)]
#[non_exhaustive]
pub enum LoadError {
    /// It required a feature that it had not declared: a mistake in the plugin.
    Undeclared(Feature),
    /// A declared dependency is not there.
    Missing(Feature),
    /// The machine cannot do it; the next provider of the same service gets its turn.
    Unavailable(String),
    /// It is configured wrongly; the text names file, line and key.
    Settings(String),
    /// The operating system refused.
    Os {
        /// What was tried.
        what: String,
        /// What it said.
        error: std::io::Error,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Undeclared(feature) => write!(f, "uses {feature} without declaring it"),
            Self::Missing(feature) => write!(f, "needs {feature}, which nothing provides"),
            Self::Unavailable(why) | Self::Settings(why) => f.write_str(why),
            Self::Os { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for LoadError {}

/// One loadable part of a plugin.
pub struct Component {
    pub(super) name: &'static str,
    pub(super) provides: Vec<Feature>,
    pub(super) depends: Vec<Feature>,
    pub(super) wants: Vec<Feature>,
    pub(super) load: Load,
}

impl Component {
    /// A component that `load` brings up. The guard that `load` returns undoes it.
    pub fn new<F>(name: &'static str, load: F) -> Self
    where
        F: for<'c> FnOnce(&'c mut LoadContext) -> BoxFuture<'c, Result<Unload, LoadError>> + Send + 'static,
    {
        Self { name, provides: Vec::new(), depends: Vec::new(), wants: Vec::new(), load: Box::new(load) }
    }

    /// Provides the service `T`.
    #[must_use]
    pub fn provides<T: ?Sized + 'static>(mut self) -> Self {
        self.provides.push(Feature::Service(ServiceId::of::<T>()));
        self
    }

    /// Provides algorithms.
    #[must_use]
    pub fn provides_algorithms(mut self) -> Self {
        self.provides.push(Feature::Algorithms);
        self
    }

    /// Cannot load without the service `T`.
    #[must_use]
    pub fn depends<T: ?Sized + 'static>(mut self) -> Self {
        self.depends.push(Feature::Service(ServiceId::of::<T>()));
        self
    }

    /// Loads after every provider of algorithms.
    #[must_use]
    pub fn wants_algorithms(mut self) -> Self {
        self.wants.push(Feature::Algorithms);
        self
    }

    /// Uses the service `T` if there is one.
    #[must_use]
    pub fn wants<T: ?Sized + 'static>(mut self) -> Self {
        self.wants.push(Feature::Service(ServiceId::of::<T>()));
        self
    }

    /// What it declares, for the resolver.
    #[must_use]
    pub fn declared(&self, plugin: &'static str, necessity: Necessity) -> Declared {
        Declared {
            plugin,
            component: self.name,
            provides: self.provides.clone(),
            depends: self.depends.clone(),
            wants: self.wants.clone(),
            necessity,
        }
    }
}

/// Whether the daemon starts without a plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Necessity {
    /// It is skipped with a reason.
    Optional,
    /// Marked `!` in the load line: nothing starts without it.
    Critical,
}

/// A component's declaration, all that the resolver sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Of the plugin.
    pub plugin: &'static str,
    /// Of the component within it.
    pub component: &'static str,
    /// Features provided.
    pub provides: Vec<Feature>,
    /// Hard dependencies.
    pub depends: Vec<Feature>,
    /// Soft dependencies.
    pub wants: Vec<Feature>,
    /// Whether a failure stops the start.
    pub necessity: Necessity,
}

impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.plugin, self.component)
    }
}
