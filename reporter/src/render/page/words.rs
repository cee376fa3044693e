//! Times, durations and lists in words, in the service's zone. British plain English.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

fn zoned(ms: i64, zone: &TimeZone) -> jiff::Zoned {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone())
}

/// `09:05 GMT` on the day of `now_ms`, else `5 October at 09:05 BST`, with the year where it
/// differs.
pub(crate) fn moment(ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let (at, now) = (zoned(ms, zone), zoned(now_ms, zone));
    let pattern = if at.date() == now.date() {
        "%H:%M %Z"
    } else if at.year() == now.year() {
        "%-d %B at %H:%M %Z"
    } else {
        "%-d %B %Y at %H:%M %Z"
    };
    at.strftime(pattern).to_string()
}

/// `5 October, 02:10 to 02:57 BST`, or both moments in full where they are on different days or
/// the clocks changed between them.
pub(crate) fn range(from_ms: i64, to_ms: i64, now_ms: i64, zone: &TimeZone) -> String {
    let (from, to, now) = (zoned(from_ms, zone), zoned(to_ms, zone), zoned(now_ms, zone));
    if from.date() != to.date() || from.offset() != to.offset() {
        let (from, to) = (moment(from_ms, now_ms, zone), moment(to_ms, now_ms, zone));
        return format!("From {from} to {to}");
    }
    let date = if from.date() == now.date() {
        "Today".to_owned()
    } else if from.year() == now.year() {
        from.strftime("%-d %B").to_string()
    } else {
        from.strftime("%-d %B %Y").to_string()
    };
    format!("{date}, {} to {}", from.strftime("%H:%M"), to.strftime("%H:%M %Z"))
}

/// `5 Oct 2026, 09:05 BST`, for tables.
pub(crate) fn stamp(ms: i64, zone: &TimeZone) -> String {
    zoned(ms, zone).strftime("%-d %b %Y, %H:%M %Z").to_string()
}

/// RFC 3339 in UTC, to the second where it is whole: for addresses, feeds and `<time>`.
pub(crate) fn instant(ms: i64) -> String {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// `Monday 5 October 2026`
pub(crate) fn long_date(date: Date) -> String {
    date.strftime("%A %-d %B %Y").to_string()
}

/// `October 2026` for `2026-10`; the text itself where it is no month.
pub(crate) fn month_title(month: &str) -> String {
    match format!("{month}-01").parse::<Date>() {
        Ok(date) => date.strftime("%B %Y").to_string(),
        Err(_) => month.to_owned(),
    }
}

/// `1 h 4 min`, `12 min`, `2 min 30 s`, `3 d 2 h`: two units at most, cut off.
pub(crate) fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let (big, big_unit, small, small_unit) = if ms >= DAY_MS {
        (ms / DAY_MS, "d", ms % DAY_MS / HOUR_MS, "h")
    } else if ms >= HOUR_MS {
        (ms / HOUR_MS, "h", ms % HOUR_MS / MINUTE_MS, "min")
    } else if ms >= 10 * MINUTE_MS {
        (ms / MINUTE_MS, "min", 0, "s")
    } else if ms >= MINUTE_MS {
        (ms / MINUTE_MS, "min", ms % MINUTE_MS / 1000, "s")
    } else {
        (ms / 1000, "s", 0, "")
    };
    if small == 0 {
        format!("{big} {big_unit}")
    } else {
        format!("{big} {big_unit} {small} {small_unit}")
    }
}

/// `24 minutes ago`
pub(crate) fn ago(ms: i64, now_ms: i64) -> String {
    let passed = now_ms - ms;
    let (count, unit) = if passed < MINUTE_MS {
        return "less than a minute ago".to_owned();
    } else if passed < HOUR_MS {
        (passed / MINUTE_MS, "minute")
    } else if passed < 2 * DAY_MS {
        (passed / HOUR_MS, "hour")
    } else {
        (passed / DAY_MS, "day")
    };
    format!("{count} {unit}{} ago", plural(count))
}

/// `s` unless there is exactly one.
pub(crate) const fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The text with its first letter as a capital.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}

/// `A`, `A and B`, `A, B and C`
pub(crate) fn list(items: &[&str]) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Seconds as people say an interval: `30 seconds`, `minute`, `5 minutes`, `hour`.
pub(crate) fn interval(seconds: u64) -> String {
    match seconds {
        60 => "minute".to_owned(),
        3600 => "hour".to_owned(),
        s if s % 3600 == 0 => format!("{} hours", s / 3600),
        s if s % 60 == 0 => format!("{} minutes", s / 60),
        1 => "second".to_owned(),
        s => format!("{s} seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn durations_have_two_units_at_most_and_are_cut_off() {
        for (ms, expect) in [
            (0, "0 s"),
            (59_999, "59 s"),
            (150_000, "2 min 30 s"),
            (600_000, "10 min"),
            (779_000, "12 min"),
            (3_600_000, "1 h"),
            (3_899_999, "1 h 4 min"),
            (86_400_000, "1 d"),
            (3 * 86_400_000 + 7_300_000, "3 d 2 h"),
        ] {
            assert_eq!(duration(ms), expect, "{ms}");
        }
    }

    #[test]
    fn moments_are_local_with_zone_and_say_the_date_only_when_it_differs() {
        let zone = TimeZone::get("Europe/London").unwrap();
        let now = ms("2026-11-22T09:29:00Z");
        for (at, expect) in [
            ("2026-11-22T09:05:00Z", "09:05 GMT"),
            ("2026-10-05T08:05:00Z", "5 October at 09:05 BST"),
            ("2025-12-31T23:59:00Z", "31 December 2025 at 23:59 GMT"),
        ] {
            assert_eq!(moment(ms(at), now, &zone), expect);
        }
        for (from, to, expect) in [
            ("2026-11-22T01:00:00Z", "2026-11-22T02:00:00Z", "Today, 01:00 to 02:00 GMT"),
            ("2026-10-05T01:00:00Z", "2026-10-05T02:00:00Z", "5 October, 02:00 to 03:00 BST"),
            (
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00Z",
                "From 25 October at 01:30 BST to 25 October at 01:30 GMT",
            ),
        ] {
            assert_eq!(range(ms(from), ms(to), now, &zone), expect);
        }
        assert_eq!(ago(ms("2026-11-22T09:05:00Z"), now), "24 minutes ago");
        assert_eq!(ago(ms("2026-11-22T08:05:00Z"), now), "1 hour ago");
        assert_eq!(ago(now, now), "less than a minute ago");
    }

    #[test]
    fn lists_and_intervals_read_as_english() {
        assert_eq!(list(&["A", "B", "C"]), "A, B and C");
        assert_eq!(list(&["A"]), "A");
        assert_eq!(interval(60), "minute");
        assert_eq!(interval(90), "90 seconds");
        assert_eq!(interval(300), "5 minutes");
        assert_eq!(month_title("2026-10"), "October 2026");
    }
}
