//! The months before: a row per level, a bar per month that rises with what fell short of 100 %
//! (or with the time on blocklists), and the target as a thin line. Bars start at zero.

use super::appendix::{Appendix, Rows, Section};
use super::sheet::{Mark, Sheet, corners};
use super::style::{DOWN, RULE, Style, TEXT, UNKNOWN, UP};
use super::table::{Cell, Chart, Column, Row, Table, drawn, left, right};
use crate::render::history::{self, Course};
use crate::render::words::{self, Standing};
use crate::report::model::{Figure, LevelFigure, Report, TrendMonth};

/// From one month to the next.
const STEP: f32 = 4.2;
/// Between the end of the bars and the first figure.
const AFTER: f32 = 1.4;
const BAR: f32 = 5.4;
/// The target's line stands no higher than this part of a full bar.
const LINE_AT_MOST: f32 = 0.75;

const HOW: &str = "A bar is what a month fell short of 100 %, or its time on blocklists; the thin line \
    is what the target allows, and a bar above it missed. Each level has a scale of its own. A dot is \
    a month without a figure, a hollow bar one without a verdict. Figures are in per cent, the change \
    in percentage points.";

/// Draws the months before; nothing where none is known.
pub(super) fn course<'r>(sheet: &mut Sheet<'_>, report: &'r Report, appendix: &mut Appendix<'r>) {
    let courses = history::courses(report);
    if courses.is_empty() {
        return;
    }
    let section = Section {
        note: format!("{HOW} {}", history::sources(report)),
        shown: "those that changed most for the worse",
        ..Section::new("The months before")
    };
    let rows = Rows {
        items: courses,
        limit: 14,
        weight: |course| {
            let missed = i64::from(Standing::of(course.level) == Standing::Missed);
            let worse =
                course.level.change.as_deref().is_some_and(|change| change.starts_with('-'));
            2 * missed + i64::from(worse)
        },
        table: Box::new(move |sheet, courses| table(sheet, report, courses)),
    };
    appendix.section(sheet, section, rows);
}

fn table<'r>(sheet: &Sheet<'_>, report: &'r Report, courses: &[&Course<'r>]) -> Table<'r> {
    let columns = vec![
        left("Service level"),
        column(report),
        right("Last month"),
        right("This month"),
        right("Change"),
    ];
    let row = |course: &&Course<'r>| {
        let level = course.level;
        let small = format!("{}, {}", words::measure(level), words::target(level));
        let mut back = course.months.iter().rev();
        let (this, last) = (back.next().copied().flatten(), back.next().copied().flatten());
        let shown = |point: Option<&TrendMonth>| point.map_or("–".to_owned(), history::shown);
        Row::from(vec![
            Cell::new(words::subject(report, level)).small(small),
            Cell::chart_of(chart(report, course)),
            Cell::figure(shown(last)),
            Cell::default().and(Style::FIGURE_STRONG, shown(this)),
            Cell::figure(history::change(level)),
        ])
    };
    let rows = courses.iter().map(row).collect();
    Table::new(sheet, "How each service level went over thirteen months", columns, rows)
}

#[allow(clippy::cast_precision_loss, reason = "thirteen months")]
fn bar_x(month: usize) -> f32 {
    month as f32 * STEP
}

/// The column of the months' bars, with their first letters above.
pub(super) fn column(report: &Report) -> Column<'_> {
    let months = history::months(report);
    let said = match (months.first(), months.last()) {
        (Some(first), Some(last)) => {
            let name = |month: &crate::clock::Month| words::month_name(&month.to_string());
            format!("From {} to {}", name(first), name(last))
        }
        _ => "The months".to_owned(),
    };
    drawn(said, bar_x(months.len()) - AFTER + 0.6, move |sheet, x, foot| {
        for (i, month) in months.iter().enumerate() {
            let name = month.first_date().strftime("%b").to_string();
            let letter: String = name.chars().take(1).collect();
            let width = sheet.width_of(Style::SMALL, &letter);
            let x = x + bar_x(i) + (STEP - AFTER - width) / 2.0;
            sheet.text_at(x, foot - Style::SMALL.line_mm, Style::SMALL, &letter);
        }
    })
}

/// The bars of a level, with their figures in words.
pub(super) fn chart<'r>(report: &'r Report, course: &Course<'r>) -> Chart<'r> {
    let (level, months) = (course.level, course.months.clone());
    let width = bar_x(months.len()) - AFTER + 0.6;
    Chart {
        alt: told(report, course),
        width,
        height: BAR,
        draw: Box::new(move |sheet, x, top, height| bars(sheet, level, &months, (x, top + height))),
    }
}

/// A chart in words: each month's figure, and which missed.
fn told(report: &Report, course: &Course<'_>) -> String {
    let months = history::months(report);
    let unit = if matches!(course.level.figure, Figure::Listing(_)) { "" } else { " %" };
    let said: Vec<String> = months
        .iter()
        .zip(&course.months)
        .filter_map(|(month, point)| {
            let point = (*point)?;
            let verdict = match point.met {
                Some(true) => "",
                Some(false) => ", missed",
                None => ", no verdict",
            };
            let name = month.first_date().strftime("%b %Y");
            Some(format!("{name} {}{unit}{verdict}", history::shown(point)))
        })
        .collect();
    let silent = course.months.iter().filter(|point| point.is_none()).count();
    let without = match silent {
        0 => String::new(),
        n => format!(" {} without a figure.", words::counted(n as u64, "month")),
    };
    format!(
        "{}, {}, month by month: {}.{without} The target is {}.",
        words::subject(report, course.level),
        words::measure(course.level),
        said.join("; "),
        words::target(course.level)
    )
}

fn bars(
    sheet: &mut Sheet<'_>,
    level: &LevelFigure,
    months: &[Option<&TrendMonth>],
    (left, base): (f32, f32),
) {
    let allowed = allowed(level);
    let most = months.iter().flatten().map(|point| lost(point)).fold(0.0, f64::max);
    let scale = most.max(allowed / f64::from(LINE_AT_MOST)).max(f64::MIN_POSITIVE);
    #[allow(clippy::cast_possible_truncation, reason = "drawn to a hundredth of a point")]
    let height = |loss: f64| (loss / scale) as f32 * BAR;
    let width = STEP - AFTER;
    for (i, point) in months.iter().enumerate() {
        let x = left + bar_x(i);
        let Some(point) = point else {
            sheet.rect(x + width / 2.0 - 0.25, base - 0.5, 0.5, 0.5, RULE);
            continue;
        };
        let loss = lost(point);
        // what was lost is never too little to be seen
        let tall = if loss > 0.0 { height(loss).max(0.35) } else { 0.0 };
        match point.met {
            Some(met) => {
                let colour = if met { UP } else { DOWN };
                sheet.rect(x, base - tall, width, tall.max(0.12), colour);
            }
            None => {
                let points = corners(x + 0.1, base - tall.max(0.7), width - 0.2, tall.max(0.7));
                sheet.draw(Mark::Outline { points, width_pt: 0.5, colour: UNKNOWN });
            }
        }
    }
    let (from, to) = (left - 0.6, left + bar_x(months.len()) - AFTER + 0.6);
    let y = base - height(allowed);
    sheet.draw(Mark::Stroke { from: (from, y), to: (to, y), width_pt: 0.4, colour: TEXT });
}

/// What a month fell short of, in per cent or in seconds.
fn lost(point: &TrendMonth) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "drawn to a hundredth of a point")]
    let exposed = point.exposed_s.map(|time| time.0 as f64);
    exposed.unwrap_or_else(|| point.pct.map_or(0.0, |pct| 100.0 - pct))
}

/// What the target allows, in the same unit.
fn allowed(level: &LevelFigure) -> f64 {
    let share = |target: &str| 100.0 - target.parse::<f64>().unwrap_or(100.0);
    match &level.figure {
        Figure::Availability(a) => share(&a.target_pct),
        Figure::Success(s) | Figure::ResponseTime(s) | Figure::Ratio(s) => share(&s.target_pct),
        Figure::DeliveryTime(d) => share(&d.target_pct),
        Figure::Resolution(r) => share(&r.target_pct),
        #[allow(clippy::cast_precision_loss, reason = "drawn to a hundredth of a point")]
        Figure::Listing(l) => l.target_s.0 as f64,
    }
}
