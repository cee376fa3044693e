//! What Prometheus looks at: a reporter and an agent of the real binary, the lab that they watch,
//! and everything that can go wrong at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use mailward_evidence::{Clock, SystemClock};
use mailward_lab::{Certificate, Fault, Lab, LabSettings, Part, lists};

use super::prometheus::Prometheus;
use crate::support::{Running, free_port, http, run_ok, scratch, wait_for, write};

const ADDRESS: &str = "192.0.2.10";

pub(crate) struct Stage {
    scratch: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    lab: Lab,
    token: String,
    /// Of an agent that only the test speaks for.
    other_token: String,
    definition: String,
    pub(crate) reporter: SocketAddr,
    pub(crate) agent: SocketAddr,
    running: Option<Running>,
    looking: Option<Running>,
}

/// A day's calls, as JSON lines have them.
fn calls(good: u32) -> String {
    format!(
        "{{\"v\":1,\"kind\":\"count\",\"series\":\"calls\",\"from\":\"2019-02-01T00:00:00Z\",\
         \"to\":\"2019-02-02T00:00:00Z\",\"good\":{good},\"total\":980}}\n"
    )
}

/// Many mails, all due a moment ago, that took a minute and a half.
fn slow_mails() -> String {
    let now = SystemClock.now();
    let mails = (1..=200).map(|i| {
        let due = now - jiff::SignedDuration::from_millis(i);
        format!(
            "{{\"v\":1,\"kind\":\"outcome\",\"agent\":\"leeds-2\",\"probe\":\"mail-out\",\
             \"due\":\"{due:.3}\",\"attempt\":0,\"next_due_s\":1,\"took_ms\":90000,\
             \"verdict\":\"up\",\"reason\":null,\"delivery_s\":90.0,\"phases\":{{}},\"facts\":{{}}}}\n"
        )
    });
    mails.collect()
}

impl Stage {
    /// A service that works, a month that is published, and its letter, which the relay will not
    /// have.
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let lab = runtime.block_on(Lab::start(LabSettings::default())).expect("start the lab");
        let scratch = scratch();
        let data = scratch.path().join("reporter");
        let data = data.to_str().expect("a path");
        let enrol = |name: &str| {
            let token = run_ok(["agents", "add", name, "--site", "internet", "--data", data]);
            token.trim().to_owned()
        };
        let (token, other_token) = (enrol("leeds-1"), enrol("leeds-2"));
        let mut stage = Self {
            scratch,
            runtime,
            lab,
            token,
            other_token,
            definition: String::new(),
            reporter: free_port(),
            agent: free_port(),
            running: None,
            looking: None,
        };
        write(stage.path(), "ca.pem", stage.lab.ca_pem());
        write(stage.path(), "token", &stage.token);
        write(stage.path(), "password", "correct horse");
        stage.definition = stage.define();
        write(stage.path(), "probes.toml", &stage.definition);
        stage.import(&calls(950));
        let config = stage.config();
        let config = config.to_str().expect("a path");
        let month = ["publish", "--month", "2019-02", "--by", "A. Manager"];
        run_ok([&month[..], &["--config", config, "--data", &stage.data("reporter")]].concat());
        stage.start_reporter();
        let url = format!("http://{}/", stage.reporter);
        let listen = stage.agent.to_string();
        let words = ["agent", "--reporter", &url, "--listen", &listen, "--config", config];
        let looking = Running::start([&words[..], &["--data", &stage.data("agent")]].concat());
        let metrics = format!("http://{}/metrics", stage.agent);
        wait_for("the agent", || http("GET", &metrics, &[], Vec::new()));
        stage.looking = Some(looking);
        stage
    }

    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    fn config(&self) -> PathBuf {
        self.path().join("probes.toml")
    }

    fn data(&self, of: &str) -> String {
        self.path().join(of).to_str().expect("a path").to_owned()
    }

    fn import(&self, lines: &str) {
        let file = write(self.path(), "calls.ndjson", lines);
        let file = file.to_str().expect("a path");
        run_ok(["import", file, "--data", &self.data("reporter")]);
    }

    pub(crate) fn start_reporter(&mut self) {
        write(self.path(), "probes.toml", &self.definition);
        let config = self.config();
        let listen = self.reporter.to_string();
        let words = ["reporter", "--listen", &listen, "--config", config.to_str().expect("a path")];
        let mut running =
            Running::start([&words[..], &["--data", &self.data("reporter")]].concat());
        running.wait_line("reporter listens");
        self.running = Some(running);
    }

    pub(crate) fn stop_reporter(&mut self) {
        assert!(self.running.take().is_some_and(|running| running.stop().success()));
    }

    pub(crate) fn stop_agent(&mut self) {
        assert!(self.looking.take().is_some_and(|looking| looking.stop().success()));
    }

    /// Outlook on the web is gone, the portal's certificate has ended, an address is listed, a
    /// published month is not the last word, and the definition is broken.
    pub(crate) fn break_everything(&self) {
        self.lab
            .list(ADDRESS, lists::BLOCKLIST, Ipv4Addr::new(127, 0, 0, 2), "for a test")
            .expect("a listing");
        let faults =
            [(Part::Owa, Fault::Refuse), (Part::Portal, Fault::Certificate(Certificate::Expired))];
        for (part, fault) in faults {
            self.runtime.block_on(self.lab.set(part, fault)).expect("a fault");
        }
        self.import(&calls(900));
        write(self.path(), "probes.toml", "[service]\nname = 7\n");
        let pid = self.running.as_ref().expect("the reporter").pid().to_string();
        let asked = Command::new("kill").args(["-HUP", &pid]).status().expect("run kill");
        assert!(asked.success());
    }

    /// An agent has a wrong clock, an outbox that does not empty and too much to do, its mail is
    /// slow, and another body of its makes no sense.
    pub(crate) fn be_a_bad_agent(&self, prometheus: &Prometheus) {
        self.deliver("records=5, oldest_ms=1000000, dropped=0, missed=0", &slow_mails(), 200);
        self.deliver("records=5, oldest_ms=1000000, dropped=0, missed=0", "no record\n", 400);
        // a counter has to be seen before it can be seen to grow
        for counter in [
            "mailward_ingest_deliveries_total{result=\"malformed\"}",
            "mailward_agent_outbox_dropped_records_total{agent=\"leeds-2\"}",
        ] {
            wait_for(counter, || (!prometheus.values(counter).is_empty()).then_some(()));
        }
        let backlog = "records=5, oldest_ms=1000000, dropped=5, missed=50";
        self.deliver(backlog, &slow_mails(), 200);
        self.deliver(backlog, "no record\n", 400);
    }

    fn deliver(&self, backlog: &str, body: &str, status: u16) {
        let url = format!("http://{}/api/v1/evidence", self.reporter);
        let bearer = format!("Bearer {}", self.other_token);
        let late = SystemClock.now() - jiff::SignedDuration::from_secs(60);
        let printer = jiff::fmt::rfc2822::DateTimePrinter::new();
        let date = printer.timestamp_to_rfc9110_string(&late).expect("a date");
        let headers =
            [("authorization", &*bearer), ("date", &*date), ("mailward-backlog", backlog)];
        let answer = http("POST", &url, &headers, body.as_bytes().to_vec());
        assert_eq!(answer.map(|(answered, _)| answered), Some(status));
    }

    fn define(&self) -> String {
        let at = self.lab.addresses();
        let path = |name: &str| self.path().join(name).display().to_string();
        let sink = free_port();
        format!(
            r#"
[service]
name = "Watched"
zone = "UTC"
[agent]
name = "leeds-1"
site = "internet"
trust = "{ca}"
token = {{ file = "{token}" }}
[[component]]
id = "owa"
severity = "2"
[[component]]
id = "portal"
severity = "3"
[[component]]
id = "outgoing"
severity = "3"
[[component]]
id = "reputation"
severity = "3"
[[credential]]
id = "box"
username = "probe@example.test"
password = {{ file = "{password}" }}
[[probe]]
id = "page"
component = "owa"
kind = "owa"
url = "https://{owa}/owa/"
every = "1s"
timeout = "900ms"
[[probe]]
id = "inbox"
component = "owa"
kind = "owa"
url = "https://{owa}/owa/"
credential = "box"
every = "3s"
timeout = "2s"
[[probe]]
id = "portal-page"
component = "portal"
kind = "http"
url = "https://localhost:{portal}/portal/"
every = "2s"
timeout = "1s"
[[probe]]
id = "mail-out"
component = "outgoing"
kind = "mail"
direction = "outgoing"
send = {{ host = "127.0.0.1", port = {sink_port}, tls = "none", mail_from = "probe@example.test", rcpt_to = "probe@sink.test" }}
receive = {{ sink = "sink" }}
every = "1s"
timeout = "900ms"
lost_after = "10s"
[[sink]]
id = "sink"
listen = "{sink}"
hostname = "sink.test"
[[probe]]
id = "rbl"
component = "reputation"
kind = "dnsbl"
addresses = ["{ADDRESS}"]
lists = ["{list}"]
resolver = "{dns}"
every = "2s"
timeout = "1s"
[[level]]
id = "owa-availability"
component = "owa"
measure = "availability"
target = "99.999%"
unknown = "up"
[[level]]
id = "owa-tight"
component = "owa"
measure = "availability"
target = "99.9999%"
unknown = "up"
[[level]]
id = "delivery"
component = "outgoing"
measure = "delivery_time"
target = "95%"
within = "10s"
lost_after = "10s"
[[level]]
id = "calls-answered"
measure = "ratio"
series = "calls"
target = "97%"
[report]
publish = "manual"
[distribution]
to = ["nobody@example.test"]
from = "reports@example.test"
host = "127.0.0.1"
port = {smtp}
tls = "none"
"#,
            ca = path("ca.pem"),
            token = path("token"),
            password = path("password"),
            owa = at.owa,
            portal = at.portal.port(),
            sink_port = sink.port(),
            list = lists::BLOCKLIST,
            dns = at.dns,
            smtp = at.smtp.port(),
        )
    }
}
