//! The months before: a row per level, a bar per month that rises with what fell short of 100 %
//! (or with the time on blocklists), and the target as a thin line. Bars start at zero.

use super::sheet::{Mark, Sheet, corners};
use super::style::{DOWN, RULE, Style, TEXT, UNKNOWN, UP};
use super::table::Chart;
use crate::render::history::{self, Course};
use crate::report::model::{LevelFigure, Report, TrendMonth};

/// From one month to the next.
const STEP: f32 = 4.2;
/// Between the end of the bars and the first figure.
const AFTER: f32 = 1.4;
const BAR: f32 = 5.4;
/// The target's line stands no higher than this part of a full bar.
const LINE_AT_MOST: f32 = 0.75;

#[allow(clippy::cast_precision_loss, reason = "thirteen months")]
fn bar_x(month: usize) -> f32 {
    month as f32 * STEP
}

/// How wide the months of a report are.
pub(super) fn width(report: &Report) -> f32 {
    span(history::months(report).len())
}

fn span(months: usize) -> f32 {
    bar_x(months) - AFTER + 0.6
}

/// The months' first letters, above their bars.
pub(super) fn axis(sheet: &mut Sheet<'_>, report: &Report, (left, foot): (f32, f32)) {
    for (i, month) in history::months(report).iter().enumerate() {
        let letter = sheet.say.month_letter(month.first_date());
        let width = sheet.width_of(Style::SMALL, &letter);
        let x = left + bar_x(i) + (STEP - AFTER - width) / 2.0;
        sheet.text_at(x, foot - Style::SMALL.line_mm, Style::SMALL, &letter);
    }
}

/// The bars of a level, drawn.
pub(super) fn chart(course: Course<'_>, alt: String) -> Chart<'_> {
    Chart {
        alt,
        width: span(course.months.len()),
        height: BAR,
        draw: Box::new(move |sheet, x, top, height| {
            bars(sheet, course.level, &course.months, (x, top + height));
        }),
    }
}

fn bars(
    sheet: &mut Sheet<'_>,
    level: &LevelFigure,
    months: &[Option<&TrendMonth>],
    (left, base): (f32, f32),
) {
    let allowed = level.allowance();
    let most = months.iter().flatten().map(|point| point.shortfall()).fold(0.0, f64::max);
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
        let loss = point.shortfall();
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
