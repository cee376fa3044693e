//! Dates and times as a language writes them. Which pattern is used where is fixed; what stands
//! in a pattern, and the names of months and days, are the language's.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::Language;
use super::read::Reader;
use super::template::Template;
use crate::report::model::At;

/// What a pattern may name.
const HOLES: [&str; 13] = [
    "year",
    "month",
    "month_short",
    "month_number",
    "day",
    "day_two",
    "weekday",
    "weekday_short",
    "hour",
    "hour_two",
    "minute",
    "second",
    "zone",
];
/// Those of [`HOLES`] that a date alone has.
const OF_DATE: usize = 8;

macro_rules! patterns {
    ($($(#[$about:meta])* $key:ident $holes:expr,)*) => {
        /// A pattern of the file's section `date`.
        #[allow(non_camel_case_types, reason = "a pattern is named as its key in the file")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Moment {
            $($(#[$about])* $key,)*
        }

        const KEYS: &[(&str, usize)] = &[$((stringify!($key), $holes),)*];
    };
}

patterns! {
    /// `Sat 3 Oct 2026, 01:10 BST`
    full HOLES.len(),
    /// `Sat 3 Oct, 01:10 BST`
    short HOLES.len(),
    /// `Sat 3 Oct, 01:10:30 BST`
    short_to_the_second HOLES.len(),
    /// `01:10 BST`
    time HOLES.len(),
    /// `01:10:30 BST`
    time_to_the_second HOLES.len(),
    /// `01:10`
    clock HOLES.len(),
    /// `5 Oct 2026, 09:05 BST`
    stamp HOLES.len(),
    /// `5 October at 09:05 BST`
    this_year HOLES.len(),
    /// `5 October 2026 at 09:05 BST`
    another_year HOLES.len(),
    /// `Monday 5 October 2026`
    day_in_full OF_DATE,
    /// `Mon 5 Oct`
    day_of_week OF_DATE,
    /// `Mon 5 Oct 2026`
    day_of_year OF_DATE,
    /// `5 October`
    day_of_month OF_DATE,
    /// `5 October 2026`
    day_and_year OF_DATE,
    /// `5 Oct`
    day_short OF_DATE,
    /// `Mon 5`
    axis OF_DATE,
    /// `October 2026`
    month_of_year OF_DATE,
    /// `Oct 2026`
    month_short_of_year OF_DATE,
}

/// The patterns of a language.
#[derive(Clone, Debug)]
pub(super) struct Patterns(Vec<Template>);

impl Patterns {
    pub(super) fn read(reader: &mut Reader<'_>, base: Option<&Self>) -> Self {
        let read = |(i, (key, holes)): (usize, &(&str, usize))| {
            let base = base.and_then(|base| base.0.get(i));
            reader.loose(&format!("date.{key}"), HOLES.get(..*holes).unwrap_or(&HOLES), base)
        };
        Self(KEYS.iter().enumerate().map(read).collect())
    }
}

/// A time of day in a zone.
struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    zone: String,
}

impl Language {
    fn written(&self, moment: Moment, date: Date, clock: Option<&Clock>) -> String {
        let month = usize::try_from(date.month() - 1).unwrap_or(0);
        let weekday = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap_or(0);
        let name = |names: &[String], at: usize| names.get(at).cloned().unwrap_or_default();
        let (hour, minute, second, zone) = match clock {
            Some(clock) => (clock.hour, clock.minute, clock.second, clock.zone.as_str()),
            None => (0, 0, 0, ""),
        };
        let two = |n: i8| format!("{n:02}");
        let Some(pattern) = self.dates.0.get(moment as usize) else { return String::new() };
        pattern.fill(&[
            &date.year(),
            &name(&self.months, month),
            &name(&self.months_short, month),
            &two(date.month()),
            &date.day(),
            &two(date.day()),
            &name(&self.days, weekday),
            &name(&self.days_short, weekday),
            &hour,
            &two(hour),
            &two(minute),
            &two(second),
            &zone,
        ])
    }

    /// A date.
    pub(crate) fn date(&self, moment: Moment, date: Date) -> String {
        self.written(moment, date, None)
    }

    /// An instant in a zone.
    pub(crate) fn at(&self, moment: Moment, ms: i64, zone: &TimeZone) -> String {
        let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        let at = at.to_zoned(zone.clone());
        let clock = Clock {
            hour: at.hour(),
            minute: at.minute(),
            second: at.second(),
            zone: at.strftime("%Z").to_string(),
        };
        self.written(moment, at.date(), Some(&clock))
    }

    /// The month in words: `October 2026`; as it is written where it is no month.
    #[must_use]
    pub fn month_name(&self, month: &str) -> String {
        match format!("{month}-01").parse::<Date>() {
            Ok(date) => self.date(Moment::month_of_year, date),
            Err(_) => month.to_owned(),
        }
    }

    /// The month's name alone: `October`.
    pub(crate) fn month_alone(&self, date: Date) -> &str {
        let month = usize::try_from(date.month() - 1).unwrap_or(0);
        self.months.get(month).map_or("", String::as_str)
    }

    /// The first letter of a month's short name.
    pub(crate) fn month_letter(&self, date: Date) -> String {
        let month = usize::try_from(date.month() - 1).unwrap_or(0);
        self.months_short
            .get(month)
            .and_then(|name| name.chars().next())
            .map_or_else(String::new, String::from)
    }

    /// Whether an axis names this day: each Monday.
    pub(crate) fn is_on_axis(date: Date) -> bool {
        date.weekday() == Weekday::Monday
    }

    /// `09:05 GMT` on the day of `now_ms`, else `5 October at 09:05 BST`, with the year where it
    /// differs.
    pub(crate) fn moment(&self, ms: i64, now_ms: i64, zone: &TimeZone) -> String {
        let (at, now) = (date_of(ms, zone), date_of(now_ms, zone));
        let pattern = if at == now {
            Moment::time
        } else if at.year() == now.year() {
            Moment::this_year
        } else {
            Moment::another_year
        };
        self.at(pattern, ms, zone)
    }

    /// `5 October, 02:10 to 02:57 BST`, or both moments in full where they are on different days
    /// or the clocks changed between them.
    pub(crate) fn range(&self, from_ms: i64, to_ms: i64, now_ms: i64, zone: &TimeZone) -> String {
        let offset = |ms| {
            let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
            zone.to_offset(at)
        };
        let (from, now) = (date_of(from_ms, zone), date_of(now_ms, zone));
        if from != date_of(to_ms, zone) || offset(from_ms) != offset(to_ms) {
            let (from, to) = (self.moment(from_ms, now_ms, zone), self.moment(to_ms, now_ms, zone));
            return self.time.between(from, to);
        }
        let date = if from == now {
            self.time.today().to_owned()
        } else if from.year() == now.year() {
            self.date(Moment::day_of_month, from)
        } else {
            self.date(Moment::day_and_year, from)
        };
        let (from, to) =
            (self.at(Moment::clock, from_ms, zone), self.at(Moment::time, to_ms, zone));
        self.time.on_day(date, from, to)
    }
}

fn date_of(ms: i64, zone: &TimeZone) -> Date {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone()).date()
}

/// Local times of a report's zone; UTC where this program does not know the zone, and says so.
#[derive(Clone, Debug)]
pub(crate) struct Local<'l> {
    say: &'l Language,
    zone: TimeZone,
}

impl<'l> Local<'l> {
    /// Times in the zone of this name.
    pub(crate) fn new(say: &'l Language, zone: &str) -> Self {
        Self { say, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    /// `Sat 3 Oct 2026, 01:10 BST`
    pub(crate) fn full(&self, at: At) -> String {
        self.say.at(Moment::full, at.0, &self.zone)
    }

    /// `Sat 3 Oct, 01:10 BST`; seconds are said where there are any.
    pub(crate) fn short(&self, at: At) -> String {
        let pattern = if at.0 % 60_000 == 0 { Moment::short } else { Moment::short_to_the_second };
        self.say.at(pattern, at.0, &self.zone)
    }

    /// The end of what began at `from`: the hour alone where the local day is the same.
    pub(crate) fn until(&self, from: At, to: At) -> String {
        if date_of(from.0, &self.zone) != date_of(to.0, &self.zone) {
            return self.short(to);
        }
        let pattern = if to.0 % 60_000 == 0 { Moment::time } else { Moment::time_to_the_second };
        self.say.at(pattern, to.0, &self.zone)
    }
}
