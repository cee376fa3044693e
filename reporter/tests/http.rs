//! The routes, asked as clients ask: statuses, headers, caching, who may read what, and that
//! slow and stopping are bounded.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "pages/fixture.rs"]
mod fixture;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use fixture::{NOW, bad_morning, shell};
use mailward_catalogue::InForce;
use mailward_evidence::{Clock, ManualClock};
use mailward_reporter::http::archive::Archive;
use mailward_reporter::http::bundle::Bundle;
use mailward_reporter::http::serve::{self, Peer};
use mailward_reporter::http::{Site, router};
use mailward_reporter::sign::SigningKey;
use mailward_reporter::store::{NewEdition, Seal, Store};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tower::ServiceExt as _;

const DEFINITION: &str = r#"
[service]
name = "NHSmail"
zone = "Europe/London"

[reporter]
metrics_allow = ["192.0.2.0/24"]
trusted_proxies = ["10.0.0.0/8"]

[[component]]
id = "owa"
name = "Outlook Web Access"

[[probe]]
id = "owa-page"
component = "owa"
kind = "http"
url = "https://mail.example.org/owa/"
every = "60s"
"#;

struct Reporter {
    router: Router,
    _data: TempDir,
    /// Keeps the bundle's sender alive.
    _publish: watch::Sender<Arc<Bundle>>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(&name).map_or("", |v| v.to_str().unwrap())
    }
}

fn reporter() -> Reporter {
    let data = tempfile::tempdir().unwrap();
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(NOW.parse().unwrap()));
    let store = Store::open(data.path(), clock).unwrap();
    for edition in 1..=2 {
        store.put_edition(edition_of("2026-09", edition)).unwrap();
    }
    store.put_edition(edition_of("2026-10", 1)).unwrap();
    let parsed = mailward_catalogue::parse("probes.toml", DEFINITION);
    let catalogue = Arc::new(parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults)));
    let metrics = "# TYPE mailward_build_info gauge\n".to_owned();
    let bundle = Bundle::new(bad_morning(), metrics, &shell(false)).unwrap();
    let (publish, bundle) = watch::channel(Arc::new(bundle));
    let in_force = InForce::new(catalogue, "", 0);
    let (_, definition) = watch::channel(Arc::new(in_force));
    let archive = Archive::new(store);
    let site = Arc::new(Site::new(bundle, archive, definition));
    Reporter { router: router(site, Router::new()), _data: data, _publish: publish }
}

fn edition_of(month: &str, edition: u32) -> NewEdition {
    let report = serde_json::json!({
        "service": "NHSmail", "month": month, "zone": "Europe/London", "edition": edition,
        "supersedes": null, "to_date": false, "as_of": "2026-11-05T00:00:00Z",
        "period": {"from": "2026-10-01T00:00:00Z", "to": "2026-11-01T00:00:00Z", "seconds": 0},
        "levels": [], "components": [], "exclusions": [],
        "method": {"program": "", "zone_data": "", "agents": [], "probes": [], "maintenance": ""},
    });
    NewEdition {
        month: month.into(),
        edition,
        as_of_ms: 0,
        published_ms: 0,
        by: "a person".into(),
        reason: (edition > 1).then(|| "late evidence".into()),
        report_json: report.to_string(),
        pdf: b"%PDF-1.7".to_vec(),
        outages_csv: "level\n".into(),
        daily_csv: "date\n".into(),
        definition_toml: DEFINITION.into(),
        segments: Vec::new(),
        seal: (month == "2026-10").then(sealed),
    }
}

/// A manifest without parts, signed.
fn sealed() -> Seal {
    let (key, _) = SigningKey::generate().unwrap();
    let manifest = "# mailward edition, format 1\n".to_owned();
    let signature = key.sign(manifest.as_bytes());
    Seal { manifest, signature, public_key: key.public().to_pem() }
}

impl Reporter {
    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn every_address_answers_with_its_kind() {
    let reporter = reporter();
    for (path, kind) in [
        ("/", "text/html"),
        ("/components/owa", "text/html"),
        ("/components/owa/days/2026-11-18", "text/html"),
        ("/components/owa/days/2020-01-01", "text/html"),
        ("/components/owa/outages/2026-11-18T02:10:00Z", "text/html"),
        ("/components/owa/outages/2026-11-18T02:30:00Z", "text/html"),
        ("/performance", "text/html"),
        ("/performance/2026-10", "text/html"),
        ("/performance/2026-10.pdf", "application/pdf"),
        ("/performance/2026-10.json", "application/json"),
        ("/performance/2026-10.csv", "text/csv"),
        ("/performance/2026-10/daily.csv", "text/csv"),
        ("/performance/2026-10/report.json", "application/json"),
        ("/performance/2026-10/editions/1/manifest.txt", "text/plain"),
        ("/performance/2026-10/editions/1/manifest.sig", "application/octet-stream"),
        ("/performance/2026-10/editions/1/public-key.pem", "application/x-pem-file"),
        ("/performance/2026-09/editions/2/report.pdf", "application/pdf"),
        ("/performance/keys", "text/html"),
        ("/performance/keys.pem", "application/x-pem-file"),
        ("/performance/2026-09/editions/1", "text/html"),
        ("/performance/2026-09/editions/1.pdf", "application/pdf"),
        ("/performance/2026-09/editions/2.json", "application/json"),
        ("/feed.atom", "application/atom+xml"),
        ("/badge/owa.svg", "image/svg+xml"),
        ("/api/v1/status", "application/json"),
        ("/api/v1/components/owa/history?days=7", "application/json"),
        ("/openapi.json", "application/json"),
        ("/style.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/healthz", "text/plain"),
        ("/readyz", "text/plain"),
    ] {
        let answer = reporter.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        let got = answer.header(header::CONTENT_TYPE);
        assert!(got.starts_with(kind), "{path}: {got}");
        let policy = answer.header(header::CONTENT_SECURITY_POLICY);
        assert!(policy.starts_with("default-src 'none'"), "{path}");
        assert_eq!(answer.header(header::X_CONTENT_TYPE_OPTIONS), "nosniff", "{path}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_said_in_the_page_s_style() {
    let reporter = reporter();
    for (path, status, says) in [
        ("/nothing", 404, "nothing at this address"),
        ("/components/none", 404, "no part of that name"),
        ("/badge/none.svg", 404, "no part of that name"),
        ("/badge/owa.png", 404, "no part of that name"),
        ("/components/owa/days/2026-11-23", 404, "no such day"),
        ("/components/owa/days/2026-11-31", 404, "no such day"),
        ("/components/owa/days/20261118", 404, "no such day"),
        ("/components/owa/outages/yesterday", 404, "no such outage"),
        ("/components/owa/outages/2026-11-18T12:00:00Z", 404, "No outage is on record"),
        ("/components/owa/outages/1990-11-18T12:00:00Z", 404, "No outage is on record"),
        ("/performance/2026-11", 404, "November 2026 has not been published"),
        ("/performance/2026-13", 404, "no such month"),
        ("/performance/2026-13.pdf", 404, "no such month"),
        ("/performance/..%2f..%2fetc", 404, "no such month"),
        ("/performance/2026-09/editions/3.pdf", 404, "no such edition"),
        ("/performance/2026-09/editions/01", 404, "no such edition"),
        ("/performance/2026-09/weekly.csv", 404, "nothing at this address"),
        ("/performance/2026-09/editions/1/manifest.txt", 404, "before editions were signed"),
        ("/performance/2026-09/editions/3/report.pdf", 404, "no such edition"),
        // the evidence and the definition name agents and hosts
        ("/performance/2026-10/evidence.zst", 404, "nothing at this address"),
        ("/performance/2026-10/editions/1/evidence.zst", 404, "nothing at this address"),
        ("/performance/2026-10/editions/1/definition.toml", 404, "nothing at this address"),
    ] {
        let answer = reporter.get(path).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        assert!(answer.text().contains(says), "{path}: {}", answer.text());
        assert!(answer.text().starts_with("<!doctype html>"), "{path}");
    }
    let post = Request::post("/performance").body(Body::empty()).unwrap();
    assert_eq!(reporter.ask(post).await.status, StatusCode::METHOD_NOT_ALLOWED);
    for (query, status) in [("?days=0", 400), ("?days=91", 400), ("?days=x", 400), ("", 200)] {
        let answer = reporter.get(&format!("/api/v1/components/owa/history{query}")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
    }
    assert_eq!(reporter.get("/api/v1/components/none/history").await.status.as_u16(), 404);
}

#[tokio::test]
async fn pages_are_compressed_and_not_sent_twice() {
    let reporter = reporter();
    let plain = reporter.get("/").await;
    let ask = |name: header::HeaderName, value: String| {
        Request::get("/").header(name, value).body(Body::empty()).unwrap()
    };
    let gzip = reporter.ask(ask(header::ACCEPT_ENCODING, "gzip".into())).await;
    assert_eq!(gzip.header(header::CONTENT_ENCODING), "gzip");
    assert!(gzip.body.len() * 4 < plain.body.len());
    let etag = plain.header(header::ETAG).to_owned();
    let again = reporter.ask(ask(header::IF_NONE_MATCH, etag)).await;
    assert_eq!((again.status, again.body.len()), (StatusCode::NOT_MODIFIED, 0));
    let head = Request::head("/").body(Body::empty()).unwrap();
    let head = reporter.ask(head).await;
    assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
    let fixed = reporter.get("/performance/2026-09/editions/1.pdf").await;
    assert!(fixed.header(header::CACHE_CONTROL).contains("immutable"));
    let latest = reporter.get("/performance/2026-09.pdf").await;
    assert!(!latest.header(header::CACHE_CONTROL).contains("immutable"));
}

#[tokio::test]
async fn metrics_are_for_neighbours() {
    let reporter = reporter();
    let ask = |peer: Option<&str>, handed_on: Option<&str>| {
        let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
        if let Some(peer) = peer {
            let address: SocketAddr = peer.parse().unwrap();
            request.extensions_mut().insert(Peer { address, is_encrypted: false });
        }
        if let Some(handed_on) = handed_on {
            request.headers_mut().insert("x-forwarded-for", handed_on.parse().unwrap());
        }
        reporter.ask(request)
    };
    for (peer, handed_on, status) in [
        (Some("127.0.0.1:1"), None, 200),
        (Some("[::1]:1"), None, 200),
        (Some("192.0.2.77:1"), None, 200),
        (Some("127.0.0.1:1"), Some("192.0.2.77"), 403),
        (Some("203.0.113.1:1"), None, 403),
        (Some("203.0.113.1:1"), Some("127.0.0.1"), 403),
        // a trusted proxy is believed, whatever its client claims
        (Some("10.0.0.1:1"), Some("192.0.2.77"), 200),
        (Some("10.0.0.1:1"), Some("203.0.113.1"), 403),
        (Some("10.0.0.1:1"), Some("127.0.0.1, 203.0.113.1"), 403),
        (Some("10.0.0.1:1"), Some("unknown"), 403),
        (Some("10.0.0.1:1"), None, 403),
        (None, None, 403),
    ] {
        let answer = ask(peer, handed_on).await;
        assert_eq!(answer.status.as_u16(), status, "{peer:?} {handed_on:?}");
    }
}

#[tokio::test]
async fn the_api_and_its_description_agree() {
    let reporter = reporter();
    let status: serde_json::Value =
        serde_json::from_slice(&reporter.get("/api/v1/status").await.body).unwrap();
    assert_eq!(status["state"], "not_working");
    assert_eq!(status["components"][4]["since"], "2026-11-22T09:05:00Z");
    assert_eq!(status["components"][4]["month_to_date"]["shown_pct"], "99.851");
    assert_eq!(status["outages"][0]["to"], serde_json::Value::Null);
    let history = reporter.get("/api/v1/components/owa/history?days=7").await;
    let history: serde_json::Value = serde_json::from_slice(&history.body).unwrap();
    assert_eq!(history["days"].as_array().unwrap().len(), 7);
    assert_eq!(history["days"][2]["form"], "not working");
    assert_eq!(history["days"][2]["down_s"], 2820);
    assert_eq!(history["outages"].as_array().unwrap().len(), 2);
    let described = reporter.get("/openapi.json").await;
    let described: serde_json::Value = serde_json::from_slice(&described.body).unwrap();
    assert_eq!(described["info"]["version"], env!("CARGO_PKG_VERSION"));
    let schemas = &described["components"]["schemas"];
    for (value, schema) in [(&status, "Status"), (&history, "History")] {
        let known = schemas[schema]["properties"].as_object().unwrap();
        for key in value.as_object().unwrap().keys() {
            assert!(known.contains_key(key), "{schema} does not describe {key}");
        }
    }
    let known = &schemas["Status"]["properties"]["components"]["items"]["properties"];
    for key in status["components"][0].as_object().unwrap().keys() {
        assert!(known.get(key).is_some(), "a component's {key} is not described");
    }
}

#[tokio::test]
async fn a_stop_lets_answers_finish_and_is_bounded() {
    let reporter = reporter();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = watch::channel(false);
    let server = tokio::spawn(serve::serve(listener, None, reporter.router.clone(), stopping));
    // one connection idles, one has sent half a head, one gets its page
    let _idle = tokio::net::TcpStream::connect(address).await.unwrap();
    let mut half = tokio::net::TcpStream::connect(address).await.unwrap();
    half.write_all(b"GET / HTTP/1.1\r\nHost:").await.unwrap();
    let mut whole = tokio::net::TcpStream::connect(address).await.unwrap();
    whole.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = [0u8; 512];
    let read = whole.read(&mut answer).await.unwrap();
    assert!(answer[..read].starts_with(b"HTTP/1.1 200 OK"));
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
}
