//! TLS servers for tests: an authority of their own, certificates of any length of life, and a
//! word about each handshake.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mailward_evidence::{Clock, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{HandshakeKind, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;

use crate::net::Net;

/// A net that trusts the authority `pem` and asks no resolver.
pub(crate) fn trusting(pem: &str) -> Net {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), pem).unwrap();
    Net::new(Some(file.path()), Some("127.0.0.1:9".parse().unwrap())).unwrap()
}

/// An authority, and the key of its servers.
pub(crate) struct Made {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
    key: KeyPair,
}

pub(crate) fn authority() -> Made {
    authority_called("test authority")
}

pub(crate) fn authority_called(name: &str) -> Made {
    let key = KeyPair::generate().unwrap();
    let mut root = CertificateParams::new(Vec::new()).unwrap();
    root.distinguished_name.push(DnType::CommonName, name);
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = root.self_signed(&key).unwrap().pem();
    Made { pem, issuer: Issuer::new(root, key), key: KeyPair::generate().unwrap() }
}

impl Made {
    /// A certificate for localhost and 127.0.0.1 that has so many days left.
    pub(crate) fn leaf(&self, days: i64) -> CertificateDer<'static> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = "localhost";
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2018, 1, 1);
        // midnight UTC of that day, so that a test does not depend on the hour
        let end = SystemClock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let end = end.checked_add(jiff::Span::new().days(days)).unwrap();
        let (month, day) = (end.month().unsigned_abs(), end.day().unsigned_abs());
        params.not_after = date_time_ymd(end.year().into(), month, day);
        let made = params.signed_by(&self.key, &self.issuer).unwrap();
        made.der().clone()
    }
}

/// A running server.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    /// What each handshake was.
    pub(crate) handshakes: mpsc::Receiver<Option<HandshakeKind>>,
}

impl Made {
    /// A certificate for a client by this authority, and its key, both as PEM.
    pub(crate) fn client(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["probe.example.test".to_owned()]).unwrap();
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A server over TLS that lets in only clients with a certificate of this authority.
    pub(crate) fn acceptor_for_clients(&self) -> TlsAcceptor {
        let key = PrivateKeyDer::Pkcs8(self.key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.pem.as_bytes()).unwrap()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            Arc::new(roots),
            provider.clone(),
        );
        let settings = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.build().unwrap())
            .with_single_cert(vec![self.leaf(30)], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(settings))
    }
}

fn acceptor(
    made: &Made,
    leaf: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> TlsAcceptor {
    let key = PrivateKeyDer::Pkcs8(made.key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(settings))
}

pub(crate) async fn serve(
    made: &Made,
    leaf: CertificateDer<'static>,
    versions: &[&'static SupportedProtocolVersion],
) -> Served {
    let acceptor = acceptor(made, leaf, versions);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, handshakes) = mpsc::channel(16);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(tcp).await {
                let kind = stream.get_ref().1.handshake_kind();
                let _ = told.try_send(kind);
                let _ = stream.write_all(b"hello").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    Served { address, handshakes }
}

/// A server whose certificate has so many days left, and the authority to trust.
pub(crate) async fn server_until_days(days: i64) -> (String, SocketAddr) {
    let made = authority();
    let served = serve(&made, made.leaf(days), rustls::ALL_VERSIONS).await;
    (made.pem, served.address)
}

/// An HTTPS server for tests.
pub(crate) struct Endpoint {
    pub(crate) pem: String,
    pub(crate) address: SocketAddr,
    bodies: Arc<Mutex<Vec<String>>>,
}

impl Endpoint {
    /// The bodies of the requests so far.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }
}

/// A server that answers each request's body with a status and JSON, and closes.
pub(crate) async fn endpoint(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> Endpoint {
    endpoint_saying(move |body| {
        let (status, json) = answer(body);
        format!("HTTP/1.1 {status} x\r\nContent-Length: {}\r\n\r\n{json}", json.len())
    })
    .await
}

/// The same, where the whole answer is made for the test.
pub(crate) async fn endpoint_saying(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> Endpoint {
    let made = authority();
    let acceptor = acceptor(&made, made.leaf(30), rustls::ALL_VERSIONS);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let bodies: Arc<Mutex<Vec<String>>> = Arc::default();
    let (kept, answer) = (bodies.clone(), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let (acceptor, kept, answer) = (acceptor.clone(), kept.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(tcp).await else { return };
                let body = request_body(&mut stream).await;
                let said = answer(&body);
                kept.lock().unwrap().push(body);
                let _ = stream.write_all(said.as_bytes()).await;
                let _ = stream.shutdown().await;
            });
        }
    });
    Endpoint { pem: made.pem, address, bodies }
}

/// The body of a request, by its Content-Length.
async fn request_body(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> String {
    let mut read = Vec::new();
    let mut bytes = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
            });
            if body.len() >= length.unwrap_or(0) {
                return body.to_owned();
            }
        }
        match stream.read(&mut bytes).await {
            Ok(count) if count > 0 => read.extend_from_slice(&bytes[..count]),
            _ => return String::new(),
        }
    }
}
