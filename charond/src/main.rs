//! The IKEv2 daemon: arguments, settings, plugins, signals, shutdown order.
#![forbid(unsafe_code)]

mod cli;
mod core_plugin;
mod load_line;
mod plan;
mod plugins;
mod reload;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use charon_conf::{FileSystem, Settings};
use charon_core::bus::Bus;
use charon_core::log::{Levels, LogHub, LogLayer, sinks_from_settings};
use charon_core::plugin::{Loaded, Registry, SettingsHandle, daemon_section};
use charon_crypto::provider::Order;
use clap::Parser;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use cli::Arguments;
use load_line::Selection;
use reload::Reloader;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("charond: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let file = arguments.settings_file();
    let settings = load_settings(&file)?;
    if arguments.check {
        return check(&settings);
    }
    let selection = Selection::of(&daemon_section(&settings)).map_err(anyhow::Error::msg)?;
    let daemon = Daemon::new(arguments, file, settings, &selection);
    if arguments.plan {
        return plan::print(&daemon.registry, &selection);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("charond").build()?;
    runtime.block_on(daemon.serve(&selection))
}

/// What is made before anything is loaded.
struct Daemon {
    registry: Registry,
    settings: SettingsHandle,
    bus: Arc<Bus>,
    log: LogHub,
    levels: Levels,
    reloader: Arc<Reloader>,
}

impl Daemon {
    fn new(
        arguments: &Arguments,
        file: cli::SettingsFile,
        settings: Settings,
        selection: &Selection,
    ) -> Self {
        let bus = Arc::new(Bus::default());
        let log = LogHub::new(Arc::clone(&bus));
        let settings = SettingsHandle::new(settings);
        let levels = arguments.levels();
        let reloader = Arc::new(Reloader::new(file, settings.clone(), log.clone(), levels));
        let mut plugins = plugins::instances(&selection.plugins, arguments.socket.as_ref());
        plugins.insert(0, core_plugin::necessary(Arc::clone(&reloader)));
        let order = if selection.orders_crypto { Order::AsAdded } else { Order::ByRank };
        let registry = Registry::new(&plugins).with_order(order);
        Self { registry, settings, bus, log, levels, reloader }
    }

    async fn serve(self, selection: &Selection) -> anyhow::Result<()> {
        tracing_subscriber::registry().with(LogLayer::new(self.log.clone())).init();
        let settings = self.settings.current();
        let sinks =
            sinks_from_settings(&daemon_section(&settings), self.levels).map_err(anyhow::Error::msg)?;
        self.log.set_sinks(sinks);
        info!(target: "DMN", "starting charond {} ({})", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        report(&settings, selection);
        let mut loaded =
            self.registry.start(self.settings, self.bus, self.log).await.context("cannot start")?;
        if let Err(error) = serving(&loaded) {
            loaded.stop().await;
            return Err(error);
        }
        info!(target: "LIB", "loaded plugins: {}", loaded.plugins.join(" "));
        notify(&[NotifyState::Ready, NotifyState::Status("running")]);
        wait_for_end(&self.reloader).await?;
        notify(&[NotifyState::Stopping]);
        loaded.stop().await;
        info!(target: "DMN", "charond has ended");
        Ok(())
    }
}

/// Reads the settings. That the default file is missing is fine; a file asked for must be there.
fn load_settings(file: &cli::SettingsFile) -> anyhow::Result<Settings> {
    match Settings::load(&FileSystem, &file.path) {
        Ok(settings) => Ok(settings),
        Err(error) if error.is_missing_file() && !file.is_explicit() => Ok(Settings::empty()),
        Err(error) => Err(anyhow::Error::msg(error.picture())),
    }
}

/// `--check`: everything that is wrong with the settings, and whether it keeps the daemon from starting.
fn check(settings: &Settings) -> anyhow::Result<()> {
    let notices = charon_conf::check(settings);
    for notice in &notices {
        eprintln!("{notice}");
    }
    let invalid = notices.iter().any(|notice| matches!(notice, charon_conf::Notice::Invalid(_)));
    anyhow::ensure!(!invalid, "the settings have values that cannot be used");
    Selection::of(&daemon_section(settings)).map_err(anyhow::Error::msg)?;
    Ok(())
}

/// Without an engine there is nothing that the daemon could do; whoever started it should hear that at once.
fn serving(loaded: &Loaded) -> anyhow::Result<()> {
    if loaded.plugins.contains(&"ikev2") {
        return Ok(());
    }
    let reasons: Vec<String> =
        loaded.failed.iter().map(|(component, reason)| format!("  {component}: {reason}")).collect();
    anyhow::bail!("cannot start, IKE is not available:\n{}", reasons.join("\n"))
}

/// Names once what is set in vain.
fn report(settings: &Settings, selection: &Selection) {
    for notice in charon_conf::check(settings) {
        warn!(target: "CFG", "{notice}");
    }
    for name in &selection.unknown {
        warn!(target: "LIB", "plugin '{name}' in the load line is unknown here and skipped");
    }
}

async fn wait_for_end(reloader: &Reloader) -> anyhow::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let mut hangup = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => {
                info!(target: "DMN", "SIGTERM received, shutting down");
                return Ok(());
            }
            _ = interrupt.recv() => {
                info!(target: "DMN", "SIGINT received, shutting down");
                return Ok(());
            }
            _ = hangup.recv() => {
                info!(target: "DMN", "SIGHUP received, reloading settings");
                if let Err(error) = reloader.reload_now() {
                    error!(target: "CFG", "{error}");
                }
            }
        }
    }
}

/// Tells systemd; without systemd nobody listens, and that is fine.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        info!(target: "DMN", "telling systemd failed: {error}");
    }
}

/// Where strongSwan's tools look, too.
const DEFAULT_SETTINGS: &str = "/etc/strongswan.conf";

impl From<&str> for cli::SettingsFile {
    fn from(path: &str) -> Self {
        Self { path: PathBuf::from(path), source: cli::Source::Default }
    }
}
