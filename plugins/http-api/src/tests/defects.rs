//! Defects of rVRRPd 0.1.3 that are not repeated, and what it has not: a description of itself.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, UNIX_EPOCH};

use axum::http::StatusCode;
use rvrrpd_conf::{Algorithm, UserEntry};
use serde_json::Value;

use super::{RECORDED, Setup, ask, log_in, recorded_file};
use crate::login::{Login, Users};
use crate::routes::OPENAPI;

const READABLE: [&str; 9] = [
    "/config/global",
    "/config/vrouter",
    "/config/protocols",
    "/run/global",
    "/run/vrrp",
    "/run/vrrp/1",
    "/run/vrrp/1/eth0",
    "/run/protocols",
    "/run/protocols/static",
];

#[tokio::test]
async fn secrets_are_in_no_answer() {
    let service = Setup::recorded().service();
    let cookie = log_in(&service).await;
    for path in READABLE {
        let answer = ask(&service, "GET", path, Some(&cookie), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        for secret in ["password", "0123456789abcdef", "0c2187400", "a1ad6d9ac9", "6NJayRgRB1", "rscrypt"] {
            assert!(!answer.body.contains(secret), "{path}: {secret}");
        }
    }
}

#[tokio::test]
async fn a_file_without_routes_is_answered_by_null() {
    let file = recorded_file();
    let from = file.find("[protocols]").unwrap();
    let to = file.find("[api]").unwrap();
    let setup = Setup { file: format!("{}{}", &file[..from], &file[to..]), ..Setup::recorded() };
    let service = setup.service();
    let cookie = log_in(&service).await;
    for (path, body) in
        [("/config/protocols", "null"), ("/run/protocols", "null"), ("/run/protocols/static", "[]")]
    {
        let answer = ask(&service, "GET", path, Some(&cookie), "").await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, body), "{path}");
    }
    // And it goes on.
    assert_eq!(ask(&service, "GET", "/run/vrrp", Some(&cookie), "").await.status, StatusCode::OK);
}

#[tokio::test]
async fn static_routes_are_answered_to_whoever_has_a_session() {
    let service = Setup::recorded().service();
    let cookie = log_in(&service).await;
    let path = "/run/protocols/static";
    assert_eq!(ask(&service, "GET", path, Some(&cookie), "").await.status, StatusCode::OK);
    assert_eq!(ask(&service, "GET", path, None, "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn every_route_but_three_needs_a_session() {
    let service = Setup::recorded().service();
    for path in READABLE {
        assert_eq!(ask(&service, "GET", path, None, "").await.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(ask(&service, "HEAD", path, None, "").await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_session_ends() {
    let service = Setup::recorded().service();
    let cookie = log_in(&service).await;
    let later = |clock| Setup { clock, ..Setup::recorded() }.service();
    let within = later(|| UNIX_EPOCH + Duration::from_secs(RECORDED + 3_600));
    assert_eq!(ask(&within, "GET", "/run/vrrp", Some(&cookie), "").await.status, StatusCode::OK);
    let after = later(|| UNIX_EPOCH + Duration::from_secs(RECORDED + 3_606));
    assert_eq!(ask(&after, "GET", "/run/vrrp", Some(&cookie), "").await.status, StatusCode::UNAUTHORIZED);
    // A token of the future is nobody's.
    let before = later(|| UNIX_EPOCH + Duration::from_secs(RECORDED - 3_600));
    assert_eq!(ask(&before, "GET", "/run/vrrp", Some(&cookie), "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_ends_with_its_user() {
    let service = Setup::recorded().service();
    let cookie = log_in(&service).await;
    let without = Setup { file: recorded_file().replace("}}admin", "}}root"), ..Setup::recorded() }.service();
    assert_eq!(ask(&without, "GET", "/run/vrrp", Some(&cookie), "").await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn cookies_that_make_no_sense_are_refused_without_an_error_of_ours() {
    let service = Setup::recorded().service();
    let good = log_in(&service).await;
    let token = good.split("; ").last().unwrap();
    for cookie in [
        "",
        "user=admin",
        "user=admin; ts=abc; nonce=1; token=x",
        "user=admin; ts=1; nonce=99999999999999999999999; token=x",
        "user=admin; ts=-1; nonce=1; token=",
        ";;;=;user",
        &format!("{good}; {token}"),
        &good.replace("user=admin", "user=joe"),
        &good[..good.len() - 1],
    ] {
        let answer = ask(&service, "GET", "/run/vrrp", Some(cookie), "").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{cookie}");
    }
}

#[tokio::test]
async fn interface_is_the_one_that_was_configured_in_either_mode() {
    let service = Setup::recorded().service();
    let cookie = log_in(&service).await;
    let answer = ask(&service, "GET", "/run/vrrp", Some(&cookie), "").await;
    let list: Value = serde_json::from_str(&answer.body).unwrap();
    assert!(list.as_array().unwrap().iter().all(|router| router["interface"] == "eth0"));
    let answer = ask(&service, "GET", "/run/vrrp/2/eth0", Some(&cookie), "").await;
    assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap()["vif"], "standby2");
}

/// A password that costs much to check, so that the difference would show.
#[tokio::test]
async fn an_unknown_user_takes_as_long_to_refuse_as_a_known_one() {
    let entry = UserEntry::make("admin", "banana", Algorithm::Scrypt, &[7; 16]).unwrap();
    let users = Users::new(vec![entry]);
    let mut took = [Duration::ZERO; 2];
    for _ in 0..20 {
        for (body, took) in ["user=admin passwd=wrong", "user=stranger passwd=wrong"].iter().zip(&mut took) {
            let start = Instant::now();
            assert!(!users.admit(&Login::parse(body.as_bytes()).unwrap()).await);
            *took += start.elapsed();
        }
    }
    let [known, unknown] = took;
    assert!(unknown * 4 > known, "{known:?} {unknown:?}");
    // Nor does the password of the one who stands in for strangers open anything.
    assert!(!users.admit(&Login::parse(b"user=nobody passwd=nobody").unwrap()).await);
}

#[tokio::test]
async fn a_long_body_is_not_read() {
    let service = Setup::recorded().service();
    let answer = ask(&service, "POST", "/auth", None, &"x".repeat(1 << 20)).await;
    assert!(answer.status.is_client_error());
    assert_eq!(answer.body, "");
}

/// Whether a value is what a schema says; every property must be there and no other.
fn matches(value: &Value, schema: &Value, document: &Value) -> bool {
    if let Some(name) = schema["$ref"].as_str() {
        return matches(value, document.pointer(name.trim_start_matches('#')).unwrap(), document);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().any(|schema| matches(value, schema, document));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
        _ => panic!("{schema}"),
    };
    let good = |one: &str| match (one, value) {
        ("null", Value::Null) | ("string", Value::String(_)) | ("boolean", Value::Bool(_)) => true,
        ("integer", Value::Number(number)) => number.is_u64(),
        ("number", Value::Number(_)) => true,
        ("array", Value::Array(items)) => items.iter().all(|item| matches(item, &schema["items"], document)),
        ("object", Value::Object(object)) => {
            let properties = schema["properties"].as_object().unwrap();
            let keys = |map: &serde_json::Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
            keys(object) == keys(properties)
                && object.iter().all(|(key, value)| matches(value, &properties[key], document))
        }
        _ => false,
    };
    let named = schema["enum"].as_array().is_none_or(|names| names.contains(value));
    named && types.into_iter().any(good)
}

#[tokio::test]
async fn openapi_document_describes_every_route_and_its_answer() {
    let service = Setup::recorded().service();
    let cookie = log_in(&service).await;
    assert_eq!(ask(&service, "GET", "/openapi.json", None, "").await.body, OPENAPI);
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut described = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let asked = path.replace("{group}", "1").replace("{interface}", "eth0");
        let Some(operation) = operations.get("get") else { continue };
        let answer = ask(&service, "GET", &asked, Some(&cookie), "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        if !schema.is_null() {
            let value: Value = serde_json::from_str(&answer.body).unwrap();
            assert!(matches(&value, schema, &document), "{path}: {value}");
            assert!(!matches(&Value::from("text"), schema, &document));
            described.insert(asked);
        }
    }
    assert_eq!(described, READABLE.iter().map(|path| (*path).to_owned()).collect());
}
