//! The exclusions that touch the month, counted or not, as the report lists them.

use mailward_catalogue::Measure;
use mailward_evidence::{ExclusionClass, Instant};

use super::model::{At, ExclusionEntry, Without};
use super::{Case, ReportError, Row, availability};
use crate::availability::exact::shown_or_na;
use crate::exclusions;
use crate::interval::Span;
use crate::segment::SeenExclusion;

/// So many exclusions are taken away one by one; each costs a judgement of its levels.
const TAKEN_AWAY: usize = 200;

pub(super) fn entries(case: &Case<'_>) -> Result<Vec<ExclusionEntry>, ReportError> {
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
        .enumerate()
        .map(|(i, seen)| {
            let exclusion = &seen.exclusion;
            let accepted = case.rows.iter().any(|row| row.ruling.accepted.contains(&exclusion.id));
            let announced = exclusion.announced;
            Ok(ExclusionEntry {
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
                without: if accepted && i < TAKEN_AWAY { without(case, seen)? } else { Vec::new() },
            })
        })
        .collect()
}

/// What levels of an exclusion's components would come to without it, and with all others: the
/// cap may then let another count for more.
fn without(case: &Case<'_>, gone: &SeenExclusion) -> Result<Vec<Without>, ReportError> {
    let others: Vec<SeenExclusion> =
        case.evidence.exclusions.iter().filter(|seen| *seen != gone).cloned().collect();
    let touched = |row: &&Row<'_>| {
        let own = gone.exclusion.components.iter();
        own.into_iter().any(|id| id.as_str() == row.component.id)
    };
    let rows = case.rows.iter().filter(touched).map(|row| Row {
        component: row.component,
        timeline: row.timeline.clone(),
        ruling: exclusions::rule(
            &row.component.id,
            &others,
            &case.catalogue.maintenance,
            case.period,
            case.now_ms,
        ),
    });
    let other = Case { rows: rows.collect(), ..*case };
    let mut all = Vec::new();
    for level in &case.catalogue.levels {
        let Measure::Availability { target } = &level.measure else { continue };
        let own = other.rows.iter().any(|row| Some(&row.component.id) == level.component.as_ref());
        if own {
            let judged = availability::judge(&other, level, *target)?;
            let shown = shown_or_na(judged.availability);
            all.push(Without { level: level.id.clone(), shown, met: judged.met });
        }
    }
    Ok(all)
}
