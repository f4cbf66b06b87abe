//! The plugin: what it needs, where it listens, how it ends.

use std::sync::Arc;
use std::time::Duration;

use charon_conf::options::Configured;
use charon_core::config::Connections;
use charon_core::control::Control;
use charon_core::counters::Counters;
use charon_core::credentials::Credentials;
use charon_core::plugin::{Component, LoadContext, LoadError, Plugin, Unload, daemon_settings};
use charon_core::policies::Policies;
use charon_core::pools::Pools;
use charon_core::service::{BoxFuture, IkeEngine, SettingsReload, VrrpEngine};
use charon_core::thread::OwnThread;
use charon_types::services::ServiceNames;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;
use vici::Uri;

use crate::access::Access;
use crate::address::Address;
use crate::algorithms;
use crate::command;
use crate::handed_over::HandedOver;
use crate::listener::{self, Listener, Owner, SessionIds};
use crate::listing::Turns;
use crate::server::{Rejected, Server, Start};

/// The VICI server as a plugin.
#[derive(Clone, Debug, Default)]
pub struct Vici {
    /// Where to listen, whatever the settings say.
    pub socket: SocketOverride,
}

/// A socket given on the command line, if any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketOverride(pub Option<Address>);

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
                .depends::<Pools>()
                .depends::<dyn IkeEngine>()
                .wants::<dyn VrrpEngine>()
                .depends::<Policies>()
                .wants::<dyn SettingsReload>()
                .wants::<Counters>()
                .wants_algorithms(),
        ]
    }
}

fn load(context: &mut LoadContext, socket: SocketOverride) -> BoxFuture<'_, Result<Unload, LoadError>> {
    Box::pin(async move {
        let settings = context.settings().current();
        let daemon = daemon_settings(&settings);
        let owner = Owner { user: text(&daemon, "user")?, group: text(&daemon, "group")? };
        let mut handed_over = HandedOver::from_environment();
        // Neither are packets delayed by clients, nor clients by packets.
        let mut thread = OwnThread::start("charond-vici", || {})
            .map_err(|error| LoadError::Os { what: "starting the thread of vici".to_owned(), error })?;
        let mut listeners = Vec::new();
        for (address, access) in addresses(&daemon, socket)? {
            let listener = Listener::bind(&address, access, &owner, &mut handed_over)
                .await
                .map_err(|error| LoadError::Os { what: format!("listening at {address}"), error })?;
            info!(target: "CFG", "vici listens at {address}{}", if access == Access::ReadOnly { ", read-only" } else { "" });
            listeners.push(listener);
        }
        let crypto = context.crypto()?;
        let server = Arc::new(Server {
            control: Control {
                connections: context.require::<Connections>()?,
                credentials: context.require::<Credentials>()?,
                pools: context.require::<Pools>()?,
                engine: context.require::<dyn IkeEngine>()?,
                vrrp: context.want::<dyn VrrpEngine>()?,
                policies: context.require::<Policies>()?,
                log: context.log().clone(),
            },
            bus: Arc::clone(context.bus()),
            available: algorithms::available(&crypto),
            crypto,
            reload: context.want::<dyn SettingsReload>()?,
            counters: context.want::<Counters>()?,
            names: service_names(),
            plugins: context.loaded().iter().copied().chain(["vici"]).collect(),
            version: command::version::answer(),
            start: Start::now(),
            rejected: Rejected::default(),
            turns: Turns::default(),
        });
        let ids = Arc::new(SessionIds::default());
        let stop = CancellationToken::new();
        let mut accepting = JoinSet::new();
        for listener in listeners {
            let running = listener::run(listener, Arc::clone(&ids), Arc::clone(&server), stop.clone());
            accepting.spawn_on(running, &thread.handle);
        }
        Ok(Box::new(move || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                // What has just happened is on its way to the sessions; they write what waits, within a second, and end.
                tokio::time::sleep(EVENTS_ON_THEIR_WAY).await;
                stop.cancel();
                while accepting.join_next().await.is_some() {}
                drop(tokio::task::spawn_blocking(move || thread.end()).await);
            })
        }) as Unload)
    })
}

/// Where to listen, and what may be done there.
fn addresses(daemon: &Configured<'_>, socket: SocketOverride) -> Result<Vec<(Address, Access)>, LoadError> {
    let mut full = match socket.0 {
        Some(address) => vec![address],
        None => configured(daemon, "plugins.vici.socket")?,
    };
    if full.is_empty() {
        // Set to nothing is not set.
        full.push(Uri::default().into());
    }
    let read_only = configured(daemon, "plugins.vici.readonly_socket")?;
    let all = full.into_iter().map(|address| (address, Access::Full));
    Ok(all.chain(read_only.into_iter().map(|address| (address, Access::ReadOnly))).collect())
}

fn configured(daemon: &Configured<'_>, key: &str) -> Result<Vec<Address>, LoadError> {
    let Some(text) = text(daemon, key)? else { return Ok(Vec::new()) };
    Address::parse_list(&text).map_err(|error| LoadError::Settings(format!("{key} = {text}: {error}")))
}

fn text(daemon: &Configured<'_>, key: &str) -> Result<Option<String>, LoadError> {
    let value = daemon.text(key).map_err(|error| LoadError::Settings(error.to_string()))?;
    Ok(value.filter(|value| !value.is_empty()).map(str::to_owned))
}

/// How long the last events may take to reach the sessions.
const EVENTS_ON_THEIR_WAY: Duration = Duration::from_millis(20);

/// The system's names of protocols and ports, or those that are built in.
fn service_names() -> ServiceNames {
    match (std::fs::read_to_string("/etc/protocols"), std::fs::read_to_string("/etc/services")) {
        (Ok(protocols), Ok(services)) => ServiceNames::parse(&protocols, &services),
        _ => ServiceNames::builtin(),
    }
}
