//! How many ActiveSync probes to the list of folders one core makes in a second, against a lab on
//! the same core: each with a connection of its own, a full TLS handshake, OPTIONS and FolderSync.
//! Run: `cargo bench -p mailward-agent --bench eas`

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a measurement that prints"
)]

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use mailward_agent::devices::Devices;
use mailward_agent::net::Net;
use mailward_agent::probe::{Account, Accounts, Context, Deadline, Observe, build};
use mailward_agent::turn::Turn;
use mailward_catalogue::Secret;
use mailward_evidence::{Reason, Stopwatch, Verdict};
use mailward_lab::{Lab, LabSettings};

const RUNS: usize = 4000;
const AT_ONCE: usize = 8;
const MAILBOX: &str = "probe@example.test";

struct One;

impl Accounts for One {
    fn account<'a>(&'a self, _: &'a str, _: Deadline) -> BoxFuture<'a, Result<Account, Reason>> {
        let password = Secret::new("correct horse".to_owned());
        async move { Ok(Account::with_password(MAILBOX.to_owned(), password)) }.boxed()
    }

    fn accepted(&self, _: &str) {}

    fn rejected(&self, _: &str) {}
}

async fn runs(probe: &dyn Observe, devices: &Devices, count: usize) -> (usize, f64) {
    let (mut up, mut tls_ms) = (0, 0.0);
    for _ in 0..count {
        let deadline = Deadline::after(Duration::from_secs(30));
        let turn = Turn { due_ms: 0, attempt: 0 };
        let cx = Context { deadline, accounts: &One, turn, post: None, devices };
        let seen = probe.observe(&cx).await;
        assert!(seen.phases.get("folders").is_some(), "{seen:?}");
        up += usize::from(seen.verdict == Verdict::Up);
        tls_ms += seen.phases.get("tls").copied().unwrap();
    }
    (up, tls_ms)
}

/// User and system time of this process in ticks of a hundredth of a second (proc(5)).
fn ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit_once(')').unwrap().1;
    after.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

async fn measure() {
    let lab = Lab::start(LabSettings::default()).await.unwrap();
    let mut trust = tempfile::NamedTempFile::new().unwrap();
    trust.write_all(lab.ca_pem().as_bytes()).unwrap();
    let resolver = "127.0.0.1:9".parse().unwrap();
    let net = Arc::new(Net::new(Some(trust.path()), Some(resolver)).unwrap());
    let address = lab.addresses().eas;
    let text = format!(
        "[service]\nname=\"x\"\nzone=\"UTC\"\n[[component]]\nid=\"c\"\n[[credential]]\nid=\"a\"\n\
         username=\"{MAILBOX}\"\npassword={{env=\"NOT_READ\"}}\n[[probe]]\nid=\"p\"\n\
         component=\"c\"\nkind=\"eas\"\nevery=\"60s\"\ncredential=\"a\"\ndepth=\"folders\"\n\
         url=\"https://{address}/Microsoft-Server-ActiveSync\"\n"
    );
    let catalogue = mailward_catalogue::parse("x.toml", &text).catalogue.unwrap();
    let probe = build(&catalogue.probes[0], &net).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let devices = Devices::new("bench", Some(directory.path().to_owned()));
    runs(probe.as_ref(), &devices, 100).await;

    let (before, begin) = (ticks(), Stopwatch::start());
    let each = RUNS / AT_ONCE;
    let done = join_all((0..AT_ONCE).map(|_| runs(probe.as_ref(), &devices, each))).await;
    let took_s = begin.elapsed().as_secs_f64();
    let cpu_s = (ticks() - before) as f64 / 100.0;
    let up: usize = done.iter().map(|(up, _)| up).sum();
    let tls_ms: f64 = done.iter().map(|(_, tls)| tls).sum();
    println!("{up} of {RUNS} up; {} device", lab.devices(MAILBOX));
    println!(
        "{:.0} a second, {:.0} a second of CPU (agent and lab)",
        RUNS as f64 / took_s,
        RUNS as f64 / cpu_s
    );
    println!("{:.2} ms of each in the handshake, {AT_ONCE} at once", tls_ms / RUNS as f64);
}

fn main() {
    // one thread for both sides: what the agent has to itself is more
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}
