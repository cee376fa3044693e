//! The signs before a verdict. Each has a form of its own, so that a grey copy, or an eye that
//! does not tell red from green, still tells them apart.

use super::sheet::{Mark, Sheet, arc, corners};
use super::style::{Colour, DOWN, SECONDARY, Style, TEXT, UP, WHITE};
use crate::render::words::Standing;

/// Half the width of a sign, in millimetres.
const RADIUS: f32 = 1.55;

/// Draws the sign of a standing around a point.
pub(super) fn draw(sheet: &mut Sheet<'_>, cx: f32, cy: f32, standing: Standing) {
    match standing {
        Standing::Met => tick(sheet, cx, cy),
        Standing::Missed => cross(sheet, cx, cy),
        Standing::NotProvable { .. } => half(sheet, cx, cy),
        Standing::NotEnough => query(sheet, cx, cy),
        Standing::Nothing => {
            stroke(sheet, (cx - RADIUS * 0.7, cy), (cx + RADIUS * 0.7, cy), 1.0, SECONDARY);
        }
    }
}

fn stroke(sheet: &mut Sheet<'_>, from: (f32, f32), to: (f32, f32), width_pt: f32, colour: Colour) {
    sheet.draw(Mark::Stroke { from, to, width_pt, colour });
}

fn ring(sheet: &mut Sheet<'_>, centre: (f32, f32), colour: Colour) {
    sheet.draw(Mark::Circle { centre, radius: RADIUS, width_pt: 0.8, colour });
}

/// An open circle with a tick.
fn tick(sheet: &mut Sheet<'_>, cx: f32, cy: f32) {
    ring(sheet, (cx, cy), UP);
    let foot = (cx - 0.2, cy + 0.7);
    stroke(sheet, (cx - 0.8, cy + 0.1), foot, 1.1, UP);
    stroke(sheet, foot, (cx + 0.85, cy - 0.65), 1.1, UP);
}

/// A full square, cut by a cross.
fn cross(sheet: &mut Sheet<'_>, cx: f32, cy: f32) {
    sheet.rect(cx - RADIUS, cy - RADIUS, 2.0 * RADIUS, 2.0 * RADIUS, DOWN);
    let arm = RADIUS * 0.55;
    stroke(sheet, (cx - arm, cy - arm), (cx + arm, cy + arm), 1.2, WHITE);
    stroke(sheet, (cx - arm, cy + arm), (cx + arm, cy - arm), 1.2, WHITE);
}

/// A circle, half full.
fn half(sheet: &mut Sheet<'_>, cx: f32, cy: f32) {
    sheet.draw(Mark::Fill { points: arc(cx, cy, RADIUS, 0, 16), colour: TEXT });
    ring(sheet, (cx, cy), TEXT);
}

/// An open square with a question mark.
fn query(sheet: &mut Sheet<'_>, cx: f32, cy: f32) {
    let points = corners(cx - RADIUS, cy - RADIUS, 2.0 * RADIUS, 2.0 * RADIUS);
    sheet.draw(Mark::Outline { points, width_pt: 0.8, colour: TEXT });
    let style = Style { line_mm: 2.0 * RADIUS, ..Style::SMALL_STRONG.coloured(TEXT) };
    let width = sheet.width_of(style, "?");
    sheet.text_at(cx - width / 2.0, cy - RADIUS, style, "?");
}
