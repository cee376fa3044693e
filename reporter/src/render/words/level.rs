//! What a level is about, what it promised, what came of it and how it stands, in words.

use super::{and_list, component_name, counted, cut_pct, length, thousands};
use crate::report::model::{Availability, Figure, LevelFigure, Report, Share};

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

/// What a level is about, for readers: the component's name, or the service.
#[must_use]
pub fn subject<'a>(report: &'a Report, level: &'a LevelFigure) -> &'a str {
    level.component.as_deref().map_or(report.service.as_str(), |id| component_name(report, id))
}

/// What a level measures, in words: `Availability in core hours`.
#[must_use]
pub fn measure(level: &LevelFigure) -> String {
    match &level.figure {
        Figure::Availability(a) => {
            let what = match level.over.as_deref() {
                Some("users") => "Availability weighted by users",
                Some(_) => "Availability as one",
                None => "Availability",
            };
            match (a.hours.as_str(), a.hours.strip_prefix("not ")) {
                ("24x7", _) => what.to_owned(),
                (_, Some(name)) => format!("{what} outside {name} hours"),
                (name, None) => format!("{what} in {name} hours"),
            }
        }
        Figure::Success(_) => "Successful checks".to_owned(),
        Figure::ResponseTime(s) => match s.within_s {
            Some(within) => format!("Response within {}", length(within)),
            None => "Response time".to_owned(),
        },
        Figure::DeliveryTime(d) => format!("Delivery within {}", length(d.within_s)),
        Figure::Resolution(r) => format!("Severity {} in time", r.severity),
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

/// The promise in words: `99.9 %`, `≤ 0 s`.
#[must_use]
pub fn target(level: &LevelFigure) -> String {
    match &level.figure {
        Figure::Availability(a) => format!("{} %", a.target_pct),
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => {
            format!("{} %", s.target_pct)
        }
        Figure::DeliveryTime(d) => format!("{} %", d.target_pct),
        Figure::Resolution(r) => format!("{} %", r.target_pct),
        Figure::Listing(l) => format!("≤ {}", length(l.target_s)),
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

/// What stands behind the result, in a few words; empty where there is nothing to say.
#[must_use]
pub fn detail(level: &LevelFigure) -> String {
    let of = |s: &Share| match s.total {
        0 => "none counted".to_owned(),
        total => format!("{} of {}", thousands(s.good), thousands(total)),
    };
    match &level.figure {
        Figure::Availability(a) => availability_detail(a),
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => of(s),
        Figure::DeliveryTime(d) => match (d.sent, d.lost) {
            (0, _) => "no mail sent".to_owned(),
            (sent, 0) => format!("{} sent", thousands(sent)),
            (sent, lost) => format!("{} of {} lost", thousands(lost), thousands(sent)),
        },
        Figure::Resolution(r) => match (r.tickets.len(), r.open.len()) {
            (done, 0) => counted(done as u64, "ticket"),
            (done, open) => format!("{}, {open} open", counted(done as u64, "ticket")),
        },
        Figure::Listing(l) => match l.listings.len() {
            0 => "on none".to_owned(),
            1 => "1 listing".to_owned(),
            n => format!("{n} listings"),
        },
    }
}

/// Coverage, unless it is whole, and blips, if there were any.
fn availability_detail(a: &Availability) -> String {
    let mut parts = Vec::new();
    match a.coverage_pct {
        Some(pct) if pct < 100.0 => parts.push(format!("{} % covered", cut_pct(pct))),
        Some(_) => {}
        None => parts.push("no evidence".to_owned()),
    }
    if a.blips > 0 {
        parts.push(counted(a.blips, "blip"));
    }
    parts.join(", ")
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
    if let [only] = report.levels.as_slice() {
        return format!("The one service level {}.", alone(Standing::of(only), singular));
    }
    if met == total {
        return format!("All {total} service levels {plural} met.");
    }
    if missed == total {
        return format!("All {total} service levels {plural} missed.");
    }
    let verb = |n: usize| if n == 1 { singular } else { plural };
    let present = |n: usize| if n == 1 { "is" } else { "are" };
    let mut parts = match met {
        0 => vec![format!("None of {total} service levels {singular} met")],
        n => vec![format!("{n} of {total} service levels {} met", verb(n))],
    };
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

/// What is said of a level that is the only one.
fn alone(standing: Standing, verb: &str) -> String {
    match standing {
        Standing::Met => format!("{verb} met"),
        Standing::Missed => format!("{verb} missed"),
        Standing::NotProvable { .. } => "is not provable either way".to_owned(),
        Standing::NotEnough => "cannot be judged for want of evidence".to_owned(),
        Standing::Nothing => "had nothing to measure".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_is_told_in_a_sentence() {
        let mut report = crate::render::fixture::october();
        let whole = report.levels.clone();
        let mut check = |pick: &[usize], to_date: bool, expect: &str| {
            report.levels = pick.iter().map(|&i| whole[i].clone()).collect();
            report.to_date = to_date;
            assert_eq!(verdict(&report), expect);
        };
        check(&[], false, "No service level was agreed for this month.");
        check(&[0], false, "The one service level was met.");
        check(&[4], false, "The one service level cannot be judged for want of evidence.");
        check(&[0, 2], false, "All 2 service levels were met.");
        check(&[0, 2], true, "All 2 service levels are met.");
        check(&[5, 6], false, "All 2 service levels were missed.");
        check(
            &[4, 6],
            false,
            "None of 2 service levels was met, 1 was missed and 1 cannot be judged for want of \
             evidence.",
        );
        check(&[0, 5], true, "1 of 2 service levels is met and 1 is missed.");
        check(
            &[0, 2, 4, 5, 7],
            false,
            "2 of 5 service levels were met, 1 was missed, 1 is not provable either way and 1 \
             cannot be judged for want of evidence.",
        );
    }

    #[test]
    fn nothing_measured_is_neither_met_nor_missed() {
        let mut report = crate::render::fixture::october();
        let level = report.levels.first_mut().unwrap();
        level.met = None;
        let figure = crate::render::fixture::figure(level);
        (figure.availability_pct, figure.provable) = (None, false);
        assert_eq!(Standing::of(&report.levels[0]), Standing::Nothing);
    }
}
