//! Evidence that arrives after a month was published, beside a running reporter: the pages and
//! the metric flag the edition, every edition stays what it was, and the next one says it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{Catalogue, InForce};
use mailward_evidence::{Clock, ManualClock, Stopwatch, wire};
use mailward_reporter::publish::Publisher;
use mailward_reporter::run::{Settings, run};
use mailward_reporter::sign::SigningKey;
use mailward_reporter::store::{Source, Store};
use tokio::sync::watch;

const NOW: &str = "2026-11-22T09:29:00Z";
const PATIENCE: Duration = Duration::from_secs(60);
const DEFINITION: &str = "[service]\nname = \"Mail\"\nzone = \"Europe/London\"\n[[level]]\n\
    id = \"calls-answered\"\nmeasure = \"ratio\"\nseries = \"calls\"\ntarget = \"97%\"\n";

/// Keeps how many calls of a day were answered.
fn count(store: &Store, day: &str, good: u32) {
    let line = format!(
        r#"{{"v":1,"kind":"count","series":"calls","from":"{day}T00:00:00Z","to":"{day}T23:00:00Z","good":{good},"total":100}}"#
    );
    store.ingest(vec![wire::decode_line(line.as_bytes()).unwrap()], Source::Import).unwrap();
}

async fn get(base: &str, path: &str) -> Vec<u8> {
    reqwest::get(format!("{base}{path}")).await.unwrap().bytes().await.unwrap().to_vec()
}

/// Asks until the answer holds a text, or a minute has passed.
async fn wait(base: &str, path: &str, text: &str) -> String {
    let waited = Stopwatch::start();
    loop {
        let answer = String::from_utf8(get(base, path).await).unwrap();
        if answer.contains(text) {
            return answer;
        }
        assert!(waited.elapsed() < PATIENCE, "still waiting for {text}: {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn publish(store: &Store, catalogue: &Catalogue, reason: Option<&str>) {
    let key = SigningKey::of(None, store.data_dir()).unwrap();
    let publisher = Publisher { store, catalogue, definition: DEFINITION, demo: false, key: &key };
    let now_ms = store.clock().now().as_millisecond();
    publisher.publish("2026-10".parse().unwrap(), "A. Manager", reason, now_ms).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edition_is_flagged_and_stays_what_it_was() {
    const METRIC: &str = "mailward_edition_differs{month=\"2026-10\"}";
    const SENTENCE: &str = "Mail: Calls answered: 74.500 % (Missed), was 98.500 % (Met)";
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let data = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new(NOW.parse().unwrap()));
    let store = Store::open(data.path(), clock.clone()).unwrap();
    let catalogue = mailward_catalogue::parse("probes.toml", DEFINITION).catalogue.unwrap();
    count(&store, "2026-10-01", 98);
    count(&store, "2026-10-02", 99);
    publish(&store, &catalogue, None);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let settings = Settings {
        definition: watch::channel(Arc::new(InForce::new(
            Arc::new(catalogue.clone()),
            DEFINITION,
            0,
        )))
        .1,
        data: data.path().to_owned(),
        listener,
        beside: None,
        clock: clock as Arc<dyn Clock>,
        demo: false,
        pulse: watch::Sender::new(None),
        beat_every: Duration::from_secs(1),
    };
    let (stop, stopping) = watch::channel(false);
    let reporter = tokio::spawn(run(settings, stopping));
    wait(&base, "/metrics", &format!("{METRIC} 0")).await;
    let files =
        ["", ".pdf", ".json", ".csv"].map(|e| format!("/performance/2026-10/editions/1{e}"));
    let mut first = Vec::new();
    for file in &files {
        first.push(get(&base, file).await);
    }

    // a count of another month is none of this one's; a corrected one is
    count(&store, "2026-11-10", 1);
    count(&store, "2026-10-02", 51);
    wait(&base, "/metrics", &format!("{METRIC} 1")).await;
    wait(&base, "/performance", "Evidence that arrived since changes figures of it").await;
    wait(&base, "/performance/2026-10", SENTENCE).await;
    for (file, first) in files.iter().zip(&first) {
        assert!(get(&base, file).await == *first, "{file} is what it was");
    }

    publish(&store, &catalogue, Some("a day was counted wrongly"));
    wait(&base, "/metrics", &format!("{METRIC} 0")).await;
    let page = wait(&base, "/performance/2026-10", "What this edition changes").await;
    for said in [
        "because: a day was counted wrongly",
        "98.500 %",
        "74.500 %",
        "<dt>Approved by</dt><dd>A. Manager</dd>",
    ] {
        assert!(page.contains(said), "no {said} in {page}");
    }
    assert!(!page.contains("Evidence that arrived since"), "{page}");
    for (file, first) in files.iter().zip(&first).skip(1) {
        assert!(get(&base, file).await == *first, "{file} is what it was");
    }
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), reporter).await.unwrap().unwrap().unwrap();
}
