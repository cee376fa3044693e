//! How figures went over the months, in the words that every output shares. All of it stands in
//! the report's model.

use crate::clock::Month;
use crate::language::Language;
use crate::render::words;
use crate::report::model::{Figure, LevelFigure, Report, TrendMonth};
use crate::report::trend::MONTHS_BACK;

/// A level over the months of a report.
#[derive(Clone)]
pub(crate) struct Course<'a> {
    pub(crate) level: &'a LevelFigure,
    /// One entry for each month of [`months`]; none where nothing was measured.
    pub(crate) months: Vec<Option<&'a TrendMonth>>,
}

/// A course's change in words; `None` where there is none.
pub(crate) fn change(level: &LevelFigure, say: &Language) -> Option<String> {
    match (&level.change, level.change_s) {
        (Some(points), _) => Some(say.figure(points)),
        (None, Some(time)) if time.0 > 0 => Some(format!("+{}", say.length(time))),
        (None, Some(time)) => Some(say.length(time)),
        (None, None) => None,
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

/// A month's figure as it is shown, without the unit of a share: `99.851`, `20 h`.
pub(crate) fn shown(point: &TrendMonth, say: &Language) -> String {
    point.exposed_s.map_or_else(|| say.figure(&point.shown), |time| say.length(time))
}

/// Which figures of earlier months were published, and which computed for this report.
pub(crate) fn sources<'l>(report: &Report, say: &'l Language) -> &'l str {
    let earlier = report.levels.iter().flat_map(|level| &level.trend);
    let earlier: Vec<&TrendMonth> = earlier.filter(|point| point.month != report.month).collect();
    let published = earlier.iter().filter(|point| point.edition.is_some()).count();
    match (published, earlier.len() - published) {
        (_, 0) => say.report.months_published(),
        (0, _) => say.report.months_computed(),
        _ => say.report.months_mixed(),
    }
}

/// A course in words: each month's figure, and which missed.
pub(crate) fn told(report: &Report, course: &Course<'_>, say: &Language) -> String {
    use crate::language::Moment;
    let share = !matches!(course.level.figure, Figure::Listing(_));
    let said: Vec<String> = months(report)
        .iter()
        .zip(&course.months)
        .filter_map(|(month, point)| {
            let point = (*point)?;
            let figure = match share {
                true => say.share(&point.shown),
                false => shown(point, say),
            };
            let figure = match point.met {
                Some(true) => figure,
                Some(false) => say.standing.then_missed(figure),
                None => say.standing.then_nothing(figure),
            };
            let name = say.date(Moment::month_short_of_year, month.first_date());
            Some(say.form.on_day(name, figure))
        })
        .collect();
    let (subject, measure) = (words::subject(report, course.level), say.measure(course.level));
    let mut sentences = vec![say.report.month_by_month(subject, measure, said.join("; "))];
    match course.months.iter().filter(|point| point.is_none()).count() {
        0 => {}
        n => sentences.push(say.report.months_silent(n)),
    }
    sentences.push(say.report.target_is(say.target(course.level)));
    sentences.join(" ")
}

/// What of service credits falls due, a line for each level that has any. For operators.
pub(crate) fn credits(report: &Report, say: &Language) -> Vec<String> {
    let line = |level: &LevelFigure| {
        let credits = level.credits.as_ref()?;
        let name = format!("{}: {}", words::subject(report, level), say.measure(level));
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
