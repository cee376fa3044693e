//! Agreement: of agents about a site, of sites about a probe, of probes about a component
//! (rules 4 and 5), in three-valued logic, swept once over the instants where anything changes.

use mailward_catalogue::{Component, Need};
use mailward_evidence::SiteName;

use super::speech::{Reading, Speech, Voice};
use super::{PartStep, SiteTimeline, State, Step};
use crate::interval::Span;

/// An agent as the agreement about one probe sees it.
pub(super) struct Member {
    pub(super) speech: Speech,
    /// When its roster held the probe, and at which of the sites it then stood.
    pub(super) stays: Vec<(Span, usize)>,
}

/// A probe in all three readings.
pub(super) struct ProbeReadings {
    pub(super) measured: Vec<PartStep>,
    pub(super) shortest: Vec<PartStep>,
    pub(super) longest: Vec<PartStep>,
    pub(super) sites: Vec<SiteTimeline>,
}

/// Down where `need` are down; up where fewer would be even if every unknown one were.
const fn agree(need: usize, down: usize, unknown: usize) -> State {
    if down >= need {
        State::Down
    } else if down + unknown < need {
        State::Up
    } else {
        State::Unknown
    }
}

/// The agents at one site, counted by what they say.
#[derive(Clone, Copy, Default)]
struct Tally {
    agents: usize,
    up: usize,
    degraded: usize,
    down: usize,
}

impl Tally {
    fn state(self, quorum: Need) -> Option<State> {
        if self.agents == 0 {
            return None;
        }
        let need = quorum.count(self.agents);
        Some(if self.up + self.degraded + self.down < need {
            State::Unknown
        } else if self.down >= need {
            State::Down
        } else {
            State::Up
        })
    }

    const fn voice(&mut self, voice: Voice) -> Option<&mut usize> {
        match voice {
            Voice::Up => Some(&mut self.up),
            Voice::Degraded => Some(&mut self.degraded),
            Voice::Down => Some(&mut self.down),
            Voice::Unknown => None,
        }
    }

    fn enter(&mut self, voice: Voice) {
        self.agents += 1;
        if let Some(count) = self.voice(voice) {
            *count += 1;
        }
    }

    fn leave(&mut self, voice: Voice) {
        self.agents -= 1;
        if let Some(count) = self.voice(voice) {
            *count -= 1;
        }
    }
}

enum Change {
    Speaks(Voice),
    Stands(Option<usize>),
}

/// Joins steps that do not differ.
struct Steps<T> {
    window: Span,
    open: Option<(i64, T)>,
    done: Vec<(Span, T)>,
}

impl<T: PartialEq + Copy> Steps<T> {
    const fn new(window: Span) -> Self {
        Self { window, open: None, done: Vec::new() }
    }

    fn now(&mut self, at_ms: i64, value: T) {
        match self.open {
            Some((_, held)) if held == value => {}
            Some((from_ms, held)) => {
                self.done.push((Span::new(from_ms, at_ms), held));
                self.open = Some((at_ms, value));
            }
            None => self.open = Some((at_ms, value)),
        }
    }

    fn finish(mut self) -> Vec<(Span, T)> {
        if let Some((from_ms, held)) = self.open {
            self.done.push((Span::new(from_ms, self.window.to_ms), held));
        }
        self.done.retain(|(span, _)| !span.is_empty());
        self.done
    }
}

type Part = (Option<State>, bool);

fn part_steps(steps: Steps<Part>) -> Vec<PartStep> {
    let steps = steps.finish().into_iter();
    steps.map(|(span, (state, degraded))| PartStep { span, state, degraded }).collect()
}

/// What a probe was, in all three readings.
pub(super) fn probe(
    component: &Component,
    window: Span,
    members: &[Member],
    names: Vec<SiteName>,
) -> ProbeReadings {
    let (measured, sites) = sweep(component, window, members, names.len(), Reading::Measured);
    let settled = members.iter().all(|member| member.speech.is_settled());
    let reading = |reading| {
        if settled {
            measured.clone()
        } else {
            sweep(component, window, members, names.len(), reading).0
        }
    };
    let (shortest, longest) = (reading(Reading::Shortest), reading(Reading::Longest));
    let sites = names.into_iter().zip(sites);
    let sites = sites.map(|(site, steps)| SiteTimeline { site, steps }).collect();
    ProbeReadings { measured, shortest, longest, sites }
}

fn sweep(
    component: &Component,
    window: Span,
    members: &[Member],
    sites: usize,
    reading: Reading,
) -> (Vec<PartStep>, Vec<Vec<PartStep>>) {
    let mut tallies = vec![Tally::default(); sites];
    let mut standing: Vec<(Voice, Option<usize>)> = vec![(Voice::Unknown, None); members.len()];
    let mut whole = Steps::new(window);
    let mut parts: Vec<Steps<Part>> = (0..sites).map(|_| Steps::new(window)).collect();

    let changes = changes(members, reading);
    let mut next = 0;
    let mut at_ms = window.from_ms;
    loop {
        while let Some((_, who, change)) = changes.get(next).filter(|(at, ..)| *at <= at_ms) {
            let (voice, site) = &mut standing[*who];
            if let Some(site) = *site {
                tallies[site].leave(*voice);
            }
            match change {
                Change::Speaks(new) => *voice = *new,
                Change::Stands(new) => *site = *new,
            }
            if let Some(site) = *site {
                tallies[site].enter(*voice);
            }
            next += 1;
        }
        whole.now(at_ms, about_probe(component, &tallies));
        for (part, tally) in parts.iter_mut().zip(&tallies) {
            part.now(at_ms, (tally.state(component.quorum), tally.degraded > 0));
        }
        match changes.get(next) {
            Some((at, ..)) if *at < window.to_ms => at_ms = *at,
            _ => break,
        }
    }
    (part_steps(whole), parts.into_iter().map(part_steps).collect())
}

/// Every change of every member, in order of time.
fn changes(members: &[Member], reading: Reading) -> Vec<(i64, usize, Change)> {
    let mut changes = Vec::new();
    for (who, member) in members.iter().enumerate() {
        let spoken = member.speech.changes(reading);
        changes.extend(spoken.into_iter().map(|(at, voice)| (at, who, Change::Speaks(voice))));
        for (i, (span, site)) in member.stays.iter().enumerate() {
            changes.push((span.from_ms, who, Change::Stands(Some(*site))));
            let moves_on = member.stays.get(i + 1).is_some_and(|(n, _)| n.from_ms == span.to_ms);
            if !moves_on {
                changes.push((span.to_ms, who, Change::Stands(None)));
            }
        }
    }
    // stable: a member that leaves and comes back at one instant does so in this order
    changes.sort_by_key(|(at, ..)| *at);
    changes
}

fn about_probe(component: &Component, tallies: &[Tally]) -> Part {
    let (mut sites, mut down, mut unknown, mut degraded) = (0, 0, 0, false);
    for tally in tallies {
        let Some(state) = tally.state(component.quorum) else { continue };
        sites += 1;
        down += usize::from(state == State::Down);
        unknown += usize::from(state == State::Unknown);
        degraded |= tally.degraded > 0;
    }
    if sites == 0 {
        return (None, false);
    }
    (Some(agree(component.site_rule.count(sites), down, unknown)), degraded)
}

/// What a component was in one reading.
pub(super) fn component(
    rule: Need,
    window: Span,
    probes: &[ProbeReadings],
    reading: Reading,
) -> Vec<Step> {
    let steps_of = |probe: &ProbeReadings| -> usize {
        match reading {
            Reading::Measured => probe.measured.len(),
            Reading::Shortest => probe.shortest.len(),
            Reading::Longest => probe.longest.len(),
        }
    };
    let mut changes = Vec::with_capacity(probes.iter().map(steps_of).sum());
    for (which, probe) in probes.iter().enumerate() {
        let steps = match reading {
            Reading::Measured => &probe.measured,
            Reading::Shortest => &probe.shortest,
            Reading::Longest => &probe.longest,
        };
        changes.extend(
            steps.iter().map(|step| (step.span.from_ms, which, (step.state, step.degraded))),
        );
    }
    changes.sort_by_key(|(at, ..)| *at);
    let mut parts: Vec<Part> = vec![(None, false); probes.len()];
    let mut whole = Steps::new(window);
    whole.now(window.from_ms, (State::Unknown, false));
    let mut next = 0;
    while let Some((at_ms, ..)) = changes.get(next) {
        while let Some((_, which, part)) = changes.get(next).filter(|(at, ..)| at == at_ms) {
            parts[*which] = *part;
            next += 1;
        }
        whole.now(*at_ms, about_component(rule, &parts));
    }
    let steps = whole.finish().into_iter();
    steps.map(|(span, (state, degraded))| Step { span, state, degraded }).collect()
}

fn about_component(rule: Need, parts: &[Part]) -> (State, bool) {
    let count = |state| parts.iter().filter(|(held, _)| *held == Some(state)).count();
    let (up, down, unknown) = (count(State::Up), count(State::Down), count(State::Unknown));
    let probes = up + down + unknown;
    if probes == 0 {
        return (State::Unknown, false);
    }
    let state = agree(rule.count(probes), down, unknown);
    let degraded = parts.iter().any(|(held, slow)| *held == Some(State::Up) && *slow);
    (state, state == State::Up && degraded)
}
