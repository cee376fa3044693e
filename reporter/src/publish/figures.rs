//! Which figures of a month differ between two reports: the results, their bounds and what they
//! are reckoned from. Not what is only listed beside them, and not how they are spelt.

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
    format!("{}: {}", words::subject(report, level), words::measure(level))
}

fn stated(level: &LevelFigure) -> Stated {
    let detail = match &level.figure {
        Figure::Availability(a) => match (a.low_pct, a.high_pct) {
            (Some(low), Some(high)) => {
                format!("between {} and {} %", words::cut_pct(low), words::cut_pct(high))
            }
            _ => String::new(),
        },
        _ => words::detail(level),
    };
    Stated {
        shown: words::result(level),
        detail,
        verdict: Standing::of(level).word().to_owned(),
        met: level.met,
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

/// A change in one line: `Portal: Availability: 99.463 % (missed), was 99.851 % (met)`.
#[must_use]
pub fn sentence(change: &LevelChange) -> String {
    let told = |stated: &Stated, with_detail: bool| match (with_detail, stated.detail.as_str()) {
        (true, detail) if !detail.is_empty() => {
            format!("{} ({detail}; {})", stated.shown, stated.verdict)
        }
        _ => format!("{} ({})", stated.shown, stated.verdict),
    };
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => {
            // where the results read alike, what lies behind them is what differs
            let alike = before.shown == after.shown;
            format!("{}: {}, was {}", change.name, told(after, alike), told(before, alike))
        }
        (None, Some(after)) => format!("{}: {}, is new", change.name, told(after, false)),
        (Some(before), None) => {
            format!("{}: is gone, was {}", change.name, told(before, false))
        }
        (None, None) => change.name.clone(),
    }
}
