//! What levels add up that time cannot be cut into: runs and mails, from the store's counters or
//! one by one from raw outcomes. It decides on no verdict.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mailward_catalogue::{Catalogue, Effect, Level, Measure, Probe};
use mailward_evidence::ProbeId;

use super::Basis;
use crate::interval::{Set, Span};
use crate::report::{Case, ReportError, Tallies, Tally, judge_run};
use crate::segment::{Run, RunCounts};
use crate::store::{RunsOf, Store, StoreError};

/// A level that counts runs, and what it has counted.
pub(super) struct Counter<'a> {
    level: &'a Level,
    counted: Set,
    probes: Vec<(ProbeId, &'a Probe)>,
    /// The interval of it that held the last run.
    held: Span,
    good: u64,
    total: u64,
}

impl<'a> Counter<'a> {
    /// A counter for each of the levels `wanted` that counts runs.
    pub(super) fn all(
        catalogue: &'a Catalogue,
        case: &Case<'_>,
        wanted: &BTreeSet<&str>,
    ) -> Result<Vec<Self>, ReportError> {
        let counts_runs = |level: &&Level| {
            wanted.contains(level.id.as_str())
                && matches!(level.measure, Measure::Success { .. } | Measure::ResponseTime { .. })
        };
        let counter = |level: &'a Level| {
            let counted = case.counted(level)?;
            let component = level.component.as_deref().unwrap_or_default();
            let probes = catalogue.probes_of(component);
            let probes = probes.filter_map(|p| Some((ProbeId::new(&p.id).ok()?, p))).collect();
            let held = Span::new(0, 0);
            Ok(Counter { level, counted, probes, held, good: 0, total: 0 })
        };
        catalogue.levels.iter().filter(counts_runs).map(counter).collect()
    }

    /// What it has counted.
    pub(super) fn tally(self) -> (String, Tally) {
        (self.level.id.clone(), Tally::Runs { good: self.good, total: self.total })
    }

    const fn within(&self) -> Option<Duration> {
        match self.level.measure {
            Measure::ResponseTime { within, .. } => Some(within),
            _ => None,
        }
    }

    /// Adds the runs of one probe (rule 15; a down one of an advisory probe is degraded).
    fn add(&mut self, effect: Effect, runs: RunCounts) {
        let counts_in_time = self.within().is_some();
        let advisory = effect == Effect::Advisory;
        let degraded = if advisory { runs.down } else { 0 };
        let degraded_in_time = if advisory { runs.down_in_time } else { 0 };
        if counts_in_time {
            self.good += runs.good_in_time + degraded_in_time;
            self.total += runs.good + degraded;
        } else {
            self.good += runs.good + degraded;
            self.total += runs.good + runs.down;
        }
    }

    fn count(&mut self, probe: &Probe, run: &Run) {
        if !self.held.contains(run.due_ms) {
            match self.counted.around(run.due_ms) {
                Some(span) => self.held = span,
                None => return,
            }
        }
        if let Some(good) = judge_run(&self.level.measure, probe, run) {
            self.total += 1;
            self.good += u64::from(good);
        }
    }
}

/// Counts the runs of all levels that count runs.
pub(super) fn runs(
    store: &Store,
    period: Span,
    basis: Basis,
    counters: &mut [Counter<'_>],
) -> Result<(), StoreError> {
    match basis {
        Basis::Kept => from_counters(store, counters),
        Basis::Raw => one_by_one(store, period, counters),
    }
}

fn from_counters(store: &Store, counters: &mut [Counter<'_>]) -> Result<(), StoreError> {
    let ids = |c: &Counter<'_>| c.probes.iter().map(|(id, _)| id.clone()).collect();
    let ids: Vec<Vec<ProbeId>> = counters.iter().map(ids).collect();
    let asked: Vec<RunsOf<'_>> = counters
        .iter()
        .zip(&ids)
        .map(|(counter, probes)| RunsOf {
            probes,
            counted: &counter.counted,
            within_ms: counter.within().map(crate::report::limit_ms),
        })
        .collect();
    let answers = store.count_runs(&asked)?;
    for (counter, runs) in counters.iter_mut().zip(answers) {
        let effects: Vec<Effect> = counter.probes.iter().map(|(_, p)| p.effect).collect();
        effects.into_iter().zip(runs).for_each(|(effect, runs)| counter.add(effect, runs));
    }
    Ok(())
}

fn one_by_one(store: &Store, period: Span, counters: &mut [Counter<'_>]) -> Result<(), StoreError> {
    let mut by_probe: BTreeMap<ProbeId, (&Probe, Vec<usize>)> = BTreeMap::new();
    for (i, counter) in counters.iter().enumerate() {
        for (id, probe) in &counter.probes {
            by_probe.entry(id.clone()).or_insert((probe, Vec::new())).1.push(i);
        }
    }
    if by_probe.is_empty() {
        return Ok(());
    }
    let ids: Vec<ProbeId> = by_probe.keys().cloned().collect();
    // runs come stream by stream, so the last look-up mostly holds for the next run as well
    let mut last = by_probe.first_key_value();
    store.for_each_run(period.from_ms, period.to_ms, &ids, &mut |_, id, run| {
        if last.is_none_or(|(held, _)| held != id) {
            last = by_probe.get_key_value(id);
        }
        let Some((_, (probe, which))) = last else { return };
        for counter in which {
            counters[*counter].count(probe, &run);
        }
    })
}

/// The probes whose mails a level counts.
pub(super) fn mail_probes(catalogue: &Catalogue, level: &Level) -> Vec<ProbeId> {
    let component = level.component.as_deref().unwrap_or_default();
    let mails = catalogue.probes_of(component).filter(|probe| probe.kind.name == "mail");
    mails.filter_map(|probe| ProbeId::new(&probe.id).ok()).collect()
}

/// Collects the mails of all levels that count mails.
pub(super) fn mails(
    store: &Store,
    catalogue: &Catalogue,
    period: Span,
    wanted: &BTreeSet<&str>,
    tallies: &mut Tallies,
) -> Result<(), StoreError> {
    for level in catalogue.levels.iter().filter(|level| wanted.contains(level.id.as_str())) {
        if !matches!(level.measure, Measure::DeliveryTime { .. }) {
            continue;
        }
        let ids = mail_probes(catalogue, level);
        let sent = if ids.is_empty() {
            Vec::new()
        } else {
            store.deliveries(period.from_ms, period.to_ms, &ids)?
        };
        tallies.by_level.insert(level.id.clone(), Tally::Deliveries(sent));
    }
    Ok(())
}
