//! The desk on a clock that is moved by hand: what is told, kept over a restart, told again, and
//! said of places that nobody could look at.

use std::path::Path;

use jiff::Timestamp;
use mailward_evidence::ManualClock;
use tokio::sync::mpsc;

use super::super::token::Mint;
use super::*;

const PATIENCE: Duration = Duration::from_secs(30);

struct Bench {
    clock: Arc<ManualClock>,
    desk: Arc<Desk>,
    mint: Mint,
    told: mpsc::Receiver<Told>,
    running: tokio::task::JoinHandle<()>,
}

impl Bench {
    fn open(path: &Path, clock: &Arc<ManualClock>) -> Self {
        let (ledger, restored) = Ledger::open(path).unwrap();
        let shared: Arc<dyn Clock> = Arc::clone(clock) as Arc<dyn Clock>;
        let agent = AgentName::new("a").unwrap();
        let desk = Arc::new(Desk::new(agent, ledger, restored, shared));
        let (tell, told) = mpsc::channel(10);
        let runner = Arc::clone(&desk);
        let running = tokio::spawn(async move { runner.run(tell, None, None).await });
        let mint = Mint::open("a", &path.with_extension("key")).unwrap();
        Self { clock: Arc::clone(clock), desk, mint, told, running }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    async fn send(&self, due_ms: i64, place: &str) -> Token {
        let token = self.mint.make("p", due_ms, 0).unwrap();
        let flight = Flight {
            token: token.as_str().to_owned(),
            probe: "p".to_owned(),
            due_ms,
            attempt: 0,
            next_due_ms: 1,
            sent_ms: self.now_ms(),
            handed_ms: None,
            timeout_ms: 60_000,
            lost_after_ms: 120_000,
            slow_ms: None,
            routes: vec![place.to_owned()],
            greylisted: false,
            settled: false,
            phases: Pairs::default(),
            facts: Pairs::default(),
            revision: None,
            stage: Stage::UnderWay,
            told: None,
            arrival: None,
        };
        self.desk.begin(flight).await.unwrap();
        self.desk.handed(&token, self.clock.read(), false).await;
        token
    }

    fn settle(&self, due_ms: i64) {
        let mut facts = Pairs::default();
        facts.set("handover", "queued".into());
        self.desk.settle(("p", due_ms, 0), 300_000, Pairs::default(), facts);
    }

    /// Moves the clock, and has the desk look at it.
    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
        self.desk.stirred.notify_one();
    }

    async fn next(&mut self) -> Outcome {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await.unwrap().unwrap();
        let _ = told.kept.send(());
        told.outcome
    }

    async fn stop(self) {
        drop(self.told);
        tokio::time::timeout(PATIENCE, self.running).await.unwrap().unwrap();
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(Timestamp::from_second(1_800_000_000).unwrap()))
}

fn said(outcome: &Outcome) -> (u32, String, Option<f64>) {
    let reason = outcome.reason.as_ref().map_or(String::new(), |reason| format!(" {reason}"));
    (outcome.revision, format!("{}{reason}", outcome.verdict), outcome.delivery_s)
}

#[tokio::test]
async fn a_restart_forgets_nothing_and_tells_again_what_was_told() {
    let directory = tempfile::tempdir().unwrap();
    let (path, clock) = (directory.path().join("mail.ledger"), clock());
    let mut bench = Bench::open(&path, &clock);
    bench.desk.opened("sink:s");
    let token = bench.send(7, "sink:s").await;
    bench.settle(7);
    bench.advance(60);
    let late = bench.next().await;
    assert_eq!(said(&late), (0, "degraded mail_late".to_owned(), None));
    assert_eq!((late.due.ms(), late.next_due_ms), (7, 300_000));
    assert_eq!(late.facts.get("handover").map(AsRef::as_ref), Some("queued"));
    bench.stop().await;

    let mut bench = Bench::open(&path, &clock);
    // an equal record changes nothing, and the first may not have been delivered
    assert_eq!(bench.next().await, late);
    bench.desk.opened("sink:s");
    bench.clock.advance(Duration::from_secs(10));
    let at = Moment::from(bench.clock.read());
    assert!(bench.desk.arrive(&token, at, How::Well, Pairs::default(), false));
    let then = bench.next().await;
    assert_eq!(said(&then), (1, "degraded mail_late".to_owned(), Some(70.0)));
    assert!(!bench.desk.arrive(&token, at, How::Well, Pairs::default(), false));
    bench.stop().await;
    let (_, left) = Ledger::open(&path).unwrap();
    assert!(left.len() <= 1, "{left:?}");
}

#[tokio::test]
async fn what_arrives_before_its_run_is_settled_waits_for_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(&directory.path().join("l"), &clock());
    let token = bench.send(7, "sink:s").await;
    bench.clock.advance(Duration::from_millis(40));
    let at = Moment::from(bench.clock.read());
    assert!(bench.desk.arrive(&token, at, How::Well, Pairs::default(), true));
    bench.settle(7);
    tokio::task::yield_now().await;
    assert!(bench.told.try_recv().is_err(), "more is being found out");
    let mut facts = Pairs::default();
    facts.set("spf", "pass".into());
    bench.desk.release(&token, &facts);
    let outcome = bench.next().await;
    assert_eq!(said(&outcome), (0, "up".to_owned(), Some(0.04)));
    assert_eq!(outcome.facts.get("spf").map(AsRef::as_ref), Some("pass"));
}

#[tokio::test]
async fn a_mailbox_is_looked_at_before_anything_is_said_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let mut bench = Bench::open(&directory.path().join("l"), &clock());
    let mut wanted = bench.desk.wanted();
    bench.send(7, "imap:x").await;
    bench.settle(7);
    wanted.mark_unchanged();
    bench.advance(60);
    tokio::time::timeout(PATIENCE, wanted.changed()).await.unwrap().unwrap();
    assert!(bench.told.try_recv().is_err());
    bench.desk.blind("imap:x", Reason::ConnectRefused, "nobody is there");
    bench.advance(15);
    let blind = bench.next().await;
    assert_eq!(said(&blind), (0, "unknown connect_refused".to_owned(), None));
    bench.advance(60);
    bench.desk.looked("imap:x", bench.now_ms());
    let lost = bench.next().await;
    assert_eq!(said(&lost), (1, "down mail_lost".to_owned(), None));
}

#[tokio::test]
async fn a_run_that_did_not_hand_over_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("l");
    let bench = Bench::open(&path, &clock());
    let token = bench.send(7, "sink:s").await;
    bench.desk.abandon(("p", 7, 0));
    assert!(bench.desk.is_empty());
    assert!(!bench.desk.settle_bare(("p", 7, 0), 1));
    bench.send(8, "sink:s").await;
    assert!(bench.desk.settle_bare(("p", 8, 0), 1));
    assert_eq!(bench.desk.of(&token), None);
    assert!(bench.desk.awaited_at("sink:s").is_some());
    assert_eq!(bench.desk.awaited_at("sink:other"), None);
}
