//! The pages of one row and of one outage.

use askama::Template;

use super::{Place, Shell, Time, component_href, day_href, outage_href, state_words, strip};
use crate::language::{Language, Moment};
use crate::render::headline;
use crate::status::{DayCell, Form, Outage, Row, STRIP_DAYS, State, Status};

#[derive(Template)]
#[template(path = "component.html")]
struct ComponentPage {
    shell: Shell,
    name: String,
    state: State,
    heading: String,
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
    why: String,
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
    let say = &*shell.say;
    ComponentPage {
        shell: shell.clone(),
        name: row.name.clone(),
        state: row.now.state,
        heading: say.state.of(&row.name, say.within(state_words(row, say))),
        explained: headline::explain(status, row, say),
        description: row.description.clone(),
        now: Time::now(status, say),
        strip: strip::html(row, "/components/", say),
        strip_words: strip::words(row, strip::today(status), say),
        days: STRIP_DAYS,
        outages: row
            .outages
            .iter()
            .map(|o| OutageLine {
                href: outage_href(&row.id, o.from_ms),
                began: say.at(Moment::stamp, o.from_ms, &status.zone),
                lasted: if o.open {
                    say.status.still_going_on().to_owned()
                } else {
                    say.about(o.to_ms - o.from_ms)
                },
                why: o.why.map_or("–", |why| say.why(why)).to_owned(),
            })
            .collect(),
        eventful: row
            .days
            .iter()
            .rev()
            .filter(|d| d.down_ms + d.degraded_ms + d.excluded_ms + d.unknown_ms > 0)
            .map(|d| DayLine {
                href: day_href(&row.id, d.date),
                date: say.date(Moment::day_of_year, d.date),
                what: parts(d, say),
            })
            .collect(),
    }
    .render()
}

/// `Not working 24 min, no data 3 h`
fn parts(day: &DayCell, say: &Language) -> String {
    let parts: Vec<String> = [
        (Form::Down, day.down_ms),
        (Form::Degraded, day.degraded_ms),
        (Form::Excluded, day.excluded_ms),
        (Form::Unknown, day.unknown_ms),
    ]
    .into_iter()
    .filter(|(_, ms)| *ms > 0)
    .map(|(form, ms)| say.status.time_of(say.form(form), say.about(ms)))
    .collect();
    Language::opening(&parts.join(", "))
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
    why: String,
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
    let say = &*shell.say;
    let lasted = say.about(outage.to_ms - outage.from_ms);
    let began = say.at(Moment::stamp, outage.from_ms, &status.zone);
    let sentence = if outage.open {
        say.status.cannot_reach(&row.name, &began, &lasted)
    } else {
        say.status.could_not_reach(&row.name, &lasted)
    };
    OutagePage {
        shell: shell.clone(),
        name: row.name.clone(),
        component_href: component_href(&row.id),
        sentence,
        from: Time::stamp(outage.from_ms, status, say),
        to: (!outage.open).then(|| Time::stamp(outage.to_ms, status, say)),
        began,
        lasted,
        why: outage.why.map(|why| say.why(why).to_owned()).unwrap_or_default(),
    }
    .render()
}
