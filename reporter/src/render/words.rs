//! The words and number forms that every output shares: lengths of time, cut-off
//! percentages, local times, names.

mod level;

use jiff::tz::TimeZone;

pub use level::{Standing, detail, measure, result, standing, subject, target, verdict};

use crate::report::model::{At, ComponentMonth, Ms, Report};

/// A length of time in words, exact to the millisecond: `1 h 4 min`, `30 s`, `0.25 s`.
#[must_use]
pub fn length(time: Ms) -> String {
    let total = time.0.unsigned_abs();
    let (hours, minutes) = (total / 3_600_000, total / 60_000 % 60);
    let rest = total % 60_000;
    let mut parts = Vec::new();
    if hours > 0 {
        parts.push(format!("{} h", thousands(hours)));
    }
    if minutes > 0 {
        parts.push(format!("{minutes} min"));
    }
    if rest > 0 || parts.is_empty() {
        parts.push(format!("{} s", decimal_seconds(rest)));
    }
    let sign = if time.0 < 0 { "−" } else { "" };
    format!("{sign}{}", parts.join(" "))
}

/// [`length`] in whole seconds, cut off towards less: what is left of a budget is never shown
/// as more than it is.
#[must_use]
pub fn length_cut(time: Ms) -> String {
    length(Ms(time.0.div_euclid(1000) * 1000))
}

/// A length of time as hours, minutes and seconds: `1:04:30`; cut off towards less.
#[must_use]
pub fn clock(time: Ms) -> String {
    let whole_s = time.0.div_euclid(1000);
    let total_s = whole_s.unsigned_abs();
    let sign = if whole_s < 0 { "-" } else { "" };
    format!("{sign}{}:{:02}:{:02}", total_s / 3600, total_s / 60 % 60, total_s % 60)
}

/// Seconds with up to three decimals, as the report's JSON has them: `3600`, `0.25`.
#[must_use]
pub fn seconds(time: Ms) -> String {
    let sign = if time.0 < 0 { "-" } else { "" };
    format!("{sign}{}", decimal_seconds(time.0.unsigned_abs()))
}

fn decimal_seconds(ms: u64) -> String {
    if ms.is_multiple_of(1000) {
        return (ms / 1000).to_string();
    }
    let digits = format!("{}.{:03}", ms / 1000, ms % 1000);
    digits.trim_end_matches('0').to_owned()
}

/// A whole number with commas: `40,210`.
#[must_use]
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A percentage with three places, cut off and never rounded up, without its sign. Only a
/// figure that is exactly 100 is shown as 100.
#[must_use]
pub fn cut_pct(pct: f64) -> String {
    let shown = format!("{pct:.9}");
    let cut = shown.len().saturating_sub(6);
    match shown.get(..cut) {
        Some(text) if !(pct < 100.0 && text == "100.000") => text.to_owned(),
        _ => "99.999".to_owned(),
    }
}

/// `n` of a thing, with the plural's s: `1 outage`, `2 outages`.
#[must_use]
pub fn counted(n: u64, singular: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {singular}{plural}", thousands(n))
}

/// The month in words: `October 2026`; as it is written where it is no month.
#[must_use]
pub fn month_name(month: &str) -> String {
    match format!("{month}-01").parse::<jiff::civil::Date>() {
        Ok(date) => date.strftime("%B %Y").to_string(),
        Err(_) => month.to_owned(),
    }
}

/// A reason on the wire in plain words.
#[must_use]
pub fn plain_reason(reason: &str) -> &'static str {
    mailward_evidence::Reason::parse(reason).plain()
}

/// Why there was no evidence, in plain words.
#[must_use]
pub fn unknown_reason(reason: &str) -> String {
    match reason {
        "silent" => "no check reported".to_owned(),
        "unwatched" => "too few agents were due to check".to_owned(),
        other => plain_reason(other).to_owned(),
    }
}

/// Local times of the report's zone; UTC where this program does not know the zone, and says so.
#[derive(Clone, Debug)]
pub struct Local {
    zone: TimeZone,
}

impl Local {
    /// Times in the zone of this name.
    #[must_use]
    pub fn new(zone: &str) -> Self {
        Self { zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC) }
    }

    /// `Sat 3 Oct 2026, 01:10 BST`
    #[must_use]
    pub fn full(&self, at: At) -> String {
        self.format(at, "%a %-d %b %Y, %H:%M %Z")
    }

    /// `Sat 3 Oct, 01:10 BST`; seconds are said where there are any.
    #[must_use]
    pub fn short(&self, at: At) -> String {
        format!("{}, {}", self.format(at, "%a %-d %b"), self.hour(at))
    }

    /// The end of what began at `from`: the hour alone where the local day is the same.
    #[must_use]
    pub fn until(&self, from: At, to: At) -> String {
        let day = |at| self.format(at, "%F");
        if day(from) == day(to) { self.hour(to) } else { self.short(to) }
    }

    fn hour(&self, at: At) -> String {
        self.format(at, if at.0 % 60_000 == 0 { "%H:%M %Z" } else { "%H:%M:%S %Z" })
    }

    /// `2026-10-03 01:10:00+01:00`, for spreadsheets.
    #[must_use]
    pub fn sortable(&self, at: At) -> String {
        if at.0 % 1000 == 0 {
            self.format(at, "%Y-%m-%d %H:%M:%S%:z")
        } else {
            self.format(at, "%Y-%m-%d %H:%M:%S%.3f%:z")
        }
    }

    fn format(&self, at: At, form: &str) -> String {
        match jiff::Timestamp::from_millisecond(at.0) {
            Ok(instant) => instant.to_zoned(self.zone.clone()).strftime(form).to_string(),
            Err(_) => format!("{} ms", at.0),
        }
    }
}

/// An instant as the wire has it: `2026-10-03T00:10:00Z`.
#[must_use]
pub fn iso(at: At) -> String {
    match mailward_evidence::Instant::from_ms(at.0) {
        Some(instant) => instant.to_string(),
        None => format!("{} ms", at.0),
    }
}

/// The component of this id, where the report has it.
#[must_use]
pub fn component<'a>(report: &'a Report, id: &str) -> Option<&'a ComponentMonth> {
    report.components.iter().find(|c| c.id == id)
}

/// How long a component was not working in the month, around the clock.
#[must_use]
pub fn not_working(component: &ComponentMonth) -> Ms {
    Ms(component.days.iter().map(|day| day.down_s.0).sum())
}

/// What a component is called: its name, or its id where the report has no name for it.
#[must_use]
pub fn component_name<'a>(report: &'a Report, id: &'a str) -> &'a str {
    component(report, id).map_or(id, |c| c.name.as_str())
}

/// Which edition this is, in words: `Edition 2`, `Draft`, with `to date` while the month runs.
#[must_use]
pub fn edition(report: &Report) -> String {
    let mut text = match report.edition {
        Some(n) => format!("Edition {n}"),
        None => "Draft".to_owned(),
    };
    if report.to_date {
        text.push_str(", month to date");
    }
    text
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn and_list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// Which parts are probed how deep, as one sentence that begins with `opening`; pairs of depth
/// and name. `None` where there are none.
#[must_use]
pub fn depths<'a>(
    opening: &str,
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Option<String> {
    let mut by_depth: Vec<(&str, Vec<String>)> = Vec::new();
    for (depth, name) in pairs.filter(|(depth, _)| !depth.is_empty()) {
        let at = by_depth.iter().position(|(known, _)| *known == depth).unwrap_or_else(|| {
            by_depth.push((depth, Vec::new()));
            by_depth.len() - 1
        });
        let names = &mut by_depth[at].1;
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    let parts: Vec<String> =
        by_depth.iter().map(|(depth, names)| format!("{depth} for {}", and_list(names))).collect();
    (!parts.is_empty()).then(|| format!("{opening}{}.", parts.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_are_told_once_each() {
        let pairs = [
            ("to the inbox", "Webmail"),
            ("to the page", "Portal"),
            ("to the inbox", "Phones"),
            ("to the inbox", "Phones"),
            ("", "Unwatched"),
        ];
        insta::assert_snapshot!(
            depths("Checks go ", pairs.into_iter()).unwrap(),
            @"Checks go to the inbox for Webmail and Phones; to the page for Portal."
        );
        assert_eq!(depths("Checks go ", std::iter::empty()), None);
    }

    #[test]
    fn lengths_are_exact_and_short() {
        let check = |ms: i64, expect: &str| assert_eq!(length(Ms(ms)), expect, "{ms} ms");
        check(0, "0 s");
        check(250, "0.25 s");
        check(30_000, "30 s");
        check(3_840_000, "1 h 4 min");
        check(3_870_500, "1 h 4 min 30.5 s");
        check(-1_180_800, "−19 min 40.8 s");
        check(7_200_000_000, "2,000 h");
        assert_eq!(length_cut(Ms(2_681_999)), "44 min 41 s");
        assert_eq!(length_cut(Ms(-1_180_800)), "−19 min 41 s");
        assert_eq!(clock(Ms(2_681_999)), "0:44:41");
        assert_eq!(clock(Ms(-1_180_800)), "-0:19:41");
    }

    #[test]
    fn percentages_are_cut_off_and_never_become_100() {
        let check = |pct: f64, expect: &str| assert_eq!(cut_pct(pct), expect, "{pct}");
        check(100.0, "100.000");
        check(99.999_999_999_9, "99.999");
        check(99.8999, "99.899");
        check(97.3, "97.300");
        check(0.0, "0.000");
        check(5.0004, "5.000");
    }

    #[test]
    fn local_times_name_their_zone_on_both_sides_of_a_clock_change() {
        let local = Local::new("Europe/London");
        let check = |ms: i64, expect: &str| assert_eq!(local.short(At(ms)), expect);
        check(1_792_886_400_000, "Sun 25 Oct, 01:00 BST");
        check(1_792_890_000_000, "Sun 25 Oct, 01:00 GMT");
        check(1_792_890_005_250, "Sun 25 Oct, 01:00:05 GMT");
        assert_eq!(local.sortable(At(1_792_886_400_250)), "2026-10-25 01:00:00.250+01:00");
    }

    #[test]
    fn numbers_take_commas() {
        let check = |n: u64, expect: &str| assert_eq!(thousands(n), expect);
        check(0, "0");
        check(999, "999");
        check(40_210, "40,210");
        check(1_200_000, "1,200,000");
    }
}
