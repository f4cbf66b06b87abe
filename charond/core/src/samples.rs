//! Connections and children for tests.

use std::sync::Arc;

use charon_types::connection::{Action, ChildConfig, Connection};

/// A child that says nothing but its name, and whether it is started.
pub(crate) fn child(name: &str, start: bool) -> Arc<ChildConfig> {
    Arc::new(ChildConfig { start_action: Action { trap: false, start }, ..ChildConfig::new(name) })
}

/// A connection that says nothing but its name and its children.
pub(crate) fn connection(name: &str, children: Vec<Arc<ChildConfig>>) -> Connection {
    Connection { children, ..Connection::new(name) }
}
