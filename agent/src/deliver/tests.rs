//! Delivery against a small server that answers as it is told.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use mailward_catalogue::Secret;
use mailward_evidence::{
    AgentName, Backlog, Extra, Instant, ManualClock, Record, Roster, SiteName,
};
use reqwest::header::AUTHORIZATION;
use tokio::time::timeout;
use url::Url;

use super::*;
use crate::net::Net;
use crate::outbox::keeper::Keeper;
use crate::outbox::{Limits, Outbox};

/// What the server does with one body.
#[derive(Clone, Copy, Debug)]
enum Play {
    Status(u16),
    Busy(&'static str),
    /// Keeps the records, and loses the answer.
    LoseAnswer,
    /// Says something that is no receipt.
    Portal,
}

#[derive(Default)]
struct Stage {
    script: VecDeque<Play>,
    /// Any body with this in it is refused.
    poison: Option<&'static str>,
    /// More lines than this are too large.
    most: Option<usize>,
    only_plain: bool,
    lines: Vec<String>,
    requests: usize,
    backlogs: Vec<Backlog>,
}

type Shared = Arc<Mutex<Stage>>;

async fn ingest(State(stage): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut stage = stage.lock().unwrap();
    stage.requests += 1;
    if headers[AUTHORIZATION] != "Bearer token-1" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    assert_eq!(headers["date"], "Sun, 22 Nov 2026 10:00:00 GMT");
    let told = headers["mailward-backlog"].to_str().unwrap();
    stage.backlogs.push(Backlog::parse(told).unwrap());
    let packed = headers.get(CONTENT_ENCODING).is_some();
    if packed && stage.only_plain {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let body = if packed { wire::unpack_zstd(&body, 1 << 24).unwrap() } else { body.to_vec() };
    let text = String::from_utf8(body).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    match stage.script.pop_front() {
        Some(Play::Status(status)) => return StatusCode::from_u16(status).unwrap().into_response(),
        Some(Play::Busy(after)) => {
            return (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, after)]).into_response();
        }
        Some(Play::Portal) => return "<html>log on first</html>".into_response(),
        Some(Play::LoseAnswer) => {
            stage.lines.extend(lines);
            let torn = futures_util::stream::iter([Err::<Bytes, _>(std::io::Error::other("torn"))]);
            return axum::body::Body::from_stream(torn).into_response();
        }
        None => {}
    }
    if stage.most.is_some_and(|most| lines.len() > most) {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    }
    if stage.poison.is_some_and(|poison| text.contains(poison)) {
        return (StatusCode::BAD_REQUEST, "line 1: not a record").into_response();
    }
    let receipt = format!(r#"{{"accepted":{},"duplicates":0,"conflicts":0}}"#, lines.len());
    stage.lines.extend(lines);
    receipt.into_response()
}

struct Bench {
    stage: Shared,
    url: Url,
    directory: tempfile::TempDir,
    outbox: OutboxHandle,
    metrics: Arc<Metrics>,
    _keeper: Keeper,
}

impl Bench {
    async fn new(stage: Stage) -> Self {
        let stage = Arc::new(Mutex::new(stage));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/prefix/", listener.local_addr().unwrap()).parse().unwrap();
        let router = axum::Router::new()
            .route("/prefix/api/v1/evidence", axum::routing::post(ingest))
            .with_state(Arc::clone(&stage));
        tokio::spawn(async move { axum::serve(listener, router).await });
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits { max_bytes: 1 << 24, max_age: Duration::from_secs(86_400) };
        let outbox = Outbox::open(&directory.path().join("outbox"), limits).unwrap();
        let (keeper, outbox) = Keeper::start(outbox, clock()).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        Self { stage, url, directory, outbox, metrics, _keeper: keeper }
    }

    fn keep(&self, sites: impl IntoIterator<Item = String>) {
        for (at, site) in sites.into_iter().enumerate() {
            self.outbox.keep(&Record::Roster(Roster {
                agent: AgentName::new("a").unwrap(),
                site: SiteName::new(&site).unwrap(),
                at: Instant::from_ms(i64::try_from(at).unwrap()).unwrap(),
                probes: Vec::new(),
                extra: Extra::default(),
            }));
        }
    }

    /// Delivers until the outbox is empty.
    async fn deliver(&self) {
        self.outbox.flush().await.unwrap();
        self.deliver_as("token-1", self.outbox.drained()).await;
    }

    async fn deliver_as(&self, token: &str, until: impl Future<Output = ()>) {
        let short = Duration::from_millis(2);
        let pace = Pace { linger: short, first: short, longest: short * 4 };
        let (_keep, token) = watch::channel(Secret::new(token.to_owned()));
        self.deliver_at(pace, token, until).await;
    }

    async fn deliver_at(
        &self,
        pace: Pace,
        token: watch::Receiver<Secret>,
        until: impl Future<Output = ()>,
    ) {
        let to =
            Destination { reporter: self.url.clone(), token: token.borrow().clone(), trust: None };
        let net = Arc::new(Net::new(None, None).unwrap());
        let refused = self.directory.path().join("refused");
        let (outbox, metrics) = (self.outbox.clone(), Arc::clone(&self.metrics));
        let way = Way::new(&to, net).unwrap();
        let delivery = Delivery::new(way, outbox, metrics, clock(), refused);
        let mut delivery = delivery.with_token(token);
        delivery.pace = pace;
        let (_hurry, hurried) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(delivery.run(hurried, stopped));
        timeout(Duration::from_secs(60), until).await.expect("delivery comes to an end");
        stop.send_replace(true);
        running.await.unwrap();
    }

    fn sites(&self) -> Vec<String> {
        let stage = self.stage.lock().unwrap();
        let site = |line: &String| {
            let Record::Roster(roster) = wire::decode_line(line.as_bytes()).unwrap() else {
                panic!("{line}")
            };
            roster.site.as_str().to_owned()
        };
        stage.lines.iter().map(site).collect()
    }

    fn shown(&self, line: &str) -> bool {
        let text = self.metrics.render(&self.outbox.stats(), 0, Timestamp::UNIX_EPOCH).unwrap();
        text.lines().any(|shown| shown == line)
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(ManualClock::new("2026-11-22T10:00:00Z".parse().unwrap()))
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("site-{number:05}")).collect()
}

#[tokio::test]
async fn records_arrive_in_order_packed_and_plain() {
    for only_plain in [false, true] {
        let bench = Bench::new(Stage { only_plain, ..Stage::default() }).await;
        bench.keep(numbers(0..2000));
        bench.deliver().await;
        assert_eq!(bench.sites(), numbers(0..2000));
        assert!(bench.shown("mailward_delivered_records_total 2000"));
    }
}

#[tokio::test]
async fn nothing_leaves_on_an_answer_that_is_no_receipt() {
    let script = [
        Play::Status(503),
        Play::Busy("0"),
        Play::Busy("Sun, 22 Nov 2026 09:59:00 GMT"),
        Play::Status(500),
        Play::Portal,
        Play::Status(404),
        Play::Status(302),
        Play::Status(403),
    ];
    let bench = Bench::new(Stage { script: script.into(), ..Stage::default() }).await;
    bench.keep(numbers(0..3));
    bench.deliver().await;
    assert_eq!(bench.sites(), numbers(0..3));
    assert!(bench.stage.lock().unwrap().requests > script.len());
    assert!(bench.shown("mailward_deliveries_total{result=\"later\"} 4"));
    assert!(bench.shown("mailward_deliveries_total{result=\"strange\"} 3"));
    assert!(bench.shown("mailward_deliveries_total{result=\"denied\"} 1"));
}

#[tokio::test]
async fn a_lost_answer_sends_again() {
    let bench = Bench::new(Stage { script: [Play::LoseAnswer].into(), ..Stage::default() }).await;
    bench.keep(numbers(0..3));
    bench.deliver().await;
    let mut sites = bench.sites();
    assert!(sites.len() > 3, "{sites:?}");
    sites.sort();
    sites.dedup();
    assert_eq!(sites, numbers(0..3));
}

#[tokio::test]
async fn a_poisonous_record_is_found_and_set_aside() {
    let bench = Bench::new(Stage { poison: Some("00321"), ..Stage::default() }).await;
    bench.keep(numbers(0..1000));
    bench.deliver().await;
    let mut expect = numbers(0..1000);
    let poison = expect.remove(321);
    assert_eq!(bench.sites(), expect);
    let path = bench.directory.path().join("refused/2026-11-22.ndjson");
    let aside = std::fs::read_to_string(path).unwrap();
    assert!(aside.lines().count() == 1 && aside.contains(&poison), "{aside}");
    assert!(bench.shown("mailward_refused_records_total 1"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_split() {
    let bench = Bench::new(Stage { most: Some(100), ..Stage::default() }).await;
    bench.keep(numbers(0..1000));
    bench.deliver().await;
    assert_eq!(bench.sites(), numbers(0..1000));
}

#[tokio::test]
async fn a_wrong_token_keeps_everything() {
    let bench = Bench::new(Stage::default()).await;
    bench.keep(numbers(0..3));
    bench
        .deliver_as("token-2", async {
            while bench.stage.lock().unwrap().requests < 3 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    assert_eq!(bench.outbox.stats().records, 3);
    assert_eq!(bench.sites(), Vec::<String>::new());
    bench.deliver().await;
    assert_eq!(bench.sites(), numbers(0..3));
}

#[tokio::test]
async fn another_token_is_taken_up_without_waiting() {
    let bench = Bench::new(Stage::default()).await;
    bench.keep(numbers(0..3));
    bench.outbox.flush().await.unwrap();
    let hour = Duration::from_secs(3600);
    let pace = Pace { linger: Duration::ZERO, first: hour, longest: hour };
    let (renew, token) = watch::channel(Secret::new("token-2".to_owned()));
    let renewed = async {
        while bench.stage.lock().unwrap().requests < 1 {
            tokio::task::yield_now().await;
        }
        // one that cannot stand in a header changes nothing
        renew.send(Secret::new("no\ntoken".to_owned())).unwrap();
        while bench.stage.lock().unwrap().requests < 2 {
            tokio::task::yield_now().await;
        }
        renew.send(Secret::new("token-1".to_owned())).unwrap();
        bench.outbox.drained().await;
    };
    bench.deliver_at(pace, token, renewed).await;
    assert_eq!(bench.sites(), numbers(0..3));
}

#[tokio::test]
async fn each_delivery_tells_what_waits() {
    let bench = Bench::new(Stage::default()).await;
    bench.metrics.missed("p", 3);
    bench.keep(numbers(0..7));
    bench.deliver().await;
    let told = bench.stage.lock().unwrap().backlogs.clone();
    assert_eq!(told, [Backlog { records: 7, oldest_ms: 0, dropped: 0, missed: 3 }]);
}
