//! Incidents that were declared: tickets of the severities that outages open, each beside the
//! outages it touches. Whether they were resolved in time is `resolution`'s.

use mailward_evidence::{Ticket, TicketEventKind};

use super::Case;
use super::model::{At, Incident, Ms};
use crate::interval::Span;

/// The incidents that touch the period, in order of their opening.
pub(super) fn incidents(case: &Case<'_>) -> Vec<Incident> {
    let severe =
        |ticket: &&Ticket| case.rows.iter().any(|row| row.component.severity == *ticket.severity);
    let mut own: Vec<Incident> =
        case.evidence.tickets.iter().filter(severe).filter_map(|t| incident(case, t)).collect();
    own.sort_by(|a, b| (a.opened, &a.id).cmp(&(b.opened, &b.id)));
    own
}

fn incident(case: &Case<'_>, ticket: &Ticket) -> Option<Incident> {
    let opened = ticket.opened.ms();
    let resolved = resolved_ms(ticket, case.now_ms);
    let declared = Span::new(opened, resolved.unwrap_or(case.now_ms));
    // one that was opened and resolved at once still touches the instant it was opened at
    let touches = !declared.clip(case.period).is_empty() || case.period.contains(opened);
    if !touches || opened >= case.now_ms {
        return None;
    }
    let component = ticket.component.as_ref().map(|component| component.as_str());
    let row = case.rows.iter().find(|row| Some(row.component.id.as_str()) == component);
    let measured = row.map(|row| {
        let down = row.timeline.down();
        Ms(down.meeting(declared).iter().map(|span| span.len_ms()).sum())
    });
    Some(Incident {
        id: ticket.id.to_string(),
        severity: ticket.severity.to_string(),
        component: component.map(str::to_owned),
        opened: At(opened),
        resolved: resolved.map(At),
        declared_s: Ms(declared.len_ms()),
        measured_s: measured,
    })
}

/// When it was last resolved, unless it was re-opened since.
fn resolved_ms(ticket: &Ticket, now_ms: i64) -> Option<i64> {
    let mut events: Vec<_> = ticket.events.iter().filter(|event| event.at.ms() < now_ms).collect();
    events.sort_by_key(|event| event.at);
    events.iter().fold(None, |resolved, event| match event.what {
        TicketEventKind::Resolved => resolved.or(Some(event.at.ms())),
        TicketEventKind::Reopened => None,
        TicketEventKind::Paused | TicketEventKind::Resumed => resolved,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_lasts_until_it_stays_resolved() {
        let ticket = |events: &[(&str, &str)]| -> Ticket {
            let events: Vec<_> = events
                .iter()
                .map(|(at, what)| serde_json::json!({"at": format!("2019-02-{at}Z"), "what": what}))
                .collect();
            serde_json::from_value(serde_json::json!({
                "id": "INC1", "severity": "2", "opened": "2019-02-14T21:30:00Z", "events": events,
            }))
            .unwrap()
        };
        let at = |text: &str| mailward_evidence::Instant::parse(text).unwrap().ms();
        let now = at("2019-03-01T00:00:00Z");
        let check = |events: &[(&str, &str)], expect: Option<&str>| {
            assert_eq!(resolved_ms(&ticket(events), now), expect.map(at), "{events:?}");
        };
        check(&[], None);
        check(&[("15T08:00:00", "paused")], None);
        check(&[("15T08:00:00", "resolved")], Some("2019-02-15T08:00:00Z"));
        check(&[("16T08:00:00", "reopened"), ("15T08:00:00", "resolved")], None);
        check(
            &[("15T08:00:00", "resolved"), ("16T08:00:00", "resolved")],
            Some("2019-02-15T08:00:00Z"),
        );
    }
}
