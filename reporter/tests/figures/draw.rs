//! Draws worlds from a seed: agents that flap, fall silent, move and retire, hours that meet a
//! clock change, windows that meet the cap.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use mailward_evidence::Verdict;

use crate::world::{Excluded, HoursDef, Policy, ProbeDef, RosterDef, Seen, World};

/// SplitMix64: small, and the same everywhere.
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`, both included.
    pub(crate) fn range(&mut self, low: i64, high: i64) -> i64 {
        low + i64::try_from(self.next() % u64::try_from(high - low + 1).unwrap()).unwrap()
    }

    pub(crate) fn size(&mut self, low: usize, high: usize) -> usize {
        usize::try_from(self.range(low as i64, high as i64)).unwrap()
    }

    pub(crate) fn chance(&mut self, per_cent: i64) -> bool {
        self.range(1, 100) <= per_cent
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.size(0, from.len() - 1)]
    }
}

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Zone, month, grid.
const MONTHS: [(&str, &str, i64); 9] = [
    ("Europe/London", "2019-03", HOUR),
    ("Europe/London", "2018-10", HOUR),
    ("Europe/London", "2019-02", HOUR),
    ("Etc/UTC", "2019-02", HOUR),
    ("America/Sao_Paulo", "2018-11", HOUR),
    ("America/Sao_Paulo", "2019-02", HOUR),
    ("Australia/Lord_Howe", "2019-04", HOUR / 2),
    ("Australia/Lord_Howe", "2019-10", HOUR / 2),
    ("Asia/Kolkata", "2019-06", HOUR / 2),
];

pub(crate) fn month_span(zone: &str, month: &str) -> (i64, i64) {
    let zone = TimeZone::get(zone).unwrap();
    let (year, number) = month.split_once('-').unwrap();
    let first = Date::new(year.parse().unwrap(), number.parse().unwrap(), 1).unwrap();
    let next = first.last_of_month().tomorrow().unwrap();
    let start = |date: Date| date.to_zoned(zone.clone()).unwrap().timestamp().as_millisecond();
    (start(first), start(next))
}

pub(crate) fn world(seed: u64) -> World {
    let mut d = Draw::new(seed);
    let (zone, month, grid) = d.pick(&MONTHS);
    let (from, to) = month_span(zone, month);
    let now = match d.range(0, 9) {
        0 => to,
        1..=4 => to + grid * d.range(1, 5 * DAY / grid),
        _ => from + grid * d.range(1, (to - from) / grid - 1),
    };
    let agents = d.size(1, 4);
    let probes: Vec<ProbeDef> = (0..d.size(1, 3))
        .map(|_| ProbeDef {
            confirm: u32::try_from(d.range(1, 4)).unwrap(),
            advisory: d.chance(20),
        })
        .collect();
    let mut outcomes = Vec::new();
    let calm = d.chance(40);
    for agent in 0..agents {
        for probe in 0..probes.len() {
            if !d.chance(8) {
                outcomes.extend(stream(&mut d, (agent, probe), grid, (from, to), calm));
            }
        }
    }
    // half of the worlds are plain enough that agents mostly agree and something can be said
    let plain = d.chance(50);
    let rosters = rosters(&mut d, agents, probes.len(), grid, (from, to));
    let mut world = World {
        grid,
        zone,
        month,
        now,
        probes,
        rule: if plain { 1 } else { d.pick(&[1, 1, 0, 2, 3]) },
        quorum: if plain { d.pick(&[0, 1]) } else { d.pick(&[0, 0, 1, 2, 3]) },
        site_rule: if plain { 1 } else { d.pick(&[1, 1, 0, 2]) },
        since: None,
        hours: d.chance(if plain { 30 } else { 65 }).then(|| hours(&mut d, month, grid)),
        not: d.chance(25),
        target: d.pick(&["99.9", "99.5", "99", "95", "80", "100", "50"]),
        min_coverage: d.pick(&["90", "50", "0", "99.99"]),
        unknown: d.pick(&[Policy::Exclude, Policy::Exclude, Policy::Up, Policy::Down]),
        cap_ms: d.chance(70).then(|| grid * d.range(0, 30)),
        notice_ms: d.chance(60).then(|| grid * d.range(0, 100)),
        outcomes,
        rosters,
        exclusions: Vec::new(),
        whole_streams: d.chance(30),
    };
    if d.chance(25) {
        world.since = Some(SINCES[d.size(0, 2)].1);
        let of_month = SINCES.iter().filter(|(m, _)| *m == month).map(|(_, date)| *date);
        let fitting: Vec<&'static str> = of_month.collect();
        if !fitting.is_empty() {
            world.since = Some(d.pick(&fitting));
        }
    }
    for _ in 0..d.size(0, 6) {
        world.exclusions.push(exclusion(&mut d, grid, (from, to)));
    }
    world
}

const SINCES: [(&str, &str); 9] = [
    ("", "2018-01-01"),
    ("", "2019-02-10"),
    ("", "2030-01-01"),
    ("2019-03", "2019-03-31"),
    ("2018-10", "2018-10-28"),
    ("2018-11", "2018-11-04"),
    ("2019-02", "2019-02-17"),
    ("2019-04", "2019-04-07"),
    ("2019-10", "2019-10-06"),
];

/// An agent's outcomes of a probe, about the month.
fn stream(
    d: &mut Draw,
    (agent, probe): (usize, usize),
    grid: i64,
    (from, to): (i64, i64),
    calm: bool,
) -> Vec<Seen> {
    let mut outcomes: Vec<Seen> = Vec::new();
    let latest = if calm || d.chance(50) { 0 } else { 12 * DAY };
    let mut due = from + grid * d.range(-3 * DAY / grid, latest / grid);
    let end = to + grid * d.range(-5 * DAY / grid, 3 * DAY / grid);
    let (mut attempt, mut mood, mut lists) = (0, d.pick(&[0, 0, 2, 2, 3, 4]), Vec::new());
    while due < end && outcomes.len() < 140 {
        if d.chance(if calm { 8 } else { 25 }) {
            mood = d.range(0, 4);
        }
        let verdict = match (mood, d.range(0, 9)) {
            (0 | 1, 0) | (4, 8 | 9) => Verdict::Degraded,
            (0 | 1, _) | (3, 0..=4) => Verdict::Up,
            (2, 9) | (3, 8 | 9) | (4, 0..=5) => Verdict::Unknown,
            _ => Verdict::Down,
        };
        if d.chance(15) {
            lists = (0..3).filter(|_| d.chance(30)).collect();
        }
        let next = grid * d.pick(&[1, 2, 4, 6, 12]);
        outcomes.push(Seen {
            agent,
            probe,
            due,
            attempt,
            next,
            verdict,
            took_ms: d.pick(&[100.0, 3999.9, 4000.0, 4000.1, 9000.0]),
            lists: lists.clone(),
        });
        let step = match d.range(0, 99) {
            0..=64 => next,
            65..=74 => grid * d.range(1, next / grid),
            75..=82 => grid * d.range(next / grid, 3 * next / grid),
            83..=86 => 3 * next,
            87..=90 => 3 * next + grid,
            91..=93 if !calm => grid * d.range(3 * next / grid, 3 * next / grid + 60),
            94..=97 => 0,
            _ => next,
        };
        due += step;
        attempt = if step == 0 { attempt + 1 } else { u32::from(d.chance(20)) };
    }
    outcomes
}

fn rosters(
    d: &mut Draw,
    agents: usize,
    probes: usize,
    grid: i64,
    (from, to): (i64, i64),
) -> Vec<RosterDef> {
    let mut rosters: Vec<RosterDef> = Vec::new();
    for agent in 0..agents {
        if d.chance(25) {
            continue;
        }
        let mut at = from - grid * d.range(-2 * DAY / grid, 5 * DAY / grid);
        for _ in 0..d.size(1, 4) {
            let probes = match d.range(0, 9) {
                0 => Vec::new(),
                1..=6 => (0..probes).collect(),
                _ => (0..probes).filter(|_| d.chance(60)).collect(),
            };
            rosters.push(RosterDef { agent, at, site: d.size(0, 2), probes });
            at += grid * d.range(1, (to - from) / grid / 2);
        }
    }
    rosters
}

fn hours(d: &mut Draw, month: &str, grid: i64) -> HoursDef {
    let grid_min = u16::try_from(grid / 60_000).unwrap();
    let fit = |minutes: u16| minutes / grid_min * grid_min;
    let kinds: [&[(u16, u16)]; 9] = [
        &[(420, 1320)],
        &[(1320, 1800)],
        &[(0, 1440)],
        &[(60, 150), (600, 720)],
        &[(90, 120), (150, 210)],
        &[(0, 60)],
        &[(1380, 1500), (30, 90)],
        &[(1410, 2880)],
        &[],
    ];
    let usual = d.size(0, 7);
    let weekly = std::array::from_fn(|_| {
        let kind = if d.chance(75) { usual } else { d.size(0, 8) };
        let spans = kinds[kind].iter().map(|(from, to)| (fit(*from), fit(*to)));
        spans.filter(|(from, to)| from < to).collect()
    });
    let holidays = (0..d.size(0, 2)).map(|_| format!("{month}-{:02}", d.range(1, 28))).collect();
    HoursDef { weekly, holidays }
}

fn exclusion(d: &mut Draw, grid: i64, (from, to): (i64, i64)) -> Excluded {
    let start = from + grid * d.range(-20, (to - from) / grid);
    let longest = if d.chance(10) { 400 } else { 20 };
    let end = start + grid * d.range(1, longest);
    let before = grid * d.range(0, 120);
    Excluded {
        third_party: d.chance(35),
        from: start,
        to: end,
        announced: match d.range(0, 9) {
            0 => None,
            1 => Some(start + grid),
            _ => Some(start - before),
        },
        approved: match d.range(0, 9) {
            0 => None,
            1 => Some(start + grid * d.range(1, 300)),
            _ => Some(start - grid * d.range(0, 5)),
        },
        by: !d.chance(5),
    }
}
