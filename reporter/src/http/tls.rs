//! The reporter's own certificate: read from its files, shown in handshakes, and exchanged while
//! connections go on when the files change. A pair that does not do is refused and the one that
//! is shown stays. Accepting connections is `serve`'s.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use mailward_catalogue::credential::SecretError;
use mailward_catalogue::{InForce, ReporterTls};
use mailward_evidence::{Clock, Instant};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, ServerConfig};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::serve::stopped;
use crate::causes::causes;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// The largest certificate file, in bytes.
const MAX_FILE_BYTES: u64 = 256 << 10;
/// The most certificates of a chain.
const MAX_CHAIN: usize = 16;

/// Why a certificate and its key do not do. Never says what was read.
#[derive(Debug, thiserror::Error)]
pub enum PairError {
    /// The certificate's file cannot be read.
    #[error("read the certificate from {path}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The key cannot be read.
    #[error("read the certificate's key")]
    Key(#[from] SecretError),
    /// The file holds no chain of certificates.
    #[error("{0}: expected a certificate and its chain as PEM, at most 16")]
    NoCertificate(PathBuf),
    /// What was read holds no key.
    #[error("{0}: expected a private key as PEM")]
    NoKey(String),
    /// The key is another certificate's, or of no use for TLS.
    #[error("expected an RSA, ECDSA or Ed25519 key that belongs to the certificate in {0}")]
    Mismatch(PathBuf),
    /// Its time is over.
    #[error("the certificate in {path} expired at {at}")]
    Expired {
        /// Which file.
        path: PathBuf,
        /// When.
        at: Instant,
    },
    /// Its time has not begun.
    #[error("the certificate in {path} is not valid before {at}")]
    TooEarly {
        /// Which file.
        path: PathBuf,
        /// When it will be.
        at: Instant,
    },
    /// The library takes none of the protocol's versions.
    #[error("set up TLS")]
    Tls(#[source] rustls::Error),
}

impl PairError {
    /// Whether the files are there and readable, but what they hold is wrong.
    #[must_use]
    pub const fn is_content(&self) -> bool {
        !matches!(self, Self::Certificate { .. } | Self::Key(_) | Self::Tls(_))
    }
}

/// A certificate with its key, in the form that is shown.
#[derive(Clone, Debug)]
pub struct Pair {
    certified: Arc<CertifiedKey>,
    not_before: Instant,
    not_after: Instant,
    /// Changes with what was read.
    digest: [u8; 32],
}

impl Pair {
    /// Reads the pair.
    ///
    /// # Errors
    /// When one of the two cannot be read, or they do not belong together.
    pub fn read(of: &ReporterTls) -> Result<Self, PairError> {
        let path = &of.certificate;
        let chain_pem = read_bounded(path)
            .map_err(|source| PairError::Certificate { path: path.clone(), source })?;
        let key_pem = of.key.read()?;
        let no_certificate = || PairError::NoCertificate(path.clone());
        let chain = CertificateDer::pem_slice_iter(&chain_pem)
            .take(MAX_CHAIN + 1)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| no_certificate())?;
        if chain.is_empty() || chain.len() > MAX_CHAIN {
            return Err(no_certificate());
        }
        let (not_before, not_after) = validity(&chain[0]).ok_or_else(no_certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem.expose().as_bytes())
            .map_err(|_| PairError::NoKey(of.key.to_string()))?;
        let mismatch = || PairError::Mismatch(path.clone());
        let key = rustls::crypto::ring::sign::any_supported_type(&key).map_err(|_| mismatch())?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // a kind of key whose public half cannot be told is taken at its word
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(_) => return Err(mismatch()),
        }
        let digest = Sha256::new()
            .chain_update(Sha256::digest(&chain_pem))
            .chain_update(Sha256::digest(key_pem.expose().as_bytes()))
            .finalize()
            .into();
        Ok(Self { certified: Arc::new(certified), not_before, not_after, digest })
    }

    /// The same, if it is valid now.
    ///
    /// # Errors
    /// When its time is over, or has not begun.
    pub fn valid_at(self, now: Instant, path: &Path) -> Result<Self, PairError> {
        let path = path.to_owned();
        if now >= self.not_after {
            return Err(PairError::Expired { path, at: self.not_after });
        }
        if now < self.not_before {
            return Err(PairError::TooEarly { path, at: self.not_before });
        }
        Ok(self)
    }
}

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn validity(der: &CertificateDer<'_>) -> Option<(Instant, Instant)> {
    let (_, parsed) = X509Certificate::from_der(der).ok()?;
    // one that never expires names the end of the year 9999 (RFC 5280 section 4.1.2.5)
    let (from, until) = (parsed.validity().not_before, parsed.validity().not_after);
    Some((Instant::nearest_s(from.timestamp()), Instant::nearest_s(until.timestamp())))
}

/// The pair that is shown now.
#[derive(Debug)]
struct Shown(RwLock<Pair>);

impl Shown {
    fn pair(&self) -> Pair {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.pair().certified)
    }
}

/// TLS with the reporter's own certificate. Clones show the same one.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    places: Arc<RwLock<ReporterTls>>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("not_after", &self.expires()).finish_non_exhaustive()
    }
}

/// What came of looking at the files.
#[derive(Debug)]
pub enum Looked {
    /// They hold what is shown.
    Same,
    /// They held another pair, and it is shown from now on.
    Exchanged,
    /// What they hold does not do; what is shown stays.
    Refused(PairError),
}

impl Tls {
    /// Reads the pair and sets TLS 1.2 and 1.3 up with it. One that has expired is shown all
    /// the same, with a warning: the reporter has other work than to be read.
    ///
    /// # Errors
    /// When the pair cannot be read or does not belong together.
    pub fn new(of: &ReporterTls, clock: Arc<dyn Clock>) -> Result<Self, PairError> {
        let pair = Pair::read(of)?;
        if let Err(error) = pair.clone().valid_at(Instant::new(clock.now()), &of.certificate) {
            tracing::error!(%error, "clients will refuse this certificate");
        }
        let shown = Arc::new(Shown(RwLock::new(pair)));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(PairError::Tls)?
            .with_no_client_auth()
            .with_cert_resolver(shown.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let places = Arc::new(RwLock::new(of.clone()));
        Ok(Self { acceptor, shown, places, clock })
    }

    /// What encrypts a connection.
    #[must_use]
    pub const fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// When the certificate that is shown expires.
    #[must_use]
    pub fn expires(&self) -> Instant {
        self.shown.pair().not_after
    }

    /// Looks at the files once. Reads files: not for a thread that serves others.
    #[must_use]
    pub fn look(&self) -> Looked {
        let of = self.places.read().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Instant::new(self.clock.now());
        let pair = match Pair::read(&of) {
            Ok(pair) if pair.digest == self.shown.pair().digest => return Looked::Same,
            Ok(pair) => pair.valid_at(now, &of.certificate),
            Err(error) => Err(error),
        };
        match pair {
            Ok(pair) => {
                *self.shown.0.write().unwrap_or_else(PoisonError::into_inner) = pair;
                Looked::Exchanged
            }
            Err(error) => Looked::Refused(error),
        }
    }

    /// Looks at the files every few seconds, and whenever the definition was read again, until
    /// `shutdown` is true. Other files that it names then are the ones to look at.
    pub async fn keep(
        self,
        mut definition: watch::Receiver<Arc<InForce>>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let mut told = Told::default();
        loop {
            let asked = tokio::select! {
                () = stopped(&mut shutdown) => return,
                () = tokio::time::sleep(LOOK_EVERY) => false,
                Ok(()) = definition.changed() => true,
            };
            if asked && let Some(of) = &definition.borrow_and_update().catalogue.reporter.tls {
                of.clone_into(&mut self.places.write().unwrap_or_else(PoisonError::into_inner));
            }
            let look = {
                let tls = self.clone();
                move || tls.look()
            };
            let Ok(looked) = tokio::task::spawn_blocking(look).await else { continue };
            self.say(looked, asked, &mut told);
        }
    }

    fn say(&self, looked: Looked, asked: bool, told: &mut Told) {
        match looked {
            Looked::Same => told.text.clear(),
            Looked::Exchanged => {
                told.text.clear();
                tracing::info!(expires = %self.expires(), "a new certificate is shown");
            }
            Looked::Refused(error) => {
                let text = causes(&error);
                // whoever writes two files may be caught between them: said when it lasts
                if asked || told.is_news(&text) {
                    tracing::error!(
                        error = text,
                        expires = %self.expires(),
                        "the new certificate is refused; the old one goes on"
                    );
                }
            }
        }
    }
}

/// What was refused last, and how often in a row.
#[derive(Default)]
struct Told {
    text: String,
    times: u32,
}

impl Told {
    /// Whether this is the second time in a row.
    fn is_news(&mut self, text: &str) -> bool {
        if self.text != text {
            text.clone_into(&mut self.text);
            self.times = 0;
        }
        self.times = self.times.saturating_add(1);
        self.times == 2
    }
}

#[cfg(test)]
mod tests;
