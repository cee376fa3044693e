//! The first sentence of the page: the state of the whole service in words, and what follows
//! from it. It says what our checks see and never guesses a cause.

use crate::language::Language;
use crate::status::{Form, Row, Shade, State, Status};

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
pub fn headline(status: &Status, say: &Language) -> Headline {
    let state = status.overall();
    let affected: Vec<&Row> = status.rows.iter().filter(|r| r.now.state == state).collect();
    let names: Vec<&str> = affected.iter().map(|r| r.name.as_str()).collect();
    let all = affected.len() == status.rows.len();
    let subject = if all && status.rows.len() > 1 {
        status.service.clone()
    } else if names.len() <= 3 {
        say.and_list(&names)
    } else {
        say.headline.parts(names.len(), status.rows.len(), &status.service)
    };
    let several = names.len() > 1 && !all;
    let sentence = sentence(status, &affected, (&subject, several), say);
    let mut detail = match state {
        State::Working => all_well(status, say),
        State::NoData => no_data(status, &affected, all, say),
        _ => since(status, &affected, say),
    };
    if !all && state != State::Working {
        detail.push(' ');
        detail.push_str(&others(status, state, say));
    }
    Headline { state, sentence, detail }
}

fn sentence(
    status: &Status,
    affected: &[&Row],
    (subject, several): (&str, bool),
    say: &Language,
) -> String {
    let text = &say.headline;
    let slow = affected.iter().all(|r| r.now.shade == Shade::Slow);
    match (status.overall(), several) {
        (State::Working, _) => text.working(&status.service),
        (State::NotWorking, _) => text.not_working(subject),
        (State::Partly, false) => text.partly(subject),
        (State::Partly, true) => text.several_partly(subject),
        (State::Slow, false) if slow => text.slow(subject),
        (State::Slow, true) if slow => text.several_slow(subject),
        (State::Slow, false) => text.impaired(subject),
        (State::Slow, true) => text.several_impaired(subject),
        (State::NoData, _) => text.no_data(subject),
        (State::Maintenance, _) => text.maintenance(subject),
    }
}

/// What a row's state means, in a sentence or two: also for its own page.
#[must_use]
pub fn explain(status: &Status, row: &Row, say: &Language) -> String {
    match row.now.state {
        State::Working => say.status.works().to_owned(),
        State::NoData => no_data(status, &[row], false, say),
        _ => since(status, &[row], say),
    }
}

fn all_well(status: &Status, say: &Language) -> String {
    let watched = say.status.all_work(status.rows.len());
    match status.last_evidence_ms {
        Some(at) if status.now_ms - at >= 120_000 => {
            format!("{watched} {}", say.status.last_check(say.ago(at, status.now_ms)))
        }
        _ => watched,
    }
}

/// Why nothing is known, where one reason holds for all of them.
fn no_data(status: &Status, affected: &[&Row], all: bool, say: &Language) -> String {
    let why = affected.first().and_then(|row| row.now.why);
    let why = match why.filter(|why| affected.iter().all(|row| row.now.why == Some(why))) {
        Some(why) => say.status.clause(Language::opening(say.why(why))),
        None => silence(status, all, say),
    };
    say.status.cannot_tell(why)
}

fn silence(status: &Status, all: bool, say: &Language) -> String {
    match status.last_evidence_ms {
        None => say.status.no_check().to_owned(),
        Some(at) if all => {
            let when = say.moment(at, status.now_ms, &status.zone);
            say.status.last_check_at(when, say.ago(at, status.now_ms))
        }
        Some(_) => say.status.not_lately().to_owned(),
    }
}

fn since(status: &Status, affected: &[&Row], say: &Language) -> String {
    let Some(first) = affected.iter().min_by_key(|r| r.now.since_ms.unwrap_or(i64::MIN)) else {
        return String::new();
    };
    let text = &say.status;
    let mut told = match first.now.since_ms {
        Some(at) => {
            let when = say.moment(at, status.now_ms, &status.zone);
            let ago = say.ago(at, status.now_ms);
            let one = affected.iter().all(|row| row.now.since_ms == Some(at));
            if one { text.since(when, ago) } else { text.first_since(when, ago) }
        }
        None => text.week().to_owned(),
    };
    let why = first.now.why.map(|why| say.why(why));
    let why = match (first.now.shade, why) {
        (Shade::Sites, _) => sites(first, say),
        (Shade::Resilience, Some(why)) => Some(text.resilience_why(why)),
        (Shade::Resilience, None) => Some(text.resilience().to_owned()),
        (Shade::Flapping, _) => Some(text.flapping().to_owned()),
        (_, why) => why.map(str::to_owned),
    };
    if let Some(why) = why {
        told = text.since_why(told, why);
    }
    if let Some(until) = first.now.until_ms {
        told = text.since_until(told, say.moment(until, status.now_ms, &status.zone));
    }
    text.clause(told)
}

fn sites(row: &Row, say: &Language) -> Option<String> {
    let at = |working: bool| -> Vec<&str> {
        row.sites
            .iter()
            .filter(|s| matches!(s.state, State::Working | State::Slow) == working)
            .map(|s| s.site.as_str())
            .collect()
    };
    let (works, fails) = (at(true), at(false));
    let both = !works.is_empty() && !fails.is_empty();
    both.then(|| say.status.sites(say.and_list(&fails), say.and_list(&works)))
}

fn others(status: &Status, state: State, say: &Language) -> String {
    let rest: Vec<&Row> = status.rows.iter().filter(|r| r.now.state != state).collect();
    let unwell: Vec<&str> =
        rest.iter().filter(|r| r.now.state != State::Working).map(|r| r.name.as_str()).collect();
    match unwell.len() {
        0 => say.status.rest_works().to_owned(),
        1..=3 => say.status.see_also(say.and_list(&unwell)),
        n => say.status.others(n),
    }
}

impl Language {
    /// The word for a state.
    #[must_use]
    pub fn state(&self, state: State) -> &str {
        match state {
            State::Working => self.state.working(),
            State::Slow => self.state.slow(),
            State::Partly => self.state.partly(),
            State::NotWorking => self.state.not_working(),
            State::NoData => self.state.no_data(),
            State::Maintenance => self.state.maintenance(),
        }
    }

    /// The word for the form of a day or a stretch on the status page.
    pub(crate) fn form(&self, form: Form) -> &str {
        match form {
            Form::Up => self.form.up(),
            Form::Degraded => self.form.degraded(),
            Form::Down => self.form.down(),
            Form::Excluded => self.form.maintenance(),
            Form::Unknown => self.form.unknown(),
        }
    }
}
