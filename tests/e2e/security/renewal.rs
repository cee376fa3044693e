//! The reporter's own certificate, by an authority that nobody but the agent knows: exchanged
//! twenty times while an agent and a loader deliver, without a body that fails.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::support::{Running, free_port, run, run_ok, scratch, wait_for, write};

const SWAPS: u32 = 20;

/// An authority of the test's own.
struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut root = CertificateParams::new(Vec::new()).expect("parameters");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = root.self_signed(&key).expect("a certificate").pem();
        Self { pem, issuer: Issuer::new(root, key) }
    }

    /// A certificate for 127.0.0.1, and its key.
    fn leaf(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("parameters");
        (params.signed_by(&key, &self.issuer).expect("a certificate").pem(), key.serialize_pem())
    }
}

fn install(directory: &Path, (certificate, key): &(String, String)) {
    // one after the other, so that the reporter may look in between
    write(directory, "chain.pem", certificate);
    write(directory, "key.pem", key);
}

fn client_tls(authority: &str) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).expect("PEM")).expect("a root");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The certificate that is shown now; `None` while nobody answers.
fn shown(address: SocketAddr, authority: &str) -> Option<Vec<u8>> {
    let mut tcp = std::net::TcpStream::connect(address).ok()?;
    let name = rustls::pki_types::ServerName::from(address.ip());
    let config = Arc::new(client_tls(authority));
    let mut tls = rustls::ClientConnection::new(config, name).expect("a connection");
    while tls.is_handshaking() {
        tls.complete_io(&mut tcp).ok()?;
    }
    Some(tls.peer_certificates()?.first()?.to_vec())
}

/// Posts bodies of one record until it is told to stop, each over a connection of its own.
async fn load(
    address: SocketAddr,
    authority: String,
    token: String,
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
) {
    for minute in 0.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let at = jiff::Timestamp::from_second(1_790_000_000 + minute * 60).expect("an instant");
        let body = format!(
            "{{\"v\":1,\"kind\":\"outcome\",\"agent\":\"loader\",\"probe\":\"a\",\"due\":\"{at}\",\
             \"attempt\":0,\"next_due_s\":60,\"took_ms\":1,\"verdict\":\"up\",\"reason\":null,\
             \"phases\":{{}},\"facts\":{{}}}}\n"
        );
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(client_tls(&authority))
            .no_proxy()
            .build()
            .expect("a client");
        let request = client
            .post(format!("https://{address}/api/v1/evidence"))
            .header("authorization", format!("Bearer {token}"))
            .body(body);
        let answer = request.send().await.expect("no delivery fails");
        assert_eq!(answer.status(), 200);
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_certificate_is_renewed_under_load_without_a_failed_body() {
    let scratch = scratch();
    let directory = scratch.path();
    let authority = Authority::new();
    write(directory, "ca.pem", &authority.pem);
    install(directory, &authority.leaf());
    let address = free_port();
    let definition = format!(
        "[service]\nname = \"Renewal\"\nzone = \"UTC\"\n[[component]]\nid = \"door\"\n\
         [agent]\nname = \"leeds-1\"\ntrust = \"ca.pem\"\ntoken = {{ file = \"token\" }}\n\
         [reporter.tls]\ncertificate = \"chain.pem\"\nkey = {{ file = \"key.pem\" }}\n\
         [[probe]]\nid = \"a\"\ncomponent = \"door\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\n\
         port = {}\nevery = \"1s\"\ntimeout = \"1s\"\n",
        address.port()
    );
    let config = write(directory, "probes.toml", &definition).display().to_string();
    let data = directory.join("reporter").display().to_string();
    let enrol = |name| run_ok(["agents", "add", name, "--site", "internet", "--data", &data]);
    write(directory, "token", &enrol("leeds-1"));
    let loader = enrol("loader").trim().to_owned();
    let mut reporter = Running::start([
        "reporter",
        "--config",
        &config,
        "--data",
        &data,
        "--listen",
        &address.to_string(),
    ]);
    reporter.wait_line(&format!("https://{address}/"));
    let own = directory.join("agent").display().to_string();
    let agent = Running::start([
        "agent",
        "--config",
        &config,
        "--data",
        &own,
        "--listen",
        &free_port().to_string(),
        "--reporter",
        &format!("https://{address}"),
    ]);
    wait_for("the reporter", || shown(address, &authority.pem));

    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let loading = {
        let (stop, sent, pem) = (stop.clone(), sent.clone(), authority.pem.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(load(address, pem, loader, stop, sent));
        })
    };
    let pid = reporter.pid().to_string();
    let reload = || {
        let asked = std::process::Command::new("kill").args(["-HUP", &pid]).status();
        assert!(asked.expect("run kill").success());
    };
    let foreign = Authority::new();
    for swap in 0..SWAPS {
        let next = authority.leaf();
        if swap % 5 == 0 {
            // a key that is not the certificate's: refused, and the old one goes on
            let before = shown(address, &authority.pem);
            install(directory, &(next.0.clone(), foreign.leaf().1));
            let refusals = || reporter.said().matches("the old one goes on").count();
            let before_it = refusals();
            reload();
            wait_for("the pair to be refused", || (refusals() > before_it).then_some(()));
            assert_eq!(shown(address, &authority.pem), before);
        }
        install(directory, &next);
        reload();
        let expect = CertificateDer::from_pem_slice(next.0.as_bytes()).expect("PEM").to_vec();
        let sent_before = sent.load(Ordering::Relaxed);
        wait_for("the new certificate and a delivery under it", || {
            let is_new = shown(address, &authority.pem)? == expect;
            (is_new && sent.load(Ordering::Relaxed) > sent_before).then_some(())
        });
        assert!(!loading.is_finished(), "a delivery failed");
    }
    stop.store(true, Ordering::Relaxed);
    loading.join().expect("no delivery failed");
    let metrics = reqwest_text(&format!("https://{address}/metrics"), &authority.pem);
    assert!(metrics.contains("\nmailward_reporter_certificate_expiry_timestamp_seconds "));
    let said = agent.said();
    assert!(!said.contains("do not reach the reporter"), "{said}");
    let count = |name: &str| {
        let text = run_ok(["export", "--data", &data]);
        let of = format!("\"agent\":\"{name}\"");
        text.lines().filter(|l| l.contains("\"outcome\"") && l.contains(&of)).count()
    };
    wait_for("the agent's evidence", || (count("leeds-1") > 0).then_some(()));
    assert!(agent.stop().success());
    assert_eq!(count("loader") as u64, sent.load(Ordering::Relaxed));
    assert!(reporter.stop().success());
    // and what is wrong with the files is told before anybody starts with them
    write(directory, "key.pem", &foreign.leaf().1);
    let checked = run(["check", "--config", &config]);
    let said = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(64), "{said}");
    assert!(
        said.contains("probes.toml:10:1: tls: expected an RSA, ECDSA or Ed25519 key"),
        "{said}"
    );
}

fn reqwest_text(url: &str, authority: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(client_tls(authority))
            .no_proxy()
            .build()
            .expect("a client");
        let answer = client.get(url).send().await.expect("an answer");
        let hsts = answer.headers().get("strict-transport-security").cloned();
        assert_eq!(hsts.expect("HSTS"), "max-age=31536000");
        answer.text().await.expect("a text")
    })
}
