//! Turns a world into what the reporter takes: a definition, and evidence as segments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::tz::TimeZone;
use mailward_catalogue::{
    Catalogue, Component, Effect, Hours, Level, LevelHours, Maintenance, Measure, Need, Percent,
    Probe, Publish, Report, Reporter, Schedule, Service, Settings, Span, UnknownPolicy,
};
use mailward_evidence::{
    AgentName, Exclusion, ExclusionClass, Extra, Instant, Listing, ProbeId, Roster, RosterProbe,
    SiteName, Verdict,
};
use mailward_reporter::segment::{Evidence, Run, SeenExclusion, Segment, Stream};

use crate::world::{HoursDef, Policy, Seen, World};

pub(crate) fn percent(text: &str) -> Percent {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let units: u64 = format!("{whole}{part:0<8}").parse().unwrap();
    Percent::from_units(units).unwrap()
}

pub(crate) fn length(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap())
}

pub(crate) fn instant(ms: i64) -> Instant {
    Instant::from_ms(ms).unwrap()
}

pub(crate) fn agent(i: usize) -> AgentName {
    AgentName::new(&format!("agent-{i}")).unwrap()
}

pub(crate) fn probe_id(i: usize) -> ProbeId {
    ProbeId::new(&format!("probe-{i}")).unwrap()
}

pub(crate) fn site(i: usize) -> SiteName {
    SiteName::new(&format!("site-{i}")).unwrap()
}

pub(crate) fn hours(def: &HoursDef) -> Hours {
    let spans = |list: &Vec<(u16, u16)>| {
        list.iter()
            .map(|(from_min, to_min)| Span { from_min: *from_min, to_min: *to_min })
            .collect()
    };
    Hours {
        name: "h".to_owned(),
        weekly: std::array::from_fn(|day| spans(&def.weekly[day])),
        holidays: def.holidays.iter().map(|date| date.parse().unwrap()).collect::<BTreeSet<_>>(),
    }
}

pub(crate) fn level(id: &str, world: &World, measure: Measure) -> Level {
    Level {
        id: id.to_owned(),
        component: Some("c".to_owned()),
        over: None,
        measure,
        hours: match (&world.hours, world.not) {
            (None, _) => LevelHours::Always,
            (Some(_), false) => LevelHours::Named("h".to_owned()),
            (Some(_), true) => LevelHours::Not("h".to_owned()),
        },
        unknown: match world.unknown {
            Policy::Exclude => UnknownPolicy::Exclude,
            Policy::Up => UnknownPolicy::Up,
            Policy::Down => UnknownPolicy::Down,
        },
        min_coverage: percent(world.min_coverage),
        credits: Vec::new(),
    }
}

fn probe(i: usize, world: &World) -> Probe {
    Probe {
        id: probe_id(i).to_string(),
        component: "c".to_owned(),
        // carries listings, which other kinds do not
        kind: mailward_catalogue::probe::kinds::kind("dnsbl").unwrap(),
        schedule: Schedule::Every(Duration::from_secs(60)),
        retry_every: Duration::from_secs(15),
        confirm: world.probes[i].confirm,
        timeout: Duration::from_secs(10),
        slow: None,
        effect: if world.probes[i].advisory { Effect::Advisory } else { Effect::Availability },
        sites: Vec::new(),
        credentials: Vec::new(),
        settings: Settings::default(),
        line: 1,
    }
}

pub(crate) const RESPONSE_WITHIN_MS: i64 = 4000;

pub(crate) fn catalogue(world: &World) -> Catalogue {
    let need = |n: u32| if n == 0 { Need::All } else { Need::AtLeast(n) };
    let target = percent(world.target);
    let measures = [
        ("availability", Measure::Availability { target }),
        ("success", Measure::Success { target }),
        ("response", Measure::ResponseTime { target, within: length(RESPONSE_WITHIN_MS) }),
        ("listing", Measure::Listing { target: Duration::from_secs(36_000) }),
    ];
    Catalogue {
        service: Service {
            name: "Small Mail".to_owned(),
            zone: TimeZone::get(world.zone).unwrap(),
            zone_name: world.zone.to_owned(),
        },
        agent: None,
        reporter: Reporter::default(),
        components: vec![Component {
            id: "c".to_owned(),
            name: "A component".to_owned(),
            group: String::new(),
            rule: if world.rule == 1 { Need::Any } else { need(world.rule) },
            quorum: if world.quorum == 0 { Need::Majority } else { Need::AtLeast(world.quorum) },
            site_rule: if world.site_rule == 1 { Need::Any } else { need(world.site_rule) },
            severity: "2".to_owned(),
            users: None,
            since: world.since.map(|date| date.parse().unwrap()),
            description: None,
        }],
        probes: (0..world.probes.len()).map(|i| probe(i, world)).collect(),
        credentials: Vec::new(),
        sinks: Vec::new(),
        hours: world.hours.iter().map(hours).collect(),
        levels: measures.into_iter().map(|(id, m)| level(id, world, m)).collect(),
        maintenance: Maintenance {
            cap_per_month: world.cap_ms.map(length),
            notice: world.notice_ms.map(length),
        },
        report: Report { publish: Publish::Auto, publish_on: 5 },
        tickets_csv: None,
        counts_csv: None,
    }
}

/// The evidence of a period, as a store hands it over.
pub(crate) fn evidence(world: &World, period: (i64, i64)) -> Evidence {
    let mut by_stream: BTreeMap<(usize, usize), Vec<&Seen>> = BTreeMap::new();
    for seen in world.outcomes.iter().filter(|seen| seen.due < world.now) {
        by_stream.entry((seen.agent, seen.probe)).or_default().push(seen);
    }
    let streams = by_stream.into_iter().map(|((who, what), mut outcomes)| {
        outcomes.sort_by_key(|seen| (seen.due, seen.attempt));
        let mut segments = segments(&outcomes);
        if !world.whole_streams {
            cut(&mut segments, period);
        }
        Stream { agent: agent(who), probe: probe_id(what), first_due_ms: outcomes[0].due, segments }
    });
    Evidence {
        streams: streams.collect(),
        rosters: rosters(world),
        exclusions: exclusions(world),
        tickets: Vec::new(),
        counts: Vec::new(),
    }
}

/// The rosters known by now, in order.
pub(crate) fn rosters(world: &World) -> Vec<Roster> {
    let mut rosters: Vec<Roster> = world
        .rosters
        .iter()
        .filter(|roster| roster.at < world.now)
        .map(|def| Roster {
            agent: agent(def.agent),
            site: site(def.site),
            at: instant(def.at),
            probes: def
                .probes
                .iter()
                .map(|i| RosterProbe {
                    id: probe_id(*i),
                    every_s: Some(60),
                    extra: Extra::default(),
                })
                .collect(),
            extra: Extra::default(),
        })
        .collect();
    rosters.sort_by(|a, b| (&a.agent, a.at).cmp(&(&b.agent, b.at)));
    rosters
}

/// All exclusions.
pub(crate) fn exclusions(world: &World) -> Vec<SeenExclusion> {
    let exclusion = |(i, def): (usize, &crate::world::Excluded)| Exclusion {
        id: format!("MW-{i:02}").into(),
        class: match def.third_party {
            true => ExclusionClass::ThirdParty,
            false => ExclusionClass::Maintenance,
        },
        components: vec!["c".parse().unwrap()],
        from: instant(def.from),
        to: instant(def.to),
        announced: def.announced.map(instant),
        approved: def.approved.map(instant),
        by: def.by.then(|| "the service manager".into()),
        reason: None,
        cancelled: false,
        extra: Extra::default(),
    };
    world
        .exclusions
        .iter()
        .enumerate()
        .map(|def| SeenExclusion { exclusion: exclusion(def), first_seen_ms: 0 })
        .collect()
}

/// What an outcome names on which lists.
pub(crate) fn listings(seen: &Seen) -> Vec<Listing> {
    seen.lists
        .iter()
        .map(|list| Listing {
            address: "192.0.2.10".into(),
            list: format!("list-{list}").into(),
            code: None,
            extra: Extra::default(),
        })
        .collect()
}

/// Maximal runs of equal outcomes without a gap.
fn segments(outcomes: &[&Seen]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for seen in outcomes {
        let listings = listings(seen);
        match segments.last_mut() {
            Some(last)
                if last.verdict == seen.verdict
                    && last.listings == listings
                    && seen.due - last.last_ms <= 3 * last.next_due_ms =>
            {
                last.last_ms = seen.due;
                last.next_due_ms = seen.next;
                last.count += 1;
            }
            _ => segments.push(Segment {
                first_ms: seen.due,
                last_ms: seen.due,
                next_due_ms: seen.next,
                count: 1,
                verdict: seen.verdict,
                reason: None,
                listings,
            }),
        }
    }
    segments
}

/// Cuts to what is promised: from the last success that begins before the period to the first
/// one that begins at or after its end.
fn cut(segments: &mut Vec<Segment>, period: (i64, i64)) {
    let success = |s: &Segment| matches!(s.verdict, Verdict::Up | Verdict::Degraded);
    if let Some(end) = segments.iter().position(|s| success(s) && s.first_ms >= period.1) {
        segments.truncate(end + 1);
    }
    if let Some(start) = segments.iter().rposition(|s| success(s) && s.first_ms < period.0) {
        segments.drain(..start);
    }
}

/// The scheduled runs of a period, by probe.
pub(crate) fn runs(world: &World, period: (i64, i64)) -> Vec<(usize, Run)> {
    world
        .outcomes
        .iter()
        .filter(|o| o.attempt == 0 && o.due < world.now && (period.0..period.1).contains(&o.due))
        .map(|o| {
            let run = Run { due_ms: o.due, took_ms: Some(o.took_ms), verdict: o.verdict };
            (o.probe, run)
        })
        .collect()
}
