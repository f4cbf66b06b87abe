//! The server under test, loaded as the daemon loads it, on a socket of its own.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use charon_conf::Settings;
use charon_core::bus::Bus;
use charon_core::config::Connections;
use charon_core::counters::Counters;
use charon_core::credentials::Credentials;
use charon_core::kernel::Reqids;
use charon_core::log::{LogHub, LogLayer};
use charon_core::plugin::{Component, Loaded, Necessity, Plugin, Registry, SettingsHandle, Unload};
use charon_core::policies::Policies;
use charon_core::pools::Pools;
use charon_core::service::{BoxFuture, IkeEngine, ReloadError, SettingsReload};
use charon_kernel_null::{NullIpsec, NullNet};
use charon_types::alert::Alert;
use charon_types::algorithm::Esn;
use charon_types::event::Event;
use charon_types::kernel_op::{EncapSupport, KernelCapabilities, Mode};
use charon_types::proposal::Protocol;
use charon_vici::{SocketOverride, Vici};
use parking_lot::Mutex;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tracing_subscriber::layer::SubscriberExt;
use vici::{Client, Message, Packet, Uri};

use crate::counters;
use crate::engine::{self, Engine, Outcome, Script};
use crate::recording::{Frame, Recording, Sender};

/// One hub for the whole process, because `tracing` has one subscriber.
fn hub() -> &'static (Arc<Bus>, LogHub) {
    static HUB: OnceLock<(Arc<Bus>, LogHub)> = OnceLock::new();
    HUB.get_or_init(|| {
        let bus = Arc::new(Bus::default());
        let hub = LogHub::new(Arc::clone(&bus));
        let subscriber = tracing_subscriber::registry().with(LogLayer::new(hub.clone()));
        tracing::subscriber::set_global_default(subscriber).unwrap();
        (bus, hub)
    })
}

/// Runs a test with nobody else writing to the log.
pub(crate) fn run(test: impl Future<Output = ()>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

pub(crate) struct Daemon {
    folder: TempDir,
    engine: Arc<Engine>,
    counters: Arc<Counters>,
    credentials: Arc<Credentials>,
    /// Its pools, to lend from as an IKE_SA would.
    pub(crate) pools: Arc<Pools>,
    loaded: Loaded,
}

/// What the server sent.
pub(crate) struct Played {
    pub(crate) frames: Vec<Frame>,
}

impl Daemon {
    /// On a socket in a folder of its own.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let uri = Uri::Unix(folder.path().join("vici"));
        Self::start_in(folder, uri).await
    }

    /// On a socket at that path.
    pub(crate) async fn start_at(path: &Path) -> Self {
        Self::start_on(Uri::Unix(path.to_owned())).await
    }

    pub(crate) async fn start_on(uri: Uri) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), uri).await
    }

    async fn start_in(folder: TempDir, uri: Uri) -> Self {
        let (bus, log) = hub();
        let engine = Arc::new(Engine::new(Arc::clone(bus)));
        let pools = Arc::new(Pools::default());
        let counters = Arc::new(Counters::default());
        let credentials = Arc::<Credentials>::default();
        let socket = SocketOverride(Some(uri.into()));
        let plugins: Vec<(Box<dyn Plugin>, Necessity)> = vec![
            (Box::new(charon_crypto_aws_lc::AwsLc), Necessity::Critical),
            (
                Box::new(Stores(
                    Arc::clone(&engine),
                    Arc::clone(&counters),
                    Arc::clone(&credentials),
                    Arc::clone(&pools),
                )),
                Necessity::Critical,
            ),
            (Box::new(Vici { socket }), Necessity::Critical),
        ];
        let read_only = format!("unix://{}", folder.path().join("read-only").display());
        let text = format!("charond {{ plugins {{ vici {{ readonly_socket = {read_only} }} }} }}");
        let settings = SettingsHandle::new(Settings::parse("test", text.as_bytes()).unwrap());
        let loaded = Registry::new(&plugins).start(settings, Arc::clone(bus), log.clone()).await.unwrap();
        Self { folder, engine, counters, credentials, pools, loaded }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("vici")
    }

    /// Ends it as the daemon does.
    pub(crate) async fn stop(mut self) {
        self.loaded.stop().await;
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn read_only_socket(&self) -> PathBuf {
        self.folder.path().join("read-only")
    }

    /// How many authorities are trusted.
    pub(crate) fn authorities(&self) -> usize {
        self.credentials.snapshot().authorities.len()
    }

    /// Raises an alert, about an IKE_SA of that name if there is one.
    pub(crate) fn raise(&self, alert: Alert, ike_sa: Option<&str>) {
        let ike_sa = ike_sa.map(|name| Arc::new(engine::some_ike_sa(name)));
        hub().0.publish(&Event::Alert(alert, ike_sa));
    }

    pub(crate) async fn connect(&self) -> Requests {
        Requests(Client::connect(&Uri::Unix(self.socket())).await.unwrap())
    }

    /// Sends what the client sent, when it sent it, and collects what the server sends.
    pub(crate) async fn play(&self, recording: &Recording, patience: Duration) -> Result<Played, String> {
        self.engine.set_scripts(scripts(recording));
        counters::set(&self.counters, recording);
        let mut stream = UnixStream::connect(self.socket()).await.unwrap();
        let mut frames = Vec::new();
        let ends =
            recording.frames.iter().any(|frame| frame.sender == Sender::Client && !is_whole(&frame.bytes));
        for frame in &recording.frames {
            match frame.sender {
                Sender::Client => stream.write_all(&frame.bytes).await.map_err(|error| error.to_string())?,
                Sender::Server if frame.is_reply() => loop {
                    let received = receive(&mut stream, patience).await?;
                    let is_reply = received.is_reply();
                    frames.push(received);
                    if is_reply {
                        break;
                    }
                },
                Sender::Server => {}
            }
        }
        if ends {
            stream.shutdown().await.ok();
            let mut rest = Vec::new();
            tokio::time::timeout(patience, stream.read_to_end(&mut rest))
                .await
                .map_err(|_| "stays open")?
                .ok();
            return if rest.is_empty() {
                Ok(Played { frames })
            } else {
                Err("answers what is no frame".to_owned())
            };
        }
        let expected = recording.frames.iter().filter(|frame| frame.sender == Sender::Server).count();
        while frames.len() < expected {
            frames.push(
                receive(&mut stream, patience)
                    .await
                    .map_err(|error| format!("{error} (of {expected} frames)"))?,
            );
        }
        Ok(Played { frames })
    }
}

/// A client for what is not recorded.
pub(crate) struct Requests(Client);

impl Requests {
    pub(crate) async fn request(&mut self, command: &str, message: &Message) -> Message {
        self.0.request(command, message).await.unwrap()
    }

    /// Unloads all that was loaded.
    pub(crate) async fn forget_everything(&mut self) {
        let loaded = self.request("get-conns", &Message::new()).await;
        for name in loaded.root().list("conns").unwrap().texts() {
            self.request("unload-conn", &Message::new().with("name", name)).await;
        }
        let loaded = self.request("get-authorities", &Message::new()).await;
        for name in loaded.root().list("authorities").unwrap().texts() {
            self.request("unload-authority", &Message::new().with("name", name)).await;
        }
        let pools = self.request("get-pools", &Message::new()).await;
        for (name, _) in pools.root().sections() {
            self.request("unload-pool", &Message::new().with("name", name.as_str())).await;
        }
        self.request("clear-creds", &Message::new()).await;
    }
}

async fn receive(stream: &mut UnixStream, patience: Duration) -> Result<Frame, String> {
    let read = async {
        let len = stream.read_u32().await?;
        let mut bytes = len.to_be_bytes().to_vec();
        bytes.resize(4 + usize::try_from(len).unwrap(), 0);
        stream.read_exact(&mut bytes[4..]).await?;
        Ok::<_, std::io::Error>(bytes)
    };
    let bytes = tokio::time::timeout(patience, read).await.map_err(|_| "sends nothing more".to_owned())?;
    Ok(Frame { sender: Sender::Server, bytes: bytes.map_err(|error| error.to_string())? })
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.first_chunk::<4>().is_some_and(|header| {
        usize::try_from(u32::from_be_bytes(*header)).is_ok_and(|len| len == bytes.len() - 4)
    })
}

/// What the engine has to play, request by request.
fn scripts(recording: &Recording) -> VecDeque<Script> {
    let asked = recording.frames.iter().filter(|frame| frame.sender == Sender::Client && is_answered(frame));
    let mut scripts = VecDeque::new();
    let mut rest = recording.frames.as_slice();
    for request in asked {
        let end = rest.iter().position(Frame::is_reply).map_or(rest.len(), |index| index + 1);
        let (served, behind) = rest.split_at(end);
        // What happened because of a request may be told after its answer.
        let late = behind.iter().take_while(|frame| !frame.is_reply() && frame.sender == Sender::Server);
        scripts.extend(script(request, &served.iter().chain(late).collect::<Vec<_>>()));
        rest = behind;
    }
    scripts
}

fn is_answered(frame: &Frame) -> bool {
    matches!(
        frame.packet(),
        Some(Packet::Request { .. } | Packet::EventRegister { .. } | Packet::EventUnregister { .. })
    )
}

fn script(request: &Frame, served: &[&Frame]) -> Option<Script> {
    let Some(Packet::Request { name, message }) = request.packet() else { return None };
    let mut script = Script::default();
    let mut reply = Message::new();
    for frame in served.iter().filter(|frame| frame.sender == Sender::Server) {
        match frame.packet() {
            Some(Packet::Event { name, message }) => {
                let message = Message::decode(message).ok()?;
                match name.as_str() {
                    "control-log" => script.lines.push(message),
                    // What is about no SA was not said by the engine.
                    "log" if message.data("ikesa-name").is_some() => script.lines.push(message),
                    "log" => {}
                    "list-sa" => script.sas.extend(engine::listed(&message)),
                    name => script.events.extend(engine::updown(name, &message)),
                }
            }
            Some(Packet::Response { message }) => reply = Message::decode(message).ok()?,
            _ => {}
        }
    }
    let arguments = Message::decode(message).ok()?;
    match name.as_str() {
        "initiate" => {
            let reason = reply.text("errmsg").unwrap_or_default();
            if reason.ends_with("not found") || reason.starts_with("missing") {
                return None;
            }
            script.outcome = match reason {
                "" => Outcome::Done,
                reason if reason.contains("not established after") => Outcome::Never,
                _ => Outcome::Failed,
            };
        }
        "terminate" | "rekey" => {
            let count = reply.text("matches")?.parse().unwrap();
            script.sas = engine::matching(arguments.root(), &script.lines, count);
        }
        "list-sas" => {}
        _ => return None,
    }
    Some(script)
}

/// What the server needs to load.
struct Stores(Arc<Engine>, Arc<Counters>, Arc<Credentials>, Arc<Pools>);

impl Plugin for Stores {
    fn name(&self) -> &'static str {
        "stores"
    }

    fn components(&self) -> Vec<Component> {
        let (engine, counters) = (Arc::clone(&self.0), Arc::clone(&self.1));
        let (credentials, pools) = (Arc::clone(&self.2), Arc::clone(&self.3));
        vec![
            Component::new("stores", move |context| {
                Box::pin(async move {
                    context.provide::<Connections>(Arc::default())?;
                    context.provide::<Credentials>(credentials)?;
                    context.provide::<Pools>(pools)?;
                    context.provide::<dyn IkeEngine>(engine)?;
                    context.provide::<Policies>(Arc::new(policies()))?;
                    context.provide::<Counters>(counters)?;
                    context.provide::<dyn SettingsReload>(Arc::new(Unchanged))?;
                    Ok(Box::new(|| Box::pin(async {}) as BoxFuture<'static, ()>) as Unload)
                })
            })
            .provides::<Connections>()
            .provides::<Credentials>()
            .provides::<Pools>()
            .provides::<dyn IkeEngine>()
            .provides::<Policies>()
            .provides::<Counters>()
            .provides::<dyn SettingsReload>(),
        ]
    }
}

/// Traps and shunts in a kernel in memory.
fn policies() -> Policies {
    let capabilities = KernelCapabilities {
        encryption: Vec::new(),
        integrity: Vec::new(),
        modes: vec![Mode::Tunnel, Mode::Pass, Mode::Drop],
        protocols: vec![Protocol::Esp],
        encapsulation: EncapSupport::Any,
        esn: Esn::Enabled,
    };
    let reqids = Arc::new(Reqids::new(NonZeroU32::MIN));
    Policies::new(Arc::new(NullIpsec::new(capabilities)), Arc::new(NullNet::new()), reqids)
}

struct Unchanged;

impl SettingsReload for Unchanged {
    fn reload(&self) -> BoxFuture<'_, Result<(), ReloadError>> {
        Box::pin(async { Ok(()) })
    }
}
