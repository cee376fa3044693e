//! 200 agents come back at once after an outage of a day, each with 40 probes' outcomes of every
//! minute: 11.5 million records, to a `mailward reporter` of its own on the same machine. Beside
//! them a real agent probes and delivers; none of its probes may be late.

#![allow(clippy::print_stdout, reason = "a bench prints what it measured")]

mod fleet;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fleet::{Backlog, Drained};
use mailward_evidence::{Clock, Stopwatch, SystemClock};

const AGENTS: usize = 200;
const PROBES: usize = 40;
const MINUTES: usize = 1440;

fn main() {
    // `cargo test` builds and runs benches too; a figure is only wanted from `cargo bench`
    if !std::env::args().any(|a| a == "--bench") {
        return;
    }
    let number = |name: &str, usual| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let (agents, minutes) =
        (number("RETURNING_AGENTS", AGENTS), number("RETURNING_MINUTES", MINUTES));
    let scratch = tempfile::tempdir().expect("make a directory");
    let data = scratch.path().join("reporter");
    let config = definition(scratch.path());
    let backlogs = backlogs(&data, agents, minutes);
    let bytes: usize = backlogs.iter().flat_map(|b| &b.bodies).map(Vec::len).sum();
    let records: usize = backlogs.iter().map(|b| b.records).sum();
    println!("{agents} agents with {records} records, {} MB as they are sent", bytes >> 20);

    let reporter = start_reporter(&config, &data);
    let beside = start_agent(scratch.path(), &config, &data, reporter.at);
    wait("the agent's first outcomes", || beside.metric("mailward_probe_outcomes_total") > 80.0);
    let before = beside.metric("mailward_schedule_lag_seconds_count");
    let watch = Stopwatch::start();
    let drained = fleet::drain_all(reporter.at, &backlogs);
    let took = watch.elapsed();
    let runs = beside.metric("mailward_schedule_lag_seconds_count") - before;
    wait("the agent's outbox", || beside.metric("mailward_outbox_records") < 100.0);
    tell(&drained, records, took);
    println!("resident: reporter {} MB at most", peak_mb(&reporter.child));
    beside.tell(runs);
}

fn tell(drained: &[Drained], records: usize, took: Duration) {
    let accepted: u64 = drained.iter().map(|d| d.accepted).sum();
    let duplicates: u64 = drained.iter().map(|d| d.duplicates).sum();
    let mut refused: BTreeMap<u16, u64> = BTreeMap::new();
    for (status, times) in drained.iter().flat_map(|d| &d.refused) {
        *refused.entry(*status).or_default() += times;
    }
    let slowest = drained.iter().map(|d| d.took).max().unwrap_or_default();
    println!(
        "drained in {:.1} s: {:.0} records a second; the first agent after {:.1} s, the last after {:.1} s",
        took.as_secs_f64(),
        records as f64 / took.as_secs_f64(),
        drained.iter().map(|d| d.took).min().unwrap_or_default().as_secs_f64(),
        slowest.as_secs_f64(),
    );
    println!(
        "accepted {accepted} of {records}, duplicates {duplicates}, refused by status {refused:?}"
    );
    assert_eq!(accepted + duplicates, records as u64, "every record was acknowledged");
}

/// The day before yesterday's evidence, made up by two threads.
fn backlogs(data: &Path, agents: usize, minutes: usize) -> Vec<Backlog> {
    let from_s = SystemClock.now().as_second() - i64::try_from(minutes * 60).expect("small") - 600;
    let enrolled: Vec<(String, String)> = (0..agents)
        .map(|number| format!("agent-{number}"))
        .map(|name| (name.clone(), enrol(data, &name)))
        .collect();
    let half = enrolled.len().div_ceil(2).max(1);
    let made = |some: &[(String, String)]| -> Vec<Backlog> {
        let of =
            |(name, token): &(String, String)| Backlog::of(name, token, PROBES, minutes, from_s);
        some.iter().map(of).collect()
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            enrolled.chunks(half).map(|some| scope.spawn(|| made(some))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("backlogs")).collect()
    })
}

/// The program as it was just built, or another build of it that `MAILWARD_BIN` names.
fn mailward() -> Command {
    let named = std::env::var_os("MAILWARD_BIN");
    let mut command = Command::new(named.unwrap_or_else(|| env!("CARGO_BIN_EXE_mailward").into()));
    command.stdin(Stdio::null());
    command
}

fn enrol(data: &Path, agent: &str) -> String {
    let output = mailward().args(["agents", "add", agent, "--data"]).arg(data).output();
    let output = output.expect("run mailward");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a token").trim().to_owned()
}

/// 40 probes of a server that answers at once, every second.
fn definition(directory: &Path) -> PathBuf {
    let target = answering_server();
    let mut text =
        "[service]\nname = \"Bench\"\nzone = \"Europe/London\"\n\n[[component]]\nid = \"c\"\n\
                    \n[[level]]\nid = \"l\"\ncomponent = \"c\"\nmeasure = \"availability\"\n\
                    target = \"99.9%\"\n"
            .to_owned();
    for probe in 0..PROBES {
        text += &format!(
            "\n[[probe]]\nid = \"p{probe}\"\ncomponent = \"c\"\nkind = \"http\"\n\
             url = \"http://{target}/\"\nevery = \"1s\"\ntimeout = \"1s\"\n"
        );
    }
    let config = directory.join("probes.toml");
    std::fs::write(&config, text).expect("write the definition");
    config
}

fn answering_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let address = listener.local_addr().expect("address");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok");
        }
    });
    address
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port")
}

fn wait(what: &str, holds: impl Fn() -> bool) {
    let watch = Stopwatch::start();
    while !holds() {
        assert!(watch.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A process of the bench, and where it listens.
struct Running {
    child: Child,
    at: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_reporter(config: &Path, data: &Path) -> Running {
    let at = free_port();
    let mut command = mailward();
    command.args(["reporter", "-q", "--listen", &at.to_string(), "--config"]).arg(config);
    let child = command.arg("--data").arg(data).stdout(Stdio::null()).spawn();
    let running = Running { child: child.expect("start the reporter"), at };
    wait("the reporter", || get(at, "/readyz").is_some());
    running
}

fn start_agent(directory: &Path, config: &Path, data: &Path, reporter: SocketAddr) -> Running {
    std::fs::write(directory.join("token"), enrol(data, "beside")).expect("write the token");
    let text = std::fs::read_to_string(config).expect("the definition")
        + "\n[agent]\nname = \"beside\"\nsite = \"x\"\ntoken = { file = \"token\" }\n";
    let own = directory.join("agent.toml");
    std::fs::write(&own, text).expect("write the agent's definition");
    let at = free_port();
    let mut command = mailward();
    command.args(["agent", "-q", "--listen", &at.to_string(), "--reporter"]);
    command.arg(format!("http://{reporter}/")).arg("--config").arg(own);
    command.arg("--data").arg(directory.join("agent")).stdout(Stdio::null());
    let running = Running { child: command.spawn().expect("start the agent"), at };
    wait("the agent", || get(at, "/healthz").is_some());
    running
}

impl Running {
    fn metrics(&self) -> String {
        get(self.at, "/metrics").unwrap_or_default()
    }

    /// A figure added up over its labels.
    fn metric(&self, name: &str) -> f64 {
        let of = |line: &str| -> Option<f64> {
            let rest = line.strip_prefix(name)?;
            rest.starts_with([' ', '{']).then(|| rest.rsplit(' ').next()?.parse().ok())?
        };
        self.metrics().lines().filter_map(of).fold(0.0, |sum, value| sum + value)
    }

    /// How late the runs of this agent began.
    fn tell(&self, runs: f64) {
        let text = self.metrics();
        let all = self.metric("mailward_schedule_lag_seconds_count");
        let buckets = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("mailward_schedule_lag_seconds_bucket{le=\"")?;
            let (bound, count) = rest.split_once("\"} ")?;
            Some((bound.to_owned(), count.parse::<f64>().ok()?))
        });
        let within = buckets.clone().find(|(_, count)| *count >= all).map(|(bound, _)| bound);
        let missed = self.metric("mailward_schedule_missed_total");
        println!(
            "beside them: {runs} runs of 40 probes a second meanwhile, all begun within {} s, missed {missed}",
            within.unwrap_or_default()
        );
        assert!(missed == 0.0, "a run was missed");
        let in_time = buckets.clone().find(|(bound, _)| bound == "1").map(|(_, count)| count);
        assert_eq!(in_time, Some(all), "a run was late");
    }
}

fn get(at: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(at).ok()?;
    let ask = format!("GET {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}

/// The most memory a process ever had resident.
fn peak_mb(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let status = status.unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    kb.unwrap_or_default() / 1024
}
