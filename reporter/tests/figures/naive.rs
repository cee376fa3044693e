//! The naive reckoning: every rule asked at every point of a grid on which all times lie, with
//! no intervals, no sweeps and no code of the reporter. Slow, and plain enough to be believed.

mod sums;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use mailward_evidence::Verdict;

use crate::world::{Seen, World};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Three {
    Up,
    Down,
    Unknown,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Reading {
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

#[derive(Debug, Default)]
pub(crate) struct Answer {
    pub from: i64,
    pub to: i64,
    pub s: i64,
    pub whole_s: i64,
    pub x: i64,
    pub d: i64,
    pub u: i64,
    pub degraded: i64,
    pub shortest: i64,
    pub doubtful: i64,
    pub blips: u64,
    /// from, to, at least, at most.
    pub outages: Vec<(i64, i64, i64, i64)>,
    /// Exclusion, reason.
    pub rejected: Vec<(usize, &'static str)>,
    /// Date → up, degraded, down, excluded, unknown, outside.
    pub days: BTreeMap<Date, [i64; 6]>,
    /// good, total.
    pub success: (u64, u64),
    pub response: (u64, u64),
    pub exposed: i64,
    pub listed: i64,
    /// What the world happened to hold.
    pub saw: Saw,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Saw {
    pub quorum_lost: bool,
    pub roster_change: bool,
    pub split_cap: bool,
    pub clock_change: bool,
    pub outage: bool,
    pub carried_in: bool,
    pub unproven: bool,
}

pub(crate) struct Naive<'a> {
    world: &'a World,
    zone: TimeZone,
    /// Outcomes of an agent and probe, in order.
    streams: BTreeMap<(usize, usize), Vec<&'a Seen>>,
    /// Of each of them, the run of failures that it belongs to, if it is a failure.
    runs: BTreeMap<(usize, usize), Vec<Option<Run>>>,
    agents: Vec<usize>,
    grid: i64,
}

#[derive(Clone, Debug)]
struct Run {
    last_success: Option<i64>,
    failures: Vec<i64>,
    next_success: Option<i64>,
}

impl<'a> Naive<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        let mut streams: BTreeMap<(usize, usize), Vec<&Seen>> = BTreeMap::new();
        let mut agents = Vec::new();
        for seen in world.outcomes.iter().filter(|seen| seen.due < world.now) {
            streams.entry((seen.agent, seen.probe)).or_default().push(seen);
            agents.push(seen.agent);
        }
        for stream in streams.values_mut() {
            stream.sort_by_key(|seen| (seen.due, seen.attempt));
        }
        agents.extend(world.rosters.iter().map(|roster| roster.agent));
        agents.sort_unstable();
        agents.dedup();
        let zone = TimeZone::get(world.zone).unwrap();
        let grid = world.grid;
        let mut naive = Self { world, zone, streams, runs: BTreeMap::new(), agents, grid };
        for (key, stream) in &naive.streams {
            let runs = (0..stream.len()).map(|i| naive.run(stream, i)).collect();
            naive.runs.insert(*key, runs);
        }
        naive
    }

    fn local(&self, at: i64) -> DateTime {
        self.zone.to_datetime(Timestamp::from_millisecond(at).unwrap())
    }

    /// The first instant with this local time; a skipped one as far after the change.
    fn instant_of(&self, local: DateTime) -> i64 {
        let around = local.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond();
        let start = (around - 36 * 3_600_000).div_euclid(self.grid) * self.grid;
        let points = (0..=2 * 72).map(|i| start + i * self.grid);
        for at in points.clone() {
            if self.local(at) == local {
                return at;
            }
        }
        // skipped: the first point past it is where the clocks change
        for at in points {
            if self.local(at) > local {
                let expected = self.minutes(self.local(at - self.grid)) + self.grid / 60_000;
                return at + (self.minutes(local) - expected) * 60_000;
            }
        }
        panic!("no instant around {local}");
    }

    fn minutes(&self, local: DateTime) -> i64 {
        local.to_zoned(TimeZone::UTC).unwrap().timestamp().as_second() / 60
    }

    /// The first instant of a local date.
    fn first_of(&self, date: Date) -> i64 {
        let noon = date.at(12, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap();
        let start =
            (noon.timestamp().as_millisecond() - 72 * 3_600_000).div_euclid(self.grid) * self.grid;
        let mut points = (0..400).map(|i| start + i * self.grid);
        points.find(|at| self.local(*at).date() >= date).unwrap()
    }

    fn reads(&self, seen: &Seen) -> Verdict {
        match seen.verdict {
            Verdict::Down if self.world.probes[seen.probe].advisory => Verdict::Degraded,
            verdict => verdict,
        }
    }

    fn good(&self, seen: &Seen) -> bool {
        matches!(self.reads(seen), Verdict::Up | Verdict::Degraded)
    }

    /// Which outcome speaks at `at`.
    fn speaking(&self, stream: &[&Seen], at: i64) -> Option<usize> {
        let i = stream.iter().rposition(|seen| seen.due <= at)?;
        let next = stream.get(i + 1).map_or(self.world.now, |seen| seen.due);
        let own = stream[i];
        let until = if next - own.due <= 3 * own.next { next } else { own.due + own.next };
        (at < until).then_some(i)
    }

    /// The run of failures that outcome `i` belongs to, if it is one.
    fn run(&self, stream: &[&Seen], i: usize) -> Option<Run> {
        if self.reads(stream[i]) != Verdict::Down {
            return None;
        }
        let before = (0..i).rev().find(|j| self.good(stream[*j]));
        let after = (i + 1..stream.len()).find(|j| self.good(stream[*j]));
        let first = before.map_or(0, |j| j + 1);
        let failures = (first..after.unwrap_or(stream.len()))
            .filter(|j| self.reads(stream[*j]) == Verdict::Down)
            .map(|j| stream[j].due)
            .collect();
        Some(Run {
            last_success: before.map(|j| stream[j].due),
            failures,
            next_success: after.map(|j| stream[j].due),
        })
    }

    fn voice(&self, agent: usize, probe: usize, at: i64, reading: Reading) -> Voice {
        let Some(stream) = self.streams.get(&(agent, probe)) else { return Voice::Unknown };
        let runs = &self.runs[&(agent, probe)];
        let confirm = self.world.probes[probe].confirm as usize;
        if reading == Reading::Longest {
            for run in runs.iter().flatten() {
                let from = run.last_success.unwrap_or(run.failures[0]);
                let to = run.next_success.unwrap_or(self.world.now);
                if run.failures.len() >= confirm && from <= at && at < to {
                    return Voice::Down;
                }
            }
        }
        let Some(i) = self.speaking(stream, at) else { return Voice::Unknown };
        match (self.reads(stream[i]), &runs[i]) {
            (Verdict::Up, _) => Voice::Up,
            (Verdict::Degraded, _) => Voice::Degraded,
            (Verdict::Down, Some(run)) => {
                let last = *run.failures.last().unwrap();
                if run.failures.len() < confirm || (reading == Reading::Shortest && at >= last) {
                    Voice::Up
                } else {
                    Voice::Down
                }
            }
            _ => Voice::Unknown,
        }
    }

    /// The site at which an agent counts for a probe at `at`.
    fn stands(&self, agent: usize, probe: usize, at: i64) -> Option<String> {
        let known = self.world.rosters.iter().filter(|r| r.agent == agent && r.at < self.world.now);
        match known.filter(|r| r.at <= at).max_by_key(|r| r.at) {
            Some(roster) => roster.probes.contains(&probe).then(|| format!("site-{}", roster.site)),
            None => {
                let first = self.streams.get(&(agent, probe))?[0].due;
                (first <= at).then(String::new)
            }
        }
    }

    fn agree(need: usize, parts: &[Three]) -> Three {
        let down = parts.iter().filter(|p| **p == Three::Down).count();
        let unknown = parts.iter().filter(|p| **p == Three::Unknown).count();
        if down >= need {
            Three::Down
        } else if down + unknown < need {
            Three::Up
        } else {
            Three::Unknown
        }
    }

    /// The probe and whether it is degraded; `None` on nobody's roster.
    fn probe(
        &self,
        probe: usize,
        at: i64,
        reading: Reading,
        saw: &mut Saw,
    ) -> Option<(Three, bool)> {
        let mut sites: BTreeMap<String, Vec<Voice>> = BTreeMap::new();
        for agent in &self.agents {
            if let Some(site) = self.stands(*agent, probe, at) {
                sites.entry(site).or_default().push(self.voice(*agent, probe, at, reading));
            }
        }
        if sites.is_empty() {
            return None;
        }
        let mut states = Vec::new();
        for voices in sites.values() {
            let quorum = match self.world.quorum {
                0 => voices.len() / 2 + 1,
                n => n as usize,
            };
            let speak = voices.iter().filter(|v| **v != Voice::Unknown).count();
            let down = voices.iter().filter(|v| **v == Voice::Down).count();
            saw.quorum_lost |= speak > 0 && speak < quorum;
            states.push(if speak < quorum {
                Three::Unknown
            } else if down >= quorum {
                Three::Down
            } else {
                Three::Up
            });
        }
        let need = match self.world.site_rule {
            0 => states.len(),
            n => n as usize,
        };
        let degraded = sites.values().flatten().any(|v| *v == Voice::Degraded);
        Some((Self::agree(need, &states), degraded))
    }

    pub(crate) fn component(&self, at: i64, reading: Reading, saw: &mut Saw) -> (Three, bool) {
        let parts: Vec<(Three, bool)> = (0..self.world.probes.len())
            .filter_map(|probe| self.probe(probe, at, reading, saw))
            .collect();
        if parts.is_empty() {
            return (Three::Unknown, false);
        }
        let need = match self.world.rule {
            0 => parts.len(),
            n => n as usize,
        };
        let states: Vec<Three> = parts.iter().map(|(state, _)| *state).collect();
        let state = Self::agree(need, &states);
        let degraded = parts.iter().any(|(s, d)| *s == Three::Up && *d);
        (state, state == Three::Up && degraded)
    }
}
