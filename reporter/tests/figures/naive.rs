//! The naive reckoning: every rule asked at every instant where anything changes, and one
//! millisecond either side, with no sweeps and no code of the reporter. Slow, and plain enough
//! to be believed.

mod arrivals;
mod branch;
mod calendar;
mod desk;
mod exclusions;
mod hours;
mod sums;
mod voices;

use std::cell::RefCell;
use std::collections::BTreeMap;

use mailward_evidence::Verdict;

use crate::world::{RosterDef, Seen, World};
pub(crate) use arrivals::{Arrivals, Told};
pub(crate) use branch::{Branch, Saws, Slip};
use calendar::Calendar;
pub(crate) use desk::DeskAnswer;
pub(crate) use sums::Answer;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Three {
    Up,
    Down,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Reading {
    Measured,
    Shortest,
    Longest,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Voice {
    Up,
    Degraded,
    Down,
    Unknown,
}

pub(crate) struct Naive<'a> {
    pub world: &'a World,
    slip: Slip,
    calendar: Calendar,
    arrivals: Arrivals<'a>,
    streams: Vec<Stream<'a>>,
    agents: Vec<usize>,
    saws: Saws,
    /// Local dates with their first instants, as far as they were asked for.
    days: RefCell<BTreeMap<jiff::civil::Date, i64>>,
}

/// The outcomes of an agent and probe, in order.
struct Stream<'a> {
    agent: usize,
    probe: usize,
    outcomes: Vec<&'a Seen>,
    /// Of each of them, the run of failures it belongs to.
    runs: Vec<Option<usize>>,
    failures: Vec<Run>,
}

/// Failures without a success between them.
#[derive(Clone, Debug)]
struct Run {
    last_success: Option<i64>,
    failures: Vec<i64>,
    next_success: Option<i64>,
}

impl<'a> Naive<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self::slipping(world, Slip::None)
    }

    /// A reckoning that gets one thing wrong.
    pub(crate) fn slipping(world: &'a World, slip: Slip) -> Self {
        let saws = Saws::default();
        let arrivals = Arrivals::of(world, slip, &saws);
        let mut grouped: BTreeMap<(usize, usize), Vec<&Seen>> = BTreeMap::new();
        for seen in &arrivals.outcomes {
            if seen.due < world.now || slip == Slip::FutureCounts {
                grouped.entry((seen.agent, seen.probe)).or_default().push(seen);
            } else {
                saws.tick(Branch::Future);
            }
        }
        let mut agents: Vec<usize> = grouped.keys().map(|(agent, _)| *agent).collect();
        agents.extend(arrivals.rosters.iter().map(|roster| roster.agent));
        agents.sort_unstable();
        agents.dedup();
        let mut naive = Self {
            world,
            slip,
            calendar: Calendar::new(world.zone),
            arrivals,
            streams: Vec::new(),
            agents,
            saws,
            days: RefCell::default(),
        };
        naive.streams = grouped
            .into_iter()
            .map(|((agent, probe), mut outcomes)| {
                outcomes.sort_by_key(|seen| (seen.due, seen.attempt));
                naive.stream(agent, probe, outcomes)
            })
            .collect();
        naive
    }

    pub(crate) fn told(&self) -> Told {
        self.arrivals.told
    }

    pub(crate) fn saw(&self) -> u128 {
        self.saws.mask()
    }

    /// The outcomes that count, in order of agent, probe, due and attempt.
    pub(crate) fn outcomes(&self) -> impl Iterator<Item = &'a Seen> {
        self.streams.iter().flat_map(|stream| stream.outcomes.iter().copied())
    }

    pub(crate) const fn arrivals(&self) -> &Arrivals<'a> {
        &self.arrivals
    }

    fn stream(&self, agent: usize, probe: usize, outcomes: Vec<&'a Seen>) -> Stream<'a> {
        let mut stream = Stream { agent, probe, outcomes, runs: Vec::new(), failures: Vec::new() };
        for i in 0..stream.outcomes.len() {
            let run = match self.reads(stream.outcomes[i]) {
                Verdict::Down => Some(self.run_of(&mut stream, i)),
                _ => None,
            };
            stream.runs.push(run);
        }
        stream
    }

    fn reads(&self, seen: &Seen) -> Verdict {
        match seen.verdict {
            Verdict::Down
                if self.world.probes[seen.probe].advisory && self.slip != Slip::AdvisoryCounts =>
            {
                self.saws.tick(Branch::AdvisoryDown);
                Verdict::Degraded
            }
            verdict => verdict,
        }
    }

    fn good(&self, seen: &Seen) -> bool {
        matches!(self.reads(seen), Verdict::Up | Verdict::Degraded)
    }

    /// The run of failures that outcome `i`, which is one, belongs to.
    fn run_of(&self, stream: &mut Stream<'a>, i: usize) -> usize {
        let all = &stream.outcomes;
        let breaks = |j: &usize| {
            self.good(all[*j])
                || (self.slip == Slip::UnknownBreaks && all[*j].verdict == Verdict::Unknown)
        };
        let before = (0..i).rev().find(breaks);
        let first = before.map_or(0, |j| j + 1);
        // every failure of a run finds the run that its first one made
        let is_down = |j: &usize| self.reads(all[*j]) == Verdict::Down;
        if let Some(known) = (first..i).find(is_down) {
            return stream.runs[known].unwrap();
        }
        let after = (i + 1..all.len()).find(breaks);
        let failures =
            (first..after.unwrap_or(all.len())).filter(is_down).map(|j| all[j].due).collect();
        stream.failures.push(Run {
            last_success: before.map(|j| all[j].due),
            failures,
            next_success: after.map(|j| all[j].due),
        });
        stream.failures.len() - 1
    }

    fn confirm(&self, probe: usize) -> usize {
        let more = usize::from(self.slip == Slip::ConfirmMore);
        self.world.probes[probe].confirm as usize + more
    }

    /// The roster of an agent that holds at `at`, and whether there is any by now.
    fn roster(&self, agent: usize, at: i64) -> (Option<&'a RosterDef>, bool) {
        let known = || {
            let own = self.arrivals.rosters.iter().copied().filter(move |r| r.agent == agent);
            own.filter(|r| r.at < self.world.now)
        };
        let held = known().filter(|r| r.at <= at);
        let holds = match self.slip {
            Slip::FirstRosterHolds => held.min_by_key(|r| r.at),
            _ => held.max_by_key(|r| r.at),
        };
        (holds, known().next().is_some())
    }

    fn stream_of(&self, agent: usize, probe: usize) -> Option<&Stream<'a>> {
        self.streams.iter().find(|s| s.agent == agent && s.probe == probe)
    }

    /// The first instant of a local date.
    fn first_of(&self, date: jiff::civil::Date) -> i64 {
        let known = self.days.borrow().get(&date).copied();
        known.unwrap_or_else(|| {
            let at = self.calendar.first_of(date);
            self.days.borrow_mut().insert(date, at);
            at
        })
    }
}
