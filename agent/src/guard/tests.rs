//! The guard alone, beside another process, and with a reporter that reckons as the real one
//! does, or gives no answer.

use std::path::Path;

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mailward_catalogue::Secret;
use mailward_evidence::ManualClock;
use mailward_evidence::lease::{Budget, LeaseAsk, LeaseReply, NoLease};

use super::*;
use crate::deliver::Destination;
use crate::net::Net;

const SECOND: Duration = Duration::from_secs(1);
const FIVE_MINUTES: Duration = Duration::from_secs(310);

fn soon() -> Deadline {
    Deadline::after(SECOND * 8)
}

fn at_once() -> Deadline {
    Deadline::after(Duration::from_millis(40))
}

struct Bench {
    directory: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new("2026-01-01T00:00:00Z".parse().unwrap()));
        Self { directory: tempfile::tempdir().unwrap(), clock }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("credentials")
    }

    fn of(&self, memory: Memory, shared: bool) -> Guard {
        let account =
            |id: &str, name: &str| Spared { id: id.into(), username: name.to_owned(), shared };
        let accounts =
            vec![account("a", "One@x"), account("same", "one@X "), account("b", "two@x")];
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        Guard::new(accounts, memory, clock, None)
    }

    fn guard(&self) -> Guard {
        self.of(Memory::OfAgent(self.path()), false)
    }
}

/// Asks, and if it may, has this answer. Whether it might.
async fn try_once(guard: &Guard, id: &str, said: Said) -> bool {
    try_within(guard, id, said, at_once()).await
}

async fn try_within(guard: &Guard, id: &str, said: Said, deadline: Deadline) -> bool {
    let Ok(attempt) = guard.ask(id, deadline).await else { return false };
    guard.settle(id, &attempt, said);
    true
}

#[tokio::test]
async fn one_confirmation_after_five_minutes_and_then_none() {
    let bench = Bench::new();
    let guard = bench.guard();
    assert!(try_once(&guard, "a", Said::Rejected).await);
    assert!(guard.ask("a", at_once()).await.is_err());
    bench.clock.advance(Duration::from_secs(299));
    assert!(guard.ask("a", at_once()).await.is_err());
    bench.clock.advance(SECOND * 6);
    let attempt = guard.ask("a", at_once()).await.unwrap();
    assert!(guard.ask("a", at_once()).await.is_err(), "one run at a time");
    guard.rejected("a", &attempt);
    bench.clock.advance(FIVE_MINUTES * 1000);
    assert!(guard.ask("a", at_once()).await.is_err());
    assert!(bench.guard().ask("a", at_once()).await.is_err(), "also after a restart");
    assert!(try_once(&bench.guard(), "b", Said::Accepted).await, "another account");
    assert!(try_once(&guard, "same", Said::Rejected).await, "the third and last of the mailbox");
    bench.clock.advance(FIVE_MINUTES);
    assert!(guard.ask("same", at_once()).await.is_err());

    std::fs::remove_file(bench.path().join("a.json")).unwrap();
    assert!(try_once(&guard, "a", Said::Accepted).await, "somebody cleared it");
    std::fs::remove_file(bench.path().join("same.json")).unwrap();
    assert!(try_once(&bench.guard(), "same", Said::Accepted).await, "before a start");
}

#[tokio::test]
async fn crashes_buy_no_attempts() {
    let bench = Bench::new();
    let mut granted = 0;
    for _ in 0..100 {
        // each process dies in the middle of its attempt
        granted += u32::from(bench.guard().ask("a", at_once()).await.is_ok());
        bench.clock.advance(SECOND * 60);
    }
    assert_eq!(granted, 2);
}

#[tokio::test]
async fn an_accepted_account_is_free_and_proven_for_a_day() {
    let bench = Bench::new();
    let guard = bench.guard();
    assert!(!guard.proven("a"));
    assert!(try_once(&guard, "a", Said::Accepted).await);
    let both = [guard.ask("a", at_once()).await.unwrap(), guard.ask("a", at_once()).await.unwrap()];
    assert!(guard.ask("a", at_once()).await.is_err(), "two at once, so that three stay three");
    let (third, ()) = tokio::join!(guard.ask("a", soon()), async {
        guard.accepted("a", &both[0]);
    });
    assert!(third.is_ok(), "a third has its turn as soon as one of them ends");
    assert!(guard.proven("a") && bench.guard().proven("a"));
    guard.rejected("a", &both[1]);
    assert!(guard.proven("a"), "a rejection does not undo the proof");
    bench.clock.advance(SECOND * 86_401);
    assert!(!guard.proven("a"));
}

#[tokio::test]
async fn an_attempt_without_an_answer_costs_nothing() {
    let bench = Bench::new();
    let guard = bench.guard();
    for _ in 0..5 {
        assert!(try_once(&guard, "a", Said::Nothing).await);
    }
    assert!(bench.guard().ask("a", at_once()).await.is_ok());
    let guard = bench.guard();
    assert!(guard.ask("a", at_once()).await.is_err(), "that one died in the middle");
    bench.clock.advance(FIVE_MINUTES);
    assert!(try_once(&guard, "a", Said::Nothing).await);
    assert!(guard.ask("a", at_once()).await.is_err(), "the confirmation waits its time again");
    bench.clock.advance(FIVE_MINUTES);
    assert!(try_once(&guard, "a", Said::Accepted).await);
}

#[tokio::test]
async fn two_processes_share_what_is_remembered() {
    let bench = Bench::new();
    let agent = bench.guard();
    assert!(try_once(&agent, "a", Said::Accepted).await);
    let by_hand = || bench.of(Memory::Beside(bench.path()), false);
    assert!(try_once(&by_hand(), "a", Said::Rejected).await);
    assert!(agent.ask("a", at_once()).await.is_err(), "the agent knows of it at once");
    assert!(by_hand().ask("a", at_once()).await.is_err(), "and so does the next call");
    let running = agent.ask("b", at_once()).await.unwrap();
    assert!(by_hand().ask("b", at_once()).await.is_err(), "what is under way is not lost");
    agent.accepted("b", &running);
    assert!(by_hand().ask("b", at_once()).await.is_ok());
}

#[tokio::test]
async fn what_cannot_be_read_counts_as_refused_and_what_cannot_be_written_is_not_tried() {
    let bench = Bench::new();
    assert!(try_once(&bench.guard(), "b", Said::Accepted).await);
    std::fs::write(bench.path().join("b.json"), "{").unwrap();
    let guard = bench.guard();
    assert!(guard.ask("b", at_once()).await.is_err());
    bench.clock.advance(FIVE_MINUTES);
    assert!(guard.ask("b", at_once()).await.is_ok());
    let nowhere = bench.of(Memory::OfAgent(Path::new("/proc/nowhere").to_owned()), false);
    assert!(nowhere.ask("a", at_once()).await.is_err());
}

/// A reporter for one mailbox.
#[derive(Clone, Debug, Default)]
struct Reporter {
    budget: Arc<Mutex<Budget>>,
    requests: Arc<Mutex<u32>>,
    silent: Arc<Mutex<bool>>,
}

impl Reporter {
    async fn start(&self, clock: &Arc<ManualClock>) -> Way {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (reporter, clock) = (self.clone(), Arc::clone(clock));
        let router = axum::Router::new().fallback(move |body: Bytes| {
            let (reporter, now_ms) = (reporter.clone(), clock.now().as_millisecond());
            async move { reporter.answer(&body, now_ms) }
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        let to = Destination {
            reporter: format!("http://{address}/").parse().unwrap(),
            token: Secret::new("t".to_owned()),
            trust: None,
        };
        Way::new(&to, Arc::new(Net::new(None, None).unwrap())).unwrap()
    }

    fn answer(&self, body: &[u8], now_ms: i64) -> Response {
        *self.requests.lock().unwrap() += 1;
        if *self.silent.lock().unwrap() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
        let ask: LeaseAsk = serde_json::from_slice(body).unwrap();
        let mut budget = self.budget.lock().unwrap();
        for answer in &ask.answers {
            budget.answer(&answer.attempt, &ask.credential, answer.said, now_ms);
        }
        let asked = ask.wants.then(|| budget.ask(&ask.credential, now_ms));
        let reply = LeaseReply {
            attempt: asked.clone().and_then(Result::ok),
            refused: asked.and_then(Result::err).map(|refusal| match refusal {
                Refusal::Busy => NoLease::Busy,
                _ => NoLease::Held,
            }),
            again_s: 60,
            state: budget.state(&ask.credential, now_ms),
            cleared_ms: budget.cleared_ms,
        };
        serde_json::to_vec(&reply).unwrap().into_response()
    }

    fn requests(&self) -> u32 {
        *self.requests.lock().unwrap()
    }
}

/// A guard that tells the reporter what it owes, until it is dropped.
struct Telling {
    guard: Arc<Guard>,
    task: tokio::task::JoinHandle<()>,
}

impl Telling {
    fn new(guard: Guard, way: Way) -> Self {
        let guard = Arc::new(guard);
        guard.ask_through(way);
        let tells = Arc::clone(&guard);
        Self { guard, task: tokio::spawn(async move { tells.tell().await }) }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn until(what: &str, mut state: impl FnMut() -> bool) {
    let waiting = async {
        while !state() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SECOND * 60, waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

#[tokio::test]
async fn ten_agents_with_a_wrong_password_make_one_attempt_and_ask_little() {
    let reporter = Reporter::default();
    let way = reporter.start(&Bench::new().clock).await;
    let mut agents = Vec::new();
    for _ in 0..10 {
        let bench = Bench::new();
        let memory = Memory::OfAgent(bench.path());
        let guard = Telling::new(bench.of(memory, true), way.clone());
        agents.push((guard, bench));
    }
    let mut attempts = 0;
    for _ in 0..50 {
        for (agent, _) in &agents {
            attempts += u32::from(try_asking(&agent.guard, Said::Rejected).await);
        }
    }
    assert_eq!(attempts, 1);
    let told = || reporter.budget.lock().unwrap().rejections("a").0 == 1;
    until("the rejection is told", told).await;
    // each asked once, and one of them told; none asked again within a minute
    assert!(reporter.requests() <= 30, "{}", reporter.requests());
}

#[tokio::test]
async fn an_agent_without_a_reporter_goes_on_only_with_what_it_knows_to_be_good() {
    let reporter = Reporter::default();
    let bench = Bench::new();
    let way = reporter.start(&bench.clock).await;
    let shared = || bench.of(Memory::OfAgent(bench.path()), true);
    *reporter.silent.lock().unwrap() = true;
    let agent = Telling::new(shared(), way.clone());
    assert!(!try_asking(&agent.guard, Said::Accepted).await, "nobody proved it good");
    *reporter.silent.lock().unwrap() = false;
    bench.clock.advance(FIVE_MINUTES);
    assert!(try_asking(&agent.guard, Said::Accepted).await);
    let told = || reporter.budget.lock().unwrap().is_proven("a", now_of(&bench));
    until("the acceptance is told", told).await;
    *reporter.silent.lock().unwrap() = true;
    assert!(try_asking(&agent.guard, Said::Accepted).await, "accepted within a day");
    let before = reporter.requests();
    assert!(try_asking(&agent.guard, Said::Rejected).await);
    assert!(reporter.requests() <= before + 1, "silence is not asked again and again");
    assert!(!try_asking(&agent.guard, Said::Rejected).await);
    bench.clock.advance(FIVE_MINUTES);
    assert!(!try_asking(&agent.guard, Said::Rejected).await, "others may have been refused too");
    drop(agent);
    // what was owed is told after the next start
    *reporter.silent.lock().unwrap() = false;
    let _agent = Telling::new(shared(), way);
    let told = || reporter.budget.lock().unwrap().rejections("a").0 == 1;
    until("the rejection is told", told).await;
}

fn now_of(bench: &Bench) -> i64 {
    bench.clock.now().as_millisecond()
}

/// As [`try_once`], with time for the reporter to answer.
async fn try_asking(guard: &Guard, said: Said) -> bool {
    try_within(guard, "a", said, soon()).await
}

#[tokio::test]
async fn an_account_that_is_its_own_is_asked_for_once() {
    let reporter = Reporter::default();
    let bench = Bench::new();
    let way = reporter.start(&bench.clock).await;
    let agent = Telling::new(bench.guard(), way);
    for _ in 0..20 {
        assert!(try_asking(&agent.guard, Said::Accepted).await);
    }
    let told = || reporter.budget.lock().unwrap().is_proven("a", now_of(&bench));
    until("the acceptance is told", told).await;
    assert!(reporter.requests() <= 3, "{}", reporter.requests());
    // cleared at the reporter: told with the next request
    assert!(try_asking(&agent.guard, Said::Rejected).await);
    let told = || reporter.budget.lock().unwrap().rejections("a").0 == 1;
    until("the rejection is told", told).await;
    bench.clock.advance(FIVE_MINUTES);
    assert!(try_asking(&agent.guard, Said::Rejected).await);
    let told = || reporter.budget.lock().unwrap().rejections("a").0 == 2;
    until("the rejections are told", told).await;
    bench.clock.advance(FIVE_MINUTES);
    assert!(!try_asking(&agent.guard, Said::Accepted).await);
    reporter.budget.lock().unwrap().clear("a", now_of(&bench));
    bench.clock.advance(SECOND * 61);
    assert!(try_asking(&agent.guard, Said::Accepted).await, "somebody cleared it");
}
