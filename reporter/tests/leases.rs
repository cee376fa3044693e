//! Leases over HTTP as agents ask for them: who may, what is refused, and that ten agents with
//! one account never make more than three wrong attempts, across restarts of the reporter.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use mailward_catalogue::credential::Secret;
use mailward_evidence::lease::{AccountState, Answered, LeaseAsk, LeaseReply, NoLease, Said};
use mailward_evidence::{AgentName, ManualClock};
use mailward_reporter::http::leases;
use mailward_reporter::store::Store;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

struct Reporter {
    store: Store,
    address: SocketAddr,
}

async fn reporter(dir: &std::path::Path, clock: &Arc<ManualClock>) -> Reporter {
    let store = Store::open(dir, clock.clone()).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = leases::router(store.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Reporter { store, address }
}

async fn post(to: SocketAddr, token: &str, body: &str) -> (u16, String) {
    let mut stream = tokio::net::TcpStream::connect(to).await.unwrap();
    let head = format!(
        "POST /api/v1/credentials/leases HTTP/1.1\r\nhost: reporter\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

fn ask() -> LeaseAsk {
    LeaseAsk {
        mailbox: "0f".repeat(32).into(),
        credential: "owa".into(),
        shared: true,
        wants: true,
        cleared: false,
        answers: Vec::new(),
    }
}

async fn lease(to: SocketAddr, token: &Secret, ask: &LeaseAsk) -> LeaseReply {
    let body = serde_json::to_string(ask).unwrap();
    let (status, text) = post(to, token.expose(), &body).await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// One agent's attempt, if it may make one, at a server that takes the password or not.
async fn attempt(to: SocketAddr, token: &Secret, is_right: bool, rejected: &AtomicU32) {
    let Some(name) = lease(to, token, &ask()).await.attempt else { return };
    tokio::task::yield_now().await;
    rejected.fetch_add(u32::from(!is_right), Ordering::SeqCst);
    let said = if is_right { Said::Accepted } else { Said::Rejected };
    let answers = vec![Answered { attempt: name, said, leased: true }];
    lease(to, token, &LeaseAsk { wants: false, answers, ..ask() }).await;
}

/// All agents at once, ten times.
async fn storm(to: SocketAddr, tokens: &[Secret], is_right: bool, rejected: &Arc<AtomicU32>) {
    for _ in 0..3 {
        let mut agents = tokio::task::JoinSet::new();
        for token in tokens {
            let (token, rejected) = (token.clone(), Arc::clone(rejected));
            agents.spawn(async move { attempt(to, &token, is_right, &rejected).await });
        }
        agents.join_all().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_agents_never_make_more_than_three_wrong_attempts() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-10-01T00:00:00Z".parse().unwrap()));
    let first = reporter(dir.path(), &clock).await;
    let tokens: Vec<Secret> = (0..10)
        .map(|n| first.store.add_agent(&AgentName::new(&format!("a{n}")).unwrap(), None).unwrap())
        .collect();
    let rejected = Arc::new(AtomicU32::new(0));
    let seen = || rejected.load(Ordering::SeqCst);
    storm(first.address, &tokens, false, &rejected).await;
    assert_eq!(seen(), 1, "an account that is not proven is tried by one, once");
    clock.advance(FIVE_MINUTES);
    let second = reporter(dir.path(), &clock).await;
    storm(second.address, &tokens, false, &rejected).await;
    clock.advance(FIVE_MINUTES * 10);
    storm(second.address, &tokens, false, &rejected).await;
    assert_eq!(seen(), 2, "one confirmation, and no more");
    let account = &second.store.accounts().unwrap()[0];
    assert_eq!((account.state, account.agents.len()), (AccountState::Held, 10));

    assert_eq!(second.store.clear_account("owa", "A. Manager").unwrap(), 1);
    assert_eq!(second.store.clear_account("nobody", "A. Manager").unwrap(), 0);
    storm(first.address, &tokens, true, &rejected).await;
    assert_eq!(second.store.accounts().unwrap()[0].state, AccountState::Good);
    // the password is changed under ten agents that trust it
    rejected.store(0, Ordering::SeqCst);
    for _ in 0..20 {
        storm(second.address, &tokens, false, &rejected).await;
        clock.advance(FIVE_MINUTES);
    }
    assert!((1..=3).contains(&seen()), "{}", seen());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_and_how() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-10-01T00:00:00Z".parse().unwrap()));
    let to = reporter(dir.path(), &clock).await;
    let token = to.store.add_agent(&AgentName::new("leeds-1").unwrap(), None).unwrap();
    let other = to.store.add_agent(&AgentName::new("leeds-2").unwrap(), None).unwrap();
    let check = async |token: &str, body: &str, status: u16, says: &str| {
        let answer = post(to.address, token, body).await;
        assert!(answer.0 == status && answer.1.contains(says), "{body}: {answer:?}");
    };
    let good = serde_json::to_string(&ask()).unwrap();
    check("mwt_nobody", &good, 401, "bearer token").await;
    check(token.expose(), "{", 400, "EOF").await;
    check(token.expose(), &good.replace("0f0f", "xyzt"), 400, "SHA-256").await;
    check(token.expose(), &" ".repeat(20_000), 413, "at most").await;
    let own = LeaseAsk { shared: false, ..ask() };
    assert!(lease(to.address, &token, &own).await.attempt.is_some());
    let reply = lease(to.address, &other, &own).await;
    assert_eq!((reply.refused, reply.again_s), (Some(NoLease::Elsewhere), 60));
    let mut statuses = Vec::new();
    for _ in 0..120 {
        statuses.push(post(to.address, other.expose(), "{").await.0);
    }
    // the clock stands still, so nothing is allowed anew
    assert_eq!(statuses.iter().filter(|status| **status == 429).count(), 21, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
}
