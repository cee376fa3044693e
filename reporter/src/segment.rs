//! The shape in which the store hands evidence to the arithmetic: run-length segments, and
//! what else a month is judged by. Milliseconds since the Unix epoch; no SQL, no probes.

use mailward_evidence::{
    AgentName, Count, Exclusion, Listing, ProbeId, Reason, Roster, Ticket, Verdict,
};

/// A maximal run of outcomes of one agent and probe with equal verdict, reason and listings,
/// in order of due then attempt, with no gap by rule 2 between two of them.
///
/// Each outcome in it but the last speaks until the next one; the last speaks as rule 2 says,
/// judged by `next_due_ms` and whatever segment follows.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// Due of the first outcome.
    pub first_ms: i64,
    /// Due of the last outcome.
    pub last_ms: i64,
    /// `next_due` of the last outcome, in milliseconds.
    pub next_due_ms: i64,
    /// How many outcomes.
    pub count: u64,
    /// Their verdict.
    pub verdict: Verdict,
    /// Their reason.
    pub reason: Option<Reason>,
    /// Their listings.
    pub listings: Vec<Listing>,
}

/// Everything one agent saw with one probe, as far as a period needs it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stream {
    /// Who looked.
    pub agent: AgentName,
    /// With which probe.
    pub probe: ProbeId,
    /// Due of the very first outcome of this agent and probe, whenever that was: until the
    /// agent's first roster it counts from here (rule 4).
    pub first_due_ms: i64,
    /// Segments in order of time: at least from the last up or degraded segment that begins
    /// before the period, to the first up or degraded one that begins at or after its end.
    pub segments: Vec<Segment>,
}

/// An exclusion and when the store first saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenExclusion {
    /// The latest version of it.
    pub exclusion: Exclusion,
    /// When the store first saw any version of it.
    pub first_seen_ms: i64,
}

/// One scheduled run (attempt 0), for levels that count runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// When it was due.
    pub due_ms: i64,
    /// How long it took.
    pub took_ms: Option<f64>,
    /// What it saw.
    pub verdict: Verdict,
}

/// How the scheduled runs of a probe went. Runs that could not tell are in none of these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Up or degraded.
    pub good: u64,
    /// Of these, in time.
    pub good_in_time: u64,
    /// Down.
    pub down: u64,
    /// Of these, in time.
    pub down_in_time: u64,
}

/// One outcome of a mail probe that counts as sent (rule 11).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivery {
    /// When it was due.
    pub due_ms: i64,
    /// How long it took; `None` where it is lost.
    pub delivery_ms: Option<i64>,
}

/// What a period is judged by. Nothing in it is due, opened or said at or after `now`, except
/// that exclusions are given whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// What was seen.
    pub streams: Vec<Stream>,
    /// All rosters before `now`, in order of agent, then time.
    pub rosters: Vec<Roster>,
    /// All exclusions that are not cancelled.
    pub exclusions: Vec<SeenExclusion>,
    /// All tickets opened before `now` that are not cancelled.
    pub tickets: Vec<Ticket>,
    /// All counts that end no later than `now`.
    pub counts: Vec<Count>,
}
