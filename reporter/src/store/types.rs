//! What the store takes and gives beside evidence: sources, counts, live state, agents and
//! editions.

use mailward_evidence::{AgentName, ProbeId, SiteName};
use serde::Serialize;

use super::histogram::Histogram;
use crate::interval::Set;
use crate::segment::Segment;

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

impl Accepted {
    pub(super) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
    }
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

/// Which scheduled runs are to be counted.
#[derive(Clone, Copy, Debug)]
pub struct RunsOf<'a> {
    /// Of which probes, by all agents.
    pub probes: &'a [ProbeId],
    /// Due in which time.
    pub counted: &'a Set,
    /// What counts as in time: at most so many milliseconds. Without it, nothing does.
    pub within_ms: Option<f64>,
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
