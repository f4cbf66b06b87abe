//! The plugin: what it needs, where it listens, how it ends.

use std::sync::Arc;

use charon_conf::options::Configured;
use charon_core::config::Connections;
use charon_core::control::Control;
use charon_core::credentials::Credentials;
use charon_core::plugin::{Component, LoadContext, LoadError, Plugin, Unload, daemon_settings};
use charon_core::service::{BoxFuture, IkeEngine, SettingsReload, VrrpEngine};
use charon_types::services::ServiceNames;
use tracing::info;
use vici::Uri;

use crate::algorithms;
use crate::listener::{self, Listener, Owner};
use crate::server::{Rejected, Server, Start};

/// The VICI server as a plugin.
#[derive(Clone, Debug, Default)]
pub struct Vici {
    /// Where to listen, whatever the settings say.
    pub socket: SocketOverride,
}

/// A socket given on the command line, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketOverride(pub Option<Uri>);

impl Plugin for Vici {
    fn name(&self) -> &'static str {
        "vici"
    }

    fn components(&self) -> Vec<Component> {
        let socket = self.socket.clone();
        vec![
            Component::new("server", move |context| load(context, socket))
                .depends::<Connections>()
                .depends::<Credentials>()
                .depends::<dyn IkeEngine>()
                .wants::<dyn VrrpEngine>()
                .wants::<dyn SettingsReload>()
                .wants_algorithms(),
        ]
    }
}

fn load(context: &mut LoadContext, socket: SocketOverride) -> BoxFuture<'_, Result<Unload, LoadError>> {
    Box::pin(async move {
        let settings = context.settings().current();
        let daemon = daemon_settings(&settings);
        let uri = match socket.0 {
            Some(uri) => uri,
            None => configured_uri(&daemon)?,
        };
        let owner = Owner { user: text(&daemon, "user")?, group: text(&daemon, "group")? };
        let listener = Listener::bind(&uri, &owner)
            .await
            .map_err(|error| LoadError::Os { what: format!("listening at {uri}"), error })?;
        let crypto = context.crypto()?;
        let server = Arc::new(Server {
            control: Control {
                connections: context.require::<Connections>()?,
                credentials: context.require::<Credentials>()?,
                engine: context.require::<dyn IkeEngine>()?,
                vrrp: context.want::<dyn VrrpEngine>()?,
                log: context.log().clone(),
            },
            bus: Arc::clone(context.bus()),
            available: algorithms::available(&crypto),
            crypto,
            reload: context.want::<dyn SettingsReload>()?,
            names: service_names(),
            plugins: context.loaded().iter().copied().chain(["vici"]).collect(),
            start: Start::now(),
            rejected: Rejected::default(),
        });
        info!(target: "CFG", "vici listens at {uri}");
        let accepting = tokio::spawn(listener::run(listener, server));
        Ok(Box::new(move || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                // The sessions go with it; their writers finish what waits.
                accepting.abort();
                drop(accepting.await);
            })
        }) as Unload)
    })
}

fn configured_uri(daemon: &Configured<'_>) -> Result<Uri, LoadError> {
    match text(daemon, "plugins.vici.socket")? {
        Some(text) => text
            .parse()
            .map_err(|error| LoadError::Settings(format!("plugins.vici.socket = {text}: {error}"))),
        // Set to nothing is not set.
        None => Ok(Uri::default()),
    }
}

fn text(daemon: &Configured<'_>, key: &str) -> Result<Option<String>, LoadError> {
    let value = daemon.text(key).map_err(|error| LoadError::Settings(error.to_string()))?;
    Ok(value.filter(|value| !value.is_empty()).map(str::to_owned))
}

/// The system's names of protocols and ports, or those that are built in.
fn service_names() -> ServiceNames {
    match (std::fs::read_to_string("/etc/protocols"), std::fs::read_to_string("/etc/services")) {
        (Ok(protocols), Ok(services)) => ServiceNames::parse(&protocols, &services),
        _ => ServiceNames::builtin(),
    }
}
