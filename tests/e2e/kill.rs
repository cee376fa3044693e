//! `kill -9` at random moments, of either side, under load: every outcome the reporter
//! acknowledged is there exactly once, and everything the agent kept arrives.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailward_agent::outbox::{Limits, Outbox};
use mailward_evidence::{Record, wire};

use super::support::{PATIENCE, Running, free_port, http, run_ok, scratch, wait_for, write};

/// A seed from the environment replays a run; otherwise a fixed one keeps CI repeatable.
fn seed() -> u64 {
    std::env::var("MAILWARD_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(7)
}

/// How often each side is killed; `./tests/run --long` does it ten times as often.
fn kills() -> u64 {
    if std::env::var_os("MAILWARD_LONG").is_some() { 1000 } else { 100 }
}

/// xorshift64*: enough randomness to choose a moment.
struct Moments(u64);

impl Moments {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below.max(1)
    }
}

fn definition(probes: usize, target: SocketAddr) -> String {
    let mut text = String::from(
        "[service]\nname = \"Killed\"\nzone = \"UTC\"\n\n[[component]]\nid = \"c\"\nname = \"C\"\n",
    );
    for index in 0..probes {
        text += &format!(
            "\n[[probe]]\nid = \"p{index}\"\ncomponent = \"c\"\nkind = \"http\"\nurl = \"http://{target}/\"\nevery = \"1s\"\ntimeout = \"1s\"\n"
        );
    }
    text
}

struct Reporter {
    config: PathBuf,
    data: PathBuf,
    address: SocketAddr,
    running: Option<Running>,
}

impl Reporter {
    fn start(&mut self) {
        let address = self.address.to_string();
        self.running = Some(Running::start([
            "reporter".as_ref(),
            "--config".as_ref(),
            self.config.as_os_str(),
            "--data".as_ref(),
            self.data.as_os_str(),
            "--listen".as_ref(),
            address.as_ref(),
            "-q".as_ref(),
        ]));
    }

    fn wait_ready(&self) {
        let url = format!("http://{}/readyz", self.address);
        wait_for("the reporter", || {
            http("GET", &url, &[], Vec::new()).filter(|(status, _)| *status == 200)
        });
    }

    fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.kill();
        }
    }
}

fn enrol(data: &Path, agent: &str) -> String {
    run_ok(["agents".as_ref(), "add".as_ref(), agent.as_ref(), "--data".as_ref(), data.as_os_str()])
        .trim()
        .to_owned()
}

/// Times each outcome stands in the store, by agent, probe, due and attempt.
fn stored(data: &Path) -> HashMap<(String, String, String, u64), u32> {
    let text = run_ok([Path::new("export"), Path::new("--data"), data]);
    let mut found = HashMap::new();
    for line in text.lines() {
        let record: serde_json::Value = serde_json::from_str(line).expect("an exported record");
        if record["kind"] == "outcome" {
            let word = |key: &str| record[key].as_str().unwrap_or_default().to_owned();
            let attempt = record["attempt"].as_u64().unwrap_or_default();
            *found.entry((word("agent"), word("probe"), word("due"), attempt)).or_default() += 1;
        }
    }
    found
}

fn body(number: u64) -> (Vec<u8>, Vec<String>) {
    let mut text = Vec::new();
    let mut dues = Vec::new();
    for index in 0..200 {
        let second = number * 200 + index;
        let due =
            jiff::Timestamp::from_second(1_790_000_000 + i64::try_from(second).expect("small"))
                .expect("in range")
                .to_string();
        writeln!(
            text,
            r#"{{"v":1,"kind":"outcome","agent":"driver","probe":"load","due":"{due}","attempt":0,"next_due_s":1,"took_ms":1.5,"verdict":"up","reason":null,"phases":{{"connect":0.5}},"facts":{{}}}}"#
        )
        .expect("write to a vector");
        dues.push(due);
    }
    (text, dues)
}

/// A driver posts bodies without pause and notes what was acknowledged, while the reporter is
/// killed again and again, every third time after it has committed and before the answer is
/// passed on (a relay sees the first byte of the answer, kills, and drops it).
#[test]
fn what_the_reporter_acknowledged_is_there_exactly_once() {
    let scratch = scratch();
    let data = scratch.path().join("reporter");
    let config = write(scratch.path(), "probes.toml", &definition(1, free_port()));
    let token = enrol(&data, "driver");
    let mut reporter = Reporter { config, data: data.clone(), address: free_port(), running: None };
    reporter.start();
    reporter.wait_ready();
    let relay = Relay::start(reporter.address);
    let stop = Arc::new(AtomicBool::new(false));
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let driver = {
        let (stop, acknowledged) = (Arc::clone(&stop), Arc::clone(&acknowledged));
        let url = format!("http://{}/api/v1/evidence", relay.address);
        let bearer = format!("Bearer {token}");
        std::thread::spawn(move || drive(&url, &bearer, &stop, &acknowledged))
    };
    let mut moments = Moments(seed());
    for round in 0..kills() {
        let before = acknowledged.lock().expect("list").len();
        wait_for("an acknowledgement", || {
            (acknowledged.lock().expect("list").len() > before).then_some(())
        });
        if round % 3 == 0 {
            let dropped = relay.dropped.load(Ordering::SeqCst);
            relay.drop_next.store(true, Ordering::SeqCst);
            wait_for("an answer to drop", || {
                (relay.dropped.load(Ordering::SeqCst) > dropped).then_some(())
            });
        } else {
            std::thread::park_timeout(Duration::from_millis(moments.next(40)));
        }
        reporter.kill();
        reporter.start();
        reporter.wait_ready();
    }
    stop.store(true, Ordering::SeqCst);
    driver.join().expect("the driver");
    assert!(reporter.running.take().expect("running").stop().success());
    let stored = stored(&data);
    let acknowledged = acknowledged.lock().expect("list");
    assert!(acknowledged.len() > 1000, "only {} acknowledged", acknowledged.len());
    for due in acknowledged.iter() {
        let key = ("driver".to_owned(), "load".to_owned(), due.clone(), 0);
        assert_eq!(stored.get(&key), Some(&1), "the outcome due {due}");
    }
}

fn drive(url: &str, bearer: &str, stop: &AtomicBool, acknowledged: &Mutex<Vec<String>>) {
    let mut number = 0;
    while !stop.load(Ordering::SeqCst) {
        let (text, dues) = body(number);
        match http("POST", url, &[("authorization", bearer)], text) {
            Some((200, _)) => {
                acknowledged.lock().expect("list").extend(dues);
                number += 1;
            }
            // not acknowledged: the same body again, as an agent does
            _ => std::thread::park_timeout(Duration::from_millis(5)),
        }
    }
}

/// Passes connections through, and on demand drops an answer at its first byte.
struct Relay {
    address: SocketAddr,
    drop_next: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
}

impl Relay {
    fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a relay");
        let address = listener.local_addr().expect("address");
        let drop_next = Arc::new(AtomicBool::new(false));
        let dropped = Arc::new(AtomicU64::new(0));
        let (flag, count) = (Arc::clone(&drop_next), Arc::clone(&dropped));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(to) else { continue };
                pass(client, server, &flag, &count);
            }
        });
        Self { address, drop_next, dropped }
    }
}

fn pass(client: TcpStream, server: TcpStream, flag: &Arc<AtomicBool>, count: &Arc<AtomicU64>) {
    let (Ok(mut upward), Ok(mut to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut upward, &mut to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    let (mut server, mut client) = (server, client);
    let (flag, count) = (Arc::clone(flag), Arc::clone(count));
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(read) = server.read(&mut buffer) {
            if read == 0 || flag.swap(false, Ordering::SeqCst) {
                if read > 0 {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                break;
            }
            if client.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = server.shutdown(std::net::Shutdown::Both);
    });
}

/// The agent is killed at random moments while its probes run and it delivers; what stood in
/// its outbox at each kill must be in the reporter at the end, and nothing twice.
#[test]
fn what_the_agent_kept_arrives() {
    let scratch = scratch();
    let target = answering_server();
    let data = scratch.path().join("reporter");
    let agent_data = scratch.path().join("agent");
    let token = enrol(&data, "killed");
    write(scratch.path(), "token", &token);
    let text = definition(30, target)
        + "\n[agent]\nname = \"killed\"\nsite = \"x\"\ntoken = { file = \"token\" }\n";
    let config = write(scratch.path(), "probes.toml", &text);
    let mut reporter = Reporter {
        config: config.clone(),
        data: data.clone(),
        address: free_port(),
        running: None,
    };
    reporter.start();
    reporter.wait_ready();
    let url = format!("http://{}/", reporter.address);
    let listen = free_port().to_string();
    let agent = || {
        Running::start([
            "agent".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--reporter".as_ref(),
            url.as_ref(),
            "--data".as_ref(),
            agent_data.as_os_str(),
            "--listen".as_ref(),
            listen.as_ref(),
            "-q".as_ref(),
        ])
    };
    let mut moments = Moments(seed().wrapping_add(1));
    let mut kept = Vec::new();
    for round in 0..kills() {
        let running = agent();
        wait_for("the agent", || http("GET", &format!("http://{listen}/healthz"), &[], Vec::new()));
        std::thread::park_timeout(Duration::from_millis(moments.next(400)));
        running.kill();
        kept.extend(in_outbox(&agent_data));
        if round % 10 == 9 {
            // now and then the reporter is away as well, so that the outbox fills
            reporter.kill();
            let running = agent();
            std::thread::park_timeout(Duration::from_millis(1500));
            running.kill();
            kept.extend(in_outbox(&agent_data));
            reporter.start();
            reporter.wait_ready();
        }
    }
    let running = agent();
    let watch = mailward_evidence::Stopwatch::start();
    wait_for("the outbox to drain", || {
        assert!(watch.elapsed() < PATIENCE);
        let (_, text) = http("GET", &format!("http://{listen}/metrics"), &[], Vec::new())?;
        text.lines()
            .find_map(|line| line.strip_prefix("mailward_outbox_records "))
            .and_then(|n| n.trim().parse::<f64>().ok())
            .filter(|n| *n < 40.0)
    });
    assert!(running.stop().success());
    assert!(reporter.running.take().expect("running").stop().success());
    let left = in_outbox(&agent_data);
    let stored = stored(&data);
    assert!(kept.len() > 100, "only {} outcomes stood in the outbox at the kills", kept.len());
    for key in &kept {
        let there = stored.get(key).copied().unwrap_or(0);
        assert!(there == 1 || (there == 0 && left.contains(key)), "{key:?} stands {there} times");
    }
}

/// The outcomes in an outbox, read from a copy as recovery would read it.
fn in_outbox(agent_data: &Path) -> Vec<(String, String, String, u64)> {
    let copy = scratch();
    let Ok(files) = std::fs::read_dir(agent_data.join("outbox")) else { return Vec::new() };
    for file in files.map(|entry| entry.expect("an entry").path()) {
        let name = file.file_name().expect("a file has a name");
        std::fs::copy(&file, copy.path().join(name)).expect("copy the outbox");
    }
    let limits = Limits { max_bytes: u64::MAX, max_age: Duration::MAX };
    let mut outbox = Outbox::open(copy.path(), limits).expect("open the copy");
    let batch = outbox.read(usize::MAX, usize::MAX);
    wire::decode_lines(&batch.body)
        .expect("what the agent kept can be read")
        .into_iter()
        .filter_map(|record| match record {
            Record::Outcome(o) => Some((
                o.agent.to_string(),
                o.probe.to_string(),
                o.due.to_string(),
                u64::from(o.attempt),
            )),
            _ => None,
        })
        .collect()
}

/// An HTTP server that answers 200 to everything.
fn answering_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut buffer = [0; 1024];
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.read(&mut buffer);
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok",
                );
            });
        }
    });
    address
}
