//! What of the month's evidence counts for nothing, because the definition does not name what it
//! is about: said, so that no probe or component goes missing in silence.

use std::collections::{BTreeMap, BTreeSet};

use mailward_evidence::Ticket;

use super::Case;
use crate::interval::Span;
use crate::language::english;
use crate::timeline::spoken;

/// The most ids that a note names.
const NAMED: usize = 5;

/// Sentences for whoever reads the report.
pub(super) fn notes(case: &Case<'_>) -> Vec<String> {
    let mut notes = probes(case);
    let text = &english().note;
    for (component, ids) in exclusions(case) {
        notes.push(match told(&ids) {
            (1, id) => text.exclusion(component, id),
            (_, ids) => text.exclusions(component, ids),
        });
    }
    for (component, ids) in tickets(case) {
        notes.push(match told(&ids) {
            (1, id) => text.ticket(component, id),
            (_, ids) => text.tickets(component, ids),
        });
    }
    notes
}

/// How many ids there are, and their names: `A`, `A and B`, with a number in place of what is
/// too much.
fn told(ids: &BTreeSet<&str>) -> (usize, String) {
    let mut named: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    if ids.len() > NAMED {
        named.push(english().note.more(ids.len() - NAMED));
    }
    (ids.len(), english().and_list(&named))
}

fn probes(case: &Case<'_>) -> Vec<String> {
    let foreign = |id: &str| case.catalogue.probe(id).is_none();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for stream in case.evidence.streams.iter().filter(|s| foreign(s.probe.as_str())) {
        if spoken(stream, case.period, case.now_ms).next().is_some() {
            unknown.insert(stream.probe.as_str());
        }
    }
    let note = |id| english().note.probe(id);
    unknown.into_iter().map(note).collect()
}

fn is_foreign(case: &Case<'_>, component: &str) -> bool {
    case.catalogue.components.iter().all(|known| known.id != component)
}

type ByComponent<'a> = BTreeMap<&'a str, BTreeSet<&'a str>>;

fn exclusions<'a>(case: &'a Case<'_>) -> ByComponent<'a> {
    let mut found = ByComponent::new();
    for seen in &case.evidence.exclusions {
        let exclusion = &seen.exclusion;
        let span = Span::new(exclusion.from.ms(), exclusion.to.ms());
        if exclusion.cancelled || span.clip(case.whole).is_empty() {
            continue;
        }
        for component in exclusion.components.iter().map(|component| component.as_str()) {
            if is_foreign(case, component) {
                found.entry(component).or_default().insert(&exclusion.id);
            }
        }
    }
    found
}

fn tickets<'a>(case: &'a Case<'_>) -> ByComponent<'a> {
    let mut found = ByComponent::new();
    for ticket in case.evidence.tickets.iter().filter(|ticket| is_of_month(case, ticket)) {
        match &ticket.component {
            Some(component) if is_foreign(case, component.as_str()) => {
                found.entry(component.as_str()).or_default().insert(&ticket.id);
            }
            _ => {}
        }
    }
    found
}

/// Opened in the month, or something happened to it then.
fn is_of_month(case: &Case<'_>, ticket: &Ticket) -> bool {
    let mut instants = ticket.events.iter().map(|event| event.at).chain([ticket.opened]);
    !ticket.cancelled && instants.any(|at| case.period.contains(at.ms()))
}

#[cfg(test)]
mod tests {
    use super::told;

    #[test]
    fn a_note_names_a_few_and_counts_the_rest() {
        let check = |ids: &[&str], expect: &str| {
            assert_eq!(told(&ids.iter().copied().collect()).1, expect);
        };
        check(&["A"], "A");
        check(&["B", "A"], "A and B");
        check(&["A", "B", "C", "D", "E", "F", "G"], "A, B, C, D, E and 2 more");
    }
}
