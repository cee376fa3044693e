//! Agents that come back with a backlog: bodies as an agent packs them, brought to a reporter over
//! HTTP on one connection each, one after another, and brought again where the reporter asks to
//! come later. What they probed is made up; what they deliver is not told from an agent's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use mailward_evidence::{Stopwatch, wire};

/// As many records as an agent puts into one body.
const PER_BODY: usize = 5_000;
/// Between two attempts where no answer came.
const AFTER_FAILURE: Duration = Duration::from_millis(200);

/// What one agent has to deliver.
pub(crate) struct Backlog {
    pub(crate) agent: String,
    pub(crate) token: String,
    pub(crate) bodies: Vec<Vec<u8>>,
    pub(crate) records: usize,
}

impl Backlog {
    /// Outcomes of so many probes (`p0` …) every minute, the first at `from_s` after the epoch.
    /// Every probe is up but for some minutes' trouble of its own, shorter than any outage.
    pub(crate) fn of(agent: &str, token: &str, probes: usize, minutes: usize, from_s: i64) -> Self {
        let records = probes * minutes;
        let bodies = (0..records).step_by(PER_BODY).map(|first| {
            let mut text = String::with_capacity(PER_BODY * 260);
            for index in first..records.min(first + PER_BODY) {
                line(&mut text, agent, index % probes, index / probes, from_s);
            }
            wire::pack_zstd(text.as_bytes()).expect("pack a body")
        });
        let bodies = bodies.collect();
        Self { agent: agent.to_owned(), token: token.to_owned(), bodies, records }
    }
}

fn line(text: &mut String, agent: &str, probe: usize, minute: usize, from_s: i64) {
    let second = from_s + i64::try_from(minute * 60 + probe).expect("small");
    let due = jiff::Timestamp::from_second(second).expect("in range");
    let took = 20.0 + ((minute * 7 + probe * 13) % 977) as f64 / 10.0;
    let failing = (minute + probe * 37).is_multiple_of(311);
    let (verdict, reason) = if failing { ("down", "\"timeout\"") } else { ("up", "null") };
    let _ = writeln!(
        text,
        r#"{{"v":1,"kind":"outcome","agent":"{agent}","probe":"p{probe}","due":"{due}","attempt":0,"next_due_s":60,"took_ms":{took:.1},"verdict":"{verdict}","reason":{reason},"phases":{{"dns":1.2,"connect":3.4,"tls":{:.1},"request":{:.1}}},"facts":{{"http_status":"200"}}}}"#,
        took / 3.0,
        took / 2.0
    );
}

/// How a delivery went.
#[derive(Debug, Default)]
pub(crate) struct Drained {
    pub(crate) accepted: u64,
    pub(crate) duplicates: u64,
    /// Answers other than 200, by status; 0 where none came.
    pub(crate) refused: BTreeMap<u16, u64>,
    pub(crate) took: Duration,
}

/// Delivers a backlog to its end.
pub(crate) fn drain(reporter: SocketAddr, backlog: &Backlog) -> Drained {
    let watch = Stopwatch::start();
    let mut drained = Drained::default();
    let mut connection = None;
    for body in &backlog.bodies {
        loop {
            let answer = post(&mut connection, reporter, &backlog.token, body);
            match answer {
                Ok(Answer { status: 200, receipt, .. }) => {
                    let count = |name: &str| receipt[name].as_u64().unwrap_or_default();
                    drained.accepted += count("accepted");
                    drained.duplicates += count("duplicates");
                    break;
                }
                Ok(Answer { status, after, .. }) => {
                    *drained.refused.entry(status).or_default() += 1;
                    assert!(matches!(status, 429 | 503), "{status} for {}", backlog.agent);
                    let after = after.expect("who is asked to come later is told when");
                    std::thread::park_timeout(after);
                }
                Err(_) => {
                    connection = None;
                    *drained.refused.entry(0).or_default() += 1;
                    std::thread::park_timeout(AFTER_FAILURE);
                }
            }
        }
    }
    drained.took = watch.elapsed();
    drained
}

/// Delivers all backlogs at once.
pub(crate) fn drain_all(reporter: SocketAddr, backlogs: &[Backlog]) -> Vec<Drained> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            backlogs.iter().map(|backlog| scope.spawn(|| drain(reporter, backlog))).collect();
        threads.into_iter().map(|thread| thread.join().expect("an agent")).collect()
    })
}

struct Answer {
    status: u16,
    after: Option<Duration>,
    receipt: serde_json::Value,
}

fn post(
    connection: &mut Option<BufReader<TcpStream>>,
    reporter: SocketAddr,
    token: &str,
    body: &[u8],
) -> io::Result<Answer> {
    let reader = match connection.take() {
        Some(reader) => connection.insert(reader),
        None => {
            let stream = TcpStream::connect(reporter)?;
            stream.set_nodelay(true)?;
            connection.insert(BufReader::new(stream))
        }
    };
    let head = format!(
        "POST /api/v1/evidence HTTP/1.1\r\nhost: fleet\r\nauthorization: Bearer {token}\r\n\
         content-encoding: zstd\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    reader.get_mut().write_all(head.as_bytes())?;
    reader.get_mut().write_all(body)?;
    read_answer(reader)
}

fn read_answer(reader: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let (mut status, mut length, mut after) = (None, 0, None);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let line = line.trim_end().to_ascii_lowercase();
        if status.is_none() {
            let word = line.split(' ').nth(1).ok_or_else(|| broken("a status line"))?;
            status = Some(word.parse().map_err(|_| broken("a status"))?);
        } else if line.is_empty() {
            break;
        } else if let Some((name, value)) = line.split_once(": ") {
            match name {
                "content-length" => length = value.parse().map_err(|_| broken("a length"))?,
                "retry-after" => after = value.parse().ok().map(Duration::from_secs),
                _ => {}
            }
        }
    }
    let mut text = vec![0; length];
    reader.read_exact(&mut text)?;
    let receipt = serde_json::from_slice(&text).unwrap_or_default();
    Ok(Answer { status: status.unwrap_or_default(), after, receipt })
}
