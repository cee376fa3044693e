//! What made a share of runs (rule 15): the runs that were not good, in series that no success
//! interrupts. Runs come one by one, so that a month is never held in memory.

use std::collections::BTreeMap;

use mailward_catalogue::{Level, Probe};
use mailward_evidence::{AgentName, ProbeId, Verdict};

use super::{Finder, Limits, Raw};
use crate::interval::{Set, Span};
use crate::report::grounds::{RunGrounds, RunSeries};
use crate::report::judge_run;
use crate::report::model::At;
use crate::segment::Run;

/// The series of a level, while its runs come in.
#[derive(Clone, Debug)]
pub struct Runs {
    level: Level,
    counted: Set,
    held: Span,
    open: Option<(AgentName, ProbeId, RunSeries)>,
    limit: usize,
    /// By their beginning, so that the earliest are the ones that are kept.
    series: BTreeMap<(At, u64), RunSeries>,
    not_good: u64,
    /// The same of all runs, where not all are read.
    all_not_good: Option<u64>,
    left_out: u64,
    closed: u64,
}

impl Runs {
    /// For a level that counts runs due in `counted`.
    #[must_use]
    pub fn new(level: Level, counted: Set, limits: Limits) -> Self {
        Self {
            level,
            counted,
            held: Span::new(0, 0),
            open: None,
            limit: limits.entries,
            series: BTreeMap::new(),
            not_good: 0,
            all_not_good: None,
            left_out: 0,
            closed: 0,
        }
    }

    /// When runs count.
    pub(crate) const fn counted(&self) -> &Set {
        &self.counted
    }

    /// Ends the series that is open: what follows comes after runs that were good. Where runs
    /// were read up to `cut_ms` only, a series that may go on there is left out.
    pub(crate) fn interrupt(&mut self, cut_ms: i64) {
        let patience_ms = 1_800_000;
        if self.open.as_ref().is_some_and(|(_, _, s)| s.last_due.0 >= cut_ms - patience_ms) {
            self.open = None;
        }
        self.close();
    }

    /// Runs of so many stretches are not read; in all, so many runs were not good.
    pub(crate) const fn leave_out(&mut self, stretches: u64, not_good: u64) {
        self.left_out += stretches;
        self.all_not_good = Some(not_good);
    }

    /// Takes the next run: those of one agent and probe in order of due, one pair after the other.
    pub(crate) fn take(
        &mut self,
        finder: &Finder<'_>,
        (agent, id): (&AgentName, &ProbeId),
        probe: &Probe,
        run: &Run,
    ) {
        if !self.held.contains(run.due_ms) {
            match self.counted.around(run.due_ms) {
                Some(span) => self.held = span,
                None => return,
            }
        }
        match judge_run(&self.level.measure, probe, run) {
            None => {}
            Some(true) => self.close(),
            Some(false) => self.add(finder, agent, id, run),
        }
    }

    fn add(&mut self, finder: &Finder<'_>, agent: &AgentName, id: &ProbeId, run: &Run) {
        self.not_good += 1;
        let ended = |(who, what, series): &(AgentName, ProbeId, RunSeries)| {
            let failed = run.verdict == Verdict::Down;
            let span = (series.last_due.0, run.due_ms);
            (who, what) != (agent, id) || failed && finder.succeeded(agent, id, span)
        };
        if self.open.as_ref().is_some_and(ended) {
            self.close();
        }
        let (_, _, series) = self.open.get_or_insert_with(|| {
            let series = RunSeries {
                probe: id.to_string(),
                agent: Some(agent.to_string()),
                first_due: At(run.due_ms),
                last_due: At(run.due_ms),
                runs: 0,
                slowest_ms: None,
                reasons: Vec::new(),
            };
            (agent.clone(), id.clone(), series)
        });
        series.last_due = At(run.due_ms);
        series.runs += 1;
        if run.verdict != Verdict::Down {
            let slowest = series.slowest_ms.into_iter().chain(run.took_ms).reduce(f64::max);
            series.slowest_ms = slowest;
        }
        let reason = finder.reason(agent, id, run.due_ms, run.verdict);
        if let Some(word) = reason.map(|reason| reason.as_str())
            && !series.reasons.iter().any(|seen| seen == word)
        {
            series.reasons.push(word.to_owned());
        }
    }

    /// Ends the series that is open, as a good run or another agent's does.
    fn close(&mut self) {
        let Some((_, _, series)) = self.open.take() else { return };
        self.closed += 1;
        self.series.insert((series.first_due, self.closed), series);
        if self.series.len() > self.limit {
            self.left_out += self.series.pop_last().map_or(0, |_| 1);
        }
    }

    fn finish(mut self) -> RunGrounds {
        self.close();
        let mut grounds = RunGrounds {
            not_good: self.all_not_good.unwrap_or(self.not_good),
            ..RunGrounds::default()
        };
        grounds.series = self.series.into_values().collect();
        grounds.left_out.entries = self.left_out;
        grounds
    }
}

pub(super) fn grounds(raw: Raw) -> RunGrounds {
    match raw {
        Raw::Runs(runs) => runs.finish(),
        Raw::Gone(why) => RunGrounds { missing: Some(why), ..RunGrounds::default() },
        Raw::None | Raw::Mails(_) => {
            let missing = Some("the runs were not read".to_owned());
            RunGrounds { missing, ..RunGrounds::default() }
        }
    }
}
