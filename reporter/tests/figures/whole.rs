//! The service as a whole against an oracle that walks hour by hour: weighted by users, and as
//! one component that is down while any of its components is.

use mailward_catalogue::Catalogue;
use mailward_evidence::{Exclusion, Record, Verdict, wire};
use mailward_reporter::report::model::{Availability, Figure, Report};
use mailward_reporter::report::{Tallies, build};
use mailward_reporter::segment::{Evidence, SeenExclusion, Segment, Stream};
use proptest::prelude::*;

const HOUR_MS: i64 = 3_600_000;
const DAYS: usize = 3;
const HOURS: usize = DAYS * 24;
/// 2026-02-01T00:00:00Z.
const START_MS: i64 = 1_769_904_000_000;

/// What a row was in an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hour {
    Outside,
    Excluded { down: bool },
    Down,
    Unknown,
    Up,
}

#[derive(Clone, Debug)]
struct Drawn {
    users: Option<u64>,
    /// The day of the month on which its service began.
    since: usize,
    seen: Vec<Verdict>,
    /// From when until when it is excluded, in hours.
    excluded: (usize, usize),
}

impl Drawn {
    fn at(&self, hour: usize) -> Hour {
        let down = self.seen[hour] == Verdict::Down;
        match self.seen[hour] {
            _ if hour < (self.since - 1) * 24 => Hour::Outside,
            _ if (self.excluded.0..self.excluded.1).contains(&hour) => Hour::Excluded { down },
            Verdict::Down => Hour::Down,
            Verdict::Unknown => Hour::Unknown,
            _ => Hour::Up,
        }
    }
}

fn row() -> impl Strategy<Value = Drawn> {
    let verdict = proptest::sample::select(vec![
        Verdict::Up,
        Verdict::Up,
        Verdict::Down,
        Verdict::Unknown,
        Verdict::Degraded,
    ]);
    let runs = proptest::collection::vec((verdict, 1usize..30), 1..12);
    let users = proptest::option::of(0u64..2000);
    (users, 1..=DAYS, runs, (0..HOURS, 0..20usize)).prop_map(
        |(users, since, runs, (from, long))| {
            let long_enough = runs.iter().flat_map(|(v, n)| std::iter::repeat_n(*v, *n));
            let mut seen: Vec<Verdict> = long_enough.take(HOURS).collect();
            seen.resize(HOURS, Verdict::Up);
            Drawn { users, since, seen, excluded: (from, (from + long).min(HOURS)) }
        },
    )
}

fn catalogue(rows: &[Drawn], unknown: &str, target: &str) -> Catalogue {
    let mut text = "[service]\nname = \"Whole\"\nzone = \"UTC\"\n".to_owned();
    for (i, row) in rows.iter().enumerate() {
        let users = row.users.map_or(String::new(), |users| format!("users = {users}\n"));
        text += &format!(
            "[[component]]\nid = \"c{i}\"\nsince = \"2026-02-{:02}\"\n{users}\
             [[probe]]\nid = \"p{i}\"\ncomponent = \"c{i}\"\nkind = \"http\"\n\
             url = \"http://192.0.2.1/\"\nevery = \"1h\"\nconfirm = 1\n",
            row.since
        );
    }
    for over in ["composite", "users"] {
        if over == "composite" || rows.iter().any(|row| row.users.is_some_and(|n| n > 0)) {
            text += &format!(
                "[[level]]\nid = \"{over}\"\nover = \"{over}\"\nmeasure = \"availability\"\n\
                 target = \"{target}%\"\nunknown = \"{unknown}\"\n"
            );
        }
    }
    let parsed = mailward_catalogue::parse("probes.toml", &text);
    parsed.catalogue.unwrap_or_else(|| panic!("{:?}\n{text}", parsed.faults))
}

fn at_ms(hour: usize) -> i64 {
    START_MS + i64::try_from(hour).unwrap() * HOUR_MS
}

fn evidence(rows: &[Drawn]) -> Evidence {
    let mut evidence = Evidence::default();
    let instant = |hour: usize| jiff::Timestamp::from_millisecond(at_ms(hour)).unwrap();
    for (i, row) in rows.iter().enumerate() {
        let segment = |(hour, verdict): (usize, &Verdict)| Segment {
            first_ms: at_ms(hour),
            last_ms: at_ms(hour),
            next_due_ms: HOUR_MS,
            count: 1,
            verdict: *verdict,
            reason: None,
            listings: Vec::new(),
        };
        evidence.streams.push(Stream {
            agent: "leeds".parse().unwrap(),
            probe: format!("p{i}").parse().unwrap(),
            first_due_ms: START_MS,
            segments: row.seen.iter().enumerate().map(segment).collect(),
        });
        if row.excluded.0 < row.excluded.1 {
            let line = format!(
                r#"{{"v":1,"kind":"exclusion","id":"X{i}","class":"third-party","components":["c{i}"],"from":"{}","to":"{}","approved":"2026-01-01T00:00:00Z","by":"a manager","reason":"agreed"}}"#,
                instant(row.excluded.0),
                instant(row.excluded.1),
            );
            let Record::Exclusion(exclusion) = wire::decode_line(line.as_bytes()).unwrap() else {
                panic!("no exclusion");
            };
            let exclusion: Exclusion = exclusion;
            evidence.exclusions.push(SeenExclusion { exclusion, first_seen_ms: START_MS });
        }
    }
    evidence
}

/// Hours by kind: service, excluded, down, unknown, each as often as it weighs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Count {
    service: i128,
    excluded: i128,
    down: i128,
    unknown: i128,
}

impl Count {
    fn add(&mut self, hour: Hour, users: u64) {
        let users = i128::from(users);
        self.service += users * i128::from(hour != Hour::Outside);
        self.excluded += users * i128::from(matches!(hour, Hour::Excluded { .. }));
        self.down += users * i128::from(hour == Hour::Down);
        self.unknown += users * i128::from(hour == Hour::Unknown);
    }

    /// Bad hours and all that count.
    fn share(self, unknown: &str) -> (i128, i128) {
        let counted = self.service - self.excluded;
        match unknown {
            "up" => (self.down, counted),
            "down" => (self.down + self.unknown, counted),
            _ => (self.down, counted - self.unknown),
        }
    }
}

/// What the service is in an hour, by what its rows are.
fn together(rows: &[Drawn], hour: usize) -> Hour {
    let all: Vec<Hour> = rows.iter().map(|row| row.at(hour)).collect();
    let any = |wanted: Hour| all.contains(&wanted);
    if any(Hour::Down) {
        Hour::Down
    } else if any(Hour::Unknown) {
        Hour::Unknown
    } else if any(Hour::Up) {
        Hour::Up
    } else if all.iter().any(|state| matches!(state, Hour::Excluded { .. })) {
        Hour::Excluded { down: false }
    } else {
        Hour::Outside
    }
}

fn figure<'r>(report: &'r Report, id: &str) -> (&'r Availability, Option<bool>) {
    let level = report.levels.iter().find(|level| level.id == id).unwrap();
    assert_eq!((level.component.as_deref(), level.over.as_deref()), (None, Some(id)));
    match &level.figure {
        Figure::Availability(figure) => (figure, level.met),
        other => panic!("{other:?}"),
    }
}

fn seconds(hours: i128, of: i128) -> i64 {
    i64::try_from((hours * i128::from(HOUR_MS)).div_euclid(of.max(1))).unwrap()
}

fn agrees(figure: &Availability, met: Option<bool>, count: Count, users: i128, unknown: &str) {
    assert_eq!(figure.service_s.0, seconds(count.service, users));
    assert_eq!(figure.excluded_s.0, seconds(count.excluded, users));
    assert_eq!(figure.down_s.0, seconds(count.down, users));
    assert_eq!(figure.unknown_s.0, seconds(count.unknown, users));
    let (bad, all) = count.share(unknown);
    let target: i128 = figure.target_pct.parse().unwrap();
    if all == 0 {
        assert_eq!((figure.availability_pct, met), (None, None));
        return;
    }
    let pct = figure.availability_pct.unwrap();
    let expect = (all - bad) as f64 * 100.0 / all as f64;
    assert!((pct - expect).abs() < 1e-9, "{pct} {expect}");
    let reached = (all - bad) * 100 >= target * all;
    let known = count.service - count.excluded - count.unknown;
    let thin = unknown == "exclude" && known * 100 < 90 * (count.service - count.excluded);
    if !thin {
        assert_eq!(met, Some(reached));
    }
    assert!(figure.low_pct.unwrap() <= figure.high_pct.unwrap());
}

/// How many stretches of `down`, whatever else, hold an hour that counts.
fn failures(down: impl Fn(usize) -> bool, counts: impl Fn(usize) -> bool) -> u64 {
    let (mut failures, mut hit) = (0, false);
    for hour in 0..=HOURS {
        if hour < HOURS && down(hour) {
            hit |= counts(hour);
        } else {
            failures += u64::from(hit);
            hit = false;
        }
    }
    failures
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn the_whole_service_is_what_its_rows_are_hour_by_hour(
        rows in proptest::collection::vec(row(), 1..5),
        unknown in proptest::sample::select(vec!["exclude", "up", "down"]),
        target in proptest::sample::select(vec!["50", "80", "99"]),
    ) {
        let catalogue = catalogue(&rows, unknown, target);
        let evidence = evidence(&rows);
        let month = "2026-02".parse().unwrap();
        let now_ms = at_ms(HOURS);
        let report = build(&catalogue, month, &evidence, &Tallies::default(), now_ms).unwrap();

        let mut one = Count::default();
        (0..HOURS).for_each(|hour| one.add(together(&rows, hour), 1));
        let (composite, met) = figure(&report, "composite");
        agrees(composite, met, one, 1, unknown);
        let seen_down = |row: &Drawn, hour: usize| row.seen[hour] == Verdict::Down;
        let failed = failures(
            |hour| rows.iter().any(|row| seen_down(row, hour)),
            |hour| together(&rows, hour) == Hour::Down,
        );
        prop_assert_eq!(composite.failures, failed);
        prop_assert_eq!(composite.mttr_s.is_some(), failed > 0);
        prop_assert_eq!(composite.parts.len(), rows.len());
        let lengths: i64 = composite.outages.iter().map(|outage| outage.down_s.0).sum();
        prop_assert_eq!(lengths, composite.down_s.0);

        let weighed: Vec<&Drawn> =
            rows.iter().filter(|row| row.users.is_some_and(|n| n > 0)).collect();
        prop_assert_eq!(report.service_wide.users.is_some(), !weighed.is_empty());
        if weighed.is_empty() {
            return Ok(());
        }
        let (mut sum, mut users, mut failed) = (Count::default(), 0, 0);
        for row in &weighed {
            let own = row.users.unwrap_or(0);
            users += i128::from(own);
            (0..HOURS).for_each(|hour| sum.add(row.at(hour), own));
            failed += failures(|hour| seen_down(row, hour), |hour| row.at(hour) == Hour::Down);
        }
        let (weighted, met) = figure(&report, "users");
        agrees(weighted, met, sum, users, unknown);
        prop_assert_eq!(weighted.failures, failed);
        let overall = report.service_wide.users.as_ref().unwrap();
        prop_assert_eq!(overall.down_s, weighted.down_s);
        if unknown == "exclude" {
            prop_assert_eq!(overall.availability_pct, weighted.availability_pct);
        }
    }
}
