//! The plugin as the registry sees it.

use charon_core::plugin::{Component, Plugin, Unload};

/// Registers [`crate::algorithms`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Ring;

impl Plugin for Ring {
    fn name(&self) -> &'static str {
        crate::NAME
    }

    fn components(&self) -> Vec<Component> {
        let load = Component::new("algorithms", |cx| {
            Box::pin(async move {
                for algorithm in crate::algorithms() {
                    cx.add_ranked_algorithm(crate::rank(algorithm.name()), algorithm)?;
                }
                // Nothing to undo: who borrowed the tables keeps them until it ends.
                let unload: Unload = Box::new(|| Box::pin(async {}));
                Ok(unload)
            })
        });
        vec![load.provides_algorithms()]
    }
}
