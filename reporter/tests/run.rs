//! The reporter as a whole: what an agent delivers over HTTP is on the page a moment later,
//! an outage appears and ends, a body that is refused leaves nothing, and a stop is prompt.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::InForce;
use mailward_evidence::{AgentName, Clock, ManualClock, Stopwatch};
use mailward_reporter::run::{Settings, run};
use mailward_reporter::store::Store;
use serde_json::Value;
use tokio::sync::watch;

const NOW: &str = "2026-11-22T09:29:00Z";
const PATIENCE: Duration = Duration::from_secs(60);
const DEFINITION: &str = r#"
[service]
name = "Mail"
zone = "Europe/London"

[[component]]
id = "owa"
name = "Outlook Web Access"

[[probe]]
id = "owa-page"
component = "owa"
kind = "http"
url = "https://mail.example.org/owa/"
every = "60s"
confirm = 2

[[level]]
id = "owa-availability"
component = "owa"
measure = "availability"
target = "99.9%"
"#;

fn at(minutes_ago: i64) -> String {
    let now: jiff::Timestamp = NOW.parse().unwrap();
    (now - jiff::SignedDuration::from_mins(minutes_ago)).to_string()
}

fn roster(minutes_ago: i64) -> String {
    let at = at(minutes_ago);
    format!(
        "{{\"v\":1,\"kind\":\"roster\",\"agent\":\"leeds-1\",\"site\":\"internet\",\"at\":\"{at}\",\
         \"probes\":[{{\"id\":\"owa-page\",\"every_s\":60}}]}}\n"
    )
}

fn outcomes(minutes_ago: std::ops::Range<i64>, verdict: &str, reason: &str) -> String {
    let line = |ago: i64| {
        let due = at(ago);
        format!(
            "{{\"v\":1,\"kind\":\"outcome\",\"agent\":\"leeds-1\",\"probe\":\"owa-page\",\
             \"due\":\"{due}\",\"attempt\":0,\"next_due_s\":60,\"took_ms\":120.5,\
             \"verdict\":\"{verdict}\",\"reason\":{reason},\"phases\":{{}},\
             \"facts\":{{\"server\":\"secret-host-name\"}}}}\n"
        )
    };
    minutes_ago.rev().map(line).collect()
}

struct Client {
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Client {
    async fn deliver(&self, body: String) -> (u16, String) {
        let request = self.http.post(format!("{}/api/v1/evidence", self.base));
        let request = request.bearer_auth(&self.token).body(body);
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn get(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.base)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Asks until the answer holds, or a minute has passed.
    async fn wait(&self, path: &str, holds: impl Fn(&str) -> bool) -> String {
        let waited = Stopwatch::start();
        loop {
            let answer = self.get(path).await;
            if holds(&answer) {
                return answer;
            }
            assert!(waited.elapsed() < PATIENCE, "still waiting: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn wait_for_state(&self, state: &str) -> Value {
        let wanted = format!("\"state\":\"{state}\"");
        let text = self.wait("/api/v1/status", |answer| answer.contains(&wanted)).await;
        serde_json::from_str(&text).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_is_shown_and_an_outage_comes_and_goes() {
    let data = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(NOW.parse().unwrap()));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let store = Store::open(data.path(), clock.clone()).unwrap();
    let token = store.add_agent(&AgentName::new("leeds-1").unwrap(), None).unwrap();
    let parsed = mailward_catalogue::parse("probes.toml", DEFINITION);
    let settings = Settings {
        definition: watch::channel(Arc::new(InForce::new(
            Arc::new(parsed.catalogue.unwrap()),
            DEFINITION,
            0,
        )))
        .1,
        data: data.path().to_owned(),
        listener,
        beside: None,
        clock: clock.clone() as Arc<dyn Clock>,
        demo: false,
        pulse: watch::Sender::new(None),
        beat_every: Duration::from_secs(1),
    };
    let (stop, stopping) = watch::channel(false);
    let reporter = tokio::spawn(run(settings, stopping));
    // no other test of this binary could have installed one before
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let http = reqwest::Client::new();
    let client = Client { base, token: token.expose().to_owned(), http };

    let born = client.wait_for_state("no_data").await;
    assert_eq!(born["components"][0]["state"], "no_data");
    assert_eq!(client.get("/readyz").await, "ready\n");

    let body = roster(61) + &outcomes(30..61, "up", "null");
    let (status, said) = client.deliver(body).await;
    assert_eq!((status, said.as_str()), (200, r#"{"accepted":32,"duplicates":0,"conflicts":0}"#));
    // half an hour of silence is no data, whatever was seen before
    let silent = format!("\"since\":\"{}\"", at(29));
    client.wait("/api/v1/status", |answer| answer.contains(&silent)).await;
    client.deliver(outcomes(10..30, "up", "null")).await;
    client.deliver(outcomes(1..10, "down", "\"connect_refused\"")).await;
    let failing = client.wait_for_state("not_working").await;
    assert_eq!(failing["components"][0]["since"], at(9));
    assert_eq!(failing["components"][0]["reason"], "the connection was refused");
    let page = client.get("/").await;
    assert!(page.contains("Our checks cannot reach"), "{page}");
    for private in ["leeds-1", "secret-host-name", "owa-page", "example.org"] {
        assert!(!page.contains(private), "{private} is for operators");
        assert!(!failing.to_string().contains(private), "{private} is for operators");
    }
    let metrics = client.get("/metrics").await;
    assert!(metrics.contains("mailward_component_up{component=\"owa\"} 0"), "{metrics}");
    assert!(
        metrics.contains("mailward_evidence_records_total{agent=\"leeds-1\",kind=\"outcome\"} 60")
    );
    assert!(metrics.contains(
        "mailward_probe_duration_seconds_bucket{probe=\"owa-page\",component=\"owa\",\
         kind=\"http\",le=\"0.25\"} "
    ));
    assert!(metrics.contains("mailward_agent_last_seen_timestamp_seconds{agent=\"leeds-1\"}"));

    clock.advance(Duration::from_secs(120));
    client.deliver(outcomes(-1..1, "up", "null")).await;
    let ended = client.wait_for_state("working").await;
    assert_eq!(ended["outages"][0]["from"], at(9));
    assert_eq!(ended["outages"][0]["to"], at(0));
    let address = ended["outages"][0]["url"].as_str().unwrap();
    assert!(client.get(address).await.contains("could not reach Outlook Web Access for 9 min"));
    // the month's figures follow in their own time
    client.wait("/api/v1/status", |answer| !answer.contains("n/a")).await;
    let text = client.get("/metrics").await;
    assert!(text.contains("mailward_error_budget_remaining_seconds{level=\"owa-availability\"}"));
    assert!(text.contains("mailward_availability_ratio{level=\"owa-availability\"} 0."), "{text}");

    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), reporter).await.unwrap().unwrap().unwrap();
}
