//! The reporter is away for a day. Time is compressed: the day's outcomes, one a minute of each
//! of 40 probes, are put into the outbox by the agent's own code, bearing the instants of the day
//! that has just passed; the agent then runs beside them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use mailward_agent::outbox::{Limits, Outbox};
use mailward_evidence::{Clock, SystemClock};

use super::judge::{Key, judge, stored};
use super::ledger::{Told, but};
use super::scene::{Agent, Reporter, answering_server, definition, outcomes_in};
use super::support::{PATIENCE, scratch, wait_for};
use super::times;

const PROBES: usize = 40;

/// Puts outcomes of that many minutes before now into the outbox of an agent that does not run;
/// gives their keys in order.
pub(crate) fn keep_minutes(agent: &Agent, probes: usize, minutes: i64) -> Vec<Key> {
    let now_ms = SystemClock.now().as_millisecond();
    let limits = Limits { max_bytes: u64::MAX, max_age: Duration::from_secs(30 * 86_400) };
    let mut outbox = Outbox::open(&agent.data.join("outbox"), limits).expect("open an outbox");
    let mut keys = Vec::new();
    for minute in (1..=minutes).rev() {
        let at_ms = now_ms / 60_000 * 60_000 - minute * 60_000;
        let at = jiff::Timestamp::from_millisecond(at_ms).expect("in range").to_string();
        let mut lines = Vec::new();
        for probe in 0..probes {
            let name = agent.name();
            let mut line = String::new();
            let _ = write!(
                line,
                r#"{{"v":1,"kind":"outcome","agent":"{name}","probe":"p{probe}","due":"{at}","attempt":0,"next_due_s":60,"took_ms":12.5,"verdict":"up","reason":null,"phases":{{"connect":0.5,"request":11.0}},"facts":{{"http_status":"200"}}}}"#
            );
            lines.push(line);
            keys.push((name.to_owned(), format!("p{probe}"), at.clone(), 0));
        }
        outbox.append(&lines, at_ms).expect("keep a minute");
    }
    keys
}

/// Stands where the reporter will be until an agent brings a body; gives what is in it and
/// refuses it.
fn first_body(address: SocketAddr) -> Vec<Key> {
    let listener = TcpListener::bind(address).expect("the reporter's address");
    listener.set_nonblocking(true).expect("a listener that does not wait");
    let (stream, _) = wait_for("an agent with a body", || listener.accept().ok());
    stream.set_nonblocking(false).expect("a stream that waits");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    let mut stream = BufReader::new(stream);
    let (mut length, mut is_packed) = (0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("a line of the head");
        let line = line.trim_end().to_ascii_lowercase();
        match line.split_once(": ") {
            Some(("content-length", number)) => length = number.parse().expect("a number"),
            Some(("content-encoding", how)) => is_packed = how == "zstd",
            _ if line.is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).expect("a body");
    let answer = b"HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n\r\n";
    stream.get_mut().write_all(answer).expect("an answer");
    outcomes_in(&if is_packed { zstd::decode_all(&*body).expect("zstd") } else { body })
}

#[test]
fn a_day_without_the_reporter_arrives_in_order_and_whole() {
    let scratch = scratch();
    let text = definition(PROBES, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "away", &text, &reporter);
    let minutes = i64::try_from(times(240, 1440)).expect("small");
    let day = keep_minutes(&agent, PROBES, minutes);
    agent.start();
    agent.wait_alive();
    agent.process().wait_line("records do not reach the reporter");
    let waiting = || agent.metric("mailward_outbox_records").unwrap_or_default();
    wait_for("the outbox to grow", || (waiting() > (day.len() + PROBES) as f64).then_some(()));
    let oldest_s = agent.metric("mailward_outbox_oldest_seconds").expect("a metric");
    assert!(oldest_s >= (minutes * 60) as f64, "{oldest_s}");
    // what is delivered first is what was kept first
    let first = first_body(reporter.address);
    assert!(!first.is_empty());
    assert_eq!(day[..first.len()], first, "not the oldest of what was kept");

    reporter.start();
    reporter.wait_ready();
    agent.wait_drained(PROBES as f64 * 5.0);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let own = but(&stored(&reporter.data), &day);
    let mut verdict = judge(1, &reporter.config, &reporter.data, &day);
    verdict.lost += told.vanished(&agent, &own) + told.unexplained(&agent, &own);
    verdict.pass("reporter away for a day");
}
