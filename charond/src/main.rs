//! The IKEv2 daemon: arguments, settings, plugins, signals, shutdown order.
#![forbid(unsafe_code)]

mod cli;
mod core_plugin;
mod load_line;
#[cfg(test)]
mod manual;
mod plan;
mod plugins;
mod reload;
mod rvrrpd_pw;
mod scripts;
mod stored;
mod xfrmi;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use charon_conf::Settings;
use charon_core::bus::Bus;
use charon_core::log::{LogHub, LogLayer};
use charon_core::plugin::{Loaded, Registry, SettingsHandle, daemon_section, daemon_settings};
use charon_crypto::provider::Order;
use charon_types::alert::Alert;
use charon_types::event::Event;
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
    match &arguments.tool {
        Some(cli::Tool::RvrrpdPw(asked)) => return rvrrpd_pw::run(asked),
        Some(cli::Tool::Xfrmi(asked)) => return xfrmi::run(asked),
        None => {}
    }
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
    let settings = stored::read(&file).map_err(anyhow::Error::msg)?;
    if arguments.check {
        return check(&settings);
    }
    let faults = stored::faults(&settings);
    anyhow::ensure!(
        faults.is_empty(),
        "the settings have values that cannot be used:\n{}",
        faults.join("\n")
    );
    let selection = Selection::of(&daemon_section(&settings)).map_err(anyhow::Error::msg)?;
    let threads = daemon_settings(&settings).int_if_set("threads")?;
    let daemon = Daemon::new(arguments, file, settings, &selection);
    if arguments.plan {
        return plan::print(&daemon.registry, &selection);
    }
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    if let Some(threads) = threads {
        runtime.worker_threads(threads);
    }
    let runtime = runtime.enable_all().thread_name("charond").build()?;
    let log = daemon.log.clone();
    let served = runtime.block_on(daemon.serve(&selection));
    // What files still have to be written is written when they close.
    log.set_sinks(Vec::new());
    served
}

/// What is made before anything is loaded.
struct Daemon {
    registry: Registry,
    settings: SettingsHandle,
    bus: Arc<Bus>,
    log: LogHub,
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
        let reloader = Arc::new(Reloader::new(file, settings.clone(), log.clone(), arguments.levels.clone()));
        let mut plugins = plugins::instances(&selection.plugins, arguments.socket.as_ref());
        plugins.insert(0, core_plugin::necessary(Arc::clone(&reloader)));
        let order = if selection.orders_crypto { Order::AsAdded } else { Order::ByRank };
        let registry = Registry::new(&plugins).with_order(order);
        Self { registry, settings, bus, log, reloader }
    }

    async fn serve(self, selection: &Selection) -> anyhow::Result<()> {
        tracing_subscriber::registry().with(LogLayer::new(self.log.clone())).init();
        let settings = self.settings.current();
        self.reloader.open_logs(&settings).map_err(anyhow::Error::msg)?;
        info!(target: "DMN", "starting charond {} ({})", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
        report(&settings, selection);
        let mut loaded = self
            .registry
            .start(self.settings.clone(), Arc::clone(&self.bus), self.log)
            .await
            .context("cannot start")?;
        if let Err(error) = serving(&loaded) {
            loaded.stop().await;
            return Err(error);
        }
        info!(target: "LIB", "loaded plugins: {}", loaded.plugins.join(" "));
        scripts::run(&self.settings.current(), "start-scripts").await;
        notify(&[NotifyState::Ready, NotifyState::Status("running")]);
        wait_for_end(&self.reloader).await?;
        notify(&[NotifyState::Stopping]);
        self.bus.publish(&Event::Alert(Alert::ShutdownSignal, None));
        scripts::run(&self.settings.current(), "stop-scripts").await;
        loaded.stop().await;
        info!(target: "DMN", "charond has ended");
        Ok(())
    }
}

/// `--check`: everything that is wrong with the settings or in vain, and whether it keeps the daemon from starting.
fn check(settings: &Settings) -> anyhow::Result<()> {
    for notice in charon_conf::check(settings).iter().filter(|notice| !notice.is_fault()) {
        eprintln!("{notice}");
    }
    let faults = stored::faults(settings);
    for fault in &faults {
        eprintln!("{fault}");
    }
    anyhow::ensure!(faults.is_empty(), "the settings have values that cannot be used");
    Ok(())
}

/// Without an engine there is nothing that the daemon could do; whoever started it should hear that at once.
fn serving(loaded: &Loaded) -> anyhow::Result<()> {
    if loaded.runs("ikev2:engine") {
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
