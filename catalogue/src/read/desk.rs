//! `[tickets.csv]` and `[counts.csv]`: which keys go together, and what is built from them. The
//! keys themselves are read by their table.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Zoned;
use jiff::fmt::strtime;

use super::draft::{Draft, Fields, advice};
use super::faults::Faults;
use super::text;
use crate::desk::{
    CountPeriod, CountSeries, CountsCsv, CsvForm, TicketLayout, TicketState, TicketsCsv,
};
use crate::key::Settings;

/// Checks both sections, where they are written.
pub(super) fn check(draft: &Draft, components: &BTreeSet<String>, faults: &mut Faults) {
    if let Some(fields) = draft.once.get("tickets") {
        check_tickets(fields, components, faults);
    }
    if let Some(fields) = draft.once.get("counts") {
        check_counts(fields, faults);
    }
}

fn check_tickets(fields: &Fields, components: &BTreeSet<String>, faults: &mut Faults) {
    let written = |key: &&str| fields.is_written(key);
    if fields.is_meant("at") {
        for key in ["paused", "resumed", "resolved", "reopened"].iter().filter(|k| written(k)) {
            let message = format!(
                "{key} belongs to a row that is a ticket; with \"at\" a row is a change of state"
            );
            faults.error(fields.place(key), message);
        }
        if !fields.is_meant("state") {
            let message = "[tickets.csv] with \"at\" needs the key \"state\"".to_owned();
            faults.missing(fields.header, message);
        }
    } else if !fields.is_meant("opened") {
        let message = "[tickets.csv] needs the key \"opened\" where a row is a ticket, or \"at\" \
                       and \"state\" where a row is a change of state"
            .to_owned();
        faults.missing(fields.header, message);
    }
    if written(&"states") && !fields.is_meant("state") {
        let message = "states: expected the key \"state\" beside it".to_owned();
        faults.error(fields.place("states"), message);
    }
    if written(&"components") && !fields.is_meant("component") {
        let message = "components: expected the key \"component\" beside it".to_owned();
        faults.error(fields.place("components"), message);
    }
    for (theirs, ours) in fields.settings.table("components") {
        if !ours.is_empty() && !components.contains(ours) {
            let near = advice(ours, components.iter().map(String::as_str));
            let (theirs, ours) = (text::shown(theirs), text::shown(ours));
            let message = format!("components: {theirs} leads to unknown component {ours}{near}");
            faults.missing(fields.place("components"), message);
        }
    }
    check_form(fields, true, faults);
}

fn check_counts(fields: &Fields, faults: &mut Faults) {
    match (fields.is_meant("fixed_series"), fields.is_meant("series")) {
        (true, true) => {
            let message = "expected \"fixed_series\" or \"series\", not both".to_owned();
            faults.error(fields.place("fixed_series"), message);
        }
        (false, false) => {
            let message = "[counts.csv] needs the key \"series\" (a column) or \"fixed_series\" \
                           (a name)"
                .to_owned();
            faults.missing(fields.header, message);
        }
        _ => {}
    }
    if fields.is_written("names") && !fields.is_meant("series") {
        let message = "names: expected the key \"series\" beside it".to_owned();
        faults.error(fields.place("names"), message);
    }
    let between = [fields.is_meant("from"), fields.is_meant("to")];
    match (fields.is_meant("day"), between) {
        (true, [false, false]) | (false, [true, true]) => {}
        (true, _) => {
            let message = "expected \"day\", or \"from\" and \"to\", not both".to_owned();
            faults.error(fields.place("day"), message);
        }
        (false, _) => {
            let message = "[counts.csv] needs the key \"day\", or \"from\" and \"to\"".to_owned();
            faults.missing(fields.header, message);
        }
    }
    check_form(fields, !fields.is_meant("day"), faults);
}

/// A format must read back what it writes: the date, and to the minute where times are meant.
fn check_form(fields: &Fields, times: bool, faults: &mut Faults) {
    let Some(format) = fields.settings.text("date_format") else { return };
    let place = fields.place("date_format");
    let sample = "2026-11-22T17:45:00+00:00[UTC]".parse::<Zoned>();
    let Ok(sample) = sample else { return };
    let written = match strtime::format(format, &sample) {
        Ok(written) => written,
        Err(error) => {
            faults.error(place, format!("date_format: {error}"));
            return;
        }
    };
    let read = strtime::parse(format, &written);
    let back = read.as_ref().ok().and_then(|read| {
        let from_instant = || Some(read.to_timestamp().ok()?.to_zoned(jiff::tz::TimeZone::UTC));
        let local = read.to_datetime().ok().or_else(|| Some(from_instant()?.datetime()));
        local.or_else(|| Some(read.to_date().ok()?.to_datetime(jiff::civil::Time::midnight())))
    });
    let expected = sample.datetime();
    let told = match back {
        None => Some("a date"),
        Some(back) if back.date() != expected.date() => Some("a date"),
        Some(back) if times && (back.hour(), back.minute()) != (17, 45) => Some("a time"),
        Some(_) => None,
    };
    if let Some(what) = told {
        let message = format!("date_format: {} does not tell {what}", text::shown(format));
        faults.error(place, message);
    }
}

fn form(settings: &Settings) -> Option<CsvForm> {
    let zone = match settings.text("zone") {
        Some(name) => Some(jiff::tz::db().get(name).ok()?),
        None => None,
    };
    Some(CsvForm {
        delimiter: settings.text("delimiter")?.bytes().next()?,
        date_format: settings.text("date_format").map(str::to_owned),
        zone,
    })
}

fn words(settings: &Settings, key: &str) -> BTreeMap<String, String> {
    settings.table(key).map(|(theirs, ours)| (theirs.to_owned(), ours.to_owned())).collect()
}

/// `[tickets.csv]` of settings in which no error was found.
pub(super) fn tickets(settings: &Settings) -> Option<TicketsCsv> {
    let owned = |key| settings.text(key).map(str::to_owned);
    let layout = match owned("at") {
        Some(at) => TicketLayout::Change { at, state: owned("state")?, opened: owned("opened") },
        None => {
            let kinds = [
                ("paused", TicketState::Paused),
                ("resumed", TicketState::Resumed),
                ("resolved", TicketState::Resolved),
                ("reopened", TicketState::Reopened),
            ];
            let columns = |(key, state)| {
                settings.texts(key).iter().map(move |column: &String| (column.clone(), state))
            };
            let times = kinds.into_iter().flat_map(columns).collect();
            TicketLayout::Ticket { opened: owned("opened")?, times, state: owned("state") }
        }
    };
    let states = settings.table("states");
    let states = states.map(|(word, state)| Some((word.to_owned(), TicketState::parse(state)?)));
    Some(TicketsCsv {
        form: form(settings)?,
        id: owned("id")?,
        severity: owned("severity")?,
        component: owned("component"),
        layout,
        states: states.collect::<Option<_>>()?,
        severities: words(settings, "severities"),
        components: words(settings, "components"),
    })
}

/// `[counts.csv]` of settings in which no error was found.
pub(super) fn counts(settings: &Settings) -> Option<CountsCsv> {
    let owned = |key| settings.text(key).map(str::to_owned);
    let series = match owned("fixed_series") {
        Some(series) => CountSeries::Fixed(series),
        None => CountSeries::Column { column: owned("series")?, names: words(settings, "names") },
    };
    let period = match owned("day") {
        Some(day) => CountPeriod::Day(day),
        None => CountPeriod::Between { from: owned("from")?, to: owned("to")? },
    };
    Some(CountsCsv {
        form: form(settings)?,
        series,
        period,
        good: owned("good")?,
        total: owned("total")?,
    })
}
