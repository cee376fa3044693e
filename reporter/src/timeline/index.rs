//! Evidence arranged by probe: who said what, and whose roster held it when (rule 4).

use std::collections::{BTreeMap, HashMap};

use mailward_catalogue::{Catalogue, Component, Effect, Probe};
use mailward_evidence::{AgentName, ProbeId, SiteName};

use super::quorum::{self, Member, ProbeReadings};
use super::speech::{Reading, Speech, silence, speech};
use super::{AgentTimeline, Bounds, ComponentTimeline, ProbeTimeline, State};
use crate::interval::Span;
use crate::segment::{Evidence, Stream};

/// The evidence of a window, arranged so that each component takes only its own.
#[derive(Debug)]
pub struct Index<'a> {
    window: Span,
    now_ms: i64,
    streams: HashMap<&'a str, Vec<&'a Stream>>,
    stays: HashMap<&'a str, BTreeMap<&'a AgentName, Stays<'a>>>,
    first_rosters: HashMap<&'a AgentName, i64>,
}

/// The stretches in which one agent's roster held one probe, and the site it then stood at.
type Stays<'a> = Vec<(Span, &'a SiteName)>;

impl<'a> Index<'a> {
    /// Arranges the evidence of `window`, as known at `now_ms`.
    #[must_use]
    pub fn new(evidence: &'a Evidence, window: Span, now_ms: i64) -> Self {
        let mut streams: HashMap<&str, Vec<&Stream>> = HashMap::new();
        for stream in &evidence.streams {
            streams.entry(stream.probe.as_str()).or_default().push(stream);
        }
        let mut index =
            Self { window, now_ms, streams, stays: HashMap::new(), first_rosters: HashMap::new() };
        index.read_rosters(evidence);
        index
    }

    fn read_rosters(&mut self, evidence: &'a Evidence) {
        let known = |roster: &&mailward_evidence::Roster| roster.at.ms() < self.now_ms;
        let mut rosters: Vec<_> = evidence.rosters.iter().filter(known).collect();
        rosters.sort_by(|a, b| (&a.agent, a.at).cmp(&(&b.agent, b.at)));
        for (i, roster) in rosters.iter().enumerate() {
            let next = rosters.get(i + 1).filter(|next| next.agent == roster.agent);
            let span = Span::new(roster.at.ms(), next.map_or(self.now_ms, |next| next.at.ms()));
            self.first_rosters.entry(&roster.agent).or_insert(span.from_ms);
            if span.clip(self.window).is_empty() {
                continue;
            }
            for probe in &roster.probes {
                let agents = self.stays.entry(probe.id.as_str()).or_default();
                let stays = agents.entry(&roster.agent).or_default();
                match stays.last_mut() {
                    Some((last, site)) if last.to_ms == span.from_ms && *site == &roster.site => {
                        last.to_ms = span.to_ms;
                    }
                    _ => stays.push((span, &roster.site)),
                }
            }
        }
    }

    /// What a component was over the window.
    #[must_use]
    pub fn component(&self, catalogue: &Catalogue, component: &Component) -> ComponentTimeline {
        let mut probes = Vec::new();
        let mut readings = Vec::new();
        for probe in catalogue.probes_of(&component.id) {
            // an id of a definition is an id of evidence; one that is not was never measured
            let Ok(id) = ProbeId::new(&probe.id) else { continue };
            let (timeline, reading) = self.probe(id, probe, component);
            probes.push(timeline);
            readings.push(reading);
        }
        let steps = quorum::component(component.rule, self.window, &readings, Reading::Measured);
        let shortest = quorum::component(component.rule, self.window, &readings, Reading::Shortest);
        let longest = quorum::component(component.rule, self.window, &readings, Reading::Longest);
        let when = |steps: &[super::Step], state: State| {
            steps.iter().filter(|step| step.state == state).map(|step| step.span).collect()
        };
        let bounds = Bounds {
            shortest_down: when(&shortest, State::Down),
            longest_down: when(&longest, State::Down),
            longest_unknown: when(&longest, State::Unknown),
        };
        ComponentTimeline { window: self.window, steps, bounds, probes }
    }

    fn probe(
        &self,
        id: ProbeId,
        probe: &Probe,
        component: &Component,
    ) -> (ProbeTimeline, ProbeReadings) {
        let advisory = probe.effect == Effect::Advisory;
        let heard: BTreeMap<&AgentName, &Stream> =
            self.streams.get(id.as_str()).into_iter().flatten().map(|s| (&s.agent, *s)).collect();
        let nobody = BTreeMap::new();
        let rostered = self.stays.get(id.as_str()).unwrap_or(&nobody);
        let unnamed = SiteName::unnamed();
        let mut agents: Vec<&AgentName> = heard.keys().chain(rostered.keys()).copied().collect();
        agents.sort_unstable();
        agents.dedup();

        let mut sites: Vec<SiteName> = Vec::new();
        let mut members = Vec::new();
        let mut timelines = Vec::new();
        for agent in agents {
            let stream = heard.get(agent).copied();
            let speech = match stream {
                Some(stream) => speech(stream, probe.confirm, advisory, self.window, self.now_ms),
                None => Speech { pieces: silence(self.window), ..Speech::default() },
            };
            let stays = self.stays_of(agent, stream, rostered.get(agent), &unnamed);
            for (_, site) in &stays {
                if !sites.contains(site) {
                    sites.push((*site).clone());
                }
            }
            timelines.push(AgentTimeline {
                agent: agent.clone(),
                pieces: speech.pieces.clone(),
                stays: stays.iter().map(|(span, site)| (*span, (*site).clone())).collect(),
                blips: speech.blips.clone(),
            });
            members.push((speech, stays));
        }
        sites.sort();
        let members: Vec<Member> = members
            .into_iter()
            .map(|(speech, stays)| Member {
                speech,
                stays: stays
                    .iter()
                    .filter_map(|(span, site)| Some((*span, sites.binary_search(site).ok()?)))
                    .collect(),
            })
            .collect();
        let readings = quorum::probe(component, self.window, &members, sites);
        let timeline = ProbeTimeline {
            probe: id,
            steps: readings.measured.clone(),
            sites: readings.sites.clone(),
            agents: timelines,
        };
        (timeline, readings)
    }

    /// When an agent counts for a probe, and at which site: by its rosters, and before the first
    /// of them from its first outcome of the probe on.
    fn stays_of<'s>(
        &'s self,
        agent: &AgentName,
        stream: Option<&Stream>,
        rostered: Option<&'s Stays<'a>>,
        unnamed: &'s SiteName,
    ) -> Vec<(Span, &'s SiteName)> {
        let mut stays = Vec::new();
        if let Some(stream) = stream {
            let until_ms = self.first_rosters.get(agent).copied().unwrap_or(self.now_ms);
            stays.push((Span::new(stream.first_due_ms, until_ms), unnamed));
        }
        stays.extend(rostered.into_iter().flatten().map(|(span, site)| (*span, *site)));
        stays.retain_mut(|(span, _)| {
            *span = span.clip(self.window);
            !span.is_empty()
        });
        stays
    }
}
