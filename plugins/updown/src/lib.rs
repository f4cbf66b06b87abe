//! `updown` scripts: told of each CHILD_SA that goes up or down, by strongSwan's verbs and PLUTO_* environment.
//!
//! Events come over the bus; a queue per child runs its scripts one after the other, children beside each other. Nothing on
//! the way of packets or IKE messages waits for a script.
#![forbid(unsafe_code)]

mod environment;
mod queue;
mod script;
mod watch;

use charon_core::bus::Overflow;
use charon_core::config::Connections;
use charon_core::plugin::{Component, LoadContext, LoadError, Plugin, Unload};
use charon_core::service::{BoxFuture, KernelNet};
use charon_types::event::Event;
use tokio::sync::oneshot;

use watch::Watcher;

/// Events that may wait. When there are more, the subscription ends and the log says so: a firewall that missed a change is
/// worse than one that nobody changes any more.
const EVENTS_DEPTH: usize = 65_536;

/// The plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct Updown;

impl Plugin for Updown {
    fn name(&self) -> &'static str {
        "updown"
    }

    fn components(&self) -> Vec<Component> {
        vec![Component::new("scripts", load).depends::<Connections>().wants::<dyn KernelNet>()]
    }
}

fn load(context: &mut LoadContext) -> BoxFuture<'_, Result<Unload, LoadError>> {
    Box::pin(async move {
        let takes = |event: &Event| matches!(event, Event::ChildUpDown(..) | Event::ChildRekeyed(..));
        let subscription = context.bus().subscribe(EVENTS_DEPTH, Overflow::Close, takes);
        let watcher = Watcher::new(context.require::<Connections>()?, context.want::<dyn KernelNet>()?);
        let (stop, stopped) = oneshot::channel();
        let running = tokio::spawn(watcher.run(subscription, stopped));
        let unload: Unload = Box::new(move || {
            Box::pin(async move {
                // The IKE_SAs have ended by now: the scripts of their ends are waited for.
                let _ = stop.send(());
                drop(running.await);
            })
        });
        Ok(unload)
    })
}
