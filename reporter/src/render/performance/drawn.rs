//! Strips of days and courses of months as SVG, each with what it says in words. Colours come
//! from the style sheet; each state has a form of its own, and needs none.

use std::fmt::Write as _;

use super::escaped;
use crate::render::sections::{Chart, Drawn};
use crate::report::model::{ComponentMonth, Day, LevelFigure, TrendMonth};

/// From one day to the next, what of it is drawn, and the height of a full bar.
const DAY: i64 = 250;
const DAY_DRAWN: i64 = 215;
const DAY_TALL: i64 = 320;
/// However short it was, a state that matters is at least this wide.
const VISIBLE: i64 = 60;
/// From one stroke of a hatch to the next.
const HATCH: i64 = 70;

/// From one month to the next, its bar, and the height of a full one.
const MONTH: i64 = 300;
const MONTH_DRAWN: i64 = 200;
const MONTH_TALL: i64 = 400;
/// The target's line stands no higher than this part of a full bar.
const LINE_AT_MOST: f64 = 0.75;

/// A drawing, read as its words.
pub(super) fn svg(out: &mut String, chart: &Chart<'_>) {
    let (class, width, height) = match &chart.drawn {
        Drawn::Days(component) => ("cal", whole(component.days.len()) * DAY, DAY_TALL),
        Drawn::Months(course) => ("course", whole(course.months.len()) * MONTH, MONTH_TALL),
    };
    let _ = write!(
        out,
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">",
        escaped(&chart.says)
    );
    match &chart.drawn {
        Drawn::Days(component) => days(out, component),
        Drawn::Months(course) => months(out, course.level, &course.months),
    }
    out.push_str("</svg>");
}

fn whole(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(0)
}

fn days(out: &mut String, component: &ComponentMonth) {
    for (i, day) in component.days.iter().enumerate() {
        self::day(out, day, whole(i) * DAY);
    }
}

/// A day: each state as wide as it lasted, none that matters too narrow to be seen.
fn day(out: &mut String, day: &Day, left: i64) {
    let total = day.length().0;
    if total == 0 {
        rect(out, "o", [left + DAY_DRAWN / 2 - 20, DAY_TALL - 40, 40, 40]);
        return;
    }
    let parts = [
        ('d', day.down_s.0),
        ('x', day.excluded_s.0),
        ('n', day.unknown_s.0),
        ('g', day.degraded_s.0),
        ('u', day.up_s.0),
    ];
    let shown = || parts.iter().filter(|(_, time)| *time > 0);
    let wide = |time: i64| (time * DAY_DRAWN / total).max(VISIBLE);
    let widened: i64 = shown().map(|(_, time)| wide(*time)).sum();
    let mut x = left;
    for (form, time) in shown() {
        let width = wide(*time) * DAY_DRAWN / widened;
        bar(out, *form, x, width);
        x += width;
    }
}

fn bar(out: &mut String, form: char, x: i64, width: i64) {
    match form {
        'u' => rect(out, "u", [x, DAY_TALL - 96, width, 96]),
        'g' => rect(out, "g", [x, DAY_TALL - 192, width, 192]),
        'd' => {
            // a small bite out of the top
            let (bite, right) = ((width / 3).min(50), x + width);
            let (one, middle, other) = (x + width / 2 - bite, x + width / 2, x + width / 2 + bite);
            let _ = write!(
                out,
                "<path class=\"d\" d=\"M{x} 0H{one}L{middle} 70 {other} 0H{right}V{DAY_TALL}H{x}z\"/>"
            );
        }
        'x' => {
            let _ = write!(out, "<path class=\"x\" d=\"M{x} 0h{width}v{DAY_TALL}h-{width}z");
            let mut offset = HATCH - DAY_TALL;
            while offset < width {
                let (enter, leave) = (offset.max(0), (offset + DAY_TALL).min(width));
                let y = |along: i64| DAY_TALL - (along - offset);
                let (from, to) = (x + enter, x + leave);
                let _ = write!(out, "M{from} {}L{to} {}", y(enter), y(leave));
                offset += HATCH;
            }
            out.push_str("\"/>");
        }
        _ => rect(out, "n", [x + 8, 8, (width - 16).max(8), DAY_TALL - 16]),
    }
}

fn rect(out: &mut String, class: &str, [x, y, width, height]: [i64; 4]) {
    let _ = write!(
        out,
        "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>"
    );
}

/// A bar per month that rises with what fell short, and what the target allows as a line.
fn months(out: &mut String, level: &LevelFigure, months: &[Option<&TrendMonth>]) {
    let allowed = level.allowance();
    let most = months.iter().flatten().map(|point| point.shortfall()).fold(0.0, f64::max);
    let scale = most.max(allowed / LINE_AT_MOST).max(f64::MIN_POSITIVE);
    #[allow(clippy::cast_possible_truncation, reason = "at most the height of a bar")]
    #[allow(clippy::cast_precision_loss, reason = "a height in small whole units")]
    let height = |loss: f64| ((loss / scale) * MONTH_TALL as f64) as i64;
    for (i, point) in months.iter().enumerate() {
        let x = whole(i) * MONTH;
        let Some(point) = point else {
            rect(out, "o", [x + MONTH_DRAWN / 2 - 20, MONTH_TALL - 40, 40, 40]);
            continue;
        };
        let loss = point.shortfall();
        // what was lost is never too little to be seen
        let tall = if loss > 0.0 { height(loss).max(26) } else { 10 };
        let (class, tall) = match point.met {
            Some(true) => ("u", tall),
            Some(false) => ("d", tall),
            None => ("n", tall.max(52)),
        };
        rect(out, class, [x, MONTH_TALL - tall, MONTH_DRAWN, tall]);
    }
    let (y, right) = (MONTH_TALL - height(allowed), whole(months.len()) * MONTH);
    let _ = write!(out, "<path class=\"t\" d=\"M0 {y}H{right}\"/>");
}
