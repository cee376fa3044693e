//! The first sentence of the page: the state of the whole service in words, and what follows
//! from it. It says what our checks see and never guesses a cause.

use crate::render::page::words;
use crate::status::{Row, Shade, State, Status};

/// The overall state in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// The overall state.
    pub state: State,
    /// One sentence, without a full stop.
    pub sentence: String,
    /// What else a reader should know at once: since when, why, and what works.
    pub detail: String,
}

/// Says how the service is.
#[must_use]
pub fn headline(status: &Status) -> Headline {
    let state = status.overall();
    let affected: Vec<&Row> = status.rows.iter().filter(|r| r.now.state == state).collect();
    let names: Vec<&str> = affected.iter().map(|r| r.name.as_str()).collect();
    let all = affected.len() == status.rows.len();
    let subject = if all && status.rows.len() > 1 {
        status.service.clone()
    } else if names.len() <= 3 {
        words::list(&names)
    } else {
        format!("{} of {} parts of {}", names.len(), status.rows.len(), status.service)
    };
    let are = if names.len() > 1 && !all { "are" } else { "is" };
    let sentence = match state {
        State::Working => format!("{} is working", status.service),
        State::NotWorking => format!("Our checks cannot reach {subject}"),
        State::Partly => format!("{subject} {are} partly working"),
        State::Slow if affected.iter().all(|r| r.now.shade == Shade::Slow) => {
            format!("{subject} {are} slow")
        }
        State::Slow => format!("{subject} {are} working, but not as well as usual"),
        State::NoData => format!("We have no current data about {subject}"),
        State::Maintenance => format!("Planned work on {subject} is under way"),
    };
    let mut detail = match state {
        State::Working => all_well(status),
        State::NoData => no_data(status, &affected, all),
        _ => since(status, &affected),
    };
    if !all && state != State::Working {
        detail.push(' ');
        detail.push_str(&others(status, state));
    }
    Headline { state, sentence, detail }
}

/// What a row's state means, in a sentence or two: also for its own page.
#[must_use]
pub fn explain(status: &Status, row: &Row) -> String {
    match row.now.state {
        State::Working => "Our checks find it working.".to_owned(),
        State::NoData => no_data(status, &[row], false),
        _ => since(status, &[row]),
    }
}

fn all_well(status: &Status) -> String {
    let watched = match status.rows.len() {
        1 => "Our checks find it working.".to_owned(),
        n => format!("Our checks find all {n} parts working."),
    };
    match status.last_evidence_ms {
        Some(at) if status.now_ms - at >= 120_000 => {
            format!("{watched} The last check reported {}.", words::ago(at, status.now_ms))
        }
        _ => watched,
    }
}

/// Why nothing is known, where one reason holds for all of them.
fn no_data(status: &Status, affected: &[&Row], all: bool) -> String {
    let why = affected.first().and_then(|row| row.now.why);
    match why.filter(|why| affected.iter().all(|row| row.now.why == Some(why))) {
        Some(why) => format!(
            "{}. That does not mean that it is not working: we cannot tell.",
            words::sentence(why)
        ),
        None => silence(status, all),
    }
}

fn silence(status: &Status, all: bool) -> String {
    let when = match status.last_evidence_ms {
        None => "No check has reported yet.".to_owned(),
        Some(at) if all => format!(
            "The last check reported at {}, {}.",
            words::moment(at, status.now_ms, &status.zone),
            words::ago(at, status.now_ms)
        ),
        Some(_) => "No check of it has reported lately.".to_owned(),
    };
    format!("{when} That does not mean that it is not working: we cannot tell.")
}

fn since(status: &Status, affected: &[&Row]) -> String {
    let Some(first) = affected.iter().min_by_key(|r| r.now.since_ms.unwrap_or(i64::MIN)) else {
        return String::new();
    };
    let mut text = match first.now.since_ms {
        Some(at) => {
            let when = words::moment(at, status.now_ms, &status.zone);
            let ago = words::ago(at, status.now_ms);
            let one = affected.iter().all(|row| row.now.since_ms == Some(at));
            let lead = if one { "Since" } else { "The first of them since" };
            format!("{lead} {when}, {ago}")
        }
        None => "For more than a week".to_owned(),
    };
    match (first.now.shade, first.now.why) {
        (Shade::Sites, _) => text.push_str(&sites(first)),
        (Shade::Resilience, why) => {
            text.push_str(": users should notice nothing, but some of our checks fail");
            if let Some(why) = why {
                text.push_str(" (");
                text.push_str(why);
                text.push(')');
            }
        }
        (Shade::Flapping, _) => text.push_str(": several short failures within half an hour"),
        (_, Some(why)) => {
            text.push_str(": ");
            text.push_str(why);
        }
        (_, None) => {}
    }
    if let Some(until) = first.now.until_ms {
        text.push_str(", until ");
        text.push_str(&words::moment(until, status.now_ms, &status.zone));
    }
    text.push('.');
    text
}

fn sites(row: &Row) -> String {
    let at = |working: bool| -> Vec<&str> {
        row.sites
            .iter()
            .filter(|s| matches!(s.state, State::Working | State::Slow) == working)
            .map(|s| s.site.as_str())
            .collect()
    };
    let (works, fails) = (at(true), at(false));
    match (works.is_empty(), fails.is_empty()) {
        (false, false) => {
            format!(": not from {}, but from {}", words::list(&fails), words::list(&works))
        }
        _ => String::new(),
    }
}

fn others(status: &Status, state: State) -> String {
    let rest: Vec<&Row> = status.rows.iter().filter(|r| r.now.state != state).collect();
    let working = rest.iter().filter(|r| r.now.state == State::Working).count();
    if working == rest.len() {
        return "Everything else is working.".to_owned();
    }
    let unwell: Vec<&str> =
        rest.iter().filter(|r| r.now.state != State::Working).map(|r| r.name.as_str()).collect();
    if unwell.len() <= 3 {
        format!("See also {}.", words::list(&unwell))
    } else {
        format!("{} other parts are not fully working either.", unwell.len())
    }
}
