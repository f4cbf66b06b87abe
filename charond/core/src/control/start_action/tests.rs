use std::net::SocketAddr;

use charon_types::connection::Toggle;
use charon_types::endpoint::Path;
use charon_types::id::{Role, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::Mode;
use charon_types::snapshot::{ChildSaSnapshot, ChildSaState, IkeSaState, NatConditions};
use charon_types::tag::IfIds;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::*;
use crate::samples::{child, connection};
use crate::service::BoxFuture;
use crate::service::ike_engine::{EngineError, IkeSaCounts, Rekey};

/// An engine that has one IKE_SA and notes what it is asked for.
struct Engine {
    children: Vec<&'static str>,
    asked: Mutex<Vec<String>>,
    noted: Notify,
}

impl Engine {
    fn with_children(children: &[&'static str]) -> Arc<Self> {
        Arc::new(Self { children: children.to_vec(), asked: Mutex::default(), noted: Notify::new() })
    }

    fn note(&self, what: String) {
        self.asked.lock().push(what);
        self.noted.notify_one();
    }

    async fn asked(&self, count: usize) -> Vec<String> {
        while self.asked.lock().len() < count {
            self.noted.notified().await;
        }
        self.asked.lock().clone()
    }
}

impl IkeEngine for Engine {
    fn initiate(&self, request: Initiate) -> BoxFuture<'static, Result<(), EngineError>> {
        self.note(format!(
            "start {}",
            request.child.map_or_else(String::new, |child| child.name.to_string())
        ));
        Box::pin(async { Ok(()) })
    }

    fn terminate(&self, request: Terminate) -> BoxFuture<'static, Result<(), EngineError>> {
        self.note(match request.child {
            Some(child) => format!("end child {child}"),
            None => format!("end {}", request.ike),
        });
        Box::pin(async { Ok(()) })
    }

    fn rekey(&self, _: Rekey) -> BoxFuture<'static, Result<(), EngineError>> {
        Box::pin(async { Ok(()) })
    }

    fn list(&self, _: SaFilter) -> mpsc::Receiver<Vec<IkeSaSnapshot>> {
        let (sender, receiver) = mpsc::channel(1);
        sender.try_send(vec![ike_sa(&self.children)]).unwrap();
        receiver
    }

    fn counts(&self) -> IkeSaCounts {
        IkeSaCounts::default()
    }
}

fn ike_sa(children: &[&'static str]) -> IkeSaSnapshot {
    let nowhere: SocketAddr = "192.0.2.1:500".parse().unwrap();
    IkeSaSnapshot {
        name: "gw".into(),
        unique_id: UniqueId(1),
        state: IkeSaState::Established,
        path: Path { local: nowhere, remote: nowhere },
        local_id: Identity::Any,
        remote_id: Identity::Any,
        role: Role::Initiator,
        spi_initiator: None,
        spi_responder: None,
        nat: NatConditions::default(),
        suite: None,
        established: None,
        rekey_in: None,
        reauth_in: None,
        local_vips: Vec::new(),
        remote_vips: Vec::new(),
        if_ids: IfIds::default(),
        tasks_queued: Vec::new(),
        tasks_active: Vec::new(),
        tasks_passive: Vec::new(),
        children: (10..)
            .zip(children)
            .map(|(number, name)| ChildSaSnapshot {
                name: (*name).into(),
                unique_id: UniqueId(number),
                reqid: None,
                state: ChildSaState::Installed,
                mode: Mode::Tunnel,
                installed: None,
                local_ts: Vec::new(),
                remote_ts: Vec::new(),
            })
            .collect(),
    }
}

async fn after(
    engine: &Arc<Engine>,
    old: Option<&Connection>,
    new: Option<Connection>,
    count: usize,
) -> Vec<String> {
    let new = new.map(Arc::new);
    let dynamic: Arc<dyn IkeEngine> = Arc::clone(engine) as _;
    Changes::between(old, new.as_ref()).carry_out(&dynamic, "gw");
    engine.asked(count).await
}

#[tokio::test]
async fn a_new_connection_starts_the_children_that_say_so() {
    let engine = Engine::with_children(&[]);
    let new = connection("gw", vec![child("a", true), child("b", false)]);
    assert_eq!(after(&engine, None, Some(new), 1).await, ["start a"]);
}

#[tokio::test]
async fn an_unloaded_connection_ends_what_it_started_and_nothing_else() {
    let old = connection("gw", vec![child("a", true), child("b", false)]);
    let engine = Engine::with_children(&["a", "b"]);
    assert_eq!(after(&engine, Some(&old), None, 1).await, ["end child 10"]);
    assert!(Changes::between(Some(&connection("gw", vec![child("b", false)])), None).undo.is_empty());
}

#[tokio::test]
async fn an_ike_sa_left_without_children_ends_with_them() {
    let old = connection("gw", vec![child("a", true)]);
    let engine = Engine::with_children(&["a"]);
    assert_eq!(after(&engine, Some(&old), None, 1).await, ["end 1"]);
}

#[tokio::test]
async fn a_changed_connection_ends_old_children_before_it_starts_new_ones() {
    let old = connection("gw", vec![child("a", true), child("kept", true)]);
    let mut new = connection("gw", vec![child("kept", true), child("c", true)]);
    let engine = Engine::with_children(&["a", "kept"]);
    assert_eq!(after(&engine, Some(&old), Some(new.clone()), 2).await, ["end child 10", "start c"]);
    // Other IKE settings concern every child.
    new.ike.mobike = Toggle::Disabled;
    let engine = Engine::with_children(&["a", "kept"]);
    assert_eq!(after(&engine, Some(&old), Some(new), 3).await, ["end 1", "start kept", "start c"]);
}

#[test]
fn the_same_again_changes_nothing() {
    let old = connection("gw", vec![child("a", true)]);
    let changes = Changes::between(Some(&old), Some(&Arc::new(old.clone())));
    assert!(changes.undo.is_empty() && changes.start.is_empty());
}
