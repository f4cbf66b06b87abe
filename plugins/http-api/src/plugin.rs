//! The plugin: puts rVRRPd's file into effect, and again when the settings are read again.

use std::path::PathBuf;
use std::time::Duration;

use charon_conf::Settings;
use charon_core::plugin::{
    Component, LoadContext, LoadError, Plugin, Unload, daemon_settings, nothing_to_undo,
};
use charon_core::service::{BoxFuture, KernelNet, VrrpEngine};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::site::{self, Site};

const FILE: &str = "plugins.vrrp.rvrrpd_conf";
const LIFETIME: &str = "plugins.http-api.session_lifetime";

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
        let settings = context.settings().clone();
        let mut replaced = settings.follow();
        let (file, lifetime) = wanted(&settings.current()).map_err(LoadError::Settings)?;
        let Some(file) = file else { return Ok(nothing_to_undo()) };
        let mut site = Site::new(
            context.require::<dyn VrrpEngine>()?,
            context.want::<dyn KernelNet>()?,
            context.crypto()?,
            context.log().clone(),
        );
        let document = site::read(&file).map_err(LoadError::Settings)?;
        let refused = |reason| LoadError::Settings(format!("{}: {reason}", file.display()));
        site.put(document, lifetime).await.map_err(refused)?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let following = tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stopped.cancelled() => break,
                    changed = replaced.changed() => if changed.is_err() {
                        break;
                    }
                }
                if let Err(reason) = read_again(&mut site, &settings.current()).await {
                    error!(target: "CFG", "{reason}; virtual routers stay as they are");
                }
            }
            site.end().await;
        });
        Ok(Box::new(move || -> BoxFuture<'static, ()> {
            Box::pin(async move {
                stop.cancel();
                // If it panicked, it has ended.
                let _ = following.await;
            })
        }) as Unload)
    })
}

/// The file and how long sessions last.
fn wanted(settings: &Settings) -> Result<(Option<PathBuf>, Duration), String> {
    let daemon = daemon_settings(settings);
    let file = daemon.text(FILE).map_err(|error| error.to_string())?;
    let lifetime = daemon.time(LIFETIME).map_err(|error| error.to_string())?;
    Ok((file.filter(|file| !file.is_empty()).map(PathBuf::from), lifetime))
}

async fn read_again(site: &mut Site, settings: &Settings) -> Result<(), String> {
    let (file, lifetime) = wanted(settings)?;
    let Some(file) = file else { return Err(format!("{FILE} is not set any more")) };
    let document = site::read(&file)?;
    site.put(document, lifetime).await.map_err(|reason| format!("{}: {reason}", file.display()))?;
    info!(target: "CFG", "{} is read again", file.display());
    Ok(())
}
