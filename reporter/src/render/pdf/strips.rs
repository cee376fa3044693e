//! The month as strips: a row per component, a box per local day, all on one axis. A state is
//! told by its form (low, half, full with a notch, hatched, hollow); colour only repeats it.

use super::sheet::{
    Align, BOTTOM, Colour, DEGRADED, DOWN, EXCLUDED, MARGIN, Mark, RULE, SECONDARY, Sheet, Style,
    TEXT, UNKNOWN, UP, WHITE, WIDTH, corners,
};
use crate::render::words;
use crate::report::model::{ComponentMonth, Day, Ms, Report};

const NAME_WIDTH: f32 = 54.0;
const DOWN_WIDTH: f32 = 25.0;
const STRIP_WIDTH: f32 = WIDTH - NAME_WIDTH - DOWN_WIDTH;
/// The height of a full bar.
const BAR: f32 = 3.8;
const ROW: f32 = 5.2;
const AXIS: f32 = 4.5;
/// However short it was, a state that matters is at least this wide.
const VISIBLE: f32 = 1.0;

/// A state of a day, in the order in which they are drawn from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Down,
    Excluded,
    Unknown,
    Degraded,
    Up,
}

/// Draws strips of all components and the legend.
pub(super) fn strips(sheet: &mut Sheet<'_>, report: &Report) {
    let days = report.components.iter().map(|c| c.days.len()).max().unwrap_or(0);
    if days == 0 {
        sheet.paragraph(Style::BODY, "There is no day to show.");
        return;
    }
    legend(sheet);
    axis(sheet, report, days);
    for component in &report.components {
        let name = sheet.wrap(Style::BODY, &component.name, NAME_WIDTH - 3.0);
        #[allow(clippy::cast_precision_loss, reason = "a name has a few lines")]
        let height = ROW.max(name.len() as f32 * Style::BODY.line_mm + 0.8);
        if sheet.y + height > BOTTOM {
            sheet.turn();
            axis(sheet, report, days);
        }
        row(sheet, component, &name, height, days);
        sheet.y += height;
        sheet.rule(0.4, RULE);
    }
    sheet.y += 0.8;
    sheet.paragraph(
        Style::SMALL,
        "Each box is a day, around the clock; a state is as wide as it lasted that day, and never too \
         thin to be seen.",
    );
}

#[allow(clippy::cast_precision_loss, reason = "a month has 31 days")]
fn box_width(days: usize) -> f32 {
    STRIP_WIDTH / days as f32
}

#[allow(clippy::cast_precision_loss, reason = "a month has 31 days")]
fn day_x(day: usize, days: usize) -> f32 {
    MARGIN + NAME_WIDTH + day as f32 * box_width(days)
}

/// The days' numbers, each Monday and the first, above all strips.
fn axis(sheet: &mut Sheet<'_>, report: &Report, days: usize) {
    let top = sheet.y;
    let style = Style::SMALL;
    sheet.text_at(MARGIN, top, Style::SMALL_STRONG, "Component");
    let edges = (MARGIN, MARGIN + WIDTH);
    sheet.text_in(edges, top, Align::Right, Style::SMALL_STRONG, "Not working");
    let Some(component) = report.components.iter().find(|c| c.days.len() == days) else { return };
    let mut free_from = 0.0;
    for (i, day) in component.days.iter().enumerate() {
        let monday = day.date.weekday() == jiff::civil::Weekday::Monday;
        let x = day_x(i, days);
        if (i == 0 || monday) && x >= free_from {
            let text = day.date.strftime("%a %-d").to_string();
            sheet.text_at(x, top, style, &text);
            free_from = x + sheet.width_of(style, &text) + 1.5;
        }
    }
    sheet.y += AXIS;
    sheet.rule(0.8, TEXT);
}

fn row(
    sheet: &mut Sheet<'_>,
    component: &ComponentMonth,
    name: &[String],
    height: f32,
    days: usize,
) {
    #[allow(clippy::cast_precision_loss, reason = "a name has a few lines")]
    let mut top = sheet.y + (height - name.len() as f32 * Style::BODY.line_mm) / 2.0;
    for line in name {
        sheet.text_at(MARGIN, top, Style::BODY, line);
        top += Style::BODY.line_mm;
    }
    let base = sheet.y + (height + BAR) / 2.0;
    for (i, day) in component.days.iter().enumerate() {
        day_box(sheet, day, day_x(i, days), box_width(days) - 0.45, base);
    }
    let middle = sheet.y + (height - Style::BODY.line_mm) / 2.0;
    let edges = (MARGIN + WIDTH - DOWN_WIDTH, MARGIN + WIDTH);
    let total = words::not_working(component);
    let text = if component.days.iter().all(nothing_seen) {
        "no data".to_owned()
    } else if total.0 == 0 {
        "none".to_owned()
    } else {
        words::length(total)
    };
    let style = if total.0 > 0 { Style::STRONG } else { Style::BODY.coloured(SECONDARY) };
    let text = sheet.shortened(style, &text, DOWN_WIDTH - 1.0);
    sheet.text_in(edges, middle, Align::Right, style, &text);
}

fn nothing_seen(day: &Day) -> bool {
    day.up_s.0 + day.degraded_s.0 + day.down_s.0 == 0
}

/// A day: each state as wide as it lasted, none that matters too narrow to be seen. A day
/// without service, or still to come, is a dot on the base line.
fn day_box(sheet: &mut Sheet<'_>, day: &Day, x: f32, width: f32, base: f32) {
    let parts = [
        (Form::Down, day.down_s),
        (Form::Excluded, day.excluded_s),
        (Form::Unknown, day.unknown_s),
        (Form::Degraded, day.degraded_s),
        (Form::Up, day.up_s),
    ];
    let total: i64 = parts.iter().map(|(_, time)| time.0).sum();
    if total <= 0 {
        sheet.rect(x + width / 2.0 - 0.2, base - 0.4, 0.4, 0.4, RULE);
        return;
    }
    #[allow(clippy::cast_precision_loss, reason = "drawn to a hundredth of a point")]
    let share = |time: Ms| time.0 as f32 / total as f32 * width;
    let shown: Vec<_> = parts.iter().filter(|(_, time)| time.0 > 0).collect();
    let widened: f32 = shown.iter().map(|(_, time)| share(*time).max(VISIBLE)).sum();
    let mut left = x;
    for (form, time) in shown {
        let part = share(*time).max(VISIBLE) * width / widened;
        bar(sheet, *form, left, part, base);
        left += part;
    }
}

fn bar(sheet: &mut Sheet<'_>, form: Form, x: f32, width: f32, base: f32) {
    match form {
        Form::Up => sheet.rect(x, base - BAR * 0.3, width, BAR * 0.3, UP),
        Form::Degraded => sheet.rect(x, base - BAR * 0.6, width, BAR * 0.6, DEGRADED),
        Form::Down => {
            sheet.rect(x, base - BAR, width, BAR, DOWN);
            // the notch: a small bite out of the top where there is room for one
            if width > 0.8 {
                let (middle, half) = (x + width / 2.0, (width * 0.3).min(0.6));
                let top = base - BAR;
                let points = vec![(middle - half, top), (middle + half, top), (middle, top + 0.9)];
                sheet.draw(Mark::Fill { points, colour: WHITE });
            }
        }
        Form::Excluded => hatch(sheet, x, width, base),
        Form::Unknown => {
            let inset = 0.1;
            let points = corners(
                x + inset,
                base - BAR + inset,
                (width - 2.0 * inset).max(0.1),
                BAR - 2.0 * inset,
            );
            sheet.draw(Mark::Outline { points, width_pt: 0.5, colour: UNKNOWN });
        }
    }
}

/// Diagonal strokes from the base to the top, cut off at the sides.
fn hatch(sheet: &mut Sheet<'_>, x: f32, width: f32, base: f32) {
    let stroke = |from, to, colour: Colour| Mark::Stroke { from, to, width_pt: 0.6, colour };
    let mut offset = -BAR;
    while offset < width {
        // the line through (x + offset, base) that climbs to the right at 45 degrees
        let enter = offset.max(0.0);
        let leave = (offset + BAR).min(width);
        if leave > enter {
            let y = |along: f32| base - (along - offset);
            sheet.draw(stroke((x + enter, y(enter)), (x + leave, y(leave)), EXCLUDED));
        }
        offset += 0.9;
    }
    let points = corners(x, base - BAR, width, BAR);
    sheet.draw(Mark::Outline { points, width_pt: 0.4, colour: EXCLUDED });
}

/// What the forms mean, above the strips, so that they never part.
fn legend(sheet: &mut Sheet<'_>) {
    let entries = [
        (Form::Up, "Working"),
        (Form::Degraded, "Slow"),
        (Form::Down, "Not working"),
        (Form::Excluded, "Agreed not to count"),
        (Form::Unknown, "No data"),
    ];
    sheet.need(BAR + 2.0 + AXIS + ROW);
    let base = sheet.y + BAR;
    let mut x = MARGIN;
    for (form, word) in entries {
        bar(sheet, form, x, 3.0, base);
        x += 4.2;
        sheet.text_at(x, base - 3.6, Style::SMALL, word);
        x += sheet.width_of(Style::SMALL, word) + 6.0;
    }
    sheet.y = base + 1.6;
}
