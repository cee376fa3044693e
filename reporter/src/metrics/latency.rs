//! Latency as Prometheus wants it: cumulative since this process began. The store keeps it by
//! the hour; hours that are two days old are folded into a sum and never read again.

use std::collections::BTreeMap;

use mailward_catalogue::Catalogue;
use mailward_evidence::ProbeId;

use crate::segment::Delivery;
use crate::store::HourHistogram;

const HOUR_MS: i64 = 3_600_000;
/// How long an hour may still change: agents may deliver late.
const OPEN_MS: i64 = 48 * HOUR_MS;

/// Upper edges of the buckets of run durations, in milliseconds.
const DURATION_EDGES: &[f64] =
    &[5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 3e4];
/// Upper edges of the buckets of delivery times, in milliseconds.
const DELIVERY_EDGES: &[f64] =
    &[1e3, 2.5e3, 5e3, 1e4, 1.5e4, 3e4, 6e4, 1.2e5, 3e5, 6e5, 9e5, 1.8e6, 3.6e6];

/// Counts up to edges, their number and their sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Buckets {
    edges: &'static [f64],
    counts: Vec<u64>,
    count: u64,
    sum_ms: f64,
}

impl Buckets {
    fn new(edges: &'static [f64]) -> Self {
        Self { edges, counts: vec![0; edges.len()], count: 0, sum_ms: 0.0 }
    }

    /// Upper edges in seconds, each with how many are at most that long.
    pub fn edges(&self) -> impl Iterator<Item = (f64, u64)> {
        self.edges.iter().zip(&self.counts).map(|(edge_ms, count)| (edge_ms / 1000.0, *count))
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// Their sum in seconds.
    #[must_use]
    pub fn sum_s(&self) -> f64 {
        self.sum_ms / 1000.0
    }

    fn merge(&mut self, other: &Self) {
        for (own, more) in self.counts.iter_mut().zip(&other.counts) {
            *own += more;
        }
        self.count += other.count;
        self.sum_ms += other.sum_ms;
    }
}

type ByProbe = BTreeMap<String, Buckets>;

/// How long runs and mails took, by probe, since this process began.
#[derive(Clone, Debug, Default)]
pub struct Latencies {
    since_ms: i64,
    durations: Series,
    deliveries: Series,
}

#[derive(Clone, Debug, Default)]
struct Series {
    /// Hours that cannot change any more.
    folded: ByProbe,
    /// Hours that may.
    open: BTreeMap<i64, ByProbe>,
}

impl Series {
    /// Takes the hours that were read in place of the open ones, and folds those that begin
    /// before `settled_ms`.
    fn replace_open(&mut self, mut read: BTreeMap<i64, ByProbe>, settled_ms: i64) {
        self.open = read.split_off(&settled_ms);
        for (probe, buckets) in read.into_values().flatten() {
            add(&mut self.folded, probe, &buckets);
        }
    }

    fn total(&self) -> ByProbe {
        let mut total = self.folded.clone();
        for (probe, buckets) in self.open.values().flatten() {
            add(&mut total, probe.clone(), buckets);
        }
        total
    }
}

fn add(sums: &mut ByProbe, probe: String, buckets: &Buckets) {
    match sums.get_mut(&probe) {
        Some(sum) => sum.merge(buckets),
        None => {
            sums.insert(probe, buckets.clone());
        }
    }
}

impl Latencies {
    /// Counts from the hour of `now_ms` on.
    #[must_use]
    pub fn starting(now_ms: i64) -> Self {
        Self { since_ms: hour_of(now_ms), ..Self::default() }
    }

    /// The window that must be read from the store before [`Latencies::update`].
    #[must_use]
    pub const fn window(&self, now_ms: i64) -> (i64, i64) {
        (self.since_ms, hour_of(now_ms) + HOUR_MS)
    }

    /// Takes in what the store holds for the window, and folds what is old enough.
    pub fn update(
        &mut self,
        hours: &[HourHistogram],
        mails: &BTreeMap<String, Vec<Delivery>>,
        now_ms: i64,
    ) {
        let settled_ms = hour_of(now_ms - OPEN_MS).max(self.since_ms);
        let mut open: BTreeMap<i64, ByProbe> = BTreeMap::new();
        for hour in hours {
            let buckets = open
                .entry(hour.hour_ms)
                .or_default()
                .entry(hour.probe.as_str().to_owned())
                .or_insert_with(|| Buckets::new(DURATION_EDGES));
            for (count, edge_ms) in buckets.counts.iter_mut().zip(DURATION_EDGES) {
                *count += hour.took.at_most_ms(*edge_ms);
            }
            buckets.count += hour.took.count();
            buckets.sum_ms += hour.took.sum_ms();
        }
        self.durations.replace_open(open, settled_ms);
        self.deliveries.replace_open(by_hour(mails), settled_ms);
        self.since_ms = settled_ms;
    }

    /// Durations by probe.
    #[must_use]
    pub fn durations(&self) -> BTreeMap<String, Buckets> {
        self.durations.total()
    }

    /// Delivery times by probe; lost mail has none.
    #[must_use]
    pub fn deliveries(&self) -> BTreeMap<String, Buckets> {
        self.deliveries.total()
    }
}

#[allow(clippy::cast_precision_loss, reason = "durations in milliseconds are far below 2^53")]
fn by_hour(mails: &BTreeMap<String, Vec<Delivery>>) -> BTreeMap<i64, ByProbe> {
    let mut open: BTreeMap<i64, ByProbe> = BTreeMap::new();
    for (probe, mails) in mails {
        for mail in mails {
            let Some(took_ms) = mail.delivery_ms.map(|ms| ms as f64) else { continue };
            let buckets = open
                .entry(hour_of(mail.due_ms))
                .or_default()
                .entry(probe.clone())
                .or_insert_with(|| Buckets::new(DELIVERY_EDGES));
            for (count, edge_ms) in buckets.counts.iter_mut().zip(DELIVERY_EDGES) {
                *count += u64::from(took_ms <= *edge_ms);
            }
            buckets.count += 1;
            buckets.sum_ms += took_ms;
        }
    }
    open
}

/// The probes whose mails are timed.
#[must_use]
pub fn mail_probes(catalogue: &Catalogue) -> Vec<ProbeId> {
    let mail = catalogue.probes.iter().filter(|probe| probe.kind.name == "mail");
    mail.filter_map(|probe| ProbeId::new(&probe.id).ok()).collect()
}

const fn hour_of(at_ms: i64) -> i64 {
    at_ms - at_ms.rem_euclid(HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mails(dues_h: &[i64]) -> BTreeMap<String, Vec<Delivery>> {
        let sent = dues_h.iter().map(|hour| Delivery {
            due_ms: hour * HOUR_MS + 1,
            delivery_ms: (hour % 5 != 0).then_some(hour * 1000),
        });
        BTreeMap::from([("mail-in".to_owned(), sent.collect())])
    }

    #[test]
    fn counts_only_grow_while_hours_are_folded() {
        let mut latencies = Latencies::starting(101 * HOUR_MS);
        let mut all: Vec<i64> = Vec::new();
        for hour in 101..260 {
            all.push(hour);
            let now_ms = hour * HOUR_MS + HOUR_MS / 2;
            let (from_ms, to_ms) = latencies.window(now_ms);
            assert!(to_ms - from_ms <= OPEN_MS + 2 * HOUR_MS, "the window must stay bounded");
            let read: Vec<i64> =
                all.iter().copied().filter(|h| (from_ms..to_ms).contains(&(h * HOUR_MS))).collect();
            latencies.update(&[], &mails(&read), now_ms);
            let buckets = &latencies.deliveries()["mail-in"];
            let delivered = all.iter().filter(|hour| *hour % 5 != 0).count() as u64;
            assert_eq!(buckets.count(), delivered, "hour {hour}");
            let within_120_s = all.iter().filter(|h| *h % 5 != 0 && **h <= 120).count() as u64;
            let at_120 = buckets.edges().find(|(edge_s, _)| *edge_s == 120.0).unwrap().1;
            assert_eq!(at_120, within_120_s, "hour {hour}");
        }
    }
}
