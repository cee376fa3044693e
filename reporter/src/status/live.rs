//! What a row is now, from its timeline: the measured state and what only the live view shows,
//! lost resilience and three short failures in half an hour. No figure rests on this.

use mailward_catalogue::Need;
use mailward_evidence::{Reason, SiteName};

use super::{Now, Shade, SiteNow, State};
use crate::interval::Span;
use crate::language::english;
use crate::timeline::{self, ComponentTimeline, PartStep, Piece, Voice};

/// How far back short failures are counted.
const FLAP_MS: i64 = 30 * 60_000;
/// How many of them are too many.
const FLAPS: usize = 3;

/// What a row is at the end of its timeline's window, and at each of its sites where there are
/// several. `rule` is how many of its probes must be down; `planned` is the work under way.
#[must_use]
pub fn now(timeline: &ComponentTimeline, rule: Need, planned: Option<Span>) -> (Now, Vec<SiteNow>) {
    let at_ms = timeline.window.to_ms - 1;
    let sites = sites(timeline, rule, at_ms);
    let mut now = measured(timeline, &sites, at_ms);
    if let Some(span) = planned {
        now = Now {
            state: State::Maintenance,
            since_ms: Some(span.from_ms),
            until_ms: Some(span.to_ms),
            why: None,
            shade: Shade::Plain,
        };
    }
    now.since_ms = now.since_ms.filter(|since| *since > timeline.window.from_ms);
    let shown = sites
        .into_iter()
        .map(|site| SiteNow { site: site.name.as_str().to_owned(), state: site.state() })
        .collect::<Vec<_>>();
    (now, if shown.len() > 1 { shown } else { Vec::new() })
}

fn measured(timeline: &ComponentTimeline, sites: &[SiteAt], at_ms: i64) -> Now {
    let Some(step) = timeline.at(at_ms) else {
        return Now::plain(State::NoData, None);
    };
    let works_somewhere = sites.iter().any(|s| s.measured == timeline::State::Up);
    let fails_somewhere = sites.iter().any(|s| s.measured == timeline::State::Down);
    match step.state {
        timeline::State::Down => {
            let outage = timeline.down().around(at_ms);
            let causes = outage.map(|span| timeline.down_causes(span)).unwrap_or_default();
            let (state, shade) = if works_somewhere {
                (State::Partly, Shade::Sites)
            } else {
                (State::NotWorking, Shade::Plain)
            };
            Now {
                state,
                since_ms: outage.map(|span| span.from_ms),
                until_ms: None,
                why: causes.iter().find_map(|c| c.reason.as_ref()).map(Reason::plain),
                shade,
            }
        }
        timeline::State::Unknown if !fails_somewhere => {
            let since = timeline.unknown().around(at_ms).map(|span| span.from_ms);
            let is_spared = |(_, piece): (i64, &Piece)| {
                matches!(piece.reason, Some(Reason::Credential | Reason::CredentialHeld))
            };
            let spared = spoken(timeline, at_ms, Voice::Unknown).any(is_spared);
            // no word about whose account it is
            let why = spared.then(|| english().status.spared());
            Now { why, ..Now::plain(State::NoData, since) }
        }
        timeline::State::Unknown => failing(timeline, at_ms, Shade::Sites),
        timeline::State::Up if fails_somewhere && works_somewhere => {
            failing(timeline, at_ms, Shade::Sites)
        }
        timeline::State::Up => impaired(timeline, at_ms, step.degraded),
    }
}

/// Up, but perhaps not simply.
fn impaired(timeline: &ComponentTimeline, at_ms: i64, degraded: bool) -> Now {
    if spoken(timeline, at_ms, Voice::Down).next().is_some() {
        return failing(timeline, at_ms, Shade::Resilience);
    }
    if degraded {
        let reasons: Vec<&Reason> = spoken(timeline, at_ms, Voice::Degraded)
            .filter_map(|(_, p)| p.reason.as_ref())
            .collect();
        let slow = reasons.iter().all(|r| **r == Reason::Slow);
        // what is not about speed is the sharper news
        let why = reasons.iter().find(|r| ***r != Reason::Slow).or_else(|| reasons.first());
        return Now {
            state: State::Slow,
            since_ms: timeline.degraded().around(at_ms).map(|span| span.from_ms),
            until_ms: None,
            why: why.map(|r| r.plain()),
            shade: if slow { Shade::Slow } else { Shade::Impaired },
        };
    }
    let mut blips: Vec<i64> = timeline
        .probes
        .iter()
        .flat_map(|probe| &probe.agents)
        .flat_map(|agent| agent.blips.iter().copied())
        .filter(|blip| *blip > at_ms - FLAP_MS)
        .collect();
    if blips.len() >= FLAPS {
        blips.sort_unstable();
        return Now { shade: Shade::Flapping, ..Now::plain(State::Slow, blips.first().copied()) };
    }
    Now::plain(State::Working, None)
}

/// Partly working: since the earliest failure that goes on, for the reason it gives.
fn failing(timeline: &ComponentTimeline, at_ms: i64, shade: Shade) -> Now {
    let first = spoken(timeline, at_ms, Voice::Down).min_by_key(|(from_ms, _)| *from_ms);
    Now {
        state: State::Partly,
        since_ms: first.map(|(from_ms, _)| from_ms),
        until_ms: None,
        why: first.and_then(|(_, piece)| piece.reason.as_ref()).map(Reason::plain),
        shade,
    }
}

/// What the agents on the roster say at an instant with this voice, and since when each does.
fn spoken(
    timeline: &ComponentTimeline,
    at_ms: i64,
    voice: Voice,
) -> impl Iterator<Item = (i64, &Piece)> {
    timeline.probes.iter().flat_map(|probe| &probe.agents).filter_map(move |agent| {
        agent.stays.iter().find(|(span, _)| span.contains(at_ms))?;
        let index = agent.pieces.iter().rposition(|p| p.span.contains(at_ms))?;
        let piece = &agent.pieces[index];
        if piece.voice != voice {
            return None;
        }
        let run = agent.pieces[..=index].iter().rev().take_while(|p| p.voice == voice);
        Some((run.last().map_or(piece.span.from_ms, |p| p.span.from_ms), piece))
    })
}

struct SiteAt {
    name: SiteName,
    measured: timeline::State,
    degraded: bool,
}

impl SiteAt {
    const fn state(&self) -> State {
        match self.measured {
            timeline::State::Up if self.degraded => State::Slow,
            timeline::State::Up => State::Working,
            timeline::State::Down => State::NotWorking,
            timeline::State::Unknown => State::NoData,
        }
    }
}

/// The row as it is seen from each site: its rule over the probes that are run there.
fn sites(timeline: &ComponentTimeline, rule: Need, at_ms: i64) -> Vec<SiteAt> {
    let mut seen: Vec<(SiteName, Vec<PartStep>)> = Vec::new();
    for site in timeline.probes.iter().flat_map(|probe| &probe.sites) {
        let Some(step) = site.steps.iter().find(|s| s.span.contains(at_ms)) else { continue };
        if step.state.is_none() {
            continue;
        }
        match seen.iter_mut().find(|(name, _)| *name == site.site) {
            Some((_, steps)) => steps.push(*step),
            None => seen.push((site.site.clone(), vec![*step])),
        }
    }
    seen.sort_by(|a, b| a.0.cmp(&b.0));
    seen.into_iter()
        .map(|(name, steps)| SiteAt {
            name,
            measured: three_valued(&steps, rule),
            degraded: steps.iter().any(|s| s.degraded),
        })
        .collect()
}

/// Rule 5 over the probes of one site: `rule` of them must be down, and what is unknown may be.
fn three_valued(steps: &[PartStep], rule: Need) -> timeline::State {
    let count = |state| steps.iter().filter(|s| s.state == Some(state)).count();
    let (down, unknown) = (count(timeline::State::Down), count(timeline::State::Unknown));
    // a number that one site's probes cannot reach means all of them there
    let need = rule.count(steps.len()).clamp(1, steps.len().max(1));
    if down >= need {
        timeline::State::Down
    } else if down + unknown < need {
        timeline::State::Up
    } else {
        timeline::State::Unknown
    }
}

impl Now {
    const fn plain(state: State, since_ms: Option<i64>) -> Self {
        Self { state, since_ms, until_ms: None, why: None, shade: Shade::Plain }
    }
}
