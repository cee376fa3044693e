//! Incidents that were declared: tickets of the severities that outages open, each beside the
//! outages it touches. Whether they were resolved in time is `resolution`'s.

use mailward_evidence::Ticket;

use super::model::{At, Incident, Ms};
use super::{Case, resolution};
use crate::clock::ticket::resolved_ms;
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
    let limit_ms = resolution::reopen_within_ms(&case.catalogue.levels, ticket);
    let resolved = resolved_ms(ticket, limit_ms, case.now_ms);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Month;
    use crate::report::model::Figure;
    use crate::report::{Tallies, build};
    use crate::segment::Evidence;

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
            assert_eq!(resolved_ms(&ticket(events), None, now), expect.map(at), "{events:?}");
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

    /// A re-open that the level of its severity does not count is none here either.
    #[test]
    fn incident_and_level_agree_on_a_late_reopen() {
        let check = |level: &str, expect: Option<&str>| {
            let definition = format!(
                "[service]\nname = \"Post\"\nzone = \"UTC\"\n[[component]]\nid = \"owa\"\n\
                 name = \"Web\"\nseverity = \"2\"\n[[probe]]\nid = \"page\"\n\
                 component = \"owa\"\nkind = \"http\"\nurl = \"http://192.0.2.1/\"\n\
                 every = \"1h\"\n[[level]]\nid = \"fixed\"\nmeasure = \"resolution\"\n\
                 target = \"90%\"\nwithin = \"8h\"\n{level}"
            );
            let parsed = mailward_catalogue::parse("definition", &definition);
            assert!(parsed.faults.is_empty(), "{:?}", parsed.faults);
            let ticket: Ticket = serde_json::from_value(serde_json::json!({
                "id": "INC1", "severity": "2", "component": "owa", "opened": "2019-02-14T08:00:00Z",
                "events": [
                    {"at": "2019-02-14T10:00:00Z", "what": "resolved"},
                    {"at": "2019-02-20T10:00:00Z", "what": "reopened"},
                ],
            }))
            .unwrap();
            let evidence = Evidence { tickets: vec![ticket], ..Evidence::default() };
            let now = mailward_evidence::Instant::parse("2019-03-02T00:00:00Z").unwrap().ms();
            let month: Month = "2019-02".parse().unwrap();
            let catalogue = parsed.catalogue.unwrap();
            let report = build(&catalogue, month, &evidence, &Tallies::default(), now).unwrap();
            let resolved = report.incidents[0].resolved.map(|at| at.0);
            let expect = expect.map(|at| mailward_evidence::Instant::parse(at).unwrap().ms());
            assert_eq!(resolved, expect, "{level}");
            let Figure::Resolution(figure) = &report.levels.last().unwrap().figure else {
                panic!("no figure")
            };
            if let [ticket] = figure.tickets.as_slice() {
                assert_eq!(ticket.met, Some(resolved.is_some()), "{level}");
            }
        };
        let first = Some("2019-02-14T10:00:00Z");
        check("severity = \"2\"\nreopen_within = \"5d\"\n", first);
        check("severity = \"2\"\nreopen_within = \"6d\"\n", None);
        check("severity = \"2\"\n", None);
        // no level promises anything of its severity: every re-open counts
        check("severity = \"3\"\nreopen_within = \"5d\"\n", None);
        // the level of its component goes before that of all
        let own = "[[level]]\nid = \"own\"\ncomponent = \"owa\"\nmeasure = \"resolution\"\n\
                   target = \"90%\"\nwithin = \"8h\"\nseverity = \"2\"\nreopen_within = \"5d\"\n";
        check(&format!("severity = \"2\"\nreopen_within = \"30d\"\n{own}"), first);
    }
}
