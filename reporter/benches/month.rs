//! How long a month's report takes from segments: 40 probes seen by 29 agents, quiet and
//! flapping, so that what grows is the number of changes and nothing else.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use jiff::tz::TimeZone;
use mailward_catalogue::{
    Catalogue, Component, Effect, Level, LevelHours, Maintenance, Measure, Need, Percent, Probe,
    Publish, Report, Reporter, Schedule, Service, Settings, UnknownPolicy,
};
use mailward_evidence::{
    AgentName, Extra, Instant, ProbeId, Roster, RosterProbe, SiteName, Verdict,
};
use mailward_reporter::clock::Month;
use mailward_reporter::report::{Tallies, build};
use mailward_reporter::segment::{Evidence, Segment, Stream};

const PROBES: usize = 40;
const AGENTS: usize = 29;
const COMPONENTS: usize = 7;
const MINUTE: i64 = 60_000;

fn catalogue() -> Catalogue {
    let component = |i: usize| Component {
        id: format!("c{i}"),
        name: format!("Component {i}"),
        group: String::new(),
        rule: Need::Any,
        quorum: Need::Majority,
        site_rule: Need::Any,
        severity: "2".to_owned(),
        users: None,
        since: None,
        description: None,
    };
    let probe = |i: usize| Probe {
        id: format!("p{i}"),
        component: format!("c{}", i % COMPONENTS),
        kind: &mailward_catalogue::probe::kinds::HTTP,
        schedule: Schedule::Every(Duration::from_secs(60)),
        retry_every: Duration::from_secs(15),
        confirm: 2,
        timeout: Duration::from_secs(10),
        slow: None,
        effect: Effect::Availability,
        sites: Vec::new(),
        credentials: Vec::new(),
        settings: Settings::default(),
        line: 1,
    };
    let per_cent = |units| Percent::from_units(units).expect("at most 100 %");
    let level = |i: usize| Level {
        id: format!("l{i}"),
        component: Some(format!("c{i}")),
        over: None,
        measure: Measure::Availability { target: per_cent(9_990_000_000) },
        hours: LevelHours::Always,
        unknown: UnknownPolicy::Exclude,
        min_coverage: per_cent(9_000_000_000),
        credits: Vec::new(),
    };
    Catalogue {
        service: Service {
            name: "Bench".to_owned(),
            zone: TimeZone::UTC,
            zone_name: "Etc/UTC".to_owned(),
        },
        agent: None,
        reporter: Reporter::default(),
        components: (0..COMPONENTS).map(component).collect(),
        probes: (0..PROBES).map(probe).collect(),
        credentials: Vec::new(),
        sinks: Vec::new(),
        hours: Vec::new(),
        levels: (0..COMPONENTS).map(level).collect(),
        maintenance: Maintenance::default(),
        report: Report {
            publish: Publish::Manual,
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

/// A month in which every agent and probe changes its verdict `changes` times.
fn evidence(from_ms: i64, to_ms: i64, changes: i64) -> Evidence {
    let agent = |i: usize| AgentName::new(&format!("a{i}")).expect("a name");
    let id = |i: usize| ProbeId::new(&format!("p{i}")).expect("an id");
    let length_ms = (to_ms - from_ms) / (changes + 1) / MINUTE * MINUTE;
    let stream = |who: usize, what: usize| {
        // every stream is shifted by some seconds, so that changes seldom fall together
        let shift_ms = i64::try_from((who * 37 + what * 101) % 60).expect("small") * 1000;
        let segments = (0..=changes).map(|n| {
            let first_ms = from_ms + shift_ms + n * length_ms;
            Segment {
                first_ms,
                last_ms: first_ms + length_ms - MINUTE,
                next_due_ms: MINUTE,
                count: u64::try_from(length_ms / MINUTE).expect("positive"),
                verdict: if n % 2 == 0 { Verdict::Up } else { Verdict::Down },
                reason: None,
                listings: Vec::new(),
            }
        });
        Stream {
            agent: agent(who),
            probe: id(what),
            first_due_ms: from_ms,
            segments: segments.collect(),
        }
    };
    let roster = |i: usize| Roster {
        agent: agent(i),
        site: SiteName::new(["internet", "hscn"][i % 2]).expect("a site"),
        at: Instant::from_ms(from_ms).expect("in range"),
        probes: (0..PROBES)
            .map(|p| RosterProbe { id: id(p), every_s: Some(60), extra: Extra::default() })
            .collect(),
        extra: Extra::default(),
    };
    let pairs = (0..AGENTS).flat_map(|who| (0..PROBES).map(move |what| (who, what)));
    Evidence {
        streams: pairs.map(|(who, what)| stream(who, what)).collect(),
        rosters: (0..AGENTS).map(roster).collect(),
        ..Evidence::default()
    }
}

fn month(c: &mut Criterion) {
    let catalogue = catalogue();
    let month: Month = "2019-03".parse().expect("a month");
    let span = month.span(&catalogue.service.zone);
    let tallies = Tallies { by_level: BTreeMap::new() };
    let mut group = c.benchmark_group("month");
    group.sample_size(10);
    for changes in [2, 20, 200] {
        let evidence = evidence(span.from_ms, span.to_ms, changes);
        group.bench_with_input(BenchmarkId::from_parameter(changes), &evidence, |b, evidence| {
            b.iter(|| build(&catalogue, month, black_box(evidence), &tallies, span.to_ms));
        });
    }
    group.finish();
}

criterion_group!(benches, month);
criterion_main!(benches);
