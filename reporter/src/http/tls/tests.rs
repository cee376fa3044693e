//! Which pairs are shown, how they are exchanged under open connections, and that a stranger's
//! handshake costs a bounded time.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use mailward_catalogue::SecretRef;
use mailward_evidence::ManualClock;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use super::*;
use crate::http::serve;

const NOW: &str = "2026-11-22T12:00:00Z";

/// A directory with `chain.pem` and `key.pem`.
struct Place {
    directory: tempfile::TempDir,
    tls: ReporterTls,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = SecretRef::File(directory.path().join("key.pem"));
        let tls = ReporterTls { certificate: directory.path().join("chain.pem"), key };
        Self { directory, tls }
    }

    fn write(&self, certificate: &str, key: &str) {
        std::fs::write(&self.tls.certificate, certificate).unwrap();
        std::fs::write(self.directory.path().join("key.pem"), key).unwrap();
    }
}

/// A certificate for localhost from 2020 to the first day of a year, and its key.
fn pair(until: i32) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_before = date_time_ymd(if until > 2099 { 2099 } else { 2020 }, 1, 1);
    params.not_after = date_time_ymd(until, 1, 1);
    (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new(NOW.parse().unwrap()))
}

#[test]
fn pairs_that_do_not_do_are_refused_and_the_old_one_stays() {
    let place = Place::new();
    let (certificate, key) = pair(2030);
    place.write(&certificate, &key);
    let tls = Tls::new(&place.tls, clock()).unwrap();
    assert!(matches!(tls.look(), Looked::Same));
    let (other, other_key) = pair(2031);
    let check = |certificate: &str, key: &str, expect: &str| {
        place.write(certificate, key);
        let looked = match tls.look() {
            Looked::Refused(error) => causes(&error),
            other => format!("{other:?}"),
        };
        let path = place.directory.path().display().to_string();
        assert_eq!(looked.replace(&path, "DIR"), expect);
        assert_eq!(tls.expires().to_string(), "2030-01-01T00:00:00Z");
    };
    let half = |text: &str| text[..text.len() / 2].to_owned();
    let no_chain = "DIR/chain.pem: expected a certificate and its chain as PEM, at most 16";
    let foreign = "expected an RSA, ECDSA or Ed25519 key that belongs to the certificate in \
                   DIR/chain.pem";
    check(&other, &key, foreign);
    check(&certificate, &other_key, foreign);
    check(&half(&other), &other_key, no_chain);
    check("", &other_key, no_chain);
    check(&other.repeat(17), &other_key, no_chain);
    check(&other, &half(&other_key), "file DIR/key.pem: expected a private key as PEM");
    check(&other, "", "read the certificate's key: the secret in file DIR/key.pem is empty");
    check(&other_key, &other, no_chain);
    let (past, past_key) = pair(2026);
    let expired = "the certificate in DIR/chain.pem expired at 2026-01-01T00:00:00Z";
    check(&past, &past_key, expired);
    let (early, early_key) = pair(2100);
    let not_yet = "the certificate in DIR/chain.pem is not valid before 2099-01-01T00:00:00Z";
    check(&early, &early_key, not_yet);
    std::fs::remove_file(&place.tls.certificate).unwrap();
    let looked = tls.look();
    assert!(matches!(looked, Looked::Refused(PairError::Certificate { .. })), "{looked:?}");
    place.write(&other, &other_key);
    assert!(matches!(tls.look(), Looked::Exchanged));
    assert_eq!(tls.expires().to_string(), "2031-01-01T00:00:00Z");
    assert!(matches!(tls.look(), Looked::Same));
    // a key that is made anew for the same names is another pair
    let (renewed, renewed_key) = pair(2031);
    place.write(&renewed, &renewed_key);
    assert!(matches!(tls.look(), Looked::Exchanged));
}

#[test]
fn what_is_caught_half_written_is_said_only_when_it_lasts() {
    let mut told = Told::default();
    let said: Vec<bool> = ["a", "a", "a", "b", "a", "a"].map(|text| told.is_news(text)).into();
    assert_eq!(said, [false, true, false, false, false, true]);
}

#[test]
fn a_first_pair_must_be_one_and_may_have_expired() {
    let place = Place::new();
    let (past, key) = pair(2026);
    place.write(&past, &key);
    assert!(Tls::new(&place.tls, clock()).is_ok());
    place.write(&pair(2030).0, &key);
    assert!(matches!(Tls::new(&place.tls, clock()), Err(PairError::Mismatch(_))));
}

/// Accepts whatever certificate it is shown and tells which: these tests are about which it is.
fn connector(certificates: &[&str], alpn: &[&[u8]]) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for pem in certificates {
        roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    config.resumption = rustls::client::Resumption::disabled();
    TlsConnector::from(Arc::new(config))
}

type Encrypted = tokio_rustls::client::TlsStream<TcpStream>;

async fn open(address: SocketAddr, connector: &TlsConnector) -> std::io::Result<Encrypted> {
    let tcp = TcpStream::connect(address).await?;
    connector.connect(ServerName::try_from("localhost").unwrap(), tcp).await
}

async fn ask(stream: &mut Encrypted) -> String {
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = vec![0; 4096];
    let read = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

fn shown(stream: &Encrypted) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

/// A server with a pair; the first to end it is whoever drops the sender.
async fn server(tls: &Tls) -> (SocketAddr, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let router = Router::new().route("/", get(|| async { "hello" }));
    tokio::spawn(serve::serve(listener, Some(tls.clone()), router, stopping));
    (address, stop)
}

#[tokio::test]
async fn connections_outlive_the_certificate_they_began_with() {
    let place = Place::new();
    let (first, second) = (pair(2090), pair(2091));
    place.write(&first.0, &first.1);
    let tls = Tls::new(&place.tls, clock()).unwrap();
    let (address, _stop) = server(&tls).await;
    let connector = connector(&[&first.0, &second.0], &[b"http/1.1"]);
    let mut before = open(address, &connector).await.unwrap();
    assert!(ask(&mut before).await.contains("hello"));
    assert_eq!(before.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    place.write(&second.0, &second.1);
    assert!(matches!(tls.look(), Looked::Exchanged));
    let mut after = open(address, &connector).await.unwrap();
    assert!(ask(&mut after).await.contains("hello"));
    assert!(ask(&mut before).await.contains("hello"), "it goes on");
    assert_ne!(shown(&before), shown(&after));
    let der = CertificateDer::from_pem_slice(second.0.as_bytes()).unwrap();
    assert_eq!(shown(&after), der);
}

/// A definition that names these files.
fn in_force(place: &Place) -> Arc<InForce> {
    let directory = place.directory.path().display();
    let text = format!(
        "[service]\nname = \"a\"\nzone = \"UTC\"\n[[component]]\nid = \"a\"\n[reporter.tls]\n\
         certificate = \"{directory}/chain.pem\"\nkey = {{ file = \"{directory}/key.pem\" }}\n"
    );
    let parsed = mailward_catalogue::parse("probes.toml", &text);
    let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
    Arc::new(InForce::new(Arc::new(catalogue), "", 0))
}

#[tokio::test]
async fn files_are_looked_at_when_asked_and_by_themselves() {
    let place = Place::new();
    let first = pair(2090);
    place.write(&first.0, &first.1);
    let tls = Tls::new(&place.tls, clock()).unwrap();
    let (stop, stopping) = watch::channel(false);
    let (renew, definition) = watch::channel(in_force(&place));
    let keeper = tokio::spawn(tls.clone().keep(definition, stopping));
    for (year, asked) in [(2091, true), (2092, false)] {
        let next = pair(year);
        place.write(&next.0, &next.1);
        if asked {
            renew.send(in_force(&place)).unwrap();
        }
        let expect = format!("{year}-01-01T00:00:00Z");
        let exchanged = async {
            while tls.expires().to_string() != expect {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), exchanged).await.unwrap();
    }
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), keeper).await.unwrap().unwrap();
}

#[tokio::test]
async fn strangers_get_no_further_than_the_handshake() {
    let place = Place::new();
    let first = pair(2090);
    place.write(&first.0, &first.1);
    let tls = Tls::new(&place.tls, clock()).unwrap();
    let (address, stop) = server(&tls).await;
    // another protocol inside, plain HTTP, and silence
    let other = connector(&[&first.0], &[b"h2"]);
    assert!(open(address, &other).await.is_err());
    let mut plain = TcpStream::connect(address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let silent = TcpStream::connect(address).await.unwrap();
    let mut good = open(address, &connector(&[&first.0], &[])).await.unwrap();
    assert!(ask(&mut good).await.contains("hello"), "others are served meanwhile");
    // a stop does not wait for handshakes
    stop.send(true).unwrap();
    let mut silent = silent;
    let ended = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut [0; 1])).await;
    assert!(matches!(ended, Ok(Ok(0) | Err(_))), "{ended:?}");
}
