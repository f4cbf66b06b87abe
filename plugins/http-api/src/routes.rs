//! The routes, and what holds for all of them.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, SET_COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Serialize;
use tower::ServiceExt as _;

use crate::api::Api;
use crate::config_routes::{Global, Protocols, routes as static_routes};
use crate::login::Login;
use crate::run_routes;

/// A login has less than 400 octets.
const BODY_LEN_MAX: usize = 4096;
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const INDEX: &str = include_str!("index.html");
/// Describes this API.
pub(crate) const OPENAPI: &str = include_str!("../openapi.json");

/// All routes. A trailing slash is taken on each.
pub(crate) fn service(api: Arc<Api>) -> Router {
    let guarded = Router::new()
        .route("/config/global", get(|State(api): Shared| async move { json(&api.document) }))
        .route("/config/vrouter", get(|State(api): Shared| async move { json(&api.document.vrouter) }))
        .route("/config/protocols", get(|State(api): Shared| async move { json(&api.document.protocols) }))
        .route("/run/global", get(|State(api): Shared| async move { json(&Global::of(&api.document)) }))
        .route("/run/protocols", get(|State(api): Shared| async move { json(&Protocols::of(&api.document)) }))
        .route(
            "/run/protocols/static",
            get(|State(api): Shared| async move { json(&static_routes(&api.document)) }),
        )
        .route("/run/vrrp", get(vrouters))
        .route("/run/vrrp/{group}", get(vrouters_of_group))
        .route("/run/vrrp/{group}/{interface}", get(vrouter))
        .route_layer(from_fn_with_state(Arc::clone(&api), guard));
    let routes = Router::new()
        .route("/", get(|| async { ([(CONTENT_TYPE, "text/html")], INDEX) }))
        .route("/openapi.json", get(|| async { ([(CONTENT_TYPE, "application/json")], OPENAPI) }))
        .route("/auth", post(login))
        .merge(guarded)
        .layer(DefaultBodyLimit::max(BODY_LEN_MAX))
        .layer(from_fn_with_state(Arc::clone(&api), name_request))
        .with_state(api);
    // A layer of a router sees a request after its route was chosen, so the slash goes outside of it.
    Router::new().fallback_service(any(move |mut request: Request| {
        strip_slash(request.uri_mut());
        let routes = routes.clone();
        async move {
            let method = request.method().clone();
            let Ok(response) = routes.oneshot(request).await;
            plain(&method, response)
        }
    }))
}

type Shared = State<Arc<Api>>;

/// Nothing is answered to strangers.
async fn guard(State(api): Shared, request: Request, next: Next) -> Response {
    let admitted = {
        let headers = request.headers().get_all(COOKIE).iter();
        api.admits(headers.filter_map(|value| value.to_str().ok()))
    };
    // Those who use a method that a route does not have hear so first.
    if admitted || !matches!(*request.method(), Method::GET | Method::HEAD) {
        next.run(request).await
    } else {
        StatusCode::UNAUTHORIZED.into_response()
    }
}

/// Each answer carries a name of its own, for logs of whoever asked.
async fn name_request(State(api): Shared, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(name) = HeaderValue::from_str(&uuid(api.random())) {
        response.headers_mut().insert(REQUEST_ID, name);
    }
    response
}

/// Errors have empty bodies, and tell a method that would do without naming HEAD. Answers to HEAD have none either.
fn plain(method: &Method, mut response: Response) -> Response {
    if response.status().is_success() && method != Method::HEAD {
        return response;
    }
    let succeeded = response.status().is_success();
    *response.body_mut() = Body::empty();
    let headers = response.headers_mut();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    if !succeeded {
        headers.remove(CONTENT_TYPE);
    }
    let first = headers.get(ALLOW).and_then(|methods| methods.to_str().ok()?.split(',').next());
    if let Some(first) = first.and_then(|method| HeaderValue::from_str(method).ok()) {
        headers.insert(ALLOW, first);
    }
    response
}

async fn login(State(api): Shared, body: Bytes) -> Response {
    let Some(login) = Login::parse(&body) else { return StatusCode::BAD_REQUEST.into_response() };
    if !api.users.admit(&login).await {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let nonce = u64::try_from(api.random() >> 64).expect("64 bits are left");
    let session = api.sessions.begin(login.user, nonce, (api.clock)());
    let mut response = StatusCode::OK.into_response();
    for cookie in session.set(api.transport) {
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
    }
    response
}

async fn vrouters(State(api): Shared) -> Response {
    json(&run_routes::list(&api.engine.list().await, None))
}

async fn vrouters_of_group(State(api): Shared, Path(group): Path<String>) -> Response {
    match group.parse() {
        Ok(group) => json(&run_routes::list(&api.engine.list().await, Some(group))),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn vrouter(State(api): Shared, Path((group, interface)): Path<(String, String)>) -> Response {
    match group.parse() {
        Ok(group) => json(&run_routes::one(&api.engine.list().await, group, &interface, api.link_address)),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

fn json(value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(text) => ([(CONTENT_TYPE, "application/json")], Body::from(text)).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

fn strip_slash(uri: &mut Uri) {
    let path = uri.path().trim_end_matches('/');
    if path.len() == uri.path().len() || path.is_empty() {
        return;
    }
    if let Ok(path) = PathAndQuery::try_from(path) {
        let mut parts = std::mem::take(uri).into_parts();
        parts.path_and_query = Some(path);
        *uri = Uri::from_parts(parts).unwrap_or_default();
    }
}

/// Version 4 of RFC 9562.
fn uuid(random: u128) -> String {
    let number = random & !(0xf << 76) & !(0x3 << 62) | 0x4 << 76 | 0x2 << 62;
    let hex = format!("{number:032x}");
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
