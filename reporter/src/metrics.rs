//! The reporter's metrics in Prometheus' text form, rendered from what is known at an instant.
//! Names and labels are a promise to those who alert on them; label values come from closed
//! sets: the definition, the enrolled agents, and the states.

use std::collections::BTreeMap;

use mailward_catalogue::{Catalogue, InForce};
use mailward_evidence::Instant;
use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{TEXT_FORMAT, TextEncoder};

mod agents;
pub mod latency;
mod month;
mod notices;
mod service;

use crate::ingest::receipts::Noted;
use crate::leases::Account;
use crate::report::model::Report;
use crate::status::MonthEntry;
use crate::status::evaluate::Evaluation;
use crate::store::{AgentSeen, ChannelCounts, LetterState, Tally};
use latency::Latencies;

/// The media type of the text.
pub const CONTENT_TYPE: &str = TEXT_FORMAT;

/// What the metrics are rendered from.
pub struct Facts<'a> {
    /// The definition.
    pub definition: &'a InForce,
    /// The live state.
    pub evaluation: &'a Evaluation,
    /// The running month, to date.
    pub so_far: Option<&'a Report>,
    /// When each agent last delivered.
    pub agents: &'a [AgentSeen],
    /// How many records came.
    pub tallies: &'a [Tally],
    /// How long runs and mails took.
    pub latencies: &'a Latencies,
    /// The months that are published.
    pub months: &'a [MonthEntry],
    /// How many letters about published reports are in each state.
    pub letters: &'a [(LetterState, u64)],
    /// How the messages of each channel of notifications stand.
    pub notices: &'a BTreeMap<String, ChannelCounts>,
    /// How accounts stand that agents sign in with.
    pub accounts: &'a [Account],
    /// By probe, when the first certificate expires that agents see; milliseconds since the epoch.
    pub certificates: &'a BTreeMap<String, i64>,
    /// What deliveries told beside their records.
    pub noted: &'a Noted,
    /// When the last backup was made, in milliseconds since the epoch.
    pub backup_ms: Option<i64>,
    /// The instant it holds for.
    pub now_ms: i64,
}

impl Facts<'_> {
    fn catalogue(&self) -> &Catalogue {
        &self.definition.catalogue
    }
}

/// The metrics as text.
///
/// # Errors
/// When the encoder refuses a family.
pub fn text(facts: &Facts<'_>) -> prometheus::Result<String> {
    let mut families = vec![
        service::components(facts),
        service::voices(facts),
        service::incidents(facts),
        service::listed(facts),
        service::certificates(facts),
        service::durations(facts),
        service::deliveries(facts),
        month::levels(facts),
        month::targets(facts),
        month::shares(facts),
        month::ratios(facts),
        month::differing(facts),
        month::letters(facts),
        agents::credentials(facts),
        agents::records(facts),
        agents::last_seen(facts),
        agents::skew(facts),
        agents::deliveries(facts),
        evaluated(facts),
        reload_successful(facts),
        reload_timestamp(facts),
        backup(facts),
        build(),
    ];
    families.extend(month::budgets(facts));
    families.extend(agents::backlogs(facts));
    families.extend(notices::families(facts));
    // the encoder refuses a family without samples; one that has none yet is left out
    families.retain(|family| !family.get_metric().is_empty());
    TextEncoder::new().encode_to_string(&families)
}

fn family(name: &str, help: &str, kind: MetricType, metrics: Vec<Metric>) -> MetricFamily {
    let mut family = MetricFamily::default();
    family.set_name(name.to_owned());
    family.set_help(help.to_owned());
    family.set_field_type(kind);
    family.set_metric(metrics);
    family
}

fn labels(pairs: &[(&str, &str)]) -> Vec<LabelPair> {
    pairs
        .iter()
        .map(|(name, value)| {
            let mut pair = LabelPair::default();
            pair.set_name((*name).to_owned());
            pair.set_value((*value).to_owned());
            pair
        })
        .collect()
}

fn gauge(pairs: &[(&str, &str)], value: f64) -> Metric {
    let mut gauge = Gauge::default();
    gauge.set_value(value);
    let mut metric = Metric::from_label(labels(pairs));
    metric.set_gauge(gauge);
    metric
}

fn counter(pairs: &[(&str, &str)], value: u64) -> Metric {
    let mut counter = Counter::default();
    counter.set_value(count(value));
    let mut metric = Metric::from_label(labels(pairs));
    metric.set_counter(counter);
    metric
}

#[allow(clippy::cast_precision_loss, reason = "a sample is a double; these are far below 2^53")]
const fn count(n: u64) -> f64 {
    n as f64
}

#[allow(clippy::cast_precision_loss, reason = "a sample is a double; these are far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn evaluated(facts: &Facts<'_>) -> MetricFamily {
    family(
        "mailward_status_evaluated_timestamp_seconds",
        "When the live state was last evaluated, in seconds since the epoch.",
        MetricType::GAUGE,
        vec![gauge(&[], seconds(facts.now_ms))],
    )
}

fn reload_successful(facts: &Facts<'_>) -> MetricFamily {
    let latest = f64::from(u8::from(facts.definition.is_latest));
    family(
        "mailward_definition_reload_successful",
        "Whether the definition is what its file said when it was read last; 0 if that was refused.",
        MetricType::GAUGE,
        vec![gauge(&[], latest)],
    )
}

fn reload_timestamp(facts: &Facts<'_>) -> MetricFamily {
    family(
        "mailward_definition_reload_timestamp_seconds",
        "When the definition in force was read.",
        MetricType::GAUGE,
        vec![gauge(&[], seconds(facts.definition.since_ms))],
    )
}

/// When the reporter's own certificate expires, as text.
///
/// # Errors
/// When the encoder refuses it.
pub fn certificate(expires: Instant) -> prometheus::Result<String> {
    let family = family(
        "mailward_reporter_certificate_expiry_timestamp_seconds",
        "When the certificate expires that the reporter shows.",
        MetricType::GAUGE,
        vec![gauge(&[], seconds(expires.ms()))],
    );
    TextEncoder::new().encode_to_string(&[family])
}

fn backup(facts: &Facts<'_>) -> MetricFamily {
    family(
        "mailward_backup_last_success_timestamp_seconds",
        "When `mailward backup` last wrote a backup; absent while there is none.",
        MetricType::GAUGE,
        facts.backup_ms.map(|at| gauge(&[], seconds(at))).into_iter().collect(),
    )
}

fn build() -> MetricFamily {
    family(
        "mailward_build_info",
        "The version that runs; always 1.",
        MetricType::GAUGE,
        vec![gauge(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    )
}
