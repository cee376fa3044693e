//! What the outputs share: forms of numbers and times for programs, names, and how a level stands.
//! What a reader sees of them is worded by a [`crate::language::Language`].

mod level;
mod verdict;

use jiff::tz::TimeZone;

pub use level::{Standing, standing, subject};

use crate::language::decimal_seconds;
use crate::report::model::{At, ComponentMonth, Ms, Report};

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

/// `n` of a thing, with the plural's s, for operators: `1 outage`, `2 outages`.
#[must_use]
pub fn counted(n: u64, singular: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{} {singular}{plural}", crate::language::english().count(n))
}

/// `2026-10-03 01:10:00+01:00`, for spreadsheets; UTC where this program does not know the zone.
#[must_use]
pub fn sortable(zone: &str, at: At) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let whole = at.0 % 1000 == 0;
    let form = if whole { "%Y-%m-%d %H:%M:%S%:z" } else { "%Y-%m-%d %H:%M:%S%.3f%:z" };
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(instant) => instant.to_zoned(zone).strftime(form).to_string(),
        Err(_) => format!("{} ms", at.0),
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

/// What a component is called: its name, or its id where the report has no name for it.
#[must_use]
pub fn component_name<'a>(report: &'a Report, id: &'a str) -> &'a str {
    component(report, id).map_or(id, |c| c.name.as_str())
}

/// Which parts are probed how deep: pairs of depth and the names it is for, each once.
pub(crate) fn depths<'a>(
    pairs: impl Iterator<Item = (&'a str, &'a str)>,
) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut by_depth: Vec<(&str, Vec<&str>)> = Vec::new();
    for (depth, name) in pairs.filter(|(depth, _)| !depth.is_empty()) {
        let at = by_depth.iter().position(|(known, _)| *known == depth).unwrap_or_else(|| {
            by_depth.push((depth, Vec::new()));
            by_depth.len() - 1
        });
        let names = &mut by_depth[at].1;
        if !names.contains(&name) {
            names.push(name);
        }
    }
    by_depth
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
        let expect = [("to the inbox", vec!["Webmail", "Phones"]), ("to the page", vec!["Portal"])];
        assert_eq!(depths(pairs.into_iter()), expect);
    }

    #[test]
    fn lengths_for_programs_are_cut_off() {
        assert_eq!(clock(Ms(2_681_999)), "0:44:41");
        assert_eq!(clock(Ms(-1_180_800)), "-0:19:41");
        assert_eq!(seconds(Ms(250)), "0.25");
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
    fn spreadsheets_get_the_offset() {
        let shown = sortable("Europe/London", At(1_792_886_400_250));
        assert_eq!(shown, "2026-10-25 01:00:00.250+01:00");
    }
}
