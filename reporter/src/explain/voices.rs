//! What the agents at one site said in a stretch of time, the outcomes that say it, and how many
//! of them had to agree (rules 2 to 4).

use std::fmt;

use mailward_catalogue::Need;
use mailward_evidence::{AgentName, ProbeId, Reason, SiteName, Verdict};

use super::Finder;
use crate::interval::{Set, Span};
use crate::report::grounds::{CountsAs, Record, Said};
use crate::report::model::{At, Ms};
use crate::timeline::{AgentTimeline, Piece, ProbeTimeline, Voice, meeting};

/// The agents whose roster held a probe at a site, and when within a stretch.
pub(super) struct Witnesses<'a> {
    agents: Vec<(&'a AgentTimeline, Set)>,
}

/// A run of failures.
pub(super) struct Failures<'a> {
    /// Due of the last of them.
    pub(super) last_ms: i64,
    /// How many.
    pub(super) outcomes: u64,
    /// Why the first of them failed.
    pub(super) reason: Option<&'a Reason>,
}

impl<'a> Witnesses<'a> {
    pub(super) fn of(probe: &'a ProbeTimeline, site: &SiteName, when: &Set) -> Self {
        let there = probe.agents.iter().filter_map(|agent| {
            let stays = agent.stays.iter().filter(|(_, at)| at == site).map(|(span, _)| *span);
            let there = Set::of(stays).intersect(when);
            (!there.is_empty()).then_some((agent, there))
        });
        Self { agents: there.collect() }
    }

    /// What each said, once for each verdict and reason, those against the service first.
    pub(super) fn records(&self, finder: &Finder<'_>, probe: &ProbeId) -> Vec<Record> {
        let mut all = Vec::new();
        for (agent, there) in &self.agents {
            let mut own: Vec<Record> = Vec::new();
            for span in there.spans() {
                for (piece, heard) in meeting(&agent.pieces, *span) {
                    add(&mut own, record(finder, &agent.agent, probe, piece, heard));
                }
            }
            own.sort_by_key(|record| (record.said, record.first_due));
            all.extend(own);
        }
        all.sort_by_key(|record| record.said);
        all
    }

    /// How many agents spoke, and how many had to.
    pub(super) fn agreement(&self, quorum: Need, was: CountsAs) -> String {
        let mut count = Agreement::default();
        for at_ms in self.instants() {
            let there = self.agents.iter().filter(|(_, when)| when.contains(at_ms));
            let (mut agents, mut speaking, mut down) = (0, 0, 0);
            for (agent, _) in there {
                let voice = agent.voice_at(at_ms);
                agents += 1;
                speaking += usize::from(voice != Voice::Unknown);
                down += usize::from(voice == Voice::Down);
            }
            if agents > 0 {
                count.agents.take(agents);
                count.need.take(quorum.count(agents));
                count.speaking.take(speaking);
                count.down.take(down);
            }
        }
        let one = count.agents.most == 1;
        let (who, verb) = match (was, count.down.most, count.speaking.most) {
            (CountsAs::Down, n, _) if one || n == 1 => (count.down, "says down"),
            (CountsAs::Down, ..) => (count.down, "say down"),
            (_, _, n) if one || n == 1 => (count.speaking, "speaks"),
            _ => (count.speaking, "speak"),
        };
        let plural = if count.agents.most == 1 { "" } else { "s" };
        format!("{who} of {} agent{plural} {verb}, {} must", count.agents, count.need)
    }

    /// Where what is said may change.
    fn instants(&self) -> Vec<i64> {
        let mut instants = Vec::new();
        for (agent, there) in &self.agents {
            for span in there.spans() {
                let pieces = meeting(&agent.pieces, *span);
                instants.extend(pieces.map(|(_, heard)| heard.from_ms));
                instants.push(span.to_ms);
            }
        }
        instants.sort_unstable();
        instants.dedup();
        instants
    }
}

#[derive(Default)]
struct Agreement {
    agents: Range,
    need: Range,
    speaking: Range,
    down: Range,
}

/// A number that may change in the course of a stretch.
#[derive(Default)]
struct Range {
    seen: bool,
    least: usize,
    most: usize,
}

impl Range {
    fn take(&mut self, n: usize) {
        self.least = if self.seen { self.least.min(n) } else { n };
        self.most = self.most.max(n);
        self.seen = true;
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.least == self.most {
            write!(f, "{}", self.most)
        } else {
            write!(f, "{} to {}", self.least, self.most)
        }
    }
}

fn record(
    finder: &Finder<'_>,
    agent: &AgentName,
    probe: &ProbeId,
    piece: &Piece,
    heard: Span,
) -> Record {
    let mut record = Record {
        agent: Some(agent.to_string()),
        said: Said::Silent,
        verdict: None,
        reason: None,
        length_s: Ms(heard.len_ms()),
        first_due: None,
        last_due: None,
        outcomes: 0,
    };
    let Some((segment, until_ms)) = finder.before(agent, probe, piece.span.from_ms) else {
        return record;
    };
    record.last_due = Some(At(segment.last_ms));
    if piece.voice == Voice::Unknown && until_ms <= piece.span.from_ms {
        return record;
    }
    record.said = match (piece.voice, segment.verdict) {
        (Voice::Down, _) => Said::Down,
        (Voice::Unknown, _) => Said::Unknown,
        (Voice::Up, Verdict::Down) => Said::Blip,
        (Voice::Up | Voice::Degraded, _) => Said::Up,
    };
    record.verdict = Some(segment.verdict.label().to_owned());
    record.reason = segment.reason.as_ref().map(ToString::to_string);
    record.first_due = Some(At(segment.first_ms));
    record.outcomes = segment.count;
    record
}

/// Adds a record to those of the same agent: one of the same kind is one with it. Of silence the
/// first tells when the agent was last heard.
fn add(own: &mut Vec<Record>, new: Record) {
    let same = own.iter_mut().find(|held| {
        (held.said, &held.verdict, &held.reason) == (new.said, &new.verdict, &new.reason)
    });
    let Some(held) = same else { return own.push(new) };
    held.length_s.0 += new.length_s.0;
    // the same outcomes, heard on after an interruption, are not counted again
    if new.said != Said::Silent && held.last_due < new.last_due {
        held.outcomes += new.outcomes;
        held.last_due = new.last_due;
    }
}

impl Finder<'_> {
    /// The run of failures that begins at an instant, until the first success after it.
    pub(super) fn failures(
        &self,
        agent: &AgentName,
        probe: &ProbeId,
        first_ms: i64,
    ) -> Failures<'_> {
        let segments = self.segments(agent, probe);
        let start = segments.partition_point(|segment| segment.first_ms < first_ms);
        let mut run = Failures { last_ms: first_ms, outcomes: 0, reason: None };
        for segment in &segments[start..] {
            match segment.verdict {
                Verdict::Down => {
                    if run.outcomes == 0 {
                        run.reason = segment.reason.as_ref();
                    }
                    run.outcomes += segment.count;
                    run.last_ms = segment.last_ms;
                }
                // two outcomes may share the first failure's due: the later one ends the run
                Verdict::Up | Verdict::Degraded if run.outcomes > 0 => break,
                Verdict::Up | Verdict::Degraded | Verdict::Unknown => {}
            }
        }
        run
    }
}
