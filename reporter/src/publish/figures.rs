//! Which figures of a month differ between two reports: the results, their bounds and what they
//! are reckoned from. Not what is only listed beside them, and not how they are spelt.

use crate::language::{Language, english};
use crate::render::words::{self, Standing};
use crate::report::model::{Figure, LevelChange, LevelFigure, Report, Stated};

/// Levels whose figure differs, in the order of `after`; those that are gone come last.
#[must_use]
pub fn differing(before: &Report, after: &Report) -> Vec<LevelChange> {
    let find =
        |report: &'_ Report, id: &str| report.levels.iter().find(|level| level.id == id).cloned();
    let mut changes = Vec::new();
    for level in &after.levels {
        let earlier = find(before, &level.id);
        if earlier.as_ref().is_some_and(|earlier| same(earlier, level)) {
            continue;
        }
        changes.push(LevelChange {
            id: level.id.clone(),
            name: name(after, level),
            before: earlier.as_ref().map(stated),
            after: Some(stated(level)),
        });
    }
    for level in before.levels.iter().filter(|level| find(after, &level.id).is_none()) {
        changes.push(LevelChange {
            id: level.id.clone(),
            name: name(before, level),
            before: Some(stated(level)),
            after: None,
        });
    }
    changes
}

fn name(report: &Report, level: &LevelFigure) -> String {
    format!("{}: {}", words::subject(report, level), english().measure(level))
}

fn stated(level: &LevelFigure) -> Stated {
    let say = english();
    let detail = match &level.figure {
        Figure::Availability(a) => say.between(a).unwrap_or_default(),
        _ => say.detail(level),
    };
    Stated {
        shown: say.result(level),
        detail,
        verdict: say.standing(Standing::of(level)).to_owned(),
        met: level.met,
        level: Some(Box::new(level.clone().alone())),
    }
}

/// Whether two figures are the same, to the millisecond and the single run.
fn same(a: &LevelFigure, b: &LevelFigure) -> bool {
    a.met == b.met
        && match (&a.figure, &b.figure) {
            (Figure::Availability(a), Figure::Availability(b)) => {
                let times = |f: &crate::report::model::Availability| {
                    (f.service_s, f.excluded_s, f.down_s, f.unknown_s, f.budget_s)
                };
                let shares = |f: &crate::report::model::Availability| {
                    (f.availability_pct, f.low_pct, f.high_pct, f.provable)
                };
                times(a) == times(b) && shares(a) == shares(b) && a.target_pct == b.target_pct
            }
            (Figure::Success(a), Figure::Success(b))
            | (Figure::ResponseTime(a), Figure::ResponseTime(b))
            | (Figure::Ratio(a), Figure::Ratio(b)) => a == b,
            (Figure::DeliveryTime(a), Figure::DeliveryTime(b)) => a == b,
            (Figure::Resolution(a), Figure::Resolution(b)) => {
                let tickets = |f: &crate::report::model::Resolution| {
                    let used = f.tickets.iter().map(|t| (t.id.clone(), t.used_s, t.met));
                    used.collect::<Vec<_>>()
                };
                tickets(a) == tickets(b) && a.target_pct == b.target_pct
            }
            (Figure::Listing(a), Figure::Listing(b)) => {
                (a.exposed_s, a.list_s, a.target_s) == (b.exposed_s, b.list_s, b.target_s)
            }
            _ => false,
        }
}

/// A change in one line: `Portal: Availability: 99.463 % (Missed), was 99.851 % (Met)`.
#[must_use]
pub fn sentence(change: &LevelChange, say: &Language) -> String {
    let told = |stated: &Stated, with_detail: bool| {
        let (shown, detail, verdict) = worded(stated, say);
        match (with_detail, detail.as_str()) {
            (true, detail) if !detail.is_empty() => {
                say.list.explained(shown, format!("{detail}; {verdict}"))
            }
            _ => say.list.explained(shown, verdict),
        }
    };
    let name = change_name(change, say);
    let text = &say.differs;
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            // where the results read alike, what lies behind them is what differs
            let alike = before.shown == after.shown;
            text.figure(name, told(after, alike), told(before, alike))
        }
        (None, Some(after)) => text.appears(name, told(after, false)),
        (Some(before), None) => text.gone(name, told(before, false)),
        (None, None) => name,
    }
}

/// How the scorecard names a level that changed.
pub(crate) fn change_name(change: &LevelChange, say: &Language) -> String {
    let renamed = change.stated().and_then(|level| {
        let subject = change.name.strip_suffix(&format!(": {}", english().measure(level)))?;
        Some(say.list.headed(subject, say.measure(level)))
    });
    renamed.unwrap_or_else(|| change.name.clone())
}

/// A level's result, what lies behind it, and the verdict; as it was kept where that is all.
pub(crate) fn worded(stated: &Stated, say: &Language) -> (String, String, String) {
    let Some(level) = stated.level.as_deref() else {
        return (stated.shown.clone(), stated.detail.clone(), stated.verdict.clone());
    };
    let detail = match &level.figure {
        Figure::Availability(a) => say.between(a).unwrap_or_default(),
        _ => say.detail(level),
    };
    (say.result(level), detail, say.standing(Standing::of(level)).to_owned())
}
