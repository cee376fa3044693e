//! What a row was: its days, its outages, and whatever was not simply working, from its
//! timeline. The same measured time as the report; service hours are left to that.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use mailward_evidence::Reason;

use super::{DayCell, Form, Outage, Stretch};
use crate::clock;
use crate::interval::{Set, Span};
use crate::timeline::ComponentTimeline;
use crate::timeline::days::days;

/// What a row was over a window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Its local days, oldest first.
    pub days: Vec<DayCell>,
    /// Its outages, latest first.
    pub outages: Vec<Outage>,
    /// What was not simply working, in order of time.
    pub stretches: Vec<Stretch>,
}

/// The history of a row. `excluded` is the time agreed not to count; before the date `since`
/// there is no service to speak of.
#[must_use]
pub fn history(
    timeline: &ComponentTimeline,
    excluded: &Set,
    since: Option<Date>,
    zone: &TimeZone,
) -> History {
    let window = timeline.window;
    let since_ms = since.map_or(window.from_ms, |date| clock::day_start_ms(date, zone));
    let served = Span::new(since_ms.max(window.from_ms), window.to_ms);
    let excluded = excluded.clip(served);
    let cut = |set: Set| set.clip(served).subtract(&excluded);
    let (down, unknown) = (cut(timeline.down()), cut(timeline.unknown()));
    let degraded = cut(timeline.degraded());
    let first = clock::date_of(window.from_ms, zone);
    let end = clock::date_of(window.to_ms - 1, zone).tomorrow().unwrap_or(first);
    let days = days(timeline, &excluded, since, zone, first, end)
        .into_iter()
        .map(|day| DayCell {
            date: day.date,
            up_ms: day.up_s.0,
            degraded_ms: day.degraded_s.0,
            down_ms: day.down_s.0,
            excluded_ms: day.excluded_s.0,
            unknown_ms: day.unknown_s.0,
        })
        .collect();
    let outages = down.spans().iter().rev().map(|span| Outage {
        from_ms: span.from_ms,
        to_ms: span.to_ms,
        open: span.to_ms == window.to_ms,
        why: why(timeline, *span),
    });
    History {
        days,
        outages: outages.collect(),
        stretches: stretches(&down, &excluded, &degraded, &unknown),
    }
}

/// The reason that most of an outage had.
fn why(timeline: &ComponentTimeline, span: Span) -> Option<&'static str> {
    timeline.down_causes(span).iter().find_map(|c| c.reason.as_ref()).map(Reason::plain)
}

fn stretches(down: &Set, excluded: &Set, degraded: &Set, unknown: &Set) -> Vec<Stretch> {
    let mut all: Vec<Stretch> = [
        (down, Form::Down),
        (excluded, Form::Excluded),
        (degraded, Form::Degraded),
        (unknown, Form::Unknown),
    ]
    .into_iter()
    .flat_map(|(set, form)| {
        set.spans().iter().map(move |s| Stretch { from_ms: s.from_ms, to_ms: s.to_ms, form })
    })
    .collect();
    all.sort_by_key(|s| s.from_ms);
    all
}
