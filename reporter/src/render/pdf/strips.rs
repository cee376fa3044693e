//! The month as strips: a row per component, a box per local day, all on one axis. A state is
//! told by its form (low, half, full with a notch, hatched, hollow); colour only repeats it.

use super::sheet::{Mark, Sheet, corners};
use super::style::{Colour, DEGRADED, DOWN, EXCLUDED, MARGIN, RULE, Style, UNKNOWN, UP, WHITE};
use super::table::Chart;
use crate::language::{Language, Moment};
use crate::report::model::{ComponentMonth, Day, Ms, Report};

/// The width of a month.
pub(super) const WIDTH: f32 = 95.0;
/// The height of a full bar.
const BAR: f32 = 3.8;
/// However short it was, a state that matters is at least this wide.
const VISIBLE: f32 = 1.0;
/// How much room the legend takes.
pub(super) const LEGEND: f32 = BAR + 1.6;

fn parts(day: &Day) -> [(Form, Ms); 5] {
    [
        (Form::Down, day.down_s),
        (Form::Excluded, day.excluded_s),
        (Form::Unknown, day.unknown_s),
        (Form::Degraded, day.degraded_s),
        (Form::Up, day.up_s),
    ]
}

/// A state of a day, in the order in which they are drawn from the left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Down,
    Excluded,
    Unknown,
    Degraded,
    Up,
}

/// A component's days, drawn.
pub(super) fn chart(component: &ComponentMonth, alt: String) -> Chart<'_> {
    let days = component.days.len().max(1);
    Chart {
        alt,
        width: WIDTH,
        height: BAR,
        draw: Box::new(move |sheet, x, top, height| {
            for (i, day) in component.days.iter().enumerate() {
                let x = x + day_x(i, days);
                day_box(sheet, day, x, day_x(1, days) - 0.45, top + height);
            }
        }),
    }
}

#[allow(clippy::cast_precision_loss, reason = "a month has 31 days")]
fn day_x(day: usize, days: usize) -> f32 {
    day as f32 * WIDTH / days as f32
}

/// The days' numbers, each Monday and the first, above all strips.
pub(super) fn axis(sheet: &mut Sheet<'_>, report: &Report, (left, foot): (f32, f32)) {
    let style = Style::SMALL;
    let Some(component) = report.components.iter().max_by_key(|c| c.days.len()) else { return };
    let days = component.days.len().max(1);
    let mut free_from = 0.0;
    for (i, day) in component.days.iter().enumerate() {
        let x = left + day_x(i, days);
        let text = sheet.say.date(Moment::axis, day.date);
        let end = x + sheet.width_of(style, &text);
        if (i == 0 || Language::is_on_axis(day.date)) && x >= free_from && end <= left + WIDTH + 2.0
        {
            sheet.text_at(x, foot - style.line_mm, style, &text);
            free_from = end + 1.5;
        }
    }
}

/// A day: each state as wide as it lasted, none that matters too narrow to be seen. A day
/// without service, or still to come, is a dot on the base line.
fn day_box(sheet: &mut Sheet<'_>, day: &Day, x: f32, width: f32, base: f32) {
    let (parts, total) = (parts(day), day.length().0);
    if total <= 0 {
        sheet.rect(x + width / 2.0 - 0.25, base - 0.5, 0.5, 0.5, RULE);
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
pub(super) fn legend(sheet: &mut Sheet<'_>) {
    let say = sheet.say;
    let text = &say.form;
    let entries = [
        (Form::Up, text.up(), text.up_bar()),
        (Form::Degraded, text.degraded(), text.degraded_bar()),
        (Form::Down, text.down(), text.down_bar()),
        (Form::Excluded, text.excluded(), text.excluded_bar()),
        (Form::Unknown, text.unknown(), text.unknown_bar()),
    ]
    .map(|(form, word, bar)| (form, Language::opening(word), bar));
    let base = sheet.y + BAR;
    let said = entries.each_ref().map(|(_, word, bar)| text.looks(word, bar));
    let alt = text.key(say.and_list(&said));
    let width: f32 =
        entries.iter().map(|(_, word, _)| sheet.width_of(Style::SMALL, word) + 10.2).sum();
    let frame = [MARGIN, sheet.y, MARGIN + width - 6.0, base];
    sheet.figure(alt, frame, |sheet| {
        let mut x = MARGIN;
        for (form, word, _) in &entries {
            bar(sheet, *form, x, 3.0, base);
            x += 4.2;
            sheet.text_at(x, base - 3.6, Style::SMALL, word);
            x += sheet.width_of(Style::SMALL, word) + 6.0;
        }
    });
    sheet.y += LEGEND;
}
