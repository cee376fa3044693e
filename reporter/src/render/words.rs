//! The words and number forms that every output shares: lengths of time, cut-off
//! percentages, local times, what a level is called and how it stands.

use jiff::tz::TimeZone;

use crate::report::model::{At, ComponentMonth, Figure, LevelFigure, Ms, Report};

/// How a level stands at the end of the month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    /// Kept, for every reading of the evidence.
    Met,
    /// Not kept, for every reading of the evidence.
    Missed,
    /// The evidence allows both; `as_measured` says which way the measured figure leans.
    NotProvable {
        /// Whether the measured figure meets the target.
        as_measured: bool,
    },
    /// Less evidence than the level demands.
    NotEnough,
    /// Nothing happened that could be measured.
    Nothing,
}

impl Standing {
    /// How this level stands.
    #[must_use]
    pub fn of(level: &LevelFigure) -> Self {
        match (&level.figure, level.met) {
            (Figure::Availability(a), None) if a.availability_pct.is_some() => Self::NotEnough,
            (_, None) => Self::Nothing,
            (Figure::Availability(a), Some(met)) if !a.provable => {
                Self::NotProvable { as_measured: met }
            }
            (_, Some(true)) => Self::Met,
            (_, Some(false)) => Self::Missed,
        }
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Met => "Met",
            Self::Missed => "Missed",
            Self::NotProvable { .. } => "Not provable either way",
            Self::NotEnough => "Not enough evidence",
            Self::Nothing => "Nothing to measure",
        }
    }

    /// A sign for it that does not need colour.
    #[must_use]
    pub const fn sign(self) -> char {
        match self {
            Self::Met => '✓',
            Self::Missed => '✗',
            Self::NotProvable { .. } => '±',
            Self::NotEnough => '?',
            Self::Nothing => '–',
        }
    }

    /// What else must be said, where something must.
    #[must_use]
    pub const fn remark(self) -> Option<&'static str> {
        match self {
            Self::NotProvable { as_measured: true } => Some("as measured: met"),
            Self::NotProvable { as_measured: false } => Some("as measured: missed"),
            _ => None,
        }
    }
}

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

/// A length of time as hours, minutes and seconds: `1:04:30`; milliseconds cut off.
#[must_use]
pub fn clock(time: Ms) -> String {
    let total_s = time.0.unsigned_abs() / 1000;
    let sign = if time.0 < 0 && total_s > 0 { "-" } else { "" };
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
        "silent" | "silence" | "gap" | "no_data" => "no check reported".to_owned(),
        "no_roster" | "unwatched" => "no agent was due to check".to_owned(),
        "quorum" | "disagreement" => "too few agents of a site could tell".to_owned(),
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
        if at.0 % 60_000 == 0 {
            self.format(at, "%a %-d %b, %H:%M %Z")
        } else {
            self.format(at, "%a %-d %b, %H:%M:%S %Z")
        }
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

/// What a level is about, for readers: the component's name, or the service.
#[must_use]
pub fn subject<'a>(report: &'a Report, level: &'a LevelFigure) -> &'a str {
    level.component.as_deref().map_or(report.service.as_str(), |id| component_name(report, id))
}

/// What a level measures, in words: `Availability in core hours`.
#[must_use]
pub fn measure(level: &LevelFigure) -> String {
    match &level.figure {
        Figure::Availability(a) => match (a.hours.as_str(), a.hours.strip_prefix("not ")) {
            ("24x7", _) => "Availability".to_owned(),
            (_, Some(name)) => format!("Availability outside {name} hours"),
            (name, None) => format!("Availability in {name} hours"),
        },
        Figure::Success(_) => "Successful checks".to_owned(),
        Figure::ResponseTime(_) => "Response time".to_owned(),
        Figure::DeliveryTime(_) => "Delivery time".to_owned(),
        Figure::Resolution(r) => format!("Severity {} resolution", r.severity),
        Figure::Listing(_) => "Time on blocklists".to_owned(),
        Figure::Ratio(_) => spoken(&level.id),
    }
}

/// An id as words: `calls-answered` is `Calls answered`.
fn spoken(id: &str) -> String {
    let words = id.replace(['-', '_'], " ");
    let mut chars = words.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => words,
    }
}

/// The promise in words and its condition: `("99.9 %", "")`, `("95 %", "within 1 min")`.
#[must_use]
pub fn target(level: &LevelFigure) -> (String, String) {
    let percent = |pct: &str| format!("{pct} %");
    match &level.figure {
        Figure::Availability(a) => (percent(&a.target_pct), String::new()),
        Figure::Success(s) | Figure::Ratio(s) => (percent(&s.target_pct), String::new()),
        Figure::ResponseTime(s) => (
            percent(&s.target_pct),
            s.within_s.map(|t| format!("within {}", length(t))).unwrap_or_default(),
        ),
        Figure::DeliveryTime(d) => {
            (percent(&d.target_pct), format!("within {}", length(d.within_s)))
        }
        Figure::Resolution(r) => (percent(&r.target_pct), "in time".to_owned()),
        Figure::Listing(l) => (length(l.target_s), "at most".to_owned()),
    }
}

/// The result as it is shown: `99.851 %`, `n/a`, `10 h`.
#[must_use]
pub fn result(level: &LevelFigure) -> String {
    let percent = |shown: &str| {
        if shown == "n/a" { shown.to_owned() } else { format!("{shown} %") }
    };
    let cut = |pct: Option<f64>| pct.map_or("n/a".to_owned(), |p| format!("{} %", cut_pct(p)));
    match &level.figure {
        Figure::Availability(a) => percent(&a.availability_shown),
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => percent(&s.ratio_shown),
        Figure::DeliveryTime(d) => cut(d.within_pct),
        Figure::Resolution(r) => cut(r.within_pct),
        Figure::Listing(l) => length(l.exposed_s),
    }
}

/// What stands behind the result, in a few words.
#[must_use]
pub fn detail(level: &LevelFigure) -> String {
    let of = |s: &crate::report::model::Share, what: &str| {
        format!("{} of {} {what}", thousands(s.good), thousands(s.total))
    };
    match &level.figure {
        Figure::Availability(a) => {
            let coverage = match a.coverage_pct {
                Some(pct) => format!("evidence for {} % of the time", cut_pct(pct)),
                None => "no evidence".to_owned(),
            };
            match a.blips {
                0 => coverage,
                n => format!("{coverage}, {}", counted(n, "blip")),
            }
        }
        Figure::Success(s) => of(s, "checks succeeded"),
        Figure::ResponseTime(s) => of(s, "answers in time"),
        Figure::Ratio(s) => of(s, "counted"),
        Figure::DeliveryTime(d) => delivery_detail(d),
        Figure::Resolution(r) => {
            let open = match r.open.len() {
                0 => String::new(),
                n => format!(", {n} still open"),
            };
            format!("{}{open}", counted(r.tickets.len() as u64, "ticket"))
        }
        Figure::Listing(l) => match l.listings.len() {
            0 => "on no list".to_owned(),
            n => format!(
                "{} on a list",
                counted(n as u64, "address").replace("addresss", "addresses")
            ),
        },
    }
}

fn delivery_detail(d: &crate::report::model::DeliveryTime) -> String {
    if d.sent == 0 {
        return "no mail sent".to_owned();
    }
    let mut text = format!("{} of {} delivered", thousands(d.delivered), thousands(d.sent));
    if d.lost > 0 {
        text.push_str(&format!(", {} lost", thousands(d.lost)));
    }
    if let Some(median) = d.p50_s {
        text.push_str(&format!("; half within {}", length(median)));
    }
    if let Some(p95) = d.p95_s {
        text.push_str(&format!(", 95 % within {}", length(p95)));
    }
    text
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

/// The levels that stand so, in the order of the report.
pub fn standing<'a>(
    report: &'a Report,
    wanted: impl Fn(Standing) -> bool + 'a,
) -> impl Iterator<Item = &'a LevelFigure> + 'a {
    report.levels.iter().filter(move |level| wanted(Standing::of(level)))
}

/// The whole month in one sentence: `11 of 14 service levels were met, 2 were missed and 1 is
/// not provable either way.`
#[must_use]
pub fn verdict(report: &Report) -> String {
    let count = |wanted: fn(Standing) -> bool| standing(report, wanted).count();
    let (met, missed) = (count(|s| s == Standing::Met), count(|s| s == Standing::Missed));
    let unprovable = count(|s| matches!(s, Standing::NotProvable { .. }));
    let (unseen, nothing) =
        (count(|s| s == Standing::NotEnough), count(|s| s == Standing::Nothing));
    let total = report.levels.len();
    if total == 0 {
        return "No service level was agreed for this month.".to_owned();
    }
    if nothing == total {
        return "Nothing was measured in this month, so no service level can be judged.".to_owned();
    }
    let (singular, plural) = if report.to_date { ("is", "are") } else { ("was", "were") };
    if met == total {
        return match total {
            1 => format!("The one service level {singular} met."),
            n => format!("All {n} service levels {plural} met."),
        };
    }
    let verb = |n: usize| if n == 1 { singular } else { plural };
    let present = |n: usize| if n == 1 { "is" } else { "are" };
    let levels = if total == 1 { "service level" } else { "service levels" };
    let mut parts = vec![format!("{met} of {total} {levels} {} met", verb(met))];
    if missed > 0 {
        parts.push(format!("{missed} {} missed", verb(missed)));
    }
    if unprovable > 0 {
        parts.push(format!("{unprovable} {} not provable either way", present(unprovable)));
    }
    if unseen > 0 {
        parts.push(format!("{unseen} cannot be judged for want of evidence"));
    }
    if nothing > 0 {
        parts.push(format!("{nothing} had nothing to measure"));
    }
    format!("{}.", and_list(&parts))
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

#[cfg(test)]
mod tests {
    use super::*;

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
