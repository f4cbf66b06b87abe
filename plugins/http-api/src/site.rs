//! What of rVRRPd's file is in effect: virtual routers, REST API, log files, pid file. Another file takes the place of the one before.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use charon_core::log::LogHub;
use charon_core::service::kernel_net::InterfaceAddress;
use charon_core::service::vrrp_engine::VrouterLoading;
use charon_core::service::{KernelNet, VrrpEngine};
use charon_crypto::CryptoProvider;
use charon_types::Secret;
use charon_types::vrouter::Vrouter;
use rvrrpd_conf::{Document, Format};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::api::Api;
use crate::login::Users;
use crate::process_file::ProcessFile;
use crate::server::{self, Server};
use crate::session::{Sessions, Transport};
use crate::{link_address, log_files, routes};

const HOST_DEFAULT: &str = "0.0.0.0:7080";
const KEY_DEFAULT: &str = "/etc/rvrrpd/ssl/key.pem";
const CERTIFICATE_DEFAULT: &str = "/etc/rvrrpd/ssl/cert.pem";
/// Values of `client_api` whose writer wants none; rVRRPd takes them for a yes.
const NO_API: [&str; 5] = ["disabled", "none", "off", "no", "false"];

/// What a file is put into effect with.
pub(crate) struct Site {
    pub(crate) engine: Arc<dyn VrrpEngine>,
    pub(crate) net: Option<Arc<dyn KernelNet>>,
    pub(crate) crypto: Arc<CryptoProvider>,
    pub(crate) log: LogHub,
    /// Key of the session tokens if the file has none: sessions end with the process.
    pub(crate) key: Secret,
    routers: Vec<Vrouter>,
    serving: Option<Serving>,
    process_file: Option<ProcessFile>,
}

/// A server that runs.
struct Serving {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Site {
    pub(crate) fn new(
        engine: Arc<dyn VrrpEngine>,
        net: Option<Arc<dyn KernelNet>>,
        crypto: Arc<CryptoProvider>,
        log: LogHub,
    ) -> Self {
        let mut octets = vec![0; 32];
        crypto.random().fill(&mut octets);
        let key = Secret::from(octets);
        Self { engine, net, crypto, log, key, routers: Vec::new(), serving: None, process_file: None }
    }

    /// Puts a file into effect in place of the one before. What is wrong with it is told before anything changes; `lifetime` is that
    /// of a session.
    pub(crate) async fn put(&mut self, document: Document, lifetime: Duration) -> Result<(), String> {
        let held = match &self.net {
            Some(net) => net.addresses().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let prefixes = first_prefixes(&held);
        let mut vrouters = document.vrouters(|interface| prefixes.get(interface).copied());
        for vrouter in &mut vrouters {
            if self.is_owned(vrouter, &held) {
                info!(target: "CFG", "{} owns its address: its priority is 255", vrouter.name);
                vrouter.priority = u8::MAX;
            }
            vrouter.check().map_err(|fault| format!("{}: {fault}", vrouter.name))?;
        }
        if let Some(directory) =
            document.working_dir.as_deref().filter(|directory| !Path::new(directory).is_dir())
        {
            return Err(format!("working_dir: '{directory}' is no directory"));
        }
        let sinks = log_files::open(&document)?;
        self.put_routers(vrouters).await?;
        self.log.keep_sinks(sinks);
        self.put_process_file(document.pid.as_deref().map(|pid| document.path(pid)).as_deref());
        self.stop_serving().await;
        match self.server(&document, lifetime).await {
            Ok(Some((server, routes))) => {
                let stop = CancellationToken::new();
                self.serving =
                    Some(Serving { stop: stop.clone(), task: tokio::spawn(server.run(routes, stop)) });
            }
            Ok(None) => {}
            // The routers are worth more than the API.
            Err(error) => warn!(target: "CFG", "there is no REST API: {error}"),
        }
        Ok(())
    }

    /// Loads those that are new or changed, then unloads those that are gone. If one is refused, the others become what they were.
    async fn put_routers(&mut self, vrouters: Vec<Vrouter>) -> Result<(), String> {
        for (done, vrouter) in vrouters.iter().enumerate() {
            match self.engine.load(vrouter.clone()).await {
                Ok(VrouterLoading::Unchanged) => {}
                Ok(_) => info!(target: "CFG", "loaded vrouter: {}", vrouter.name),
                Err(error) => {
                    self.take_back(vrouters.get(..done).unwrap_or_default()).await;
                    return Err(format!("{}: {error}", vrouter.name));
                }
            }
        }
        for gone in std::mem::replace(&mut self.routers, vrouters) {
            if !self.routers.iter().any(|vrouter| vrouter.name == gone.name) {
                match self.engine.unload(&gone.name).await {
                    Ok(()) => info!(target: "CFG", "unloaded vrouter: {}", gone.name),
                    Err(error) => warn!(target: "CFG", "unloading vrouter {} failed: {error}", gone.name),
                }
            }
        }
        Ok(())
    }

    async fn take_back(&self, loaded: &[Vrouter]) {
        for vrouter in loaded {
            let before = self.routers.iter().find(|before| before.name == vrouter.name);
            let done = match before {
                Some(before) => self.engine.load(before.clone()).await.map(drop),
                None => self.engine.unload(&vrouter.name).await,
            };
            if let Err(error) = done {
                warn!(target: "CFG", "vrouter {} cannot become what it was: {error}", vrouter.name);
            }
        }
    }

    fn put_process_file(&mut self, path: Option<&Path>) {
        if self.process_file.as_ref().map(ProcessFile::path) == path {
            return;
        }
        self.process_file = path.and_then(|path| {
            ProcessFile::write(path)
                .inspect_err(
                    |error| warn!(target: "CFG", "pid: {} cannot be written: {error}", path.display()),
                )
                .ok()
        });
    }

    /// Ends what is served and written; the routers end with the daemon.
    pub(crate) async fn end(&mut self) {
        self.stop_serving().await;
        self.process_file = None;
        self.log.keep_sinks(Vec::new());
    }

    async fn stop_serving(&mut self) {
        if let Some(Serving { stop, task }) = self.serving.take() {
            stop.cancel();
            // It ends at its next turn; if it panicked, it has ended.
            let _ = task.await;
        }
    }

    /// Whether a router's address stands on its interface, and is not there because of us.
    fn is_owned(&self, vrouter: &Vrouter, held: &[InterfaceAddress]) -> bool {
        let address = |vrouter: &Vrouter| vrouter.addresses.first().map(|held| held.address);
        let same =
            |before: &&Vrouter| before.interface == vrouter.interface && address(before) == address(vrouter);
        match self.routers.iter().find(same) {
            Some(before) => before.priority == u8::MAX,
            None => held
                .iter()
                .any(|held| held.name == vrouter.interface && Some(held.address) == address(vrouter)),
        }
    }

    async fn server(
        &self,
        document: &Document,
        lifetime: Duration,
    ) -> Result<Option<(Server, axum::Router)>, String> {
        let wanted = document.client_api.as_deref().is_some_and(|word| !NO_API.contains(&word));
        let Some(api) = document.api.as_ref().filter(|_| wanted) else { return Ok(None) };
        let host = api.host.as_deref().unwrap_or(HOST_DEFAULT);
        let address: SocketAddr = host.parse().map_err(|_| format!("'{host}' is no address and port"))?;
        let (transport, tls) = if api.tls == Some(true) {
            let path =
                |given: &Option<String>, default: &str| document.path(given.as_deref().unwrap_or(default));
            let (key, certificate) =
                (path(&api.tls_key, KEY_DEFAULT), path(&api.tls_cert, CERTIFICATE_DEFAULT));
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
        let secret = api.secret.as_ref().map_or_else(|| self.key.clone(), |secret| secret.0.clone());
        let api = Api {
            users: Users::new(api.users.entries.clone()),
            document: document.clone(),
            engine: Arc::clone(&self.engine),
            sessions: Sessions::new(secret, lifetime),
            transport,
            crypto: Arc::clone(&self.crypto),
            clock: SystemTime::now,
            link_address: link_address::of_interface,
        };
        Ok(Some((server, routes::service(Arc::new(api)))))
    }
}

/// Prefix length of each interface's first IPv4 address.
fn first_prefixes(held: &[InterfaceAddress]) -> BTreeMap<&str, u8> {
    let mut prefixes = BTreeMap::new();
    for held in held.iter().filter(|held| held.address.is_ipv4()) {
        prefixes.entry(held.name.as_str()).or_insert(held.prefix);
    }
    prefixes
}

/// Reads a file: JSON by its name, else TOML.
pub(crate) fn read(file: &Path) -> Result<Document, String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("reading {}: {error}", file.display()))?;
    let format = match file.extension() {
        Some(extension) if extension == "json" => Format::Json,
        Some(_) | None => Format::Toml,
    };
    let document = Document::parse(&text, format).map_err(|error| format!("{}: {error}", file.display()))?;
    for unknown in Document::unknown_directives(&text, format) {
        warn!(target: "CFG", "{}: directive {unknown} is unknown and ignored", file.display());
    }
    for warning in document.warnings() {
        warn!(target: "CFG", "{}: {warning}", file.display());
    }
    Ok(document)
}

#[cfg(test)]
mod tests;
