//! The pages of one row and of one outage.

use askama::Template;

use super::{Place, Shell, Time, component_href, day_href, outage_href, state_words, strip, words};
use crate::render::headline;
use crate::status::{DayCell, Form, Outage, Row, STRIP_DAYS, State, Status};

#[derive(Template)]
#[template(path = "component.html")]
struct ComponentPage {
    shell: Shell,
    name: String,
    state: State,
    state_words: &'static str,
    explained: String,
    description: Option<String>,
    now: Time,
    strip: String,
    strip_words: String,
    days: usize,
    outages: Vec<OutageLine>,
    eventful: Vec<DayLine>,
}

struct OutageLine {
    href: String,
    began: String,
    lasted: String,
    why: &'static str,
}

struct DayLine {
    href: String,
    date: String,
    what: String,
}

/// A row's own page.
///
/// # Errors
/// When the template cannot be written.
pub fn component(status: &Status, row: &Row, shell: &Shell) -> askama::Result<String> {
    ComponentPage {
        shell: shell.clone(),
        name: row.name.clone(),
        state: row.now.state,
        state_words: state_words(row),
        explained: headline::explain(status, row),
        description: row.description.clone(),
        now: Time::now(status),
        strip: strip::html(row, "/components/"),
        strip_words: strip::words(row, strip::today(status)),
        days: STRIP_DAYS,
        outages: row
            .outages
            .iter()
            .map(|o| OutageLine {
                href: outage_href(&row.id, o.from_ms),
                began: words::stamp(o.from_ms, &status.zone),
                lasted: if o.open {
                    "still going on".to_owned()
                } else {
                    words::duration(o.to_ms - o.from_ms)
                },
                why: o.why.unwrap_or("–"),
            })
            .collect(),
        eventful: row
            .days
            .iter()
            .rev()
            .filter(|d| d.down_ms + d.degraded_ms + d.excluded_ms + d.unknown_ms > 0)
            .map(|d| DayLine {
                href: day_href(&row.id, d.date),
                date: d.date.strftime("%a %-d %b %Y").to_string(),
                what: parts(d),
            })
            .collect(),
    }
    .render()
}

/// `Not working 24 min, no data 3 h`
fn parts(day: &DayCell) -> String {
    let parts: Vec<String> = [
        (Form::Down, day.down_ms),
        (Form::Degraded, day.degraded_ms),
        (Form::Excluded, day.excluded_ms),
        (Form::Unknown, day.unknown_ms),
    ]
    .into_iter()
    .filter(|(_, ms)| *ms > 0)
    .map(|(form, ms)| format!("{} {}", form.words(), words::duration(ms)))
    .collect();
    words::sentence(&parts.join(", "))
}

#[derive(Template)]
#[template(path = "outage.html")]
struct OutagePage {
    shell: Shell,
    name: String,
    component_href: String,
    began: String,
    sentence: String,
    from: Time,
    to: Option<Time>,
    lasted: String,
    why: &'static str,
}

/// The page of one outage.
///
/// # Errors
/// When the template cannot be written.
pub fn outage(
    status: &Status,
    row: &Row,
    outage: &Outage,
    shell: &Shell,
) -> askama::Result<String> {
    let lasted = words::duration(outage.to_ms - outage.from_ms);
    let began = words::stamp(outage.from_ms, &status.zone);
    let sentence = if outage.open {
        format!("Our checks cannot reach {} since {began}: {lasted} so far.", row.name)
    } else {
        format!("Our checks could not reach {} for {lasted}.", row.name)
    };
    OutagePage {
        shell: shell.clone(),
        name: row.name.clone(),
        component_href: component_href(&row.id),
        sentence,
        from: Time::stamp(outage.from_ms, status),
        to: (!outage.open).then(|| Time::stamp(outage.to_ms, status)),
        began,
        lasted,
        why: outage.why.unwrap_or_default(),
    }
    .render()
}
