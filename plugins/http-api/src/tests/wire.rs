//! Over sockets: plain and TLS, and many clients at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion, crypto};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::Setup;
use crate::server::{Server, ServerError, tls};
use crate::session::Transport;

async fn start(setup: Setup, tls: Option<TlsAcceptor>) -> (SocketAddr, CancellationToken) {
    let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), tls).await.unwrap();
    let address = server.address().unwrap();
    let stop = CancellationToken::new();
    tokio::spawn(server.run(setup.service(), stop.clone()));
    (address, stop)
}

async fn exchange(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn request(method: &str, path: &str, cookie: &str, body: &str) -> String {
    let len = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\ncontent-length: {len}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn cookies(answer: &str) -> String {
    let values = answer.lines().filter_map(|line| line.strip_prefix("set-cookie: "));
    values.map(|value| value.split(';').next().unwrap()).collect::<Vec<_>>().join("; ")
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_clients_at_once_get_their_own_answers() {
    let (address, stop) = start(Setup::recorded(), None).await;
    let connect = move || async move { TcpStream::connect(address).await.unwrap() };
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..50 {
        clients.spawn(async move {
            let user = if client % 2 == 0 { "admin passwd=banana" } else { "joe passwd=apple" };
            let login =
                exchange(connect().await, &request("POST", "/auth", "", &format!("user={user}"))).await;
            assert!(login.starts_with("HTTP/1.1 200 OK\r\n"), "{login}");
            assert!(login.contains("content-length: 0\r\n") && login.contains("\r\ndate: "), "{login}");
            let cookie = cookies(&login);
            assert!(cookie.starts_with(&format!("user={}", user.split(' ').next().unwrap())));
            for _ in 0..5 {
                let (path, holds) = match client % 5 {
                    0 => ("/run/vrrp/1", r#""group":1"#),
                    1 => ("/run/vrrp/2", r#""group":2"#),
                    2 => ("/run/global", r#""timezone""#),
                    3 => ("/run/protocols", r#"{"static":[{"destination""#),
                    _ => ("/config/vrouter", r#""socket_filter""#),
                };
                let answer = exchange(connect().await, &request("GET", path, &cookie, "")).await;
                let body = answer.split_once("\r\n\r\n").unwrap().1;
                assert!(body.contains(holds), "{path}: {answer}");
                assert_eq!(body.contains(r#""group":2"#), client % 5 == 1 || client % 5 == 4);
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    stop.cancel();
}

struct Identity {
    folder: tempfile::TempDir,
    certificate: CertificateDer<'static>,
}

impl Identity {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
        Self { folder, certificate: made.cert.der().clone() }
    }

    fn acceptor(&self) -> Result<TlsAcceptor, ServerError> {
        tls(&self.folder.path().join("key.pem"), &self.folder.path().join("cert.pem"))
    }
}

#[tokio::test]
async fn tls_of_both_versions_is_spoken_and_cookies_are_secure() {
    let identity = Identity::new();
    let setup = Setup { transport: Transport::Tls, ..Setup::recorded() };
    let (address, stop) = start(setup, Some(identity.acceptor().unwrap())).await;
    for version in [&TLS12, &TLS13] {
        let stream = TcpStream::connect(address).await.unwrap();
        let stream =
            connector(&identity, version).connect(ServerName::try_from("localhost").unwrap(), stream);
        let answer =
            exchange(stream.await.unwrap(), &request("POST", "/auth", "", "user=admin passwd=banana")).await;
        assert_eq!(answer.matches("; HttpOnly; Secure; SameSite=Strict").count(), 4, "{answer}");
    }
    // Whoever speaks in the clear hears nothing of use, and harms nobody.
    let clear = TcpStream::connect(address).await.unwrap();
    let mut clear = clear;
    clear.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = clear.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
    stop.cancel();
}

fn connector(identity: &Identity, version: &'static SupportedProtocolVersion) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(identity.certificate.clone()).unwrap();
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]).unwrap();
    TlsConnector::from(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

#[test]
fn a_key_that_cannot_be_used_is_an_error_with_its_file() {
    let identity = Identity::new();
    let key = identity.folder.path().join("key.pem");
    std::fs::write(&key, "nothing").unwrap();
    let error = identity.acceptor().map(|_| ()).unwrap_err().to_string();
    assert!(error.contains(key.to_str().unwrap()), "{error}");
    std::fs::remove_file(&key).unwrap();
    assert!(identity.acceptor().is_err());
}
