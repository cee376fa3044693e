//! The months before: a row per level, a bar per month that rises with what fell short of 100 %
//! (or with the time on blocklists), and the target as a thin line. Bars start at zero.

use super::sheet::{
    Align, BOTTOM, DOWN, MARGIN, Mark, RULE, SECONDARY, Sheet, Style, TEXT, UNKNOWN, UP, WIDTH,
    corners,
};
use crate::render::history::{self, Course};
use crate::render::words;
use crate::report::model::{Figure, LevelFigure, Report, TrendMonth};

const NAME_WIDTH: f32 = 66.0;
const STEP: f32 = 4.2;
/// Between the end of the bars and the first figure.
const AFTER: f32 = 1.4;
const FIGURE_WIDTH: f32 = 17.0;
const BAR: f32 = 5.4;
const AXIS: f32 = 4.5;
/// The target's line stands no higher than this part of a full bar.
const LINE_AT_MOST: f32 = 0.75;

/// Draws the months before; nothing where none is known.
pub(super) fn course(sheet: &mut Sheet<'_>, report: &Report) {
    let courses = history::courses(report);
    if courses.is_empty() {
        return;
    }
    sheet.heading("The months before", AXIS + 2.0 * Style::BODY.line_mm + 8.0);
    axis(sheet, report);
    for course in &courses {
        let name = sheet.wrap(Style::BODY, words::subject(report, course.level), NAME_WIDTH - 3.0);
        let small = format!("{}, {}", words::measure(course.level), words::target(course.level));
        let small = sheet.wrap(Style::SMALL, &small, NAME_WIDTH - 3.0);
        let lines = [(Style::BODY, name), (Style::SMALL, small)];
        let height = lines.iter().map(|(style, lines)| tall(*style, lines)).sum::<f32>() + 1.4;
        if sheet.y + height > BOTTOM {
            sheet.turn();
            axis(sheet, report);
        }
        row(sheet, course, &lines, height);
        sheet.y += height;
        sheet.rule(0.4, RULE);
    }
    sheet.y += 0.8;
    let how = "A bar is what a month fell short of 100 %, or its time on blocklists; the thin line is \
               what the target allows, and a bar above it missed. Each level has a scale of its own. A \
               dot is a month without a figure, a hollow bar one without a verdict. Figures are in \
               per cent, the change in percentage points.";
    sheet.paragraph(Style::SMALL, &format!("{how} {}", history::sources(report)));
}

#[allow(clippy::cast_precision_loss, reason = "a name has a few lines")]
fn tall(style: Style, lines: &[String]) -> f32 {
    lines.len() as f32 * style.line_mm
}

#[allow(clippy::cast_precision_loss, reason = "thirteen months")]
fn bar_x(month: usize) -> f32 {
    MARGIN + NAME_WIDTH + month as f32 * STEP
}

/// The edges of a column of figures, from the right.
fn figures(from_right: u8) -> (f32, f32) {
    let right = MARGIN + WIDTH - f32::from(from_right) * FIGURE_WIDTH;
    (right - FIGURE_WIDTH, right)
}

/// The months' first letters, each January with its year below would crowd; heads of figures.
fn axis(sheet: &mut Sheet<'_>, report: &Report) {
    let top = sheet.y;
    let style = Style::SMALL_STRONG.coloured(SECONDARY);
    sheet.text_at(MARGIN, top, style, "Service level");
    for (i, month) in history::months(report).iter().enumerate() {
        let letter: String =
            month.first_date().strftime("%b").to_string().chars().take(1).collect();
        let width = sheet.width_of(Style::SMALL, &letter);
        let x = bar_x(i) + (STEP - AFTER - width) / 2.0;
        sheet.text_at(x, top, Style::SMALL, &letter);
    }
    for (column, head) in [(2, "Last month"), (1, "This month"), (0, "Change")] {
        sheet.text_in(figures(column), top, Align::Right, style, head);
    }
    sheet.y += AXIS;
    sheet.rule(0.8, TEXT);
}

fn row(sheet: &mut Sheet<'_>, course: &Course<'_>, name: &[(Style, Vec<String>); 2], height: f32) {
    let mut top = sheet.y + 0.7;
    for (style, lines) in name {
        for line in lines {
            sheet.text_at(MARGIN, top, *style, line);
            top += style.line_mm;
        }
    }
    let base = sheet.y + (height + BAR) / 2.0;
    bars(sheet, course, base);
    let middle = sheet.y + (height - Style::FIGURE.line_mm) / 2.0;
    let mut back = course.months.iter().rev();
    let (this, last) = (back.next().copied().flatten(), back.next().copied().flatten());
    let shown = |point: Option<&TrendMonth>| point.map_or("–".to_owned(), history::shown);
    let cells = [(2, shown(last)), (1, shown(this)), (0, history::change(course.level))];
    for (column, text) in cells {
        let style = if column == 1 { Style::FIGURE_STRONG } else { Style::FIGURE };
        let text = sheet.shortened(style, &text, FIGURE_WIDTH - 0.5);
        sheet.text_in(figures(column), middle, Align::Right, style, &text);
    }
}

fn bars(sheet: &mut Sheet<'_>, course: &Course<'_>, base: f32) {
    let allowed = allowed(course.level);
    let most = course.months.iter().flatten().map(|point| lost(point)).fold(0.0, f64::max);
    let scale = most.max(allowed / f64::from(LINE_AT_MOST)).max(f64::MIN_POSITIVE);
    #[allow(clippy::cast_possible_truncation, reason = "drawn to a hundredth of a point")]
    let height = |loss: f64| (loss / scale) as f32 * BAR;
    let width = STEP - AFTER;
    for (i, point) in course.months.iter().enumerate() {
        let x = bar_x(i);
        let Some(point) = point else {
            sheet.rect(x + width / 2.0 - 0.2, base - 0.4, 0.4, 0.4, RULE);
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
    let (from, to) = (bar_x(0) - 0.6, bar_x(course.months.len()) - AFTER + 0.6);
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
