//! The store's one narrow face: it speaks evidence and intervals, never SQL. Behind it stands
//! SQLite, with one writer thread that commits many bodies at once. It knows no percentages
//! and no definition of a service.

mod error;

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use mailward_catalogue::credential::Secret;
use mailward_evidence::{AgentName, Clock, Instant, ProbeId, Record, SiteName};
use serde::Serialize;

pub use error::StoreError;

use crate::segment::{Delivery, Evidence, Run, Segment};

/// Where records come from: it decides what is remembered about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An enrolled agent, over HTTP.
    Agent(AgentName),
    /// A file, or an operator.
    Import,
}

/// What became of the records of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Records that were new, or superseded an older version.
    pub accepted: u64,
    /// Records that were stored before, in any version.
    pub duplicates: u64,
    /// Outcomes that differ from what is stored without a higher revision: the first stays.
    pub conflicts: u64,
}

/// What one agent last saw with one probe.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveStream {
    /// Who looks.
    pub agent: AgentName,
    /// Where it stands, by its latest roster; unnamed before its first.
    pub site: SiteName,
    /// With which probe.
    pub probe: ProbeId,
    /// The run of equal outcomes that the last one belongs to: since when it is so (`first_ms`),
    /// when it was last seen so (`last_ms`), how often, and until when that speaks.
    pub tail: Segment,
}

/// When an agent last delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSeen {
    /// Which agent.
    pub agent: AgentName,
    /// When its last body was stored, by this machine's clock; milliseconds since the epoch.
    pub last_seen_ms: i64,
    /// How far its clock is ahead of this machine's (negative: behind), as far as it is known.
    pub skew_ms: Option<i64>,
}

/// How many records came, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Whose; empty for imports.
    pub agent: String,
    /// The kind of record.
    pub kind: &'static str,
    /// What became of them.
    pub counted: Accepted,
}

/// An agent that may, or might once, deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolledAgent {
    /// Its name.
    pub name: AgentName,
    /// The site it was enrolled for, where one was named.
    pub site: Option<SiteName>,
    /// When it was enrolled.
    pub added_ms: i64,
    /// When its token was last made.
    pub token_made_ms: i64,
    /// Since when its token is refused.
    pub revoked_ms: Option<i64>,
    /// From when on it runs nothing.
    pub retired_ms: Option<i64>,
}

/// How long runs took in one hour: bucket counts that can be added to other hours' or agents'.
#[derive(Clone, Debug, PartialEq)]
pub struct HourHistogram {
    /// Who looked.
    pub agent: AgentName,
    /// With which probe.
    pub probe: ProbeId,
    /// The beginning of the hour.
    pub hour_ms: i64,
    /// How long the up and degraded runs that were due in it took.
    pub took: Histogram,
}

/// What is frozen when a month is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEdition {
    /// The month, `2026-10`.
    pub month: String,
    /// The number the report was rendered with; must be [`Store::next_edition`].
    pub edition: u32,
    /// The instant up to which evidence counted.
    pub as_of_ms: i64,
    /// When it was published.
    pub published_ms: i64,
    /// By whom.
    pub by: String,
    /// Why it replaces the one before; needed from the second on.
    pub reason: Option<String>,
    /// report.json.
    pub report_json: String,
    /// report.pdf.
    pub pdf: Vec<u8>,
    /// outages.csv.
    pub outages_csv: String,
    /// daily.csv.
    pub daily_csv: String,
    /// The definition it was judged by.
    pub definition_toml: String,
    /// The canonical segments it rests on.
    pub segments: Vec<u8>,
}

/// An edition without its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditionHead {
    /// The month, `2026-10`.
    pub month: String,
    /// Its number, from 1.
    pub edition: u32,
    /// The instant up to which evidence counted.
    pub as_of_ms: i64,
    /// When it was published.
    pub published_ms: i64,
    /// By whom.
    pub by: String,
    /// Why it replaces the one before.
    pub reason: Option<String>,
}

/// The store. Clones share one writer; all methods but `ingest_async` block.
#[derive(Clone)]
pub struct Store {
    inner: Arc<()>,
}

impl Store {
    /// Opens the store in `data_dir`, making or migrating it.
    ///
    /// # Errors
    /// When the directory cannot be written, the file is no store, damaged, from a newer
    /// version, or held by another process.
    pub fn open(data_dir: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        unimplemented!()
    }
    /// Whether the store can be written now.
    pub fn probe_writable(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Stores records: all or none of them, durable when this returns.
    pub fn ingest(&self, records: Vec<Record>, source: Source) -> Result<Accepted, StoreError> {
        unimplemented!()
    }
    /// [`Store::ingest`] for callers that must not block.
    pub async fn ingest_async(
        &self,
        records: Vec<Record>,
        source: Source,
    ) -> Result<Accepted, StoreError> {
        unimplemented!()
    }
    /// What the period is judged by. Outcomes due, rosters and tickets opened at or after `now_ms` do not exist.
    pub fn evidence(&self, from_ms: i64, to_ms: i64, now_ms: i64) -> Result<Evidence, StoreError> {
        unimplemented!()
    }
    /// Every current outcome with attempt 0 of the probes, due in [from_ms, to_ms).
    pub fn for_each_run(
        &self,
        from_ms: i64,
        to_ms: i64,
        probes: &[ProbeId],
        each: &mut dyn FnMut(&AgentName, &ProbeId, Run),
    ) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Mails sent by the probes, due in [from_ms, to_ms), in order of due (rule 11).
    pub fn deliveries(
        &self,
        from_ms: i64,
        to_ms: i64,
        probes: &[ProbeId],
    ) -> Result<Vec<Delivery>, StoreError> {
        unimplemented!()
    }
    /// Latency histograms of the probes by hour, for hours that begin in [from_ms, to_ms).
    pub fn histograms(
        &self,
        from_ms: i64,
        to_ms: i64,
        probes: &[ProbeId],
    ) -> Result<Vec<HourHistogram>, StoreError> {
        unimplemented!()
    }
    /// What each agent last saw with each probe, in order of agent, then probe; outcomes due at or after `now_ms` do not exist.
    pub fn last_outcomes(&self, now_ms: i64) -> Result<Vec<LiveStream>, StoreError> {
        unimplemented!()
    }
    /// When each agent last delivered.
    pub fn agents_seen(&self) -> Result<Vec<AgentSeen>, StoreError> {
        unimplemented!()
    }
    /// How many records came, by agent and kind.
    pub fn tallies(&self) -> Result<Vec<Tally>, StoreError> {
        unimplemented!()
    }
    /// A number that changes with every commit of any process.
    pub fn generation(&self) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// Writes evidence as JSON lines: outcomes due in the range, all versions; other records that touch it.
    pub fn export(
        &self,
        from_ms: Option<i64>,
        to_ms: Option<i64>,
        out: &mut dyn Write,
    ) -> Result<u64, StoreError> {
        unimplemented!()
    }
    /// Enrols an agent; the token is shown here and never again.
    pub fn add_agent(
        &self,
        name: &AgentName,
        site: Option<&SiteName>,
    ) -> Result<Secret, StoreError> {
        unimplemented!()
    }
    /// All agents, in order of name.
    pub fn list_agents(&self) -> Result<Vec<EnrolledAgent>, StoreError> {
        unimplemented!()
    }
    /// Gives an agent a new token; the old one is refused from now on.
    pub fn rotate_agent(&self, name: &AgentName) -> Result<Secret, StoreError> {
        unimplemented!()
    }
    /// Refuses an agent's token from now on.
    pub fn revoke_agent(&self, name: &AgentName) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Records that an agent runs nothing from `at` on.
    pub fn retire_agent(&self, name: &AgentName, at: Instant) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Whose token this is, if it is anybody's and not revoked.
    pub fn authenticate(&self, token: &str) -> Result<Option<EnrolledAgent>, StoreError> {
        unimplemented!()
    }
    /// The number the next edition of a month will have.
    pub fn next_edition(&self, month: &str) -> Result<u32, StoreError> {
        unimplemented!()
    }
    /// Freezes an edition.
    pub fn put_edition(&self, edition: NewEdition) -> Result<u32, StoreError> {
        unimplemented!()
    }
    /// Editions of a month, or of all, in order of month, then number.
    pub fn editions(&self, month: Option<&str>) -> Result<Vec<EditionHead>, StoreError> {
        unimplemented!()
    }
    /// One edition with its files; the latest where no number is given.
    pub fn edition(
        &self,
        month: &str,
        edition: Option<u32>,
    ) -> Result<Option<NewEdition>, StoreError> {
        unimplemented!()
    }
    /// What was noted under `key`: the calendar's ledger of what was done.
    pub fn ledger_get(&self, key: &str) -> Result<Option<String>, StoreError> {
        unimplemented!()
    }
    /// Notes `value` under `key`, replacing what was there.
    pub fn ledger_put(&self, key: &str, value: &str) -> Result<(), StoreError> {
        unimplemented!()
    }
    /// Deletes raw outcomes due before `before_ms`; segments, histograms and deliveries stay.
    pub fn forget_raw(&self, before_ms: i64) -> Result<u64, StoreError> {
        unimplemented!()
    }
}

/// Counts of durations in log-linear buckets: at most 1/16 wide, and additive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    _todo: (),
}

impl Histogram {
    /// How many durations.
    pub fn count(&self) -> u64 {
        unimplemented!()
    }
    /// Their sum in milliseconds, each cut to a microsecond.
    pub fn sum_ms(&self) -> f64 {
        unimplemented!()
    }
    /// Adds another's counts.
    pub fn merge(&mut self, other: &Self) {
        unimplemented!()
    }
    /// The duration in milliseconds that the share `q` (0 to 1) of runs did not exceed: the upper edge of its bucket.
    pub fn quantile_ms(&self, q: f64) -> Option<f64> {
        unimplemented!()
    }
    /// How many took at most `ms`, to the precision of a bucket.
    pub fn at_most_ms(&self, ms: f64) -> u64 {
        unimplemented!()
    }
}
