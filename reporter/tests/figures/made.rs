//! Turns a world into what the reporter takes: a definition, and evidence as segments.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use jiff::tz::TimeZone;
use mailward_catalogue::{
    Catalogue, Component, Effect, Hours, Level, LevelHours, Maintenance, Measure, Need, Percent,
    Probe, Publish, Report, Reporter, Schedule, Service, Settings, Span, UnknownPolicy,
};
use mailward_evidence::{
    AgentName, Count, Exclusion, ExclusionClass, Extra, Instant, Listing, Outcome, ProbeId, Record,
    Roster, RosterProbe, SiteName, Ticket, TicketEvent, Verdict,
};
use mailward_reporter::report::{Tallies, Tally, judge_run};
use mailward_reporter::segment::{Delivery, Evidence, Run, SeenExclusion, Segment, Stream};

use crate::naive::Naive;
use crate::world::{CountDef, Excluded, HoursDef, Policy, RosterDef, Seen, TicketDef, World};

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

/// Kinds matter where mail and listings are counted.
fn kind(mail: bool) -> &'static mailward_catalogue::probe::Kind {
    static MAIL: LazyLock<mailward_catalogue::probe::Kind> = LazyLock::new(|| {
        let other = mailward_catalogue::probe::kinds::kind("dnsbl").unwrap();
        mailward_catalogue::probe::Kind { name: "mail", ..*other }
    });
    match mail {
        true => &MAIL,
        false => mailward_catalogue::probe::kinds::kind("dnsbl").unwrap(),
    }
}

fn probe(i: usize, world: &World) -> Probe {
    Probe {
        id: probe_id(i).to_string(),
        component: "c".to_owned(),
        kind: kind(world.probes[i].mail),
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

/// What the levels measure, in the order of the report.
fn measures(world: &World) -> [(&'static str, Measure); 7] {
    let (target, desk) = (percent(world.target), &world.desk);
    let of_mail = Measure::DeliveryTime {
        target,
        within: length(desk.deliver_within),
        lost_after: length(desk.lost_after),
    };
    let of_tickets = Measure::Resolution {
        target,
        severity: "2".to_owned(),
        within: length(desk.resolve_within),
        reopen_within: desk.reopen_within.map(length),
    };
    [
        ("availability", Measure::Availability { target }),
        ("success", Measure::Success { target }),
        ("response", Measure::ResponseTime { target, within: length(RESPONSE_WITHIN_MS) }),
        ("listing", Measure::Listing { target: Duration::from_secs(36_000) }),
        ("delivery", of_mail),
        ("resolution", of_tickets),
        ("ratio", Measure::Ratio { target, series: "calls".to_owned() }),
    ]
}

fn levels(world: &World) -> Vec<Level> {
    let mut levels: Vec<Level> =
        measures(world).into_iter().map(|(id, m)| level(id, world, m)).collect();
    if !world.desk.of_component {
        levels[5].component = None;
    }
    levels[6].component = None;
    levels
}

pub(crate) fn catalogue(world: &World) -> Catalogue {
    let need = |n: u32| if n == 0 { Need::All } else { Need::AtLeast(n) };
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
            since: world.since.as_ref().map(|date| date.parse().unwrap()),
            description: None,
        }],
        probes: (0..world.probes.len()).map(|i| probe(i, world)).collect(),
        credentials: Vec::new(),
        sinks: Vec::new(),
        hours: world.hours.iter().map(hours).collect(),
        levels: levels(world),
        maintenance: Maintenance {
            cap_per_month: world.cap_ms.map(length),
            notice: world.notice_ms.map(length),
        },
        report: Report {
            publish: Publish::Auto,
            publish_on: 5,
            publish_at: jiff::civil::Time::constant(9, 0, 0, 0),
            signing_key: None,
            language: None,
        },
        branding: None,
        distribution: None,
        notify: Vec::new(),
        tickets_csv: None,
        counts_csv: None,
    }
}

/// The evidence of a period, as a store hands it over once all has arrived.
pub(crate) fn evidence(world: &World, period: (i64, i64)) -> Evidence {
    let naive = Naive::new(world);
    let outcomes: Vec<&Seen> = naive.outcomes().collect();
    let of_one = outcomes.chunk_by(|a, b| (a.agent, a.probe) == (b.agent, b.probe));
    let streams = of_one.map(|outcomes| {
        let mut segments = segments(outcomes);
        if !world.whole_streams {
            cut(&mut segments, period);
        }
        Stream {
            agent: agent(outcomes[0].agent),
            probe: probe_id(outcomes[0].probe),
            first_due_ms: outcomes[0].due,
            segments,
        }
    });
    let now = world.now;
    let arrived = naive.arrivals();
    let mut rosters: Vec<Roster> =
        arrived.rosters.iter().filter(|r| r.at < now).map(|r| roster(r)).collect();
    rosters.sort_by(|a, b| (&a.agent, a.at).cmp(&(&b.agent, b.at)));
    let kept = arrived.exclusions.iter().filter(|e| !e.cancelled);
    let mut tickets: Vec<Ticket> =
        arrived.tickets.iter().filter(|t| t.opened < now).map(|t| ticket(t)).collect();
    tickets.sort_by(|a, b| a.id.cmp(&b.id));
    Evidence {
        streams: streams.collect(),
        rosters,
        exclusions: kept
            .map(|e| SeenExclusion { exclusion: exclusion(e), first_seen_ms: 0 })
            .collect(),
        tickets,
        counts: arrived.counts.iter().filter(|c| c.to <= now).map(|c| count(c)).collect(),
    }
}

/// What is counted run by run and mail by mail beside the evidence.
pub(crate) fn tallies(
    world: &World,
    catalogue: &Catalogue,
    counted: impl Fn(&Level, i64) -> bool,
    period: (i64, i64),
) -> Tallies {
    let naive = Naive::new(world);
    let inside = |seen: &&Seen| (period.0..period.1).contains(&seen.due);
    let seen: Vec<&Seen> = naive.outcomes().filter(inside).collect();
    let mut tallies = Tallies::default();
    for id in ["success", "response"] {
        let Some(level) = catalogue.level(id) else { continue };
        let (mut good, mut total) = (0, 0);
        for o in seen.iter().filter(|o| o.attempt == 0 && counted(level, o.due)) {
            let run = Run { due_ms: o.due, took_ms: Some(o.took_ms), verdict: o.verdict };
            if let Some(verdict) = judge_run(&level.measure, &catalogue.probes[o.probe], &run) {
                total += 1;
                good += u64::from(verdict);
            }
        }
        tallies.by_level.insert(id.to_owned(), Tally::Runs { good, total });
    }
    let mails = seen.iter().filter(|o| world.probes[o.probe].mail);
    let sent = mails.filter_map(|o| {
        let delivery_ms = match (o.verdict, o.delivery) {
            (Verdict::Down, _) => None,
            (Verdict::Up | Verdict::Degraded, Some(took)) => Some(took),
            _ => return None,
        };
        Some(Delivery { due_ms: o.due, delivery_ms })
    });
    tallies.by_level.insert("delivery".to_owned(), Tally::Deliveries(sent.collect()));
    tallies
}

/// Every record of a world, in the order of arrival of its kind.
pub(crate) fn records(world: &World) -> Vec<Record> {
    let mut records: Vec<Record> =
        world.outcomes.iter().map(|seen| Record::Outcome(outcome(seen))).collect();
    records.extend(world.rosters.iter().map(|r| Record::Roster(roster(r))));
    records.extend(world.exclusions.iter().map(|e| Record::Exclusion(exclusion(e))));
    records.extend(world.tickets.iter().map(|t| Record::Ticket(ticket(t))));
    records.extend(world.counts.iter().map(|c| Record::Count(count(c))));
    records
}

fn outcome(seen: &Seen) -> Outcome {
    let next = u64::try_from(seen.next).unwrap();
    let (agent, probe) = (agent(seen.agent), probe_id(seen.probe));
    let mut outcome = Outcome::new(agent, probe, instant(seen.due), next, seen.verdict);
    outcome.attempt = seen.attempt;
    outcome.revision = seen.revision;
    outcome.took_ms = Some(seen.took_ms);
    outcome.delivery_s = seen.delivery.map(|took| took as f64 / 1000.0);
    outcome.listings = listings(seen);
    outcome
}

fn roster(def: &RosterDef) -> Roster {
    let probe =
        |i: &usize| RosterProbe { id: probe_id(*i), every_s: Some(60), extra: Extra::default() };
    Roster {
        agent: agent(def.agent),
        site: site(def.site),
        at: instant(def.at),
        probes: def.probes.iter().map(probe).collect(),
        extra: Extra::default(),
    }
}

fn exclusion(def: &Excluded) -> Exclusion {
    Exclusion {
        id: format!("MW-{:02}", def.id).into(),
        class: match def.third_party {
            true => ExclusionClass::ThirdParty,
            false => ExclusionClass::Maintenance,
        },
        components: vec![if def.ours { "c" } else { "other" }.parse().unwrap()],
        from: instant(def.from),
        to: instant(def.to),
        announced: def.announced.map(instant),
        approved: def.approved.map(instant),
        by: def.by.then(|| "the service manager".into()),
        reason: None,
        cancelled: def.cancelled,
        extra: Extra::default(),
    }
}

fn ticket(def: &TicketDef) -> Ticket {
    let event = |(at, what): &(i64, _)| TicketEvent {
        at: instant(*at),
        what: *what,
        extra: Extra::default(),
    };
    Ticket {
        id: format!("INC{:02}", def.id).into(),
        severity: if def.severe { "2" } else { "3" }.into(),
        component: def.ours.then(|| "c".parse().unwrap()),
        opened: instant(def.opened),
        events: def.events.iter().map(event).collect(),
        cancelled: false,
        extra: Extra::default(),
    }
}

fn count(def: &CountDef) -> Count {
    Count {
        series: if def.ours { "calls" } else { "mails" }.into(),
        from: instant(def.from),
        to: instant(def.to),
        good: def.good,
        total: def.total,
        extra: Extra::default(),
    }
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
