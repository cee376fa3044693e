//! How figures went over the months, how often things failed, and the service as a whole, in
//! the words and columns that every output shares. All of it stands in the report's model.

use crate::clock::Month;
use crate::render::words;
use crate::report::model::{Figure, LevelFigure, Ms, Overall, Report, TrendMonth};
use crate::report::trend::MONTHS_BACK;

/// A level over the months of a report.
pub(crate) struct Course<'a> {
    pub(crate) level: &'a LevelFigure,
    /// One entry for each month of [`months`]; none where nothing was measured.
    pub(crate) months: Vec<Option<&'a TrendMonth>>,
}

/// A course's change in words; a dash where there is none.
pub(crate) fn change(level: &LevelFigure) -> String {
    match (&level.change, level.change_s) {
        (Some(points), _) => points.replace('-', "−"),
        (None, Some(time)) if time.0 > 0 => format!("+{}", words::length(time)),
        (None, Some(time)) => words::length(time),
        (None, None) => "–".to_owned(),
    }
}

/// The months of a report's courses, oldest first; the last is its own.
pub(crate) fn months(report: &Report) -> Vec<Month> {
    let Ok(month) = report.month.parse::<Month>() else { return Vec::new() };
    let back = std::iter::successors(Some(month), |month| Some(month.previous()));
    let mut months: Vec<Month> = back.take(MONTHS_BACK + 1).collect();
    months.reverse();
    months
}

/// The levels that were measured in an earlier month.
pub(crate) fn courses(report: &Report) -> Vec<Course<'_>> {
    let months: Vec<String> = months(report).iter().map(ToString::to_string).collect();
    let measured = report.levels.iter().filter(|level| !level.trend.is_empty());
    measured.map(|level| course(level, &months)).collect()
}

fn course<'a>(level: &'a LevelFigure, months: &[String]) -> Course<'a> {
    let of = |month: &String| level.trend.iter().find(|point| point.month == *month);
    Course { level, months: months.iter().map(of).collect() }
}

/// A month's figure as it is shown: `99.851`, `20 h`.
pub(crate) fn shown(point: &TrendMonth) -> String {
    point.exposed_s.map_or_else(|| point.shown.clone(), words::length)
}

/// Which figures of earlier months were published, and which computed for this report.
pub(crate) fn sources(report: &Report) -> String {
    let earlier = report.levels.iter().flat_map(|level| &level.trend);
    let earlier: Vec<&TrendMonth> = earlier.filter(|point| point.month != report.month).collect();
    let published = earlier.iter().filter(|point| point.edition.is_some()).count();
    match (published, earlier.len() - published) {
        (_, 0) => "Figures of earlier months are those that were published.".to_owned(),
        (0, _) => "No earlier month was published: their figures were computed for this report, \
                   by the definition it was made with."
            .to_owned(),
        _ => "Figures of earlier months are those that were published; where none was, they were \
              computed for this report, by the definition it was made with."
            .to_owned(),
    }
}

/// A level that failed, and how that went.
pub(crate) struct Failing<'a> {
    pub(crate) level: &'a LevelFigure,
    pub(crate) failures: u64,
    pub(crate) to_restore: Ms,
    pub(crate) between: Ms,
}

/// The levels of availability that failed at all.
pub(crate) fn failing(report: &Report) -> Vec<Failing<'_>> {
    report.levels.iter().filter_map(failed).collect()
}

fn failed(level: &LevelFigure) -> Option<Failing<'_>> {
    let Figure::Availability(a) = &level.figure else { return None };
    Some(Failing { level, failures: a.failures, to_restore: a.mttr_s?, between: a.mtbf_s? })
}

/// The service as a whole, where it has several parts.
pub(crate) fn whole(report: &Report) -> Option<String> {
    let several =
        |overall: &&Overall| overall.parts.len() > 1 && overall.availability_pct.is_some();
    let composite = report.service_wide.composite.as_ref().filter(several);
    let users = report.service_wide.users.as_ref().filter(several);
    let shown = |overall: &Overall| format!("{} %", overall.availability_shown);
    Some(match (composite, users) {
        (Some(composite), Some(users)) => format!(
            "As one, the service was available {} of the time (not working while any component \
             was not); weighted by users, {}.",
            shown(composite),
            shown(users)
        ),
        (Some(composite), None) => format!(
            "As one, the service was available {} of the time: not working while any component \
             was not.",
            shown(composite)
        ),
        (None, Some(users)) => {
            format!("Weighted by users, the service was available {} of the time.", shown(users))
        }
        (None, None) => return None,
    })
}

/// What of service credits falls due, a line for each level that has any. For operators.
pub(crate) fn credits(report: &Report) -> Vec<String> {
    let line = |level: &LevelFigure| {
        let credits = level.credits.as_ref()?;
        let name = format!("{}: {}", words::subject(report, level), words::measure(level));
        let due = match credits.due_pct.as_deref() {
            None => "cannot be said".to_owned(),
            Some("0") => "none".to_owned(),
            Some(pct) => {
                let tier = credits.tiers.iter().find(|tier| tier.credit_pct == pct);
                let below = tier.map(|tier| format!(" (below {} %)", tier.below_pct));
                format!("{pct} %{}", below.unwrap_or_default())
            }
        };
        Some(format!("{due} – {name}"))
    };
    report.levels.iter().filter_map(line).collect()
}
