//! What of the month's evidence counts for nothing, because the definition does not name what it
//! is about: said, so that no probe or component goes missing in silence.

use std::collections::{BTreeMap, BTreeSet};

use mailward_evidence::Ticket;

use super::Case;
use crate::interval::Span;
use crate::timeline::spoken;

/// The most ids that a note names.
const NAMED: usize = 5;

/// Sentences for whoever reads the report.
pub(super) fn notes(case: &Case<'_>) -> Vec<String> {
    let mut notes = probes(case);
    for (component, ids) in exclusions(case) {
        notes.push(format!(
            "The definition names no component {component}: for it, {} for nothing.",
            told("exclusion", &ids)
        ));
    }
    for (component, ids) in tickets(case) {
        notes.push(format!(
            "The definition names no component {component}: {} only where a level takes \
             tickets of all components.",
            told("ticket", &ids)
        ));
    }
    notes
}

/// `ticket A counts`, `tickets A and B count`, with a number in place of what is too much.
fn told(what: &str, ids: &BTreeSet<&str>) -> String {
    let mut named: Vec<String> = ids.iter().take(NAMED).map(ToString::to_string).collect();
    if ids.len() > NAMED {
        named.push(format!("{} more", ids.len() - NAMED));
    }
    match named.pop() {
        Some(last) if named.is_empty() => format!("{what} {last} counts"),
        Some(last) => format!("{what}s {} and {last} count", named.join(", ")),
        None => format!("no {what} counts"),
    }
}

fn probes(case: &Case<'_>) -> Vec<String> {
    let foreign = |id: &str| case.catalogue.probe(id).is_none();
    let mut unknown: BTreeSet<&str> = BTreeSet::new();
    for stream in case.evidence.streams.iter().filter(|s| foreign(s.probe.as_str())) {
        if spoken(stream, case.period, case.now_ms).next().is_some() {
            unknown.insert(stream.probe.as_str());
        }
    }
    let note = |id| {
        format!(
            "There is evidence of a probe {id}, which the definition does not name: it counts \
             for nothing."
        )
    };
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
            assert_eq!(told("ticket", &ids.iter().copied().collect()), expect);
        };
        check(&["A"], "ticket A counts");
        check(&["B", "A"], "tickets A and B count");
        check(&["A", "B", "C", "D", "E", "F", "G"], "tickets A, B, C, D, E and 2 more count");
    }
}
