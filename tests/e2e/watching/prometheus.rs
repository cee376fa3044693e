//! Debian's Prometheus as a process of the test, and its HTTP API.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mailward_evidence::{Clock, Stopwatch, SystemClock};
use serde_json::Value;

use crate::support::{free_port, http, wait_for, write};

/// How far back a range reaches.
const RANGE_S: f64 = 45.0;

pub(crate) struct Prometheus {
    child: Child,
    address: SocketAddr,
    /// Since when alerts count that fired.
    since: Stopwatch,
}

impl Prometheus {
    /// Scrapes both every second, and evaluates the rules as often.
    pub(crate) fn start(
        directory: &Path,
        reporter: SocketAddr,
        agent: SocketAddr,
        rules: &str,
    ) -> Self {
        write(directory, "rules.yml", rules);
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}\n\
             rule_files: [rules.yml]\n\
             scrape_configs:\n\
             - job_name: mailward-reporter\n  static_configs: [{{targets: [\"{reporter}\"]}}]\n\
             - job_name: mailward-agent\n  static_configs: [{{targets: [\"{agent}\"]}}]\n"
        );
        let config = write(directory, "prometheus.yml", &config);
        let log = std::fs::File::create(directory.join("prometheus.log")).expect("make a log");
        let address = free_port();
        let child = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", directory.join("tsdb").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("prometheus: run tests/peers/install.sh rules");
        let started = Self { child, address, since: Stopwatch::start() };
        wait_for("Prometheus", || {
            let ready = http("GET", &started.url("/-/ready"), &[], Vec::new());
            ready.filter(|(status, _)| *status == 200).map(drop)
        });
        started
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks the API with a form; `data` of the answer.
    fn ask(&self, path: &str, form: &[(&str, &str)]) -> Value {
        let fields: Vec<String> = form
            .iter()
            .map(|(name, value)| format!("{}={}", quoted(name), quoted(value)))
            .collect();
        let header = [("content-type", "application/x-www-form-urlencoded")];
        let body = fields.join("&").into_bytes();
        let (status, text) =
            http("POST", &self.url(path), &header, body).expect("an answer of Prometheus");
        assert_eq!(status, 200, "{form:?}: {text}");
        let mut answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["data"].take()
    }

    /// What an expression gives now, without what is no number.
    pub(crate) fn values(&self, expression: &str) -> Vec<Value> {
        let mut data = self.ask("/api/v1/query", &[("query", expression)]);
        let Value::Array(found) = data["result"].take() else { return Vec::new() };
        found.into_iter().filter(|one| is_number(&one["value"])).collect()
    }

    /// The series of an expression over the last seconds that have at least one number.
    pub(crate) fn series(&self, expression: &str) -> usize {
        let now = SystemClock.now().as_duration().as_secs_f64();
        let (start, end) = (format!("{:.3}", now - RANGE_S), format!("{now:.3}"));
        let form = [("query", expression), ("start", &start), ("end", &end), ("step", "1")];
        let data = self.ask("/api/v1/query_range", &form);
        let numbers = |one: &&Value| {
            one["values"].as_array().is_some_and(|values| values.iter().any(is_number))
        };
        data["result"].as_array().map_or(0, |found| found.iter().filter(numbers).count())
    }

    /// The values of a label among the series that a selector names, as Grafana asks for them.
    pub(crate) fn label_values(&self, selector: &str, label: &str) -> Vec<String> {
        let matched = format!("{}?match[]={}", self.url(&label_path(label)), quoted(selector));
        let (status, text) = http("GET", &matched, &[], Vec::new()).expect("an answer");
        assert_eq!(status, 200, "{selector}: {text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        let values = answer["data"].as_array().into_iter().flatten();
        values.filter_map(|value| value.as_str().map(str::to_owned)).collect()
    }

    /// Alerts that fire now.
    pub(crate) fn firing(&self) -> BTreeSet<String> {
        self.alerts("ALERTS{alertstate=\"firing\"}")
    }

    /// Counts alerts that fire from now on.
    pub(crate) fn forget(&mut self) {
        self.since = Stopwatch::start();
    }

    /// Alerts that fired since then.
    pub(crate) fn fired(&self) -> BTreeSet<String> {
        let seconds = self.since.elapsed().as_secs().max(1);
        self.alerts(&format!("max_over_time(ALERTS{{alertstate=\"firing\"}}[{seconds}s])"))
    }

    /// Their names, with the agent that they are about.
    fn alerts(&self, series: &str) -> BTreeSet<String> {
        let found = self.values(&format!("count by (alertname, agent) ({series})"));
        let label = |one: &Value, name: &str| one["metric"][name].as_str().unwrap_or("").to_owned();
        let named = |one| format!("{} {}", label(one, "alertname"), label(one, "agent"));
        found.iter().map(|one| named(one).trim().to_owned()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn label_path(label: &str) -> String {
    format!("/api/v1/label/{label}/values")
}

/// Whether a sample, an instant and a text, has a number as its text.
fn is_number(sample: &Value) -> bool {
    sample[1].as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite)
}

/// Percent-encoded, all but letters and digits.
fn quoted(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
