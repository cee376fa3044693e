//! `[hours.NAME]`: days stand alone, in runs, or as `daily`, each day once; which keys those
//! are follows from the names of days rather than from a table.

use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::draft::{HoursDraft, Reader, advice};
use super::faults::Place;
use super::text;
use crate::key::{Key, Shape, Value};
use crate::section::{self, DAYS};

const OF_DAYS: Key = Key::optional("hours", Shape::Spans, "");
const HOLIDAYS: Key = Key::optional("holidays", Shape::Dates, "");

/// The hours so far, and which key gave each day.
struct Week {
    hours: HoursDraft,
    given_by: [Option<String>; 7],
    /// Whether any key speaks of hours, fine or not.
    speaks: bool,
}

impl Reader<'_> {
    /// Reads `[hours.NAME]`.
    pub(super) fn hours(&mut self, name: &str, table: &DeTable<'_>, header: Place) {
        if let Err(message) = text::id(name) {
            self.faults.error(header, format!("the name of hours: {message}"));
        } else if name == "24x7" {
            self.faults.error(header, "\"24x7\" is always there; choose another name".to_owned());
        }
        let hours = HoursDraft {
            name: name.to_owned(),
            place: header,
            weekly: Default::default(),
            holidays: BTreeSet::new(),
            unread: false,
        };
        let mut week = Week { hours, given_by: Default::default(), speaks: false };
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        for (key, given) in entries {
            let at = self.place(key.span().start);
            self.hours_key(&mut week, key.get_ref(), given, at);
        }
        if !week.speaks {
            let message = format!("[hours.{name}] needs at least one of \"daily\", \"mon-fri\", …");
            self.faults.missing(header, message);
        } else if !week.hours.unread && week.hours.weekly.iter().all(Vec::is_empty) {
            let message = format!(
                "[hours.{name}] covers nothing: expected at least one span such as \"07:00-22:00\""
            );
            self.faults.error(header, message);
        }
        self.draft.hours.push(week.hours);
    }

    fn hours_key(&mut self, week: &mut Week, key: &str, given: &Spanned<DeValue<'_>>, at: Place) {
        if key == HOLIDAYS.name {
            match self.named_value(key, &HOLIDAYS, given) {
                Some(Value::Dates(dates)) => week.hours.holidays = dates.into_iter().collect(),
                _ => week.hours.unread = true,
            }
            return;
        }
        week.speaks = true;
        let days = days_of(key);
        if days.is_empty() {
            let known = section::HOURS.keys.iter().map(|key| key.name);
            let near = advice(key, known.chain(["mon-fri", "sat-sun"]));
            week.hours.unread = true;
            let (shown, name) = (text::shown(key), &week.hours.name);
            return self.faults.error(at, format!("unknown key {shown} in [hours.{name}]{near}"));
        }
        let Some(Value::Spans(spans)) = self.named_value(key, &OF_DAYS, given) else {
            week.hours.unread = true;
            return;
        };
        for day in days {
            if let Some(other) = &week.given_by[day] {
                let message = format!("{} is given by {other:?} and by {key:?}", DAYS[day]);
                return self.faults.error(at, message);
            }
            week.given_by[day] = Some(key.to_owned());
            week.hours.weekly[day] = spans.clone();
        }
    }
}

/// The days that a key of hours speaks of, Monday 0; none if it is no such key.
fn days_of(key: &str) -> Vec<usize> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    if key == "daily" {
        return (0..7).collect();
    }
    let (from, to) = key.split_once('-').unwrap_or((key, key));
    match (day(from), day(to)) {
        (Some(from), Some(to)) => {
            let to = if to < from { to + 7 } else { to };
            (from..=to).map(|day| day % 7).collect()
        }
        _ => Vec::new(),
    }
}
