//! Who says what at an instant, and what that makes of a site, a probe and the component.

use std::collections::BTreeMap;

use mailward_evidence::Verdict;

use super::{Branch, Naive, Reading, Slip, Stream, Three, Voice};

/// What the component is at an instant, in all three readings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moment {
    pub(super) state: Three,
    pub(super) degraded: bool,
    pub(super) shortest: Three,
    pub(super) longest: Three,
}

impl Naive<'_> {
    pub(super) fn moment(&self, at: i64) -> Moment {
        let (state, degraded) = self.component(at, Reading::Measured);
        let (shortest, _) = self.component(at, Reading::Shortest);
        let (longest, _) = self.component(at, Reading::Longest);
        Moment { state, degraded, shortest, longest }
    }

    /// Which outcome speaks at `at`.
    pub(super) fn speaking(&self, stream: &Stream<'_>, at: i64) -> Option<usize> {
        let i = stream.outcomes.partition_point(|seen| seen.due <= at).checked_sub(1)?;
        let own = stream.outcomes[i];
        let last = i + 1 == stream.outcomes.len();
        let next = stream.outcomes.get(i + 1).map_or(self.world.now, |seen| seen.due);
        let patience = if self.slip == Slip::PatienceTwo { 2 } else { 3 } * own.next;
        let in_time = match self.slip {
            Slip::PatienceBelow => next - own.due < patience,
            Slip::EndsWithMonth if last => true,
            Slip::SilenceHoldsOn => true,
            _ => next - own.due <= patience,
        };
        self.saws.if_so(next - own.due == patience, Branch::JustInTime);
        self.saws.if_so(next - own.due == patience + 1, Branch::JustTooLate);
        self.saws.if_so(!in_time, Branch::Silence);
        let until = if in_time { next } else { own.due + own.next };
        (at < until).then_some(i)
    }

    fn voice(&self, stream: &Stream<'_>, at: i64, reading: Reading) -> Voice {
        let confirm = self.confirm(stream.probe);
        let spoken = self.speaking(stream, at);
        if reading == Reading::Longest && (spoken.is_some() || self.slip != Slip::LongestSilent) {
            for run in stream.failures.iter().filter(|run| run.failures.len() >= confirm) {
                let from = match self.slip {
                    Slip::LongestFromFailure => run.failures[0],
                    _ => run.last_success.unwrap_or(run.failures[0]),
                };
                let to = run.next_success.unwrap_or(self.world.now);
                if from <= at && at < to {
                    self.saws.if_so(spoken.is_none(), Branch::SilenceInOutage);
                    self.saws.if_so(run.last_success.is_none(), Branch::NoSuccessBefore);
                    self.saws.if_so(run.next_success.is_none(), Branch::OpenEnd);
                    return Voice::Down;
                }
            }
        }
        let Some(i) = spoken else { return Voice::Unknown };
        let seen = stream.outcomes[i];
        match (self.reads(seen), stream.runs[i]) {
            (Verdict::Up, _) => Voice::Up,
            (Verdict::Degraded, _) => Voice::Degraded,
            (Verdict::Down, Some(run)) => {
                let run = &stream.failures[run];
                let which = run.failures.iter().position(|due| *due == seen.due).unwrap();
                let confirmed = run.failures.len() >= confirm || self.slip == Slip::BlipIsDown;
                let late = self.slip == Slip::NotBackdated && which + 1 < confirm;
                let last = match self.slip {
                    Slip::ShortestAtAnyFailure => run.failures[0],
                    _ => run.failures[run.failures.len() - 1],
                };
                let spared = reading == Reading::Shortest
                    && at >= last
                    && self.slip != Slip::ShortestMeasured;
                self.saws.if_so(confirmed && confirm > 1, Branch::Confirmed);
                if !confirmed || spared || late { Voice::Up } else { Voice::Down }
            }
            _ => {
                self.saws.tick(Branch::SaidUnknown);
                if stream.failures.iter().any(|run| {
                    run.failures.len() >= confirm
                        && run.failures[0] < seen.due
                        && run.next_success.unwrap_or(self.world.now) > seen.due
                }) {
                    self.saws.tick(Branch::UnknownInOutage);
                }
                Voice::Unknown
            }
        }
    }

    /// The site at which an agent counts for a probe at `at`; `None` where it does not.
    fn stands(&self, agent: usize, probe: usize, at: i64) -> Option<String> {
        let (held, any) = self.roster(agent, at);
        match held {
            Some(roster) => roster.probes.contains(&probe).then(|| format!("site-{}", roster.site)),
            None => {
                let first = self.stream_of(agent, probe)?.outcomes[0].due;
                self.saws.if_so(any && first <= at, Branch::BeforeRoster);
                let counts = first <= at && self.slip != Slip::NobodyBeforeRoster;
                counts.then(String::new)
            }
        }
    }

    fn agree(&self, need: usize, parts: &[Three]) -> Three {
        let down = parts.iter().filter(|p| **p == Three::Down).count();
        let unknown = parts.iter().filter(|p| **p == Three::Unknown).count();
        if down >= need {
            Three::Down
        } else if down + unknown < need || (self.slip == Slip::UnknownIsGood && unknown < need) {
            Three::Up
        } else {
            Three::Unknown
        }
    }

    fn site(&self, voices: &[Voice], everywhere: usize) -> Three {
        let agents = if self.slip == Slip::QuorumOfAll { everywhere } else { voices.len() };
        let quorum = match (self.world.quorum, self.slip) {
            (0, Slip::MajorityHalf) => (agents / 2).max(1),
            (0, _) => agents / 2 + 1,
            (n, _) => n as usize,
        };
        let speak = voices.iter().filter(|v| **v != Voice::Unknown).count();
        let down = voices.iter().filter(|v| **v == Voice::Down).count();
        self.saws.if_so(speak > 0 && speak < quorum, Branch::QuorumLost);
        self.saws.if_so(speak >= quorum && 0 < down && down < quorum, Branch::QuorumOutvoted);
        self.saws.if_so(self.world.quorum == 0 && voices.len() > 2, Branch::MajorityOfMany);
        if speak < quorum {
            if self.slip == Slip::ThinSiteIsUp { Three::Up } else { Three::Unknown }
        } else if down >= quorum {
            Three::Down
        } else {
            Three::Up
        }
    }

    /// The probe and whether it is degraded; `None` on nobody's roster.
    fn probe(&self, probe: usize, at: i64, reading: Reading) -> Option<(Three, bool)> {
        let mut sites: BTreeMap<String, Vec<Voice>> = BTreeMap::new();
        for agent in &self.agents {
            if let Some(site) = self.stands(*agent, probe, at) {
                let stream = self.stream_of(*agent, probe);
                let voice = stream.map_or(Voice::Unknown, |s| self.voice(s, at, reading));
                if voice != Voice::Unknown || self.slip != Slip::SilentLeave {
                    sites.entry(site).or_default().push(voice);
                }
            }
        }
        if sites.is_empty() {
            return None;
        }
        let everywhere = sites.values().map(Vec::len).sum();
        let states: Vec<Three> = sites.values().map(|v| self.site(v, everywhere)).collect();
        let need = match self.world.site_rule {
            0 => states.len(),
            n => n as usize,
        };
        let state = self.agree(need, &states);
        let lost = states.contains(&Three::Unknown);
        self.saws.if_so(lost && states.len() > 1 && state == Three::Unknown, Branch::SiteLost);
        self.saws.if_so(lost && state != Three::Unknown, Branch::SiteLostInVain);
        self.saws.if_so(need > 1 && state == Three::Down, Branch::SitesAgree);
        let degraded = sites.values().flatten().any(|v| *v == Voice::Degraded);
        Some((state, degraded))
    }

    fn component(&self, at: i64, reading: Reading) -> (Three, bool) {
        let parts: Vec<(Three, bool)> = (0..self.world.probes.len())
            .filter_map(|probe| self.probe(probe, at, reading))
            .collect();
        if parts.is_empty() {
            self.saws.tick(Branch::NobodyLooks);
            let up = self.slip == Slip::NobodyIsUp;
            return (if up { Three::Up } else { Three::Unknown }, false);
        }
        self.saws.if_so(parts.len() < self.world.probes.len(), Branch::Uncounted);
        let need = match self.world.rule {
            0 => parts.len(),
            n => n as usize,
        };
        let states: Vec<Three> = parts.iter().map(|(state, _)| *state).collect();
        let state = self.agree(need, &states);
        let lost = states.contains(&Three::Unknown);
        self.saws.if_so(lost && states.len() > 1 && state == Three::Unknown, Branch::ProbeLost);
        self.saws.if_so(lost && state != Three::Unknown, Branch::ProbeLostInVain);
        self.saws.if_so(need > 1 && state == Three::Down, Branch::ProbesAgree);
        let slow = |p: &&(Three, bool)| p.1;
        let heard = parts.iter().filter(slow).any(|(s, _)| *s == Three::Up);
        let hidden = parts.iter().filter(slow).any(|(s, _)| *s != Three::Up);
        self.saws.if_so(hidden && !heard && state == Three::Up, Branch::DegradedHidden);
        let degraded = heard || (hidden && self.slip == Slip::DegradedAnyway);
        (state, state == Three::Up && degraded)
    }
}
