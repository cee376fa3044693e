//! Local time by looking: an offset is asked for at an instant, and an instant is right if its
//! local time is. Nothing here asks a library what an ambiguous time means.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

const HOUR: i64 = 3_600_000;
const QUARTER: i64 = 900_000;

/// What a wall-clock time turned out to be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Plain,
    Doubled,
    Skipped,
}

pub(super) struct Calendar {
    zone: TimeZone,
}

fn as_utc(local: DateTime) -> i64 {
    local.to_zoned(TimeZone::UTC).unwrap().timestamp().as_millisecond()
}

impl Calendar {
    pub(super) fn new(zone: &str) -> Self {
        Self { zone: TimeZone::get(zone).unwrap() }
    }

    fn offset(&self, at: i64) -> i64 {
        let offset = self.zone.to_offset(Timestamp::from_millisecond(at).unwrap());
        i64::from(offset.seconds()) * 1000
    }

    pub(super) fn date(&self, at: i64) -> Date {
        Timestamp::from_millisecond(at + self.offset(at)).unwrap().to_zoned(TimeZone::UTC).date()
    }

    /// The first instant with this local time; a skipped one as far after the change as it is
    /// in the gap. There are never two changes within a day and a half.
    pub(super) fn instant(&self, local: DateTime) -> (i64, Kind) {
        let utc = as_utc(local);
        let before = utc - self.offset(utc - 36 * HOUR);
        let after = utc - self.offset(utc + 36 * HOUR);
        let right = |at: &i64| at + self.offset(*at) == utc;
        match (right(&before), right(&after)) {
            (true, true) if before != after => (before.min(after), Kind::Doubled),
            (true, _) => (before, Kind::Plain),
            (_, true) => (after, Kind::Plain),
            (false, false) => (before, Kind::Skipped),
        }
    }

    /// The second occurrence, where there are two.
    pub(super) fn second(&self, local: DateTime) -> i64 {
        let utc = as_utc(local);
        let (first, kind) = self.instant(local);
        let after = utc - self.offset(utc + 36 * HOUR);
        if kind == Kind::Doubled { after.max(first) } else { first }
    }

    /// The first instant of a local date, by walking up to it. Zones change at whole quarters of
    /// an hour, or a minute after.
    pub(super) fn first_of(&self, date: Date) -> i64 {
        let midnight = as_utc(date.at(0, 0, 0, 0));
        let mut at = midnight - 15 * HOUR;
        while self.date(at) < date {
            at += QUARTER;
        }
        at
    }

    /// The last change of the clocks before `at`, which lies less than a day and a half after it.
    pub(super) fn change_before(&self, at: i64) -> i64 {
        let mut change = at / 60_000 * 60_000;
        while self.offset(change - 60_000) == self.offset(at) {
            change -= 60_000;
        }
        change
    }

    pub(super) fn changes_between(&self, from: i64, to: i64) -> bool {
        self.offset(from) != self.offset(to)
    }
}

#[test]
fn an_instant_is_what_a_walk_through_the_minutes_finds() {
    for (zone, date) in [
        ("Europe/London", "2019-03-31"),
        ("Europe/London", "2018-10-28"),
        ("Australia/Lord_Howe", "2019-10-06"),
        ("Australia/Lord_Howe", "2019-04-07"),
        ("Pacific/Chatham", "2019-09-29"),
        ("America/Havana", "2015-11-01"),
        ("America/Asuncion", "2017-10-01"),
        ("America/St_Johns", "2010-11-07"),
    ] {
        let calendar = Calendar::new(zone);
        let date: Date = date.parse().unwrap();
        for quarter in 0..20 {
            let local = date.at(quarter / 4, quarter % 4 * 15, 0, 0);
            let utc = as_utc(local);
            let minutes = || (-16 * 60..16 * 60).map(|m| utc + m * 60_000);
            let found: Vec<i64> = minutes().filter(|at| at + calendar.offset(*at) == utc).collect();
            let (at, kind) = calendar.instant(local);
            match found.as_slice() {
                [] => {
                    assert_eq!(kind, Kind::Skipped, "{zone} {local}");
                    let past = |at: &i64| at + calendar.offset(*at) > utc;
                    let change = minutes().find(past).unwrap();
                    let expected = change - 60_000 + calendar.offset(change - 60_000) + 60_000;
                    assert_eq!(at - change, utc - expected, "{zone} {local}");
                }
                [one] => assert_eq!((at, kind), (*one, Kind::Plain), "{zone} {local}"),
                [first, second] => {
                    assert_eq!((at, kind), (*first, Kind::Doubled), "{zone} {local}");
                    assert_eq!(calendar.second(local), *second, "{zone} {local}");
                }
                more => panic!("{zone} {local}: {more:?}"),
            }
        }
    }
}
