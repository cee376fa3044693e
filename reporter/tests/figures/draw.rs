//! Draws worlds from a seed: agents that flap, fall silent, move and retire, hours that meet a
//! clock change, windows that meet the cap, tickets that meet their target. Times stand on a
//! coarse grid, so that they coincide, and now and then a millisecond beside it.

mod desk;
mod outcomes;
mod plan;

use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::naive::Naive;
use crate::world::{Policy, ProbeDef, World};

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

    /// Any order.
    pub(crate) fn shuffle<T>(&mut self, list: &mut [T]) {
        for i in (1..list.len()).rev() {
            list.swap(i, self.size(0, i));
        }
    }
}

pub(crate) const HOUR: i64 = 3_600_000;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Zone, month, grid. All have a clock change but where nothing else is said.
const MONTHS: [(&str, &str, i64); 18] = [
    ("Europe/London", "2019-03", HOUR),
    ("Europe/London", "2018-10", HOUR),
    // a leap year
    ("Europe/London", "2020-02", HOUR),
    ("Etc/UTC", "2019-02", HOUR),
    // at midnight, forward and back
    ("America/Sao_Paulo", "2018-11", HOUR),
    ("America/Sao_Paulo", "2019-02", HOUR),
    // by half an hour
    ("Australia/Lord_Howe", "2019-04", HOUR / 2),
    ("Australia/Lord_Howe", "2019-10", HOUR / 2),
    // half an hour off, and no change
    ("Asia/Kolkata", "2019-06", HOUR / 2),
    // three quarters off, at a quarter to three
    ("Pacific/Chatham", "2019-04", HOUR / 4),
    ("Pacific/Chatham", "2019-09", HOUR / 4),
    ("America/New_York", "2018-11", HOUR),
    ("America/New_York", "2019-03", HOUR),
    // at a minute past midnight
    ("America/St_Johns", "2010-11", HOUR / 2),
    // the month's own midnight is doubled
    ("America/Havana", "2015-11", HOUR),
    // the month's own midnight is skipped
    ("America/Asuncion", "2017-10", HOUR),
    // a date is skipped
    ("Pacific/Apia", "2011-12", HOUR),
    // the end of daylight saving is the end of the month
    ("Europe/London", "2021-10", HOUR),
];

/// What the parts of a world are drawn in.
pub(crate) struct Frame {
    pub(crate) month: &'static str,
    pub(crate) grid: i64,
    pub(crate) from: i64,
    pub(crate) to: i64,
    pub(crate) now: i64,
    /// Now and then a time is off by a millisecond.
    pub(crate) ragged: bool,
}

impl Frame {
    /// A time on the grid, or beside it.
    pub(crate) fn near(&self, d: &mut Draw, at: i64) -> i64 {
        match self.ragged && d.chance(12) {
            true => at + d.pick(&[-1, 1, -1, 1, 617]),
            false => at,
        }
    }

    /// How many steps of the grid the month has.
    pub(crate) const fn steps(&self) -> i64 {
        (self.to - self.from) / self.grid
    }
}

pub(crate) fn month_span(zone: &str, month: &str) -> (i64, i64) {
    let zone = TimeZone::get(zone).unwrap();
    let first: Date = format!("{month}-01").parse().unwrap();
    let next = first.last_of_month().tomorrow().unwrap();
    let at = |date: Date| {
        zone.to_ambiguous_timestamp(date.at(0, 0, 0, 0)).compatible().unwrap().as_millisecond()
    };
    (at(first), at(next))
}

pub(crate) fn world(seed: u64) -> World {
    let mut d = Draw::new(seed);
    let (zone, month, grid) = d.pick(&MONTHS);
    let (from, to) = month_span(zone, month);
    let now = match d.range(0, 9) {
        0 => to + d.pick(&[0, 0, 1, -1]),
        1..=4 => to + grid * d.range(1, 5 * DAY / grid),
        _ => from + grid * d.range(1, (to - from) / grid - 1),
    };
    let frame = Frame { month, grid, from, to, now, ragged: d.chance(60) };
    let agents = d.size(1, 4);
    let probes: Vec<ProbeDef> = (0..d.size(1, 3))
        .map(|_| ProbeDef {
            confirm: u32::try_from(d.range(1, 4)).unwrap(),
            advisory: d.chance(20),
            mail: d.chance(35),
        })
        .collect();
    let mut world = World::bare(zone, month, now);
    world.probes = probes;
    rules(&mut d, &mut world);
    desk::desk(&mut d, &frame, &mut world);
    outcomes::outcomes(&mut d, &frame, &mut world, agents);
    outcomes::rosters(&mut d, &frame, &mut world, agents);
    plan::hours(&mut d, &frame, &mut world);
    plan::exclusions(&mut d, &frame, &mut world);
    desk::tickets(&mut d, &frame, &mut world);
    desk::counts(&mut d, &frame, &mut world);
    world.whole_streams = d.chance(30);
    if d.chance(12) {
        aim(&mut d, &mut world);
    }
    world
}

/// Puts the target where the month comes out, or just beside it.
fn aim(d: &mut Draw, world: &mut World) {
    let Some((good, all)) = Naive::new(world).answer().verdicts.share else { return };
    // hundred-millionths of one per cent, and the three places that are shown
    let exact = i128::from(good) * 10_000_000_000 / i128::from(all);
    let shown = exact / 100_000 * 100_000;
    let units = d.pick(&[exact, exact + 1, shown, shown + 100_000]).min(10_000_000_000);
    let text = format!("{}.{:08}", units / 100_000_000, units % 100_000_000);
    world.target = text.trim_end_matches('0').trim_end_matches('.').to_owned().leak();
}

/// Half of the worlds are plain enough that agents mostly agree and something can be said.
fn rules(d: &mut Draw, world: &mut World) {
    if d.chance(50) {
        world.quorum = d.pick(&[0, 1]);
    } else {
        world.rule = d.pick(&[1, 1, 0, 2, 3]);
        world.quorum = d.pick(&[0, 0, 1, 2, 3]);
        world.site_rule = d.pick(&[1, 1, 0, 2]);
    }
    world.target = d.pick(&["99.9", "99.5", "99", "95", "80", "100", "50", "75"]);
    world.min_coverage = d.pick(&["90", "50", "0", "99.99"]);
    world.unknown = d.pick(&[Policy::Exclude, Policy::Exclude, Policy::Up, Policy::Down]);
}
