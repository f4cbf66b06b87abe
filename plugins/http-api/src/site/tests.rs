use charon_core::bus::Bus;
use charon_core::service::BoxFuture;
use charon_core::service::vrrp_engine::VrouterError;
use charon_crypto::{Order, ProviderBuilder};
use charon_types::vrouter::VrouterSnapshot;
use parking_lot::Mutex;

use super::*;

/// Keeps what it is told.
#[derive(Default)]
struct Engine {
    routers: Mutex<BTreeMap<Arc<str>, Vrouter>>,
    /// Refused by this id.
    taken: Option<u8>,
    said: Mutex<Vec<String>>,
}

impl VrrpEngine for Engine {
    fn load(&self, vrouter: Vrouter) -> BoxFuture<'_, Result<VrouterLoading, VrouterError>> {
        Box::pin(async move {
            if Some(vrouter.vrid.get()) == self.taken {
                return Err(VrouterError::Taken { by: "gw".into() });
            }
            let name = Arc::clone(&vrouter.name);
            let loading = match self.routers.lock().insert(Arc::clone(&name), vrouter.clone()) {
                None => VrouterLoading::Added,
                Some(old) if old == vrouter => VrouterLoading::Unchanged,
                Some(_) => VrouterLoading::Replaced,
            };
            self.said.lock().push(format!("{loading:?} {name}"));
            Ok(loading)
        })
    }

    fn unload<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), VrouterError>> {
        Box::pin(async move {
            self.said.lock().push(format!("Unloaded {name}"));
            self.routers.lock().remove(name).map(drop).ok_or_else(|| VrouterError::NotFound(name.to_owned()))
        })
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.routers.lock().keys().cloned().collect()
    }

    fn list(&self) -> BoxFuture<'_, Vec<VrouterSnapshot>> {
        Box::pin(async { Vec::new() })
    }
}

fn site(engine: &Arc<Engine>) -> Site {
    let mut builder = ProviderBuilder::new(Order::AsAdded);
    for algorithm in charon_crypto_ring::algorithms() {
        builder.add_untested("crypto-ring", algorithm);
    }
    let log = LogHub::new(Arc::new(Bus::default()));
    Site::new(Arc::clone(engine) as Arc<dyn VrrpEngine>, None, Arc::new(builder.freeze()), log)
}

fn router(group: u8, more: &str) -> String {
    format!("[[vrouter]]\ngroup = {group}\ninterface = 'eth0'\nvip = '192.0.2.{group}'\n{more}\n")
}

fn document(text: &str) -> Document {
    Document::parse(text, Format::Toml).unwrap()
}

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_file_that_is_read_again_touches_only_what_changed() {
    let engine = Arc::<Engine>::default();
    let mut site = site(&engine);
    site.put(document(&(router(1, "") + &router(2, "") + &router(3, ""))), HOUR).await.unwrap();
    engine.said.lock().clear();
    site.put(document(&(router(1, "") + &router(2, "priority = 150") + &router(4, ""))), HOUR).await.unwrap();
    assert_eq!(
        *engine.said.lock(),
        [
            "Unchanged rvrrpd-eth0-1",
            "Replaced rvrrpd-eth0-2",
            "Added rvrrpd-eth0-4",
            "Unloaded rvrrpd-eth0-3"
        ]
    );
    site.end().await;
}

#[tokio::test]
async fn a_file_of_which_a_router_is_refused_changes_nothing() {
    let engine = Arc::new(Engine { taken: Some(9), ..Engine::default() });
    let mut site = site(&engine);
    site.put(document(&router(1, "")), HOUR).await.unwrap();
    let file = router(1, "priority = 7") + &router(2, "") + &router(9, "");
    let error = site.put(document(&file), HOUR).await.unwrap_err();
    assert!(error.starts_with("rvrrpd-eth0-9: "), "{error}");
    assert_eq!(engine.names(), ["rvrrpd-eth0-1".into()]);
    assert_eq!(engine.routers.lock()["rvrrpd-eth0-1"].priority, 100);
    // What cannot be written is known before anything is loaded.
    let file = format!("main_log = '/no/such/place/log'\n{}", router(2, ""));
    assert!(site.put(document(&file), HOUR).await.is_err());
    assert_eq!(engine.names(), ["rvrrpd-eth0-1".into()]);
    site.end().await;
}

#[tokio::test]
async fn the_api_moves_with_the_file_and_ends_with_it() {
    let engine = Arc::<Engine>::default();
    let mut site = site(&engine);
    let with_api =
        |host: &str| format!("client_api = 'http'\n{}[api]\nusers = []\nhost = '{host}'\n", router(1, ""));
    site.put(document(&with_api("127.0.0.1:0")), HOUR).await.unwrap();
    assert!(site.serving.is_some());
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    // The routers go on without it.
    site.put(document(&with_api(&taken.local_addr().unwrap().to_string())), HOUR).await.unwrap();
    assert!(site.serving.is_none());
    site.put(document(&with_api("127.0.0.1:0")), HOUR).await.unwrap();
    assert!(site.serving.is_some());
    site.put(document(&router(1, "")), HOUR).await.unwrap();
    assert!(site.serving.is_none());
    site.end().await;
}

#[tokio::test]
async fn a_router_whose_address_is_its_interface_s_owns_it_until_the_file_drops_it() {
    let engine = Arc::<Engine>::default();
    let mut site = site(&engine);
    let held = |address: &str| InterfaceAddress {
        index: charon_core::service::kernel_net::InterfaceIndex(2),
        name: "eth0".into(),
        address: address.parse().unwrap(),
        prefix: 24,
    };
    let vrouter = |group| document(&router(group, "")).vrouters(|_| None).remove(0);
    let there = [held("192.0.2.1"), held("192.0.2.2")];
    assert!(site.is_owned(&vrouter(1), &there) && !site.is_owned(&vrouter(3), &there));
    // One that is there because we are Active is not the interface's own.
    site.put(document(&(router(1, "") + &router(2, ""))), HOUR).await.unwrap();
    assert!(!site.is_owned(&vrouter(2), &there));
    site.routers[0].priority = u8::MAX;
    assert!(site.is_owned(&vrouter(1), &there));
    site.end().await;
}

#[tokio::test]
async fn the_pid_file_is_there_while_the_file_names_it() {
    let engine = Arc::<Engine>::default();
    let mut site = site(&engine);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rvrrpd.pid");
    let file = format!("pid = '{}'\n{}", path.display(), router(1, ""));
    site.put(document(&file), HOUR).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap().trim(), std::process::id().to_string());
    site.put(document(&router(1, "")), HOUR).await.unwrap();
    assert!(!path.exists());
    site.put(document(&file), HOUR).await.unwrap();
    site.end().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn relative_paths_begin_at_the_working_directory_which_must_be_there() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().display();
    let engine = Arc::<Engine>::default();
    let mut site = site(&engine);
    let file = |working_dir: String| {
        let paths = "pid = 'pid'\nmain_log = 'main'\nerror_log = 'error'\n";
        document(&format!("working_dir = '{working_dir}'\n{paths}{}", router(1, "")))
    };
    let error = site.put(file(format!("{place}/missing")), HOUR).await.unwrap_err();
    assert_eq!(error, format!("working_dir: '{place}/missing' is no directory"));
    assert!(engine.names().is_empty());
    site.put(file(place.to_string()), HOUR).await.unwrap();
    for name in ["pid", "main", "error"] {
        assert!(directory.path().join(name).exists(), "{name}");
    }
    site.end().await;
    assert!(!directory.path().join("pid").exists());
}
