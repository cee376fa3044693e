//! Metrics of the service as it is: components, what agents say of them, what they saw.

use std::collections::BTreeMap;

use prometheus::proto::{Bucket, Histogram, Metric, MetricFamily, MetricType};

use super::{Facts, family, gauge, labels, latency, seconds};
use crate::timeline::Voice;

pub(super) fn components(facts: &Facts<'_>) -> MetricFamily {
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

pub(super) fn voices(facts: &Facts<'_>) -> MetricFamily {
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

pub(super) fn incidents(facts: &Facts<'_>) -> MetricFamily {
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

pub(super) fn durations(facts: &Facts<'_>) -> MetricFamily {
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

pub(super) fn deliveries(facts: &Facts<'_>) -> MetricFamily {
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

/// As many pairs as are told: agents name them, and a label's values are bounded.
const MOST_LISTED: usize = 1000;

pub(super) fn listed(facts: &Facts<'_>) -> MetricFamily {
    let pairs = facts.evaluation.listed.iter().take(MOST_LISTED);
    let samples = pairs.map(|(address, list)| gauge(&[("address", address), ("list", list)], 1.0));
    family(
        "mailward_dnsbl_listed",
        "1 while the list names the address; absent otherwise.",
        MetricType::GAUGE,
        samples.collect(),
    )
}

pub(super) fn certificates(facts: &Facts<'_>) -> MetricFamily {
    let samples = facts
        .certificates
        .iter()
        .map(|(probe, expires_ms)| gauge(&[("probe", probe)], seconds(*expires_ms)));
    family(
        "mailward_certificate_expiry_timestamp_seconds",
        "When the first of the server's certificates that agents see expires, in seconds since \
         the epoch.",
        MetricType::GAUGE,
        samples.collect(),
    )
}
