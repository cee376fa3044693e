//! The exclusions that touch the month, counted or not, as the report lists them.

use mailward_evidence::{ExclusionClass, Instant};

use super::Case;
use super::model::{At, ExclusionEntry};
use crate::interval::Span;

pub(super) fn entries(case: &Case<'_>) -> Vec<ExclusionEntry> {
    let mut own: Vec<_> = case
        .evidence
        .exclusions
        .iter()
        .filter(|seen| {
            let span = Span::new(seen.exclusion.from.ms(), seen.exclusion.to.ms());
            !seen.exclusion.cancelled && !span.clip(case.whole).is_empty()
        })
        .collect();
    own.sort_by(|a, b| {
        (a.exclusion.from, &a.exclusion.id).cmp(&(b.exclusion.from, &b.exclusion.id))
    });
    let at = |instant: Option<Instant>| instant.map(|instant| At(instant.ms()));
    own.into_iter()
        .map(|seen| {
            let exclusion = &seen.exclusion;
            let accepted = case.rows.iter().any(|row| row.ruling.accepted.contains(&exclusion.id));
            let announced = exclusion.announced;
            ExclusionEntry {
                id: exclusion.id.to_string(),
                class: match exclusion.class {
                    ExclusionClass::Maintenance => "maintenance",
                    ExclusionClass::ThirdParty => "third-party",
                }
                .to_owned(),
                components: exclusion.components.iter().map(ToString::to_string).collect(),
                from: At(exclusion.from.ms()),
                to: At(exclusion.to.ms()),
                announced: at(announced),
                approved: at(exclusion.approved.filter(|at| at.ms() <= case.now_ms)),
                by: exclusion.by.as_deref().map(str::to_owned),
                reason: exclusion.reason.as_deref().map(str::to_owned),
                accepted,
                claimed: announced.is_some_and(|at| at.ms() < seen.first_seen_ms),
            }
        })
        .collect()
}
