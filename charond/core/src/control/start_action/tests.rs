use std::net::SocketAddr;

use charon_types::connection::{
    Action, Childless, Fragmentation, IkeConfig, IkeVersion, SendCert, Toggle, Unique,
};
use charon_types::endpoint::Path;
use charon_types::id::{Role, UniqueId};
use charon_types::identity::Identity;
use charon_types::kernel_op::{Mode, SaOptions};
use charon_types::lifetime::{ChildLifetime, IkeLifetime};
use charon_types::snapshot::{ChildSaSnapshot, ChildSaState, IkeSaState, NatConditions};
use charon_types::tag::{IfIdRule, IfIds, SetMark, TagRules};
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};

use super::*;
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

fn child(name: &str, start: bool) -> Arc<ChildConfig> {
    Arc::new(ChildConfig {
        name: name.into(),
        proposals: Vec::new(),
        local_ts: Vec::new(),
        remote_ts: Vec::new(),
        mode: Mode::Tunnel,
        lifetime: ChildLifetime::default(),
        start_action: Action { trap: false, start },
        close_action: Action::default(),
        dpd_action: Action::default(),
        inactivity: Duration::ZERO,
        reqid: 0,
        priority: 0,
        interface: None,
        tags: TagRules::default(),
        mark_in_sa: Toggle::Disabled,
        replay_window: None,
        policies: Toggle::Enabled,
        updown: None,
        hostaccess: Toggle::Disabled,
        sa_options: SaOptions::default(),
        set_mark_in: SetMark::default(),
        set_mark_out: SetMark::default(),
        sha256_96: Toggle::Disabled,
        policies_fwd_out: Toggle::Disabled,
    })
}

fn connection(children: Vec<Arc<ChildConfig>>) -> Connection {
    let ike = IkeConfig {
        version: IkeVersion::V2,
        local_addrs: Vec::new(),
        remote_addrs: Vec::new(),
        local_port: 500,
        remote_port: 500,
        proposals: Vec::new(),
        encap: Toggle::Disabled,
        mobike: Toggle::Enabled,
        dpd_delay: Duration::ZERO,
        dpd_timeout: Duration::ZERO,
        fragmentation: Fragmentation::Yes,
        childless: Childless::Allow,
        send_certreq: Toggle::Enabled,
        send_cert: SendCert::IfAsked,
        keyingtries: 1,
        unique: Unique::No,
        dscp: 0,
        lifetime: IkeLifetime::default(),
        vips: Vec::new(),
        pools: Vec::new(),
        if_id_in: IfIdRule::default(),
        if_id_out: IfIdRule::default(),
    };
    Connection { name: "gw".into(), ike, local: Vec::new(), remote: Vec::new(), children, vrouter: None }
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
    let new = connection(vec![child("a", true), child("b", false)]);
    assert_eq!(after(&engine, None, Some(new), 1).await, ["start a"]);
}

#[tokio::test]
async fn an_unloaded_connection_ends_what_it_started_and_nothing_else() {
    let old = connection(vec![child("a", true), child("b", false)]);
    let engine = Engine::with_children(&["a", "b"]);
    assert_eq!(after(&engine, Some(&old), None, 1).await, ["end child 10"]);
    assert!(Changes::between(Some(&connection(vec![child("b", false)])), None).undo.is_empty());
}

#[tokio::test]
async fn an_ike_sa_left_without_children_ends_with_them() {
    let old = connection(vec![child("a", true)]);
    let engine = Engine::with_children(&["a"]);
    assert_eq!(after(&engine, Some(&old), None, 1).await, ["end 1"]);
}

#[tokio::test]
async fn a_changed_connection_ends_old_children_before_it_starts_new_ones() {
    let old = connection(vec![child("a", true), child("kept", true)]);
    let mut new = connection(vec![child("kept", true), child("c", true)]);
    let engine = Engine::with_children(&["a", "kept"]);
    assert_eq!(after(&engine, Some(&old), Some(new.clone()), 2).await, ["end child 10", "start c"]);
    // Other IKE settings concern every child.
    new.ike.mobike = Toggle::Disabled;
    let engine = Engine::with_children(&["a", "kept"]);
    assert_eq!(after(&engine, Some(&old), Some(new), 3).await, ["end 1", "start kept", "start c"]);
}

#[test]
fn the_same_again_changes_nothing() {
    let old = connection(vec![child("a", true)]);
    let changes = Changes::between(Some(&old), Some(&Arc::new(old.clone())));
    assert!(changes.undo.is_empty() && changes.start.is_empty());
}
