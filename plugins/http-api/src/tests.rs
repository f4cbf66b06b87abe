//! The API against what a running rVRRPd 0.1.3 answered, and against its defects.

mod defects;
mod listed;
mod replay;
mod wire;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use charon_core::service::vrrp_engine::{VrouterError, VrouterLoading};
use charon_core::service::{BoxFuture, VrrpEngine};
use charon_crypto::{Order, ProviderBuilder};
use charon_types::Secret;
use charon_types::vrouter::{Vrouter, VrouterReason, VrouterSnapshot, VrouterState};
use rvrrpd_conf::{Document, Format};
use tower::ServiceExt as _;

use crate::api::Api;
use crate::login::Users;
use crate::routes;
use crate::session::{Sessions, Transport};

/// When the recording was made.
const RECORDED: u64 = 1_795_243_134;

/// Virtual routers that are all Active.
struct Engine(Vec<Vrouter>);

impl VrrpEngine for Engine {
    fn load(&self, _: Vrouter) -> BoxFuture<'_, Result<VrouterLoading, VrouterError>> {
        Box::pin(async { Err(VrouterError::ShuttingDown) })
    }

    fn unload<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), VrouterError>> {
        Box::pin(async move { Err(VrouterError::NotFound(name.to_owned())) })
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.0.iter().map(|vrouter| Arc::clone(&vrouter.name)).collect()
    }

    fn list(&self) -> BoxFuture<'_, Vec<VrouterSnapshot>> {
        Box::pin(async { self.0.iter().map(snapshot).collect() })
    }
}

fn snapshot(vrouter: &Vrouter) -> VrouterSnapshot {
    let skew_time = Duration::from_secs(1) * (256 - u32::from(vrouter.priority)) / 256;
    VrouterSnapshot {
        config: Arc::new(vrouter.clone()),
        state: VrouterState::Active,
        reason: VrouterReason::NoResponse,
        since: UNIX_EPOCH,
        effective_priority: vrouter.priority,
        source: Some(IpAddr::from([192, 0, 2, 11])),
        active: Some(IpAddr::from([192, 0, 2, 11])),
        active_priority: Some(vrouter.priority),
        active_interval: vrouter.advert_interval,
        down_interval: vrouter.advert_interval * 3 + skew_time,
        skew_time,
        vmac_interface: vrouter.vmac_name.clone(),
        failing: Vec::new(),
        counters: Vec::new(),
    }
}

fn recording() -> serde_json::Value {
    serde_json::from_str(include_str!("../tests/golden/rvrrpd-api.json")).unwrap()
}

/// The file of the recording.
fn recorded_file() -> String {
    recording()["config_toml"].as_str().unwrap().to_owned()
}

struct Setup {
    file: String,
    transport: Transport,
    clock: fn() -> SystemTime,
}

impl Setup {
    fn recorded() -> Self {
        Self {
            file: recorded_file(),
            transport: Transport::Plain,
            clock: || UNIX_EPOCH + Duration::from_secs(RECORDED + 5),
        }
    }

    fn service(&self) -> Router {
        let document = Document::parse(&self.file, Format::Toml).unwrap();
        let mut builder = ProviderBuilder::new(Order::AsAdded);
        for algorithm in charon_crypto_ring::algorithms() {
            builder.add_untested("crypto-ring", algorithm);
        }
        let secret = document.api.as_ref().and_then(|api| api.secret.clone()).unwrap();
        routes::service(Arc::new(Api {
            engine: Arc::new(Engine(document.vrouters(|_| Some(24)))),
            users: Users::new(document.api.as_ref().unwrap().users.entries.clone()),
            document,
            sessions: Sessions::new(Secret::copy_from(secret.0.expose()), Duration::from_secs(3600)),
            transport: self.transport,
            crypto: Arc::new(builder.freeze()),
            clock: self.clock,
            link_address: |interface| Some(format!("02:00:00:00:00:{:02X}", interface.len())),
        }))
    }
}

/// Status, headers in order, body.
struct Answer {
    status: StatusCode,
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status();
        let headers = response.headers();
        let headers = headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        Self { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn cookies(&self) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

async fn ask(service: &Router, method: &str, path: &str, cookie: Option<&str>, body: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let request = request.body(Body::from(body.to_owned())).unwrap();
    Answer::of(service.clone().oneshot(request).await.unwrap()).await
}

/// The `Cookie` header of a session that began now.
async fn log_in(service: &Router) -> String {
    let answer = ask(service, "POST", "/auth", None, "user=admin passwd=banana").await;
    assert_eq!(answer.status, StatusCode::OK);
    let pairs: Vec<&str> = answer.cookies().iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
    pairs.join("; ")
}
