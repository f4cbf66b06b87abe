//! Plugins, their components, and the order in which they load.
//!
//! A plugin declares [`Component`]s; each provides, depends on and may want [`Feature`]s. [`resolve()`] turns the declarations
//! into a [`Plan`] without touching anything; the [`Registry`] carries the plan out and undoes it in reverse.

mod component;
mod context;
mod registry;
mod resolve;

pub use component::{
    Component, Declared, Feature, Load, LoadError, Necessity, Plugin, ServiceId, Unload, nothing_to_undo,
};
pub use context::{LoadContext, SettingsHandle, daemon_section, daemon_settings};
pub use registry::{Loaded, Registry, StartError};
pub use resolve::{Plan, ResolveError, SkipReason, Skipped, resolve};
