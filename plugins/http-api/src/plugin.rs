//! The plugin: reads rVRRPd's file, loads its virtual routers, serves its REST API.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use charon_core::plugin::{
    Component, LoadContext, LoadError, Plugin, Unload, daemon_settings, nothing_to_undo,
};
use charon_core::service::{BoxFuture, KernelNet, VrrpEngine};
use charon_types::Secret;
use rvrrpd_conf::{Document, Format};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::Api;
use crate::login::Users;
use crate::server::{self, Server};
use crate::session::{Sessions, Transport};
use crate::{link_address, routes};

const FILE: &str = "plugins.vrrp.rvrrpd_conf";
const LIFETIME: &str = "plugins.http-api.session_lifetime";
const HOST_DEFAULT: &str = "0.0.0.0:7080";
const KEY_DEFAULT: &str = "/etc/rvrrpd/ssl/key.pem";
const CERTIFICATE_DEFAULT: &str = "/etc/rvrrpd/ssl/cert.pem";
/// Values of `client_api` whose writer wants none; rVRRPd takes them for a yes.
const NO_API: [&str; 5] = ["disabled", "none", "off", "no", "false"];

/// rVRRPd's file and REST API as a plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpApi;

impl Plugin for HttpApi {
    fn name(&self) -> &'static str {
        "http-api"
    }

    fn components(&self) -> Vec<Component> {
        vec![
            Component::new("rvrrpd", load)
                .depends::<dyn VrrpEngine>()
                .wants::<dyn KernelNet>()
                .wants_algorithms(),
        ]
    }
}

fn load(context: &mut LoadContext) -> BoxFuture<'_, Result<Unload, LoadError>> {
    Box::pin(async move {
        let settings = context.settings().current();
        let daemon = daemon_settings(&settings);
        let wrong = |error: &dyn std::fmt::Display| LoadError::Settings(error.to_string());
        let Some(file) = daemon.text(FILE).map_err(|error| wrong(&error))?.filter(|file| !file.is_empty())
        else {
            return Ok(nothing_to_undo());
        };
        let lifetime = daemon.time(LIFETIME).map_err(|error| wrong(&error))?;
        let file = PathBuf::from(file);
        let document = read(&file)?;
        let engine = context.require::<dyn VrrpEngine>()?;
        let prefixes = match context.want::<dyn KernelNet>()? {
            Some(net) => first_prefixes(&*net).await,
            None => BTreeMap::new(),
        };
        for vrouter in document.vrouters(|interface| prefixes.get(interface).copied()) {
            let name = Arc::clone(&vrouter.name);
            let loaded = match vrouter.check() {
                Ok(()) => engine.load(vrouter).await.map_err(|error| error.to_string()),
                Err(fault) => Err(fault.to_string()),
            };
            match loaded {
                Ok(_) => info!(target: "CFG", "added vrouter: {name}"),
                Err(error) => {
                    return Err(LoadError::Settings(format!("{}: {name}: {error}", file.display())));
                }
            }
        }
        let stop = CancellationToken::new();
        let serving = match server(context, &document, engine, lifetime).await {
            Ok(Some((server, routes))) => Some(tokio::spawn(server.run(routes, stop.clone()))),
            Ok(None) => None,
            // The routers are worth more than the API.
            Err(error) => {
                warn!(target: "CFG", "there is no REST API: {error}");
                None
            }
        };
        Ok(Box::new(move || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                stop.cancel();
                if let Some(serving) = serving {
                    // It ends at its next turn; if it panicked, it has ended.
                    let _ = serving.await;
                }
            })
        }) as Unload)
    })
}

/// Reads the file: JSON by its name, else TOML.
fn read(file: &Path) -> Result<Document, LoadError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| LoadError::Os { what: format!("reading {}", file.display()), error })?;
    let format = match file.extension() {
        Some(extension) if extension == "json" => Format::Json,
        Some(_) | None => Format::Toml,
    };
    let document = Document::parse(&text, format)
        .map_err(|error| LoadError::Settings(format!("{}: {error}", file.display())))?;
    for unknown in Document::unknown_directives(&text, format) {
        warn!(target: "CFG", "{}: directive {unknown} is unknown and ignored", file.display());
    }
    for warning in document.warnings() {
        warn!(target: "CFG", "{}: {warning}", file.display());
    }
    Ok(document)
}

/// Prefix length of each interface's first IPv4 address.
async fn first_prefixes(net: &dyn KernelNet) -> BTreeMap<String, u8> {
    let mut prefixes = BTreeMap::new();
    for held in net.addresses().await.unwrap_or_default() {
        if matches!(held.address, IpAddr::V4(_)) {
            prefixes.entry(held.name).or_insert(held.prefix);
        }
    }
    prefixes
}

async fn server(
    context: &mut LoadContext,
    document: &Document,
    engine: Arc<dyn VrrpEngine>,
    lifetime: Duration,
) -> Result<Option<(Server, axum::Router)>, String> {
    let wanted = document.client_api.as_deref().is_some_and(|word| !NO_API.contains(&word));
    let Some(api) = document.api.as_ref().filter(|_| wanted) else { return Ok(None) };
    let host = api.host.as_deref().unwrap_or(HOST_DEFAULT);
    let address: SocketAddr = host.parse().map_err(|_| format!("'{host}' is no address and port"))?;
    let (transport, tls) = if api.tls == Some(true) {
        let path = |given: &Option<String>, default: &str| PathBuf::from(given.as_deref().unwrap_or(default));
        let (key, certificate) = (path(&api.tls_key, KEY_DEFAULT), path(&api.tls_cert, CERTIFICATE_DEFAULT));
        (Transport::Tls, Some(server::tls(&key, &certificate).map_err(|error| error.to_string())?))
    } else {
        (Transport::Plain, None)
    };
    let server = Server::bind(address, tls).await.map_err(|error| error.to_string())?;
    let scheme = match transport {
        Transport::Plain => "http",
        Transport::Tls => "https",
    };
    let bound = server.address().unwrap_or(address);
    info!(target: "CFG", "the REST API listens at {scheme}://{bound}");
    let crypto = context.crypto().map_err(|error| error.to_string())?;
    let secret = match &api.secret {
        Some(secret) => secret.0.clone(),
        None => {
            // Sessions end with the process.
            let mut octets = vec![0; 32];
            crypto.random().fill(&mut octets);
            Secret::from(octets)
        }
    };
    let api = Api {
        users: Users::new(api.users.entries.clone()),
        document: document.clone(),
        engine,
        sessions: Sessions::new(secret, lifetime),
        transport,
        crypto,
        clock: SystemTime::now,
        link_address: link_address::of_interface,
    };
    Ok(Some((server, routes::service(Arc::new(api)))))
}
