//! Service hours by rule 8: local wall-clock spans on local dates, made into instants.

use std::borrow::Cow;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use mailward_catalogue::{Hours, LevelHours};

use super::{date_of, day_start_ms};
use crate::interval::{Set, Span};

/// The service hours of a level inside `window`. `named` are the hours that `hours` names, if
/// it names any; `since` is the first local date with service hours.
#[must_use]
pub fn service_hours(
    hours: &LevelHours,
    named: Option<&Hours>,
    zone: &TimeZone,
    since: Option<Date>,
    window: Span,
) -> Set {
    let all = Set::from(window);
    let set = match (hours, named) {
        (LevelHours::Always, _) => all,
        (LevelHours::Named(_), Some(named)) => spans_of(named, zone, window),
        (LevelHours::Not(_), Some(named)) => all.subtract(&spans_of(named, zone, window)),
        // hours that no definition names: there are none, and their complement is always
        (LevelHours::Named(_), None) => Set::new(),
        (LevelHours::Not(_), None) => all,
    };
    match since {
        Some(since) => set.clip(Span::new(day_start_ms(since, zone), window.to_ms)),
        None => set,
    }
}

/// The hours as probes.toml names them.
#[must_use]
pub fn hours_label(hours: &LevelHours) -> Cow<'_, str> {
    match hours {
        LevelHours::Always => Cow::Borrowed("24x7"),
        LevelHours::Named(name) => Cow::Borrowed(name),
        LevelHours::Not(name) => Cow::Owned(format!("not {name}")),
    }
}

fn spans_of(hours: &Hours, zone: &TimeZone, window: Span) -> Set {
    if window.is_empty() {
        return Set::new();
    }
    // a span may reach to the end of the day after the one it starts on, and a zone may skip
    // a whole day, so look from three days before the window
    let mut date = date_of(window.from_ms, zone);
    for _ in 0..3 {
        date = date.yesterday().unwrap_or(date);
    }
    let last = date_of(window.to_ms, zone);
    let mut spans = Vec::new();
    while date <= last {
        if !hours.holidays.contains(&date) {
            for span in hours.on(date.weekday()) {
                let from_ms = local_ms(date, span.from_min, zone);
                let to_ms = local_ms(date, span.to_min, zone);
                spans.push(Span::new(from_ms, to_ms).clip(window));
            }
        }
        match date.tomorrow() {
            Ok(next) => date = next,
            Err(_) => break,
        }
    }
    Set::of(spans)
}

/// The instant of a local wall-clock time, `minutes` after the midnight that begins `date`; past
/// 1440 it lies on a later date. A doubled time is its first occurrence, a skipped one lies as
/// far after the change as it lies in the gap.
pub(crate) fn local_ms(date: Date, minutes: u16, zone: &TimeZone) -> i64 {
    let mut date = date;
    for _ in 0..minutes / 1440 {
        date = date.tomorrow().unwrap_or(date);
    }
    let of_day = minutes % 1440;
    let hour = i8::try_from(of_day / 60).unwrap_or(0);
    let minute = i8::try_from(of_day % 60).unwrap_or(0);
    let local = DateTime::from_parts(date, Time::constant(hour, minute, 0, 0));
    // "compatible" is RFC 5545's reading, and rule 8's: the offset before the change
    match zone.to_ambiguous_timestamp(local).compatible() {
        Ok(at) => at.as_millisecond(),
        Err(_) => day_start_ms(date, zone),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::tz::TimeZone;
    use mailward_catalogue::{Hours, LevelHours, Span as Declared};

    use super::service_hours;
    use crate::clock::Month;
    use crate::interval::{Set, Span};

    fn hours(spans: &[(u16, u16)], holidays: &[&str]) -> Hours {
        let spans: Vec<Declared> = spans
            .iter()
            .map(|(from_min, to_min)| Declared { from_min: *from_min, to_min: *to_min })
            .collect();
        let holidays = holidays.iter().map(|d| d.parse().unwrap()).collect::<BTreeSet<_>>();
        Hours { name: "h".to_owned(), weekly: std::array::from_fn(|_| spans.clone()), holidays }
    }

    fn ms(text: &str) -> i64 {
        text.parse::<jiff::Timestamp>().unwrap().as_millisecond()
    }

    fn window(from: &str, to: &str) -> Span {
        Span::new(ms(from), ms(to))
    }

    fn check(hours: &Hours, zone: &str, window: Span, expect: &[(&str, &str)]) {
        let zone = TimeZone::get(zone).unwrap();
        let set = service_hours(&LevelHours::Named("h".into()), Some(hours), &zone, None, window);
        let expect: Set = expect.iter().map(|(a, b)| Span::new(ms(a), ms(b))).collect();
        assert_eq!(set, expect);
    }

    #[test]
    fn a_skipped_time_lies_as_far_after_the_change() {
        let day = window("2019-03-31T00:00:00Z", "2019-03-31T23:00:00Z");
        // 01:30 is skipped and means 02:30 summer time
        check(
            &hours(&[(90, 180)], &[]),
            "Europe/London",
            day,
            &[("2019-03-31T01:30:00Z", "2019-03-31T02:00:00Z")],
        );
        // 01:30 means 02:30, and the span ends before that
        check(&hours(&[(90, 135)], &[]), "Europe/London", day, &[]);
        check(
            &hours(&[(30, 75)], &[]),
            "Europe/London",
            day,
            &[("2019-03-31T00:30:00Z", "2019-03-31T01:15:00Z")],
        );
    }

    #[test]
    fn a_doubled_time_is_its_first_occurrence() {
        let day = window("2018-10-27T23:00:00Z", "2018-10-29T00:00:00Z");
        check(
            &hours(&[(90, 150)], &[]),
            "Europe/London",
            day,
            &[("2018-10-28T00:30:00Z", "2018-10-28T02:30:00Z")],
        );
        check(
            &hours(&[(90, 105)], &[]),
            "Europe/London",
            day,
            &[("2018-10-28T00:30:00Z", "2018-10-28T00:45:00Z")],
        );
    }

    #[test]
    fn half_an_hour_of_change() {
        // Lord Howe Island moves its clocks by 30 minutes, from 02:00 to 02:30
        let day = window("2019-10-05T13:30:00Z", "2019-10-06T13:00:00Z");
        check(
            &hours(&[(135, 240)], &[]),
            "Australia/Lord_Howe",
            day,
            &[("2019-10-05T15:45:00Z", "2019-10-05T17:00:00Z")],
        );
    }

    #[test]
    fn nights_belong_to_the_day_they_start_on() {
        let night = hours(&[(1320, 1800)], &["2019-02-02"]);
        check(
            &night,
            "Etc/UTC",
            window("2019-02-01T00:00:00Z", "2019-02-04T00:00:00Z"),
            &[
                ("2019-02-01T00:00:00Z", "2019-02-01T06:00:00Z"),
                ("2019-02-01T22:00:00Z", "2019-02-02T06:00:00Z"),
                ("2019-02-03T22:00:00Z", "2019-02-04T00:00:00Z"),
            ],
        );
    }

    #[test]
    fn the_complement_is_taken_before_since() {
        let zone = TimeZone::get("Europe/London").unwrap();
        let month: Month = "2019-02".parse().unwrap();
        let named = hours(&[(420, 1320)], &[]);
        let since = Some("2019-02-27".parse().unwrap());
        let not = LevelHours::Not("h".into());
        let set = service_hours(&not, Some(&named), &zone, since, month.span(&zone));
        assert_eq!(set.len_ms(), 2 * 9 * 3_600_000);
    }

    #[test]
    fn a_day_without_midnight_begins_when_it_begins() {
        // Sao Paulo skipped the hour from midnight on 2018-11-04
        let zone = TimeZone::get("America/Sao_Paulo").unwrap();
        let date = "2018-11-04".parse().unwrap();
        assert_eq!(crate::clock::day_start_ms(date, &zone), ms("2018-11-04T03:00:00Z"));
        // Toronto skipped from 23:30 to 00:30 on 1919-03-30
        let zone = TimeZone::get("America/Toronto").unwrap();
        let date = "1919-03-31".parse().unwrap();
        assert_eq!(crate::clock::day_start_ms(date, &zone), ms("1919-03-31T04:30:00Z"));
        // Samoa had no 30 December 2011
        let zone = TimeZone::get("Pacific/Apia").unwrap();
        let (none, next) = ("2011-12-30".parse().unwrap(), "2011-12-31".parse().unwrap());
        assert_eq!(
            crate::clock::day_start_ms(none, &zone),
            crate::clock::day_start_ms(next, &zone)
        );
    }
}
