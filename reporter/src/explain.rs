//! From a figure back to what made it: every stretch of time, run, mail, ticket, listing and
//! count, with the rule that says so and the records behind it. Pure; what of the raw outcomes it
//! needs is handed in, and how it looks is left to renderers.

mod counted;
mod mails;
mod runs;
mod time;
mod voices;

use std::collections::HashMap;

use mailward_catalogue::{Level, Measure};
use mailward_evidence::{AgentName, ProbeId, Reason, Verdict};

pub use mails::Mails;
pub use runs::Runs;

use crate::report::grounds::Grounds;
use crate::report::model::LevelFigure;
use crate::report::{Case, ReportError};
use crate::segment::{Segment, Stream};
use crate::timeline::speaks_until;

/// How much is listed for a level before the rest is only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries: intervals, blips, series of runs, mails, tickets, listings, counts.
    pub entries: usize,
    /// Records behind them.
    pub records: usize,
}

impl Limits {
    /// What a report holds, so that it stays a file people can open.
    pub const REPORT: Self = Self { entries: 300, records: 1000 };
    /// What somebody who asks for one level gets: in effect everything.
    pub const ALL: Self = Self { entries: 200_000, records: 2_000_000 };
}

/// What of the raw outcomes a level's grounds need beside the segments.
#[derive(Clone, Debug, Default)]
pub enum Raw {
    /// Nothing.
    #[default]
    None,
    /// Runs of a success or response-time level.
    Runs(Runs),
    /// Runs that can no longer be listed, and why.
    Gone(String),
    /// Mails of a delivery-time level.
    Mails(Mails),
}

/// What made the figure of a level of the case.
///
/// # Errors
/// When the level names what the definition does not hold.
pub fn grounds(
    case: &Case<'_>,
    level: &Level,
    figure: &LevelFigure,
    raw: Raw,
    limits: Limits,
) -> Result<Grounds, ReportError> {
    Ok(match &level.measure {
        Measure::Availability { .. } => Grounds::Time(time::grounds(case, level, limits)?),
        Measure::Success { .. } | Measure::ResponseTime { .. } => Grounds::Runs(runs::grounds(raw)),
        Measure::DeliveryTime { within, lost_after, .. } => {
            Grounds::Mails(mails::grounds(raw, *within, *lost_after, limits))
        }
        Measure::Resolution { .. } => {
            Grounds::Tickets(counted::tickets(case, level, figure, limits)?)
        }
        Measure::Listing { .. } => Grounds::Listings(counted::listings(case, level, limits)?),
        Measure::Ratio { series, .. } => Grounds::Counts(counted::counts(case, series, limits)),
    })
}

/// Finds the segment behind what an agent says.
pub(crate) struct Finder<'a> {
    streams: HashMap<(&'a str, &'a str), &'a Stream>,
    now_ms: i64,
}

impl<'a> Finder<'a> {
    pub(crate) fn new(streams: &'a [Stream], now_ms: i64) -> Self {
        let by_name = |stream: &'a Stream| ((stream.agent.as_str(), stream.probe.as_str()), stream);
        Self { streams: streams.iter().map(by_name).collect(), now_ms }
    }

    fn segments(&self, agent: &AgentName, probe: &ProbeId) -> &'a [Segment] {
        let stream = self.streams.get(&(agent.as_str(), probe.as_str()));
        stream.map_or(&[], |stream| &stream.segments)
    }

    /// The last segment that begins at or before an instant, and until when it speaks.
    fn before(&self, agent: &AgentName, probe: &ProbeId, at_ms: i64) -> Option<(&'a Segment, i64)> {
        let segments = self.segments(agent, probe);
        let which = segments.partition_point(|s| s.first_ms <= at_ms).checked_sub(1)?;
        let next_ms = segments.get(which + 1).map(|next| next.first_ms);
        Some((&segments[which], speaks_until(&segments[which], next_ms, self.now_ms)))
    }

    /// Whether an outcome was up or degraded after one instant and until another.
    pub(crate) fn succeeded(
        &self,
        agent: &AgentName,
        probe: &ProbeId,
        (after_ms, until_ms): (i64, i64),
    ) -> bool {
        let segments = self.segments(agent, probe);
        let from = segments.partition_point(|s| s.first_ms <= after_ms);
        let mut between = segments[from..].iter().take_while(|s| s.first_ms <= until_ms);
        between.any(|s| matches!(s.verdict, Verdict::Up | Verdict::Degraded))
    }

    /// Why the outcome with this due and verdict is not plainly up, where it says so.
    pub(crate) fn reason(
        &self,
        agent: &AgentName,
        probe: &ProbeId,
        due_ms: i64,
        verdict: Verdict,
    ) -> Option<&'a Reason> {
        let segments = self.segments(agent, probe);
        let after = segments.partition_point(|s| s.first_ms <= due_ms);
        let mut around = segments[..after].iter().rev().take_while(|s| s.last_ms >= due_ms);
        around.find(|s| s.verdict == verdict)?.reason.as_ref()
    }
}
