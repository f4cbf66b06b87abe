//! An engine that has no SAs but those of the recording being played.

use std::collections::VecDeque;
use std::sync::Arc;

use charon_core::bus::Bus;
use charon_core::log::{LogTap, ike_sa_span};
use charon_core::service::BoxFuture;
use charon_core::service::ike_engine::{
    EngineError, IkeEngine, IkeSaCounts, Initiate, Rekey, SaFilter, Terminate,
};
use charon_types::UniqueId;
use charon_types::event::{Change, Event};
use charon_types::snapshot::IkeSaSnapshot;
use parking_lot::Mutex;
use tokio::sync::mpsc;
use vici::{Message, Section};

use crate::recording::without;
use crate::snapshot;

/// What happens when one request is served.
#[derive(Default)]
pub(crate) struct Script {
    /// The SAs that there are, for listing and terminating.
    pub(crate) sas: Vec<IkeSaSnapshot>,
    /// `control-log` as recorded.
    pub(crate) lines: Vec<Message>,
    /// Ups and downs as recorded.
    pub(crate) events: Vec<Event>,
    pub(crate) outcome: Outcome,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Outcome {
    #[default]
    Done,
    Failed,
    /// Longer than anybody waits.
    Never,
}

/// Plays one script per request.
pub(crate) struct Engine {
    bus: Arc<Bus>,
    current: Mutex<Script>,
    scripts: Mutex<VecDeque<Script>>,
    /// Instead of what is recorded: so many IKE_SAs, alike.
    multitude: Mutex<Option<usize>>,
}

impl Engine {
    pub(crate) fn new(bus: Arc<Bus>) -> Self {
        Self { bus, current: Mutex::default(), scripts: Mutex::default(), multitude: Mutex::default() }
    }

    /// Scripts for the requests that follow, one for each that initiates, terminates or lists SAs.
    pub(crate) fn set_scripts(&self, scripts: VecDeque<Script>) {
        *self.scripts.lock() = scripts;
    }

    /// From now on so many IKE_SAs are listed.
    pub(crate) fn set_multitude(&self, count: usize) {
        *self.multitude.lock() = Some(count);
    }

    fn next(&self) {
        *self.current.lock() = self.scripts.lock().pop_front().unwrap_or_default();
    }

    fn play(&self, tap: Option<&LogTap>) -> Outcome {
        let mut script = self.current.lock();
        for line in std::mem::take(&mut script.lines) {
            say(&line, tap);
        }
        for event in std::mem::take(&mut script.events) {
            self.bus.publish(&event);
        }
        script.outcome
    }
}

impl IkeEngine for Engine {
    fn initiate(&self, request: Initiate) -> BoxFuture<'static, Result<(), EngineError>> {
        self.next();
        let outcome = self.play(request.tap.as_ref());
        Box::pin(async move {
            match outcome {
                Outcome::Done => Ok(()),
                Outcome::Failed => Err(EngineError::Failed),
                Outcome::Never => {
                    std::future::pending::<()>().await;
                    drop(request);
                    Ok(())
                }
            }
        })
    }

    fn terminate(&self, request: Terminate) -> BoxFuture<'static, Result<(), EngineError>> {
        self.play(request.tap.as_ref());
        Box::pin(async { Ok(()) })
    }

    fn rekey(&self, _: Rekey) -> BoxFuture<'static, Result<(), EngineError>> {
        self.play(None);
        Box::pin(async { Ok(()) })
    }

    fn list(&self, _: SaFilter) -> mpsc::Receiver<Vec<IkeSaSnapshot>> {
        let (sender, receiver) = mpsc::channel(1);
        if let Some(count) = *self.multitude.lock() {
            tokio::spawn(tell_of_many(count, sender));
            return receiver;
        }
        self.next();
        sender.try_send(self.current.lock().sas.clone()).unwrap();
        receiver
    }

    fn counts(&self) -> IkeSaCounts {
        IkeSaCounts::default()
    }
}

/// Chunks as the real engine makes them: none before the last one was taken.
async fn tell_of_many(count: usize, chunks: mpsc::Sender<Vec<IkeSaSnapshot>>) {
    let one = some_ike_sa("gw");
    for first in (0..count).step_by(CHUNK) {
        let Ok(place) = chunks.reserve().await else { return };
        place.send(vec![one.clone(); CHUNK.min(count - first)]);
    }
}

/// IKE_SAs in a chunk.
const CHUNK: usize = 256;

/// Writes a line to the log as the IKE_SA in it would.
fn say(line: &Message, tap: Option<&LogTap>) {
    let uid = line.text("ikesa-uniqueid").map(|uid| UniqueId(uid.parse().unwrap()));
    let span = match uid {
        Some(uid) => {
            if let Some(tap) = tap {
                tap.attach(uid);
            }
            ike_sa_span(line.text("ikesa-name").unwrap(), uid)
        }
        None => tracing::Span::none(),
    };
    let _inside = span.enter();
    let message = line.text("msg").unwrap();
    macro_rules! say {
        ($($group:literal)*) => {
            match (line.text("group").unwrap(), line.text("level").unwrap()) {
                $(
                    ($group, "0") => tracing::error!(target: $group, "{message}"),
                    ($group, _) => tracing::info!(target: $group, "{message}"),
                )*
                (group, _) => panic!("group {group}"),
            }
        };
    }
    say!("IKE" "ENC" "NET" "CFG" "CHD" "KNL");
}

/// The SAs in the events of a listing.
pub(crate) fn listed(event: &Message) -> Vec<IkeSaSnapshot> {
    event.root().sections().map(|(name, sa)| snapshot::ike_sa(name.as_str(), sa)).collect()
}

/// An up or down event.
pub(crate) fn updown(name: &str, message: &Message) -> Option<Event> {
    if !["ike-updown", "child-updown", "child-rekey", "ike-rekey"].contains(&name) {
        return None;
    }
    let change = if message.text("up") == Some("yes") { Change::Up } else { Change::Down };
    let (sa_name, sa) = message.root().sections().next()?;
    if name == "ike-rekey" {
        let one = |key| sa.section(key).map(|sa| Arc::new(snapshot::ike_sa(sa_name.as_str(), sa)));
        return Some(Event::IkeRekeyed(one("old")?, one("new")?));
    }
    let ike_sa = Arc::new(snapshot::ike_sa(sa_name.as_str(), without(sa, "child-sas").root()));
    match name {
        "ike-updown" => Some(Event::IkeUpDown(change, ike_sa)),
        "child-updown" => {
            let child = sa.section("child-sas").and_then(|children| children.sections().next())?.1;
            Some(Event::ChildUpDown(change, ike_sa, Arc::new(snapshot::child_sa(child))))
        }
        "child-rekey" => {
            let child = sa.section("child-sas").and_then(|children| children.sections().next())?.1;
            let sa = |key| child.section(key).map(|child| Arc::new(snapshot::child_sa(child)));
            Some(Event::ChildRekeyed(ike_sa, sa("old")?, sa("new")?))
        }
        _ => None,
    }
}

/// As many SAs as a recorded answer says that matched, with the number that the recorded lines tell.
pub(crate) fn matching(request: Section<'_>, lines: &[Message], count: u32) -> Vec<IkeSaSnapshot> {
    let unique_id = lines.iter().find_map(|line| line.text("ikesa-uniqueid")).unwrap_or("1");
    let child = |number: u32| {
        let child = Message::new().with("uniqueid", number.to_string()).with("state", "CREATED");
        snapshot::child_sa(child.root())
    };
    let ike_sa = || ike_sa_of("gw", unique_id);
    let names_children = request.data("child").is_some() || request.data("child-id").is_some();
    match (count, names_children) {
        (0, _) => Vec::new(),
        (_, true) => vec![IkeSaSnapshot { children: (1..=count).map(child).collect(), ..ike_sa() }],
        (_, false) => (0..count).map(|_| ike_sa()).collect(),
    }
}

/// An established IKE_SA of that name.
pub(crate) fn some_ike_sa(name: &str) -> IkeSaSnapshot {
    ike_sa_of(name, "1")
}

fn ike_sa_of(name: &str, unique_id: &str) -> IkeSaSnapshot {
    let template = Message::new()
        .with("uniqueid", unique_id)
        .with("state", "ESTABLISHED")
        .with("local-host", "192.0.2.1")
        .with("local-port", "500")
        .with("remote-host", "192.0.2.2")
        .with("remote-port", "500")
        .with("local-id", "%any")
        .with("remote-id", "%any")
        .with("initiator-spi", "0000000000000001")
        .with("responder-spi", "0000000000000002");
    snapshot::ike_sa(name, template.root())
}
