//! The reporter's metrics in Prometheus' text form, rendered from what is known at an instant.
//! Names and labels are a promise to those who alert on them; label values come from closed
//! sets: the definition, the enrolled agents, and the states.

use std::collections::BTreeMap;

use mailward_catalogue::{Catalogue, InForce};
use mailward_evidence::lease::AccountState;
use prometheus::proto::{
    Bucket, Counter, Gauge, Histogram, LabelPair, Metric, MetricFamily, MetricType,
};
use prometheus::{TEXT_FORMAT, TextEncoder};

pub mod latency;

use crate::leases::Account;
use crate::report::model::{Availability, Figure, Report};
use crate::status::MonthEntry;
use crate::status::evaluate::Evaluation;
use crate::store::{AgentSeen, LetterState, Tally};
use crate::timeline::Voice;
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
    /// How accounts stand that agents sign in with.
    pub accounts: &'a [Account],
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
    let [budget, budget_left] = budgets(facts);
    let families = [
        components(facts),
        voices(facts),
        ratios(facts),
        budget,
        budget_left,
        incidents(facts),
        differing(facts),
        letters(facts),
        credentials(facts),
        records(facts),
        last_seen(facts),
        skew(facts),
        durations(facts),
        deliveries(facts),
        evaluated(facts),
        reload_successful(facts),
        reload_timestamp(facts),
        build(),
    ];
    // the encoder refuses a family without samples; one that has none yet is left out
    let families: Vec<MetricFamily> =
        families.into_iter().filter(|f| !f.get_metric().is_empty()).collect();
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

#[allow(clippy::cast_precision_loss, reason = "a sample is a double; these are far below 2^53")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

fn components(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.evaluation.measured.iter().filter_map(|m| {
        m.up.map(|up| gauge(&[("component", &m.component)], f64::from(u8::from(up))))
    });
    family(
        "mailward_component_up",
        "Whether the component is up, as measured; absent while unknown.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

fn voices(facts: &Facts<'_>) -> MetricFamily {
    const STATES: [(Voice, &str); 4] = [
        (Voice::Up, "up"),
        (Voice::Degraded, "degraded"),
        (Voice::Down, "down"),
        (Voice::Unknown, "unknown"),
    ];
    let samples = facts.evaluation.voices.iter().flat_map(|said| {
        STATES.map(|(voice, state)| {
            let pairs = [
                ("agent", said.agent.as_str()),
                ("site", &said.site),
                ("probe", &said.probe),
                ("component", &said.component),
                ("state", state),
            ];
            gauge(&pairs, f64::from(u8::from(said.voice == voice)))
        })
    });
    family(
        "mailward_agent_probe_state",
        "What an agent says with a probe it is due to run: 1 for the state that holds.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

fn ratios(facts: &Facts<'_>) -> MetricFamily {
    let levels = facts.so_far.map(|r| r.levels.as_slice()).unwrap_or_default();
    let samples = levels.iter().filter_map(|level| match &level.figure {
        Figure::Availability(a) => {
            a.availability_pct.map(|pct| gauge(&[("level", &level.id)], pct / 100.0))
        }
        _ => None,
    });
    family(
        "mailward_availability_ratio",
        "Availability of the running month to date; absent where nothing was measured.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

fn budgets(facts: &Facts<'_>) -> [MetricFamily; 2] {
    let levels = facts.so_far.map(|r| r.levels.as_slice()).unwrap_or_default();
    let of = |value: fn(&Availability) -> i64| {
        let samples = levels.iter().filter_map(move |level| match &level.figure {
            Figure::Availability(a) => Some(gauge(&[("level", &level.id)], seconds(value(a)))),
            _ => None,
        });
        samples.collect()
    };
    [
        family(
            "mailward_error_budget_seconds",
            "Downtime that the level allows in the whole of the running month.",
            MetricType::GAUGE,
            of(|figure| figure.budget_s.0),
        ),
        family(
            "mailward_error_budget_remaining_seconds",
            "Downtime left in the running month before the level is missed; negative when \
             overspent.",
            MetricType::GAUGE,
            of(|figure| figure.budget_left_s.0),
        ),
    ]
}

fn incidents(facts: &Facts<'_>) -> MetricFamily {
    let mut open: BTreeMap<&str, u32> = BTreeMap::new();
    for measured in &facts.evaluation.measured {
        *open.entry(&measured.severity).or_default() += u32::from(measured.up == Some(false));
    }
    let samples = open.iter().map(|(severity, n)| gauge(&[("severity", severity)], f64::from(*n)));
    family(
        "mailward_incidents_open",
        "Outages that are going on, by the severity of their component.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

fn differing(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.months.iter().map(|entry| {
        let differs = f64::from(u8::from(!entry.differs.is_empty()));
        gauge(&[("month", &entry.month)], differs)
    });
    family(
        "mailward_edition_differs",
        "Whether evidence that arrived since changes a figure of the month's latest edition.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

/// Accounts of one credential's id in several mailboxes are told by the worst of them.
fn credentials(facts: &Facts<'_>) -> MetricFamily {
    let mut states: BTreeMap<&str, AccountState> = BTreeMap::new();
    for account in facts.accounts {
        let worst = states.entry(&account.credential).or_insert(account.state);
        *worst = (*worst).max(account.state);
    }
    let samples = states.into_iter().flat_map(|(id, state)| {
        AccountState::ALL.map(|known| {
            let pairs = [("credential", id), ("state", known.label())];
            gauge(&pairs, f64::from(u8::from(known == state)))
        })
    });
    family(
        "mailward_credential_state",
        "1 for the state an account is in that agents sign in with: good, untried, refused or held.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

#[allow(clippy::cast_precision_loss, reason = "a sample is a double; these are far below 2^53")]
fn letters(facts: &Facts<'_>) -> MetricFamily {
    let samples =
        facts.letters.iter().map(|(state, count)| gauge(&[("state", state.word())], *count as f64));
    family(
        "mailward_letters",
        "Letters about published reports, by recipient and how far they have come.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

#[allow(clippy::cast_precision_loss, reason = "a sample is a double; these are far below 2^53")]
fn records(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.tallies.iter().map(|tally| {
        let mut counter = Counter::default();
        counter.set_value(tally.counted.accepted as f64);
        let pairs = [("agent", tally.agent.as_str()), ("kind", tally.kind)];
        let mut metric = Metric::from_label(labels(&pairs));
        metric.set_counter(counter);
        metric
    });
    family(
        "mailward_evidence_records_total",
        "Evidence records accepted, by agent (empty for imports) and kind.",
        MetricType::COUNTER,
        samples.collect(),
    )
}

fn last_seen(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts
        .agents
        .iter()
        .map(|seen| gauge(&[("agent", seen.agent.as_str())], seconds(seen.last_seen_ms)));
    family(
        "mailward_agent_last_seen_timestamp_seconds",
        "When the agent last delivered, in seconds since the epoch.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

fn skew(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.agents.iter().filter_map(|seen| {
        seen.skew_ms.map(|skew| gauge(&[("agent", seen.agent.as_str())], seconds(skew)))
    });
    family(
        "mailward_agent_clock_skew_seconds",
        "How far the agent's clock is ahead of the reporter's; negative when behind.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

fn durations(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.latencies.durations().into_iter().filter_map(|(probe, buckets)| {
        let declared = facts.catalogue().probe(&probe)?;
        let pairs = [
            ("probe", probe.as_str()),
            ("component", declared.component.as_str()),
            ("kind", declared.kind.name),
        ];
        Some(histogram(&pairs, &buckets))
    });
    family(
        "mailward_probe_duration_seconds",
        "How long runs that were up or degraded took, as agents reported them.",
        MetricType::HISTOGRAM,
        samples.collect(),
    )
}

fn deliveries(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts.latencies.deliveries().into_iter().filter_map(|(probe, buckets)| {
        let declared = facts.catalogue().probe(&probe)?;
        let direction = declared.settings.text("direction")?;
        Some(histogram(&[("probe", probe.as_str()), ("direction", direction)], &buckets))
    });
    family(
        "mailward_mail_delivery_seconds",
        "How long delivered mail took from hand-over to arrival.",
        MetricType::HISTOGRAM,
        samples.collect(),
    )
}

fn histogram(pairs: &[(&str, &str)], buckets: &latency::Buckets) -> Metric {
    let mut histogram = Histogram::default();
    let edges = buckets.edges().map(|(edge_s, count)| {
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(edge_s);
        bucket.set_cumulative_count(count);
        bucket
    });
    histogram.set_bucket(edges.collect());
    histogram.set_sample_count(buckets.count());
    histogram.set_sample_sum(buckets.sum_s());
    let mut metric = Metric::from_label(labels(pairs));
    metric.set_histogram(histogram);
    metric
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

fn build() -> MetricFamily {
    family(
        "mailward_build_info",
        "The version that runs; always 1.",
        MetricType::GAUGE,
        vec![gauge(&[("version", env!("CARGO_PKG_VERSION"))], 1.0)],
    )
}
