//! Delivery over HTTP as agents do it: who may, what is refused and how it is told, and that
//! what was acknowledged is there once.

#![allow(clippy::unwrap_used, reason = "a test stops where something is not as it should be")]

use std::net::SocketAddr;
use std::sync::Arc;

use mailward_catalogue::credential::Secret;
use mailward_evidence::{AgentName, Backlog, Clock, Instant, ManualClock, wire};
use mailward_reporter::ingest::{self, receipts::Receipts};
use mailward_reporter::store::Store;

struct Reporter {
    _dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: Store,
    address: SocketAddr,
    token: Secret,
    receipts: Arc<Receipts>,
}

async fn reporter() -> Reporter {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::new("2026-10-01T00:00:00Z".parse().unwrap()));
    let store = Store::open(dir.path(), clock.clone()).unwrap();
    let token = store.add_agent(&AgentName::new("leeds-1").unwrap(), None).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let receipts = Arc::new(Receipts::default());
    let router = ingest::http::router(store.clone(), receipts.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    Reporter { _dir: dir, clock, store, address, token, receipts }
}

fn outcome(agent: &str, minute: u32, took_ms: u32) -> String {
    format!(
        "{{\"v\":1,\"kind\":\"outcome\",\"agent\":\"{agent}\",\"probe\":\"owa\",\
         \"due\":\"2026-09-30T23:{minute:02}:00Z\",\"attempt\":0,\"next_due_s\":60,\
         \"took_ms\":{took_ms},\"verdict\":\"up\",\"reason\":null,\"phases\":{{}},\"facts\":{{}}}}\n"
    )
}

/// A request as it goes over the wire, so that nothing is added to it.
async fn post(to: &Reporter, headers: &[(&str, &str)], body: Vec<u8>) -> (u16, String, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(to.address).await.unwrap();
    let mut head = format!(
        "POST /api/v1/evidence HTTP/1.1\r\nhost: reporter\r\nconnection: close\r\n\
         content-length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    // a refusal may come before the body was read
    let _ = stream.write_all(&body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), head.to_ascii_lowercase(), body.to_owned())
}

async fn deliver(to: &Reporter, body: impl Into<Vec<u8>>) -> (u16, String) {
    let bearer = format!("Bearer {}", to.token.expose());
    let (status, _, body) = post(to, &[("authorization", &bearer)], body.into()).await;
    (status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_there_once() {
    let reporter = reporter().await;
    let body = outcome("leeds-1", 0, 5) + "\n" + &outcome("leeds-1", 1, 5);
    let accepted = r#"{"accepted":2,"duplicates":0,"conflicts":0}"#;
    assert_eq!(deliver(&reporter, body.clone()).await, (200, accepted.to_owned()));
    let mixed = body + &outcome("leeds-1", 1, 6) + &outcome("leeds-1", 2, 5);
    let counted = r#"{"accepted":1,"duplicates":2,"conflicts":1}"#;
    assert_eq!(deliver(&reporter, mixed.clone()).await, (200, counted.to_owned()));

    let bearer = format!("bearer {}", reporter.token.expose());
    let headers = [("Authorization", &*bearer), ("Content-Encoding", "zstd")];
    let packed = wire::pack_zstd(mixed.as_bytes()).unwrap();
    let (status, _, body) = post(&reporter, &headers, packed).await;
    assert_eq!((status, &*body), (200, r#"{"accepted":0,"duplicates":3,"conflicts":1}"#));
    let now_ms = reporter.clock.now().as_millisecond();
    let evidence = reporter.store.evidence(0, now_ms, now_ms).unwrap();
    assert_eq!(evidence.streams[0].segments[0].count, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_body_says_why_and_leaves_nothing() {
    let reporter = reporter().await;
    let good = outcome("leeds-1", 0, 5);
    let foreign = outcome("leeds-2", 1, 5);
    let exclusion = r#"{"v":1,"kind":"exclusion","id":"X","class":"maintenance","components":["owa"],"from":"2026-10-01T00:00:00Z","to":"2026-10-02T00:00:00Z"}"#;
    let table = [
        (
            format!("{good}{{\"v\":1"),
            400,
            r#"{"error":"line 2: EOF while parsing an object at column 6","line":2}"#,
        ),
        (
            format!("{good}\n{{\"v\":2,\"kind\":\"outcome\"}}"),
            400,
            r#"{"error":"line 3: unknown version v = 2; this program reads v = 1","line":3}"#,
        ),
        (
            format!("{good}{foreign}"),
            403,
            r#"{"error":"line 2: agent leeds-1 may deliver its own records only","line":2}"#,
        ),
        (
            format!("{good}{exclusion}"),
            403,
            r#"{"error":"line 2: an agent may not deliver a record of kind exclusion","line":2}"#,
        ),
        (
            " ".repeat(wire::MAX_BODY_BYTES + 1),
            413,
            r#"{"error":"expected at most 16777216 bytes of evidence"}"#,
        ),
    ];
    for (body, status, told) in table {
        assert_eq!(deliver(&reporter, body).await, (status, told.to_owned()));
    }
    let bearer = format!("Bearer {}", reporter.token.expose());
    let bomb = wire::pack_zstd(&vec![b' '; wire::MAX_BODY_BYTES + 1]).unwrap();
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let table: [(Headers<'_>, Vec<u8>, u16, &str); 6] = [
        (&[], good.clone().into(), 401, "www-authenticate: bearer"),
        (&[("authorization", "Bearer mwt_0000")], good.clone().into(), 401, "www-authenticate"),
        (&[("authorization", "Basic YTpi")], good.clone().into(), 401, "www-authenticate"),
        (&[("authorization", &bearer), ("content-encoding", "gzip")], good.clone().into(), 415, ""),
        (&[("authorization", &bearer), ("content-encoding", "zstd")], good.into(), 400, ""),
        (&[("authorization", &bearer), ("content-encoding", "zstd")], bomb, 413, ""),
    ];
    for (headers, body, status, header) in table {
        let (found, head, body) = post(&reporter, headers, body).await;
        assert_eq!(found, status, "{headers:?}: {body}");
        assert!(head.contains(header), "{head}");
    }
    let mut out = Vec::new();
    assert_eq!(reporter.store.export(None, None, &mut out).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retired_agent_delivers_what_was_due_before_and_a_revoked_one_nothing() {
    let reporter = reporter().await;
    let name = AgentName::new("leeds-1").unwrap();
    let at = Instant::parse("2026-09-30T23:10:00Z").unwrap();
    reporter.store.retire_agent(&name, at).unwrap();
    assert_eq!(deliver(&reporter, outcome("leeds-1", 9, 5)).await.0, 200);
    let (status, told) = deliver(&reporter, outcome("leeds-1", 10, 5)).await;
    assert_eq!(status, 403);
    assert!(told.contains("retired"), "{told}");
    reporter.store.revoke_agent(&name).unwrap();
    assert_eq!(deliver(&reporter, outcome("leeds-1", 9, 5)).await.0, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_date_tells_how_far_the_agents_clock_is_off() {
    let reporter = reporter().await;
    let bearer = format!("Bearer {}", reporter.token.expose());
    let date = ("date", "Thu, 01 Oct 2026 00:02:00 GMT");
    let headers = [("authorization", &*bearer), date];
    assert_eq!(post(&reporter, &headers, outcome("leeds-1", 0, 5).into()).await.0, 200);
    let seen = reporter.store.agents_seen().unwrap();
    assert_eq!(seen[0].skew_ms, Some(120_500));
    assert_eq!(seen[0].last_seen_ms, reporter.clock.now().as_millisecond());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_an_agent_is_told_with_each_delivery() {
    let reporter = reporter().await;
    let bearer = format!("Bearer {}", reporter.token.expose());
    let told = ("mailward-backlog", "records=7, oldest_ms=1500, dropped=0, missed=3");
    let strange = ("mailward-backlog", "records=many");
    let expect = Backlog { records: 7, oldest_ms: 1500, dropped: 0, missed: 3 };
    for (token, header, status) in
        [("nobody", told, 401), (&*bearer, told, 200), (&*bearer, strange, 200)]
    {
        let headers = [("authorization", token), header];
        let answered = post(&reporter, &headers, outcome("leeds-1", 0, 5).into()).await;
        assert_eq!(answered.0, status);
        let backlogs = reporter.receipts.noted().backlogs;
        assert_eq!(backlogs.values().next(), (status == 200).then_some(&expect));
    }
    assert_eq!(post(&reporter, &[("authorization", &bearer)], b"{".to_vec()).await.0, 400);
    let ended: Vec<_> = reporter.receipts.noted().ended.into_iter().collect();
    assert_eq!(ended, [("accepted", 2), ("malformed", 1), ("unauthorised", 1)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deliveries_at_once_are_each_answered() {
    let reporter = Arc::new(reporter().await);
    let mut running = tokio::task::JoinSet::new();
    for i in 0..30u32 {
        let reporter = reporter.clone();
        running.spawn(async move {
            loop {
                let (status, body) = deliver(&reporter, outcome("leeds-1", i, 5)).await;
                match status {
                    200 => return,
                    // its share of deliveries at once is taken: come back
                    429 => tokio::task::yield_now().await,
                    _ => panic!("{status}: {body}"),
                }
            }
        });
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    let now_ms = reporter.clock.now().as_millisecond();
    let evidence = reporter.store.evidence(0, now_ms, now_ms).unwrap();
    assert_eq!(evidence.streams[0].segments[0].count, 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_delivers_without_end_is_put_off_and_no_other() {
    let reporter = reporter().await;
    let other = reporter.store.add_agent(&AgentName::new("leeds-2").unwrap(), None).unwrap();
    let ask = async |token: &Secret| {
        let bearer = format!("Bearer {}", token.expose());
        post(&reporter, &[("authorization", &bearer)], b"no record".to_vec()).await
    };
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 1000 {
        statuses.push(ask(&reporter.token).await.0);
    }
    assert_eq!((statuses.len(), &statuses[..3]), (601, &[400, 400, 400][..]));
    let (status, head, body) = ask(&reporter.token).await;
    assert_eq!((status, &*body), (429, r#"{"error":"this agent delivers too often"}"#));
    assert!(head.contains("retry-after: 1"), "{head}");
    assert_eq!(ask(&other).await.0, 400);
    reporter.clock.advance(std::time::Duration::from_secs(1));
    assert_eq!(ask(&reporter.token).await.0, 400);
}
