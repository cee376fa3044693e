//! What the agent tells Prometheus about itself and its probes. Names and labels are a promise
//! to users (docs/agent.md); label values come from the definition and from closed lists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mailward_evidence::lease::AccountState;
use mailward_evidence::{Outcome, Verdict};
use prometheus::core::Collector as _;
use prometheus::proto::LabelPair;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, Opts, Registry, TextEncoder,
};

use crate::outbox::Stats;

/// Few, because there is a histogram for every probe.
const DURATION_BUCKETS_S: [f64; 8] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const LAG_BUCKETS_S: [f64; 7] = [0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 10.0];

/// From an idle queue's fraction of a second to a quarter of an hour, when mail counts as lost.
const DELIVERY_BUCKETS_S: [f64; 11] =
    [0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];

/// A metric could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("set up metrics")]
pub struct MetricsError(#[from] prometheus::Error);

/// How a delivery ended: the closed list of `result`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// The reporter has the records.
    Ok,
    /// No answer came.
    Unreachable,
    /// The reporter asked to come back later.
    Later,
    /// The token was refused, or the records are not this agent's to send.
    Denied,
    /// The reporter refused the body for what is in it.
    Refused,
    /// An answer that no reporter gives.
    Strange,
}

impl Delivered {
    /// The label's value.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Later => "later",
            Self::Denied => "denied",
            Self::Refused => "refused",
            Self::Strange => "strange",
        }
    }
}

/// (address, list) → the probes that see it listed.
type Listings = BTreeMap<(Box<str>, Box<str>), BTreeSet<Box<str>>>;

/// All metrics of one agent.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    up: GaugeVec,
    duration: HistogramVec,
    phase: GaugeVec,
    outcomes: IntCounterVec,
    listed: GaugeVec,
    listings: Mutex<Listings>,
    certificate_expiry: GaugeVec,
    credentials: GaugeVec,
    missed: IntCounterVec,
    all_missed: AtomicU64,
    schedule_lag: Histogram,
    mail_delivery: HistogramVec,
    /// Messages that claim to be an agent's and are not.
    pub mail_forged: IntCounter,
    /// Messages under way.
    pub mail_under_way: IntGauge,
    deliveries: IntCounterVec,
    delivered_records: IntCounter,
    refused_records: IntCounter,
    /// Steps of the wall clock.
    pub clock_steps: IntCounter,
    /// 1 while all references are out of reach.
    pub isolated: IntGauge,
    /// The last measured lag of the event loop.
    pub loop_lag: Gauge,
    definition_since: Gauge,
    definition_is_latest: IntGauge,
    outbox_records: IntGauge,
    outbox_bytes: IntGauge,
    outbox_oldest: Gauge,
    outbox_dropped: IntCounter,
    outbox_damaged: IntCounter,
    outbox_lost: IntCounter,
}

struct Maker(Registry);

impl Maker {
    fn add<M: prometheus::core::Collector + Clone + 'static>(
        &self,
        made: prometheus::Result<M>,
    ) -> Result<M, MetricsError> {
        let metric = made?;
        self.0.register(Box::new(metric.clone()))?;
        Ok(metric)
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> Result<GaugeVec, MetricsError> {
        self.add(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, MetricsError> {
        self.add(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, MetricsError> {
        self.add(IntCounter::new(name, help))
    }
}

impl Metrics {
    /// Sets all of them up.
    ///
    /// # Errors
    /// When a name is used twice.
    pub fn new() -> Result<Self, MetricsError> {
        let make = Maker(Registry::new());
        let build = make.gauges("mailward_build_info", "The running version.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1.0);
        let probe = ["probe", "component", "kind"];
        let duration = HistogramOpts::new(
            "mailward_probe_duration_seconds",
            "How long runs of the probe took.",
        )
        .buckets(DURATION_BUCKETS_S.to_vec());
        let lag = HistogramOpts::new(
            "mailward_schedule_lag_seconds",
            "How long after they were due runs started.",
        )
        .buckets(LAG_BUCKETS_S.to_vec());
        Ok(Self {
            up: make.gauges(
                "mailward_probe_up",
                "1 if the last run says up or degraded, 0 if down; absent while unknown.",
                &probe,
            )?,
            duration: make.add(HistogramVec::new(duration, &probe))?,
            phase: make.gauges(
                "mailward_probe_phase_seconds",
                "How long the phases of the last run took.",
                &["probe", "phase"],
            )?,
            outcomes: make.counters(
                "mailward_probe_outcomes_total",
                "Runs, by what they said.",
                &["probe", "verdict", "reason"],
            )?,
            listed: make.gauges(
                "mailward_dnsbl_listed",
                "1 while the list names the address; absent otherwise.",
                &["address", "list"],
            )?,
            listings: Mutex::default(),
            certificate_expiry: make.gauges(
                "mailward_certificate_expiry_timestamp_seconds",
                "When the server's certificate expires.",
                &["probe"],
            )?,
            credentials: make.gauges(
                "mailward_credential_state",
                "1 for the state the account is in: good, untried, refused or held.",
                &["credential", "state"],
            )?,
            missed: make.counters(
                "mailward_schedule_missed_total",
                "Scheduled runs that were not made because their time had passed.",
                &["probe"],
            )?,
            all_missed: AtomicU64::default(),
            schedule_lag: make.add(Histogram::with_opts(lag))?,
            mail_delivery: make.add(HistogramVec::new(
                HistogramOpts::new(
                    "mailward_mail_delivery_seconds",
                    "How long messages took from the hand-over to their arrival.",
                )
                .buckets(DELIVERY_BUCKETS_S.to_vec()),
                &["probe", "direction"],
            ))?,
            mail_forged: make.counter(
                "mailward_mail_forged_total",
                "Messages that claim to be this agent's and are not; they are left alone.",
            )?,
            mail_under_way: make.add(IntGauge::new(
                "mailward_mail_under_way",
                "Messages that were sent and are still awaited, or may still arrive.",
            ))?,
            deliveries: make.counters(
                "mailward_deliveries_total",
                "Attempts to deliver, by how they ended.",
                &["result"],
            )?,
            delivered_records: make
                .counter("mailward_delivered_records_total", "Records the reporter has.")?,
            refused_records: make.counter(
                "mailward_refused_records_total",
                "Records the reporter would not take; they are in the directory `refused`.",
            )?,
            clock_steps: make.counter("mailward_clock_steps_total", "Steps of the wall clock.")?,
            isolated: make.add(IntGauge::new(
                "mailward_agent_isolated",
                "1 while all references of the agent are out of reach.",
            ))?,
            loop_lag: make.add(Gauge::new(
                "mailward_agent_lag_seconds",
                "How late the agent's own event loop ran at the last look.",
            ))?,
            definition_since: make.add(Gauge::new(
                "mailward_definition_reload_timestamp_seconds",
                "When the definition in force was read.",
            ))?,
            definition_is_latest: make.add(IntGauge::new(
                "mailward_definition_reload_successful",
                "Whether the definition is what its file said when it was read last; 0 if that was \
                 refused.",
            ))?,
            outbox_records: make
                .add(IntGauge::new("mailward_outbox_records", "Records not delivered yet."))?,
            outbox_bytes: make
                .add(IntGauge::new("mailward_outbox_bytes", "Size of the outbox on disk."))?,
            outbox_oldest: make.add(Gauge::new(
                "mailward_outbox_oldest_seconds",
                "Age of the oldest record not delivered yet.",
            ))?,
            outbox_dropped: make.counter(
                "mailward_outbox_dropped_records_total",
                "Records that left undelivered because of the outbox's limits.",
            )?,
            outbox_damaged: make.counter(
                "mailward_outbox_damaged_total",
                "Damaged places of the outbox that were passed over.",
            )?,
            outbox_lost: make.counter(
                "mailward_outbox_lost_records_total",
                "Records that could not be kept because the disk refused them.",
            )?,
            registry: make.0,
        })
    }

    /// The metrics of one probe.
    #[must_use]
    pub fn of_probe(&self, probe: &str, component: &str, kind: &'static str) -> ProbeMetrics {
        ProbeMetrics {
            probe: Box::from(probe),
            component: Box::from(component),
            kind,
            duration: self.duration.with_label_values(&[probe, component, kind]),
            shown: false,
        }
    }

    /// What is shown of a probe that is not declared any more, or in another way, is shown no
    /// longer.
    pub fn forget(&self, of: &ProbeMetrics) {
        let probe = &*of.probe;
        let labels = [probe, &*of.component, of.kind];
        // none of these need be there
        let _ = self.up.remove_label_values(&labels);
        let _ = self.duration.remove_label_values(&labels);
        let _ = self.certificate_expiry.remove_label_values(&[probe]);
        for family in self.phase.collect() {
            for metric in family.get_metric() {
                let value = |name: &str| {
                    metric.get_label().iter().find(|l| l.name() == name).map(LabelPair::value)
                };
                if let (Some(of), Some(phase)) = (value("probe"), value("phase"))
                    && of == probe
                {
                    let _ = self.phase.remove_label_values(&[of, phase]);
                }
            }
        }
        self.forget_listings(probe, |_, _| false);
    }

    /// A run started so long after it was due.
    pub fn started(&self, lag_s: f64) {
        self.schedule_lag.observe(lag_s.max(0.0));
    }

    /// Scheduled runs of a probe were not made.
    pub fn missed(&self, probe: &str, runs: u32) {
        self.missed.with_label_values(&[probe]).inc_by(u64::from(runs));
        self.all_missed.fetch_add(u64::from(runs), Ordering::Relaxed);
    }

    /// How many scheduled runs were not made, of all probes.
    #[must_use]
    pub fn missed_runs(&self) -> u64 {
        self.all_missed.load(Ordering::Relaxed)
    }

    /// A message arrived so long after its hand-over.
    pub fn mail_arrived(&self, probe: &str, direction: &'static str, delivery_s: f64) {
        self.mail_delivery.with_label_values(&[probe, direction]).observe(delivery_s);
    }

    /// The definition in force: when it was read, and whether a newer one was refused since.
    pub fn definition(&self, since_ms: i64, is_latest: bool) {
        let since = Timestamp::from_millisecond(since_ms).unwrap_or_default();
        self.definition_since.set(since.as_duration().as_secs_f64());
        self.definition_is_latest.set(i64::from(is_latest));
    }

    /// A newer definition could not be taken up.
    pub fn refused_definition(&self) {
        self.definition_is_latest.set(0);
    }

    /// What a run said.
    pub fn observed(&self, of: &mut ProbeMetrics, outcome: &Outcome) {
        let probe = &*of.probe;
        let reason = outcome.reason.as_ref().map_or("", |reason| reason.label());
        self.outcomes.with_label_values(&[probe, outcome.verdict.label(), reason]).inc();
        if let Some(took_ms) = outcome.took_ms {
            of.duration.observe(took_ms / 1000.0);
        }
        let labels = [probe, &*of.component, of.kind];
        if outcome.verdict == Verdict::Unknown {
            if of.shown {
                // it was there, so it can be removed
                let _ = self.up.remove_label_values(&labels);
            }
            of.shown = false;
        } else {
            let up = if outcome.verdict == Verdict::Down { 0.0 } else { 1.0 };
            self.up.with_label_values(&labels).set(up);
            of.shown = true;
        }
        for (phase, took_ms) in outcome.phases.iter() {
            self.phase.with_label_values(&[probe, phase]).set(took_ms / 1000.0);
        }
        self.note_certificate(probe, outcome);
        if of.kind == "dnsbl" && outcome.verdict != Verdict::Unknown {
            self.note_listings(probe, outcome);
        }
    }

    /// An account is in this state.
    pub fn credential(&self, id: &str, state: AccountState) {
        for known in AccountState::ALL {
            let is_it = f64::from(u8::from(known == state));
            self.credentials.with_label_values(&[id, known.label()]).set(is_it);
        }
    }

    fn note_certificate(&self, probe: &str, outcome: &Outcome) {
        let expiry =
            outcome.facts.get("cert_not_after").and_then(|at| at.parse::<Timestamp>().ok());
        if let Some(expiry) = expiry {
            self.certificate_expiry
                .with_label_values(&[probe])
                .set(expiry.as_duration().as_secs_f64());
        }
    }

    fn note_listings(&self, probe: &str, outcome: &Outcome) {
        let mut seen = lock(&self.listings);
        for listing in &outcome.listings {
            let probes = seen.entry((listing.address.clone(), listing.list.clone())).or_default();
            probes.insert(Box::from(probe));
            self.listed.with_label_values(&[&*listing.address, &*listing.list]).set(1.0);
        }
        drop(seen);
        self.forget_listings(probe, |address, list| {
            outcome.listings.iter().any(|l| &*l.address == address && &*l.list == list)
        });
    }

    /// Forgets what the probe saw listed, but for what it still does.
    fn forget_listings(&self, probe: &str, still: impl Fn(&str, &str) -> bool) {
        lock(&self.listings).retain(|(address, list), probes| {
            if !still(address, list) {
                probes.remove(probe);
            }
            if probes.is_empty() {
                let _ = self.listed.remove_label_values(&[&**address, &**list]);
            }
            !probes.is_empty()
        });
    }

    /// A delivery ended.
    pub fn delivery(&self, how: Delivered) {
        self.deliveries.with_label_values(&[how.label()]).inc();
    }

    /// The reporter has so many records more.
    pub fn delivered(&self, records: u64) {
        self.delivered_records.inc_by(records);
    }

    /// A record was set aside because the reporter would not take it.
    pub fn refused(&self) {
        self.refused_records.inc();
    }

    /// All metrics in Prometheus' text format.
    ///
    /// # Errors
    /// When a metric cannot be written.
    pub fn render(
        &self,
        outbox: &Stats,
        lost: u64,
        now: Timestamp,
    ) -> Result<String, MetricsError> {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.outbox_records.set(signed(outbox.records));
        self.outbox_bytes.set(signed(outbox.bytes));
        let oldest = outbox.oldest_ms.and_then(|ms| Timestamp::from_millisecond(ms).ok());
        let age = oldest.map_or(0.0, |at| now.duration_since(at).as_secs_f64().max(0.0));
        self.outbox_oldest.set(age);
        for (counter, value) in [
            (&self.outbox_dropped, outbox.dropped),
            (&self.outbox_damaged, outbox.damaged),
            (&self.outbox_lost, lost),
        ] {
            counter.inc_by(value.saturating_sub(counter.get()));
        }
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The metrics of one probe; see [`Metrics::of_probe`].
#[derive(Debug)]
pub struct ProbeMetrics {
    probe: Box<str>,
    component: Box<str>,
    kind: &'static str,
    duration: Histogram,
    /// Whether `mailward_probe_up` is there.
    shown: bool,
}

impl ProbeMetrics {
    /// Whether they are shown under these labels.
    #[must_use]
    pub fn is_of(&self, component: &str, kind: &str) -> bool {
        &*self.component == component && self.kind == kind
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
