//! The agent as a whole, on real sockets: the lab as the service, and a small reporter that
//! keeps what it is sent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use mailward_agent::{Memory, OnceError, RunError, Settings, probe_once, run};
use mailward_catalogue::{Catalogue, InForce, Secret};
use mailward_evidence::{
    AgentName, Clock, Outcome, Reason, Record, Roster, SiteName, SystemClock, Verdict, wire,
};
use mailward_lab::{Fault, Lab, LabSettings, Part};
use tokio::sync::watch;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(60);

/// What the reporter was sent; it changes with each body.
type Kept = Arc<Mutex<Vec<Record>>>;

struct Reporter {
    address: SocketAddr,
    kept: Kept,
    changed: watch::Receiver<usize>,
}

impl Reporter {
    async fn start() -> Self {
        let kept = Kept::default();
        let (tell, changed) = watch::channel(0);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = axum::Router::new()
            .route("/api/v1/evidence", axum::routing::post(ingest))
            .with_state((Arc::clone(&kept), Arc::new(tell)));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { address, kept, changed }
    }

    fn outcomes(&self, probe: &str) -> Vec<Outcome> {
        let kept = self.kept.lock().unwrap();
        let outcomes = kept.iter().filter_map(|record| match record {
            Record::Outcome(outcome) if outcome.probe.as_str() == probe => Some(outcome.clone()),
            _ => None,
        });
        outcomes.collect()
    }

    fn rosters(&self) -> Vec<Roster> {
        let kept = self.kept.lock().unwrap();
        let rosters = kept.iter().filter_map(|record| match record {
            Record::Roster(roster) => Some(roster.clone()),
            _ => None,
        });
        rosters.collect()
    }

    /// Waits until what was kept satisfies `holds`.
    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut changed = self.changed.clone();
        let wait = async {
            while !holds(self) {
                changed.changed().await.unwrap();
            }
        };
        if timeout(DEADLINE, wait).await.is_err() {
            panic!("{what} did not come: {:#?}", self.kept.lock().unwrap());
        }
    }
}

async fn ingest(
    State((kept, tell)): State<(Kept, Arc<watch::Sender<usize>>)>,
    headers: HeaderMap,
    body: Bytes,
) -> String {
    let packed = headers.contains_key("content-encoding");
    let body = if packed { wire::unpack_zstd(&body, 1 << 24).unwrap() } else { body.to_vec() };
    let records = wire::decode_lines(&body).unwrap();
    let accepted = records.len();
    kept.lock().unwrap().extend(records);
    tell.send_modify(|bodies| *bodies += 1);
    format!(r#"{{"accepted":{accepted},"duplicates":0,"conflicts":0}}"#)
}

fn catalogue(lab: &Lab, references: &str) -> Catalogue {
    let (http, smtp) = (lab.addresses().http, lab.addresses().smtp);
    let text = format!(
        r#"
        [service]
        name = "Test"
        zone = "Europe/London"

        [agent]
        name = "leeds-1"
        site = "internet"
        references = [{references}]

        [[component]]
        id = "portal"
        name = "Portal"

        [[probe]]
        id = "page"
        component = "portal"
        kind = "http"
        url = "http://{http}/"
        every = "2s"
        retry_every = "1s"
        timeout = "2s"

        [[probe]]
        id = "mx"
        component = "portal"
        kind = "smtp"
        host = "127.0.0.1"
        port = {smtp_port}
        tls = "none"
        every = "2s"
        retry_every = "1s"
        timeout = "2s"

        [[probe]]
        id = "elsewhere"
        component = "portal"
        kind = "http"
        url = "http://{http}/"
        cron = "0 0 4 * * *"
        sites = ["hscn"]
        timeout = "2s"
        "#,
        smtp_port = smtp.port(),
    );
    let parsed = mailward_catalogue::parse("test.toml", &text);
    parsed.catalogue.unwrap_or_else(|| panic!("{:#?}", parsed.faults))
}

fn settings(catalogue: Catalogue, reporter: SocketAddr, data: &Path) -> Settings {
    Settings {
        definition: watch::channel(Arc::new(InForce::new(Arc::new(catalogue), "", 0))).1,
        agent: AgentName::new("leeds-1").unwrap(),
        site: SiteName::new("internet").unwrap(),
        reporter: format!("http://{reporter}").parse().unwrap(),
        token: watch::channel(Secret::new("token".to_owned())).1,
        data: data.to_owned(),
        listen: None,
        trust: None,
        clock: Arc::new(SystemClock),
        pulse: watch::Sender::new(None),
        beat_every: Duration::from_secs(1),
    }
}

struct Running {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<Result<(), RunError>>,
}

fn start(settings: Settings) -> Running {
    let (stop, stopped) = watch::channel(false);
    Running { stop, task: tokio::spawn(run(settings, stopped)) }
}

impl Running {
    async fn stop(self) {
        self.stop.send_replace(true);
        let ended = timeout(Duration::from_secs(5), self.task).await;
        ended.expect("the agent stops within five seconds").unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_comes_and_goes_and_restarts_keep_the_roster() {
    let lab = Lab::start(LabSettings::default()).await.unwrap();
    let reporter = Reporter::start().await;
    let data = tempfile::tempdir().unwrap();
    let settings = settings(catalogue(&lab, ""), reporter.address, data.path());

    let agent = start(settings.clone());
    let last = |reporter: &Reporter, probe: &str| reporter.outcomes(probe).pop();
    reporter
        .until("up", |reporter| {
            ["page", "mx"]
                .iter()
                .all(|probe| last(reporter, probe).is_some_and(|o| o.verdict == Verdict::Up))
        })
        .await;
    lab.set(Part::Portal, Fault::Refuse).await.unwrap();
    reporter
        .until("a confirmed failure", |reporter| {
            last(reporter, "page").is_some_and(|o| {
                o.attempt > 0 && o.reason == Some(Reason::ConnectRefused) && o.next_due_ms == 1000
            })
        })
        .await;
    lab.clear(Part::Portal).await;
    reporter
        .until("recovery", |reporter| {
            last(reporter, "page").is_some_and(|o| o.verdict == Verdict::Up)
        })
        .await;
    agent.stop().await;

    let outcomes = reporter.outcomes("page");
    let distance = |pair: &[Outcome]| pair[1].due.ms() - pair[0].due.ms();
    for pair in outcomes.windows(2) {
        let next_due_ms = i64::try_from(pair[0].next_due_ms).unwrap();
        assert_eq!(distance(pair), next_due_ms, "{pair:#?}");
    }
    assert!(reporter.outcomes("mx").iter().all(|o| o.verdict == Verdict::Up));
    assert!(reporter.outcomes("elsewhere").is_empty());

    let before = reporter.outcomes("page").len();
    let agent = start(settings);
    reporter
        .until("more after a restart", |reporter| reporter.outcomes("page").len() > before)
        .await;
    agent.stop().await;
    let outcomes = reporter.outcomes("page");
    let first_after = &outcomes[before];
    let grid = |outcome: &Outcome| outcome.due.ms().rem_euclid(2000);
    assert_eq!(grid(first_after), grid(&outcomes[0]), "a restart keeps step");
    let rosters = reporter.rosters();
    assert_eq!(rosters.len(), 1, "the same roster is no news: {rosters:#?}");
    let probes: Vec<_> = rosters[0].probes.iter().map(|p| (p.id.as_str(), p.every_s)).collect();
    assert_eq!(probes, [("page", Some(2)), ("mx", Some(2))]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_without_its_references_does_not_say_down() {
    let lab = Lab::start(LabSettings::default()).await.unwrap();
    let reporter = Reporter::start().await;
    let data = tempfile::tempdir().unwrap();
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let lost = format!("\"{}\"", unused.local_addr().unwrap());
    drop(unused);
    lab.set(Part::Portal, Fault::Refuse).await.unwrap();
    let agent = start(settings(catalogue(&lab, &lost), reporter.address, data.path()));
    reporter.until("an outcome", |reporter| !reporter.outcomes("page").is_empty()).await;
    agent.stop().await;
    let outcome = &reporter.outcomes("page")[0];
    assert_eq!((outcome.verdict, &outcome.reason), (Verdict::Unknown, &Some(Reason::Isolated)));
    assert_eq!(outcome.facts.get("overruled").map(|f| &**f), Some("down: connect_refused"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_not_be_delivered_is_delivered_after_a_restart() {
    let lab = Lab::start(LabSettings::default()).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let unused = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = unused.local_addr().unwrap();
    drop(unused);
    let agent = start(settings(catalogue(&lab, ""), nobody, data.path()));
    let outbox = data.path().join("outbox");
    let grown = || {
        let entries = std::fs::read_dir(&outbox).into_iter().flatten().flatten();
        entries.filter_map(|entry| entry.metadata().ok()).map(|m| m.len()).sum::<u64>() > 1500
    };
    let waited = timeout(DEADLINE, async {
        while !grown() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.expect("outcomes are kept");
    agent.stop().await;

    let reporter = Reporter::start().await;
    let agent = start(settings(catalogue(&lab, ""), reporter.address, data.path()));
    reporter.until("the backlog", |reporter| reporter.outcomes("page").len() > 2).await;
    agent.stop().await;
    assert_eq!(reporter.rosters().len(), 1);
}

#[tokio::test]
async fn what_is_in_the_way_is_named() {
    let lab = Lab::start(LabSettings::default()).await.unwrap();
    let data = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let settings = settings(catalogue(&lab, ""), address, data.path());
    let (_stop, stopped) = watch::channel(false);

    let clash = Settings { listen: Some(address), ..settings.clone() };
    let error = run(clash, stopped.clone()).await.unwrap_err();
    assert!(matches!(error, RunError::Listen { .. }), "{error}");
    let nowhere = Settings { data: "/proc/nowhere".into(), ..settings.clone() };
    let error = run(nowhere, stopped.clone()).await.unwrap_err();
    assert!(matches!(error, RunError::Home(_)), "{error}");
    let trust = Settings { trust: Some("/nonexistent.pem".into()), ..settings.clone() };
    let error = run(trust, stopped.clone()).await.unwrap_err();
    assert!(matches!(error, RunError::Net(_)), "{error}");

    let agent = start(settings.clone());
    let holds = timeout(DEADLINE, async {
        while !data.path().join("roster.json").exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    holds.await.expect("the first agent takes hold of its directory");
    let error = run(settings, stopped).await.unwrap_err();
    assert!(error.to_string().contains("is used by another agent"), "{error}");
    agent.stop().await;
}

#[tokio::test]
async fn probes_run_once() {
    let lab = Lab::start(LabSettings::default()).await.unwrap();
    lab.set(Part::Smtp, Fault::Refuse).await.unwrap();
    let catalogue = catalogue(&lab, "");
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let outcomes = probe_once(&catalogue, &[], Memory::Passing, &clock).await.unwrap();
    let seen: Vec<_> = outcomes.iter().map(|o| (o.probe.as_str(), o.verdict)).collect();
    let expect = [("page", Verdict::Up), ("mx", Verdict::Down), ("elsewhere", Verdict::Up)];
    assert_eq!(seen, expect);
    assert_eq!(outcomes[1].reason, Some(Reason::ConnectRefused));
    assert!(outcomes[0].took_ms.is_some() && outcomes[0].phases.get("connect").is_some());

    let one = probe_once(&catalogue, &["mx".to_owned()], Memory::Passing, &clock).await.unwrap();
    assert_eq!(one.len(), 1);
    let error =
        probe_once(&catalogue, &["no".to_owned()], Memory::Passing, &clock).await.unwrap_err();
    assert!(matches!(error, OnceError::NoSuchProbe { .. }), "{error}");
}
