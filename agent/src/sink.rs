//! The agent's own mail server: it takes mail for addresses that bear a tag of this agent's own,
//! and nothing else, and notes to the millisecond when a message was all there. It relays nothing
//! and keeps nothing but what the desk does. One session is `session`'s.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::Sink as Declared;
use mailward_evidence::Clock;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::net::Net;
use crate::post::{Place, Post};

mod authenticity;
mod lines;
mod session;

use authenticity::Judge;
use session::{Limits, Session};

/// The longest a session may last in all.
const MAX_SESSION: Duration = Duration::from_secs(600);
/// The most connections of one address; the rest is told to come back.
const MAX_PER_CLIENT: usize = 50;
/// What the rest is told.
const TOO_MANY: &[u8] = b"421 4.7.0 too many connections of your address, come back later\r\n";
/// How long that may take.
const TO_SAY_SO: Duration = Duration::from_secs(5);
/// How long after a failed accept (too many open files) the next one is tried.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// Why a sink cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The port is taken, or may not be used.
    #[error("sink {id}: listen on {address}")]
    Listen {
        /// Which sink.
        id: String,
        /// Where.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file of its certificate cannot be read.
    #[error("sink {id}: read {path}")]
    Pem {
        /// Which sink.
        id: String,
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// There is no certificate.
    #[error("sink {id}: make a certificate for {hostname}")]
    Make {
        /// Which sink.
        id: String,
        /// For which name.
        hostname: String,
        /// Why.
        #[source]
        source: rcgen::Error,
    },
    /// Certificate and key do not do.
    #[error("sink {id}: set up TLS")]
    Tls {
        /// Which sink.
        id: String,
        /// Why.
        #[source]
        source: rustls::Error,
    },
}

/// A sink that listens.
pub struct Sink {
    declared: Declared,
    listener: TcpListener,
    tls: TlsAcceptor,
}

/// What all sessions of a sink share.
struct Shared {
    hostname: String,
    place: String,
    limits: Limits,
    tls: TlsAcceptor,
    post: Arc<Post>,
    judge: Judge,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

impl Sink {
    /// Takes hold of the port. Mail is taken once [`Sink::run`] runs.
    ///
    /// # Errors
    /// When the port cannot be had, or the certificate cannot be used.
    pub async fn bind(declared: &Declared) -> Result<Self, SinkError> {
        let id = declared.id.clone();
        let tls = acceptor(declared)?;
        let address = declared.listen;
        let listener = TcpListener::bind(address).await.map_err(|source| SinkError::Listen {
            id,
            address,
            source,
        })?;
        Ok(Self { declared: declared.clone(), listener, tls })
    }

    /// How it is declared.
    #[must_use]
    pub fn declared(&self) -> &Declared {
        &self.declared
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.declared.id
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not know.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes mail until it is dropped.
    pub async fn run(self, post: Arc<Post>, net: Arc<Net>, clock: Arc<dyn Clock>) {
        let Self { declared, listener, tls } = self;
        let max_bytes = usize::try_from(declared.max_message_bytes).unwrap_or(usize::MAX);
        let slots = Arc::new(Semaphore::new(declared.max_connections.max(1)));
        let shared = Arc::new(Shared {
            place: Place::Sink(declared.id).name(),
            limits: Limits { max_message_bytes: max_bytes },
            tls,
            post,
            judge: Judge::new(&net, declared.hostname.clone()),
            hostname: declared.hostname,
            clock,
        });
        let clients = Arc::new(Clients::default());
        let mut sessions = JoinSet::new();
        shared.post.desk.opened(&shared.place);
        loop {
            while sessions.try_join_next().is_some() {}
            let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
            let (stream, peer) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "the sink cannot take a connection");
                    tokio::time::sleep(AFTER_FAILURE).await;
                    continue;
                }
            };
            let Some(turn) = clients.enter(peer.ip()) else {
                tracing::debug!(peer = %peer.ip(), "too many connections of one address");
                sessions.spawn(async move {
                    let _ = tokio::time::timeout(TO_SAY_SO, send_away(stream)).await;
                    drop(slot);
                });
                continue;
            };
            // answers are short, and a server that pipelines waits for them
            let _ = stream.set_nodelay(true);
            let shared = Arc::clone(&shared);
            sessions.spawn(async move {
                let session = Session::new(shared, peer.ip());
                // how a session ends is of no interest: what counts was noted in it
                let _ = tokio::time::timeout(MAX_SESSION, session.run(stream)).await;
                drop((slot, turn));
            });
        }
    }
}

/// Tells a client to come back (RFC 5321, section 3.1).
async fn send_away(mut stream: tokio::net::TcpStream) -> std::io::Result<()> {
    stream.write_all(TOO_MANY).await?;
    stream.shutdown().await
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct Clients(std::sync::Mutex<std::collections::HashMap<std::net::IpAddr, usize>>);

/// A connection that is counted until this is dropped.
struct Turn(Arc<Clients>, std::net::IpAddr);

impl Clients {
    fn enter(self: &Arc<Self>, ip: std::net::IpAddr) -> Option<Turn> {
        let mut counts = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let count = counts.entry(ip).or_default();
        if *count >= MAX_PER_CLIENT {
            return None;
        }
        *count += 1;
        Some(Turn(Arc::clone(self), ip))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut counts = self.0.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.1);
            }
        }
    }
}

fn acceptor(declared: &Declared) -> Result<TlsAcceptor, SinkError> {
    let id = || declared.id.clone();
    let (chain, key) = match &declared.identity {
        Some((certificate, key)) => {
            let unreadable = |path: &PathBuf| {
                let (id, path) = (id(), path.clone());
                move |source| SinkError::Pem { id, path, source }
            };
            let chain = CertificateDer::pem_file_iter(certificate)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>)
                .map_err(unreadable(certificate))?;
            (chain, PrivateKeyDer::from_pem_file(key).map_err(unreadable(key))?)
        }
        None => {
            let made = rcgen::generate_simple_self_signed([declared.hostname.clone()]);
            let made = made.map_err(|source| SinkError::Make {
                id: id(),
                hostname: declared.hostname.clone(),
                source,
            })?;
            let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
            (vec![made.cert.der().clone()], key.into())
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|source| SinkError::Tls { id: id(), source })?;
    Ok(TlsAcceptor::from(Arc::new(settings)))
}

#[cfg(test)]
mod tests;
