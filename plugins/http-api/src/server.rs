//! The listener: plain or TLS, a bounded number of connections, none of which may dawdle.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// Connections at a time; who comes later waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 256;
/// From the first octet of a request to the end of its header, and for a TLS handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection's whole life: a session is in cookies, so nothing is lost.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(300);
/// After accepting failed, for want of descriptors say.
const PAUSE: Duration = Duration::from_millis(100);

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServerError {
    /// The address is taken, or not ours.
    #[error("cannot listen at {address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
    /// A PEM file cannot be used.
    #[error("cannot read {path}: {error}")]
    Pem { path: PathBuf, error: rustls_pki_types::pem::Error },
    /// Key and certificate do not belong together, or are of a kind that is not spoken.
    #[error("key and certificate cannot be used: {0}")]
    Tls(rustls::Error),
}

/// A bound socket.
pub(crate) struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub(crate) async fn bind(address: SocketAddr, tls: Option<TlsAcceptor>) -> Result<Self, ServerError> {
        let listener =
            TcpListener::bind(address).await.map_err(|error| ServerError::Listen { address, error })?;
        Ok(Self { listener, tls })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until it is told to stop; connections are then cut.
    pub(crate) async fn run(self, routes: Router, stop: CancellationToken) {
        let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        // Connections end with this set.
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.accept(&room) => accepted,
            };
            let (stream, peer, permit) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(target: "NET", "accepting a connection to the REST API failed: {error}");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let (routes, tls) = (routes.clone(), self.tls.clone());
            connections.spawn(async move {
                let served = tokio::time::timeout(CONNECTION_LIFETIME, async {
                    match tls {
                        None => serve(stream, routes).await,
                        Some(tls) => match tokio::time::timeout(PATIENCE, tls.accept(stream)).await {
                            Ok(Ok(stream)) => serve(stream, routes).await,
                            Ok(Err(error)) => Err(error.to_string()),
                            Err(_) => Err("no TLS handshake".to_owned()),
                        },
                    }
                })
                .await;
                if let Ok(Err(error)) = served {
                    tracing::debug!(target: "NET", "REST client {peer}: {error}");
                }
                drop(permit);
            });
        }
    }

    async fn accept(
        &self,
        room: &Arc<Semaphore>,
    ) -> io::Result<(tokio::net::TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let permit = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = self.listener.accept().await?;
        Ok((stream, peer, permit))
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin, routes: Router) -> Result<(), String> {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    connection.await.map_err(|error| error.to_string())
}

/// TLS 1.2 and 1.3 with that key and certificate chain.
pub(crate) fn tls(key: &Path, certificate: &Path) -> Result<TlsAcceptor, ServerError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |error| ServerError::Pem { path, error }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(certificate))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(ServerError::Tls)?;
    info!(target: "CFG", "the REST API has the certificate of {}", certificate.display());
    Ok(TlsAcceptor::from(Arc::new(config)))
}
