//! A component's month as the report states it: its days, and why it was unknown.

use mailward_evidence::Reason;

use super::model::{ComponentMonth, Ms};
use super::{Case, Row};
use crate::clock;
use crate::interval::{Set, Span};
use crate::timeline::days;

pub(super) fn component_month(case: &Case<'_>, row: &Row<'_>) -> ComponentMonth {
    let zone = &case.catalogue.service.zone;
    ComponentMonth {
        id: row.component.id.clone(),
        name: row.component.name.clone(),
        group: row.component.group.clone(),
        days: days::days(
            &row.timeline,
            &row.ruling.excluded,
            row.component.since,
            zone,
            case.month.first_date(),
            case.month.next().first_date(),
        ),
        unknown_by_reason: unknown_by_reason(case, row),
    }
}

fn unknown_by_reason(case: &Case<'_>, row: &Row<'_>) -> Vec<(String, Ms)> {
    let zone = &case.catalogue.service.zone;
    let served_from_ms =
        row.component.since.map_or(case.period.from_ms, |since| clock::day_start_ms(since, zone));
    let served = Set::from(case.period).clip(Span::new(served_from_ms, case.period.to_ms));
    let counted = served.subtract(&row.ruling.excluded);
    let unknown = row.timeline.unknown().intersect(&counted);
    let reasons = unknown_reasons(row, &unknown).into_iter();
    let mut reasons: Vec<(String, Ms)> =
        reasons.map(|(word, when)| (word, Ms(when.len_ms()))).collect();
    reasons.sort_by_key(|(_, ms)| std::cmp::Reverse(*ms));
    reasons
}

/// Why a row was unknown in `unknown`, and when.
pub(super) fn unknown_reasons(row: &Row<'_>, unknown: &Set) -> Vec<(String, Set)> {
    let mut rest = unknown.clone();
    let mut reasons: Vec<(String, Set)> = Vec::new();
    for cause in row.timeline.unknown_causes(unknown) {
        rest = rest.subtract(&cause.when);
        let word = cause.reason.as_ref().map_or("silent", Reason::as_str);
        match reasons.iter_mut().find(|(seen, _)| seen == word) {
            Some((_, when)) => *when = when.union(&cause.when),
            None => reasons.push((word.to_owned(), cause.when)),
        }
    }
    if !rest.is_empty() {
        reasons.push(("unwatched".to_owned(), rest));
    }
    reasons
}
