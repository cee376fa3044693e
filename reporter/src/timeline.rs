//! From what agents saw to what a component was: up, down or unknown at every millisecond of a
//! window, by rules 2 to 5, and the shortest and longest reading of it by rule 10. Pure: it
//! knows no store and no now of its own, no service hours and no exclusions.

pub mod days;
mod index;
mod quorum;
mod speech;

use mailward_catalogue::{Catalogue, Component};
use mailward_evidence::{AgentName, ProbeId, Reason, SiteName};

pub use index::Index;
pub(crate) use speech::speaks_until;
pub use speech::{Piece, Voice, spoken};

use crate::interval::{Set, Span};
use crate::segment::Evidence;

/// What a component, a probe or a site is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Enough speak for it, and too few against it.
    Up,
    /// Enough speak against it.
    Down,
    /// Too little is known to say.
    Unknown,
}

/// A stretch of time in which a component does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When.
    pub span: Span,
    /// What it is.
    pub state: State,
    /// Up, and a probe of it that is itself up has a speaking degraded outcome.
    pub degraded: bool,
}

/// A stretch of time in which a probe or a site does not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartStep {
    /// When.
    pub span: Span,
    /// What it is; `None` while it stands on nobody's roster.
    pub state: Option<State>,
    /// An agent whose roster holds it has a speaking degraded outcome.
    pub degraded: bool,
}

/// A component over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct ComponentTimeline {
    /// The window.
    pub window: Span,
    /// What it was, as measured: in order, without gaps, covering the window.
    pub steps: Vec<Step>,
    /// The least and the most that the same evidence allows.
    pub bounds: Bounds,
    /// Its probes, in the order of probes.toml.
    pub probes: Vec<ProbeTimeline>,
}

/// The other two readings of the evidence (rule 10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// Down where every outage ends at its last failure.
    pub shortest_down: Set,
    /// Down where every outage lasts from the last success before it to the first after it.
    pub longest_down: Set,
    /// Unknown in that reading.
    pub longest_unknown: Set,
}

/// A probe over a window.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeTimeline {
    /// The probe.
    pub probe: ProbeId,
    /// What it was, as measured; covers the window.
    pub steps: Vec<PartStep>,
    /// The sites it was seen from, by name.
    pub sites: Vec<SiteTimeline>,
    /// The agents that ran it, by name.
    pub agents: Vec<AgentTimeline>,
}

/// A probe at one site.
#[derive(Clone, Debug, PartialEq)]
pub struct SiteTimeline {
    /// The site.
    pub site: SiteName,
    /// What it was there; covers the window.
    pub steps: Vec<PartStep>,
}

/// A probe as one agent saw it.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentTimeline {
    /// The agent.
    pub agent: AgentName,
    /// What it said, as measured; covers the window.
    pub pieces: Vec<Piece>,
    /// When its roster held the probe, and the site it stood at.
    pub stays: Vec<(Span, SiteName)>,
    /// Where the first failure of each blip lies, if it lies in the window.
    pub blips: Vec<i64>,
}

/// One thing that made a component down or unknown, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The probe that saw it.
    pub probe: ProbeId,
    /// Why; `None` for silence.
    pub reason: Option<Reason>,
    /// When at least one agent said so.
    pub when: Set,
}

/// A component of the definition over a window. For several components over one window, make an
/// [`Index`] once.
#[must_use]
pub fn component(
    catalogue: &Catalogue,
    component: &Component,
    evidence: &Evidence,
    window: Span,
    now_ms: i64,
) -> ComponentTimeline {
    Index::new(evidence, window, now_ms).component(catalogue, component)
}

impl ComponentTimeline {
    /// When it was down.
    #[must_use]
    pub fn down(&self) -> Set {
        self.when(|step| step.state == State::Down)
    }

    /// When it was unknown.
    #[must_use]
    pub fn unknown(&self) -> Set {
        self.when(|step| step.state == State::Unknown)
    }

    /// When it was up and degraded.
    #[must_use]
    pub fn degraded(&self) -> Set {
        self.when(|step| step.degraded)
    }

    fn when(&self, holds: impl Fn(&Step) -> bool) -> Set {
        self.steps.iter().filter(|step| holds(step)).map(|step| step.span).collect()
    }

    /// What it was at an instant of the window.
    #[must_use]
    pub fn at(&self, at_ms: i64) -> Option<Step> {
        let after = self.steps.partition_point(|step| step.span.to_ms <= at_ms);
        self.steps.get(after).copied().filter(|step| step.span.contains(at_ms))
    }

    /// Failures too short to count, of all its probes and agents, that begin in the window.
    #[must_use]
    pub fn blips(&self) -> u64 {
        let blips = self.probes.iter().flat_map(|probe| &probe.agents).map(|a| a.blips.len());
        blips.sum::<usize>() as u64
    }

    /// What made it down within `span`, longest first.
    #[must_use]
    pub fn down_causes(&self, span: Span) -> Vec<Cause> {
        let down = within(&self.steps, &Set::from(span), |step| step.state == State::Down);
        self.causes(&down, State::Down, |voice| voice == Voice::Down)
    }

    /// What kept it from being known within `set`, longest first. Where two reasons meet, each
    /// has the whole time.
    #[must_use]
    pub fn unknown_causes(&self, set: &Set) -> Vec<Cause> {
        let unknown = within(&self.steps, set, |step| step.state == State::Unknown);
        self.causes(&unknown, State::Unknown, |voice| voice == Voice::Unknown)
    }

    fn causes(&self, set: &Set, state: State, says: impl Fn(Voice) -> bool) -> Vec<Cause> {
        let mut causes = Vec::new();
        for probe in &self.probes {
            let so = within(&probe.steps, set, |step| step.state == Some(state));
            if so.is_empty() {
                continue;
            }
            let mut reasons: Vec<(Option<Reason>, Vec<Span>)> = Vec::new();
            for agent in &probe.agents {
                for (piece, span) in agent.heard(&so) {
                    if !says(piece.voice) {
                        continue;
                    }
                    match reasons.iter_mut().find(|(reason, _)| *reason == piece.reason) {
                        Some((_, spans)) => spans.push(span),
                        None => reasons.push((piece.reason.clone(), vec![span])),
                    }
                }
            }
            causes.extend(reasons.into_iter().map(|(reason, spans)| Cause {
                probe: probe.probe.clone(),
                reason,
                when: Set::of(spans),
            }));
        }
        // stable, so that equal causes keep the order of probes.toml
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.when.len_ms()));
        causes
    }
}

impl ProbeTimeline {
    /// When it was in this state.
    #[must_use]
    pub fn when(&self, state: State) -> Set {
        self.steps.iter().filter(|step| step.state == Some(state)).map(|step| step.span).collect()
    }
}

impl AgentTimeline {
    /// When its roster held the probe.
    #[must_use]
    pub fn on_roster(&self) -> Set {
        self.stays.iter().map(|(span, _)| *span).collect()
    }

    /// What it says at an instant of the window.
    #[must_use]
    pub fn voice_at(&self, at_ms: i64) -> Voice {
        let after = self.pieces.partition_point(|piece| piece.span.to_ms <= at_ms);
        let piece = self.pieces.get(after).filter(|piece| piece.span.contains(at_ms));
        piece.map_or(Voice::Unknown, |piece| piece.voice)
    }

    /// What it said within `set`, while its roster held the probe.
    fn heard<'a>(&'a self, set: &Set) -> impl Iterator<Item = (&'a Piece, Span)> + use<'a> {
        let counted = set.intersect(&self.on_roster());
        let heard = counted.spans().iter().flat_map(|span| meeting(&self.pieces, *span));
        heard.collect::<Vec<_>>().into_iter()
    }
}

/// Something that holds for a stretch of time.
pub(crate) trait Stretch {
    fn span(&self) -> Span;
}

impl Stretch for Step {
    fn span(&self) -> Span {
        self.span
    }
}

impl Stretch for PartStep {
    fn span(&self) -> Span {
        self.span
    }
}

impl Stretch for Piece {
    fn span(&self) -> Span {
        self.span
    }
}

/// Those of the stretches, which are in order, that meet `span`, with the part that does.
pub(crate) fn meeting<T: Stretch>(stretches: &[T], span: Span) -> impl Iterator<Item = (&T, Span)> {
    let first = stretches.partition_point(|stretch| stretch.span().to_ms <= span.from_ms);
    stretches[first..]
        .iter()
        .take_while(move |stretch| stretch.span().from_ms < span.to_ms)
        .map(move |stretch| (stretch, stretch.span().clip(span)))
}

/// When one of the stretches for which something holds lies in `set`.
pub(crate) fn within<T: Stretch>(stretches: &[T], set: &Set, holds: impl Fn(&T) -> bool) -> Set {
    let found = set.spans().iter().flat_map(|span| meeting(stretches, *span));
    found.filter(|(stretch, _)| holds(stretch)).map(|(_, span)| span).collect()
}
