//! The page of one local day of a row: what was not simply working, on an axis and in a table.

use std::fmt::Write as _;

use askama::Template;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{Place, Shell, clip, component_href, day_href, outage_href};
use crate::clock::day_start_ms;
use crate::language::{Language, Moment};
use crate::status::{Form, Row, Status, Stretch};

#[derive(Template)]
#[template(path = "day.html")]
struct DayPage {
    shell: Shell,
    name: String,
    component_href: String,
    date: String,
    summary: String,
    track: String,
    ticks: Vec<String>,
    spans: Vec<SpanLine>,
    before: Option<String>,
    after: Option<String>,
}

struct SpanLine {
    from: String,
    to: String,
    length: String,
    what: String,
    href: String,
}

/// The page of `date`, of which `row` must hold the spans.
///
/// # Errors
/// When the template cannot be written.
pub fn day(status: &Status, row: &Row, date: Date, shell: &Shell) -> askama::Result<String> {
    let say = &*shell.say;
    let from_ms = day_start_ms(date, &status.zone);
    let to_ms = date.tomorrow().map_or(from_ms, |next| day_start_ms(next, &status.zone));
    let seen_to = to_ms.min(status.now_ms).max(from_ms);
    let spans: Vec<Stretch> =
        row.stretches.iter().filter_map(|s| clip(s, from_ms, seen_to)).collect();
    let today = super::strip::today(status);
    let lines = spans
        .iter()
        .map(|span| SpanLine {
            from: clock(span.from_ms, &status.zone, say),
            to: if span.to_ms == status.now_ms {
                say.status.now().to_owned()
            } else if span.to_ms == to_ms {
                say.status.midnight().to_owned()
            } else {
                clock(span.to_ms, &status.zone, say)
            },
            length: say.about(span.to_ms - span.from_ms),
            what: Language::opening(say.form(span.form)),
            href: match span.form {
                Form::Down => outage_href(&row.id, span.from_ms),
                _ => String::new(),
            },
        })
        .collect();
    DayPage {
        shell: Shell { place: Place::Elsewhere, ..shell.clone() },
        name: row.name.clone(),
        component_href: component_href(&row.id),
        date: say.date(Moment::day_in_full, date),
        summary: summary(&spans, date == today, say),
        track: track(&spans, from_ms, to_ms, seen_to),
        ticks: ticks(from_ms, to_ms, &status.zone, say),
        spans: lines,
        before: date.yesterday().ok().map(|d| day_href(&row.id, d)),
        after: (date < today).then(|| date.tomorrow().ok()).flatten().map(|d| day_href(&row.id, d)),
    }
    .render()
}

/// Local times at the quarters of the day, which are not 06:00 and so on when clocks change.
fn ticks(from_ms: i64, to_ms: i64, zone: &TimeZone, say: &Language) -> Vec<String> {
    let quarter = |n: i64| say.at(Moment::clock, from_ms + (to_ms - from_ms) * n / 4, zone);
    (0..4).map(quarter).chain([say.status.midnight().to_owned()]).collect()
}

fn clock(ms: i64, zone: &TimeZone, say: &Language) -> String {
    say.at(Moment::time_to_the_second, ms, zone)
}

fn summary(spans: &[Stretch], today: bool, say: &Language) -> String {
    let mut parts = Vec::new();
    for form in [Form::Down, Form::Excluded, Form::Degraded, Form::Unknown] {
        let total: i64 = spans.iter().filter(|s| s.form == form).map(|s| s.to_ms - s.from_ms).sum();
        if total > 0 {
            parts.push(say.status.for_long(say.form(form), say.about(total)));
        }
    }
    let (text, told) = (&say.status, parts.join(", "));
    match (parts.is_empty(), today) {
        (true, false) => text.all_day().to_owned(),
        (true, true) => text.all_day_so_far().to_owned(),
        (false, false) => text.not_simply(told),
        (false, true) => text.not_simply_so_far(told),
    }
}

/// An SVG on the axis of the day, in thousandths of its length; the forms are those of a strip.
fn track(spans: &[Stretch], from_ms: i64, to_ms: i64, seen_to: i64) -> String {
    let length = (to_ms - from_ms).max(1);
    let x = |ms: i64| (ms - from_ms) * 1000 / length;
    let mut out = String::from(
        "<svg viewBox=\"0 0 1000 40\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <defs><pattern id=\"h\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" \
         patternTransform=\"rotate(45)\"><path d=\"M0 0v6\" stroke=\"var(--excluded)\" \
         stroke-width=\"6\"/></pattern></defs>",
    );
    let bar = |out: &mut String, from: i64, to: i64, form: Form| {
        let (y, height, fill) = match form {
            Form::Up => (27, 13, "var(--up)"),
            Form::Degraded => (16, 24, "var(--slow)"),
            Form::Down => (0, 40, "var(--down)"),
            Form::Excluded => (16, 24, "url(#h)"),
            Form::Unknown => (27, 13, "var(--paper)"),
        };
        let (from, width) = (x(from), (x(to) - x(from)).max(2));
        let stroke = if form == Form::Unknown { " stroke=\"var(--unknown)\"" } else { "" };
        let _ = write!(
            out,
            "<rect x=\"{from}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" \
             fill=\"{fill}\"{stroke}/>"
        );
    };
    let mut at = from_ms;
    for span in spans {
        if span.from_ms > at {
            bar(&mut out, at, span.from_ms, Form::Up);
        }
        bar(&mut out, span.from_ms, span.to_ms, span.form);
        at = at.max(span.to_ms);
    }
    if at < seen_to {
        bar(&mut out, at, seen_to, Form::Up);
    }
    out.push_str("</svg>");
    out
}
