//! The figure of a resolution level (rule 12): which tickets belong to the month, and how many
//! of them were resolved in time.

use mailward_catalogue::{Level, Measure};
use mailward_evidence::Ticket;

use super::model::{At, Figure, Ms, Resolution, TicketFigure};
use super::{Case, Judged, ReportError, named_hours};
use crate::availability::exact::Ratio;
use crate::clock::ticket::{Promise, Reading, read};
use crate::clock::{duration_ms, service_hours};
use crate::interval::Span;

pub(super) fn figure(case: &Case<'_>, level: &Level) -> Result<Judged, ReportError> {
    let Measure::Resolution { target, severity, within, reopen_within } = &level.measure else {
        return Err(ReportError::Unresolved {
            level: level.id.clone(),
            what: "a resolution level",
            name: level.measure.word().to_owned(),
        });
    };
    let named = named_hours(case.catalogue, level)?;
    let since = match &level.component {
        Some(_) => case.row(level)?.component.since,
        None => None,
    };
    let zone = &case.catalogue.service.zone;
    let hours = |span: Span| service_hours(&level.hours, named, zone, since, span);
    let promise = Promise {
        hours: &hours,
        within_ms: duration_ms(*within),
        reopen_within_ms: reopen_within.map(duration_ms),
    };
    let (mut tickets, mut open) = (Vec::new(), Vec::new());
    for ticket in case.evidence.tickets.iter().filter(|ticket| concerns(level, severity, ticket)) {
        if ticket.opened.ms() >= case.now_ms {
            continue;
        }
        let reading = read(ticket, &promise, case.now_ms);
        let within = reading.used_ms <= promise.within_ms;
        match place(case, ticket, &reading, within) {
            Place::Here => tickets.push(entry(ticket, reading, Some(within))),
            Place::Open => open.push(entry(ticket, reading, None)),
            Place::Elsewhere => {}
        }
    }
    let good = tickets.iter().filter(|ticket| ticket.met == Some(true)).count();
    let ratio = Ratio::new(good as i128, tickets.len() as i128);
    let figure = Resolution {
        severity: severity.clone(),
        tickets,
        open,
        within_pct: ratio.map(Ratio::pct),
        target_pct: target.to_string(),
    };
    Ok(Judged::share(Figure::Resolution(figure), ratio, *target))
}

/// How late a ticket can be re-opened, by the level that promises its resolution: one of its
/// component before one of all. `None`: there is no such level, or it sets no limit.
pub(super) fn reopen_within_ms(levels: &[Level], ticket: &Ticket) -> Option<i64> {
    let promised = levels.iter().filter_map(|level| match &level.measure {
        Measure::Resolution { severity, reopen_within, .. }
            if concerns(level, severity, ticket) =>
        {
            Some((level.component.is_none(), reopen_within.map(duration_ms)))
        }
        _ => None,
    });
    promised.min_by_key(|(general, _)| *general).and_then(|(_, limit)| limit)
}

fn concerns(level: &Level, severity: &str, ticket: &Ticket) -> bool {
    let component = ticket.component.as_ref().map(|component| component.as_str());
    &*ticket.severity == severity
        && (level.component.is_none() || level.component.as_deref() == component)
}

enum Place {
    Here,
    Open,
    Elsewhere,
}

/// A ticket belongs to the month of its last resolution, or, still open, to that in which its
/// target passed; open and not yet late, it is listed apart.
fn place(case: &Case<'_>, ticket: &Ticket, reading: &Reading, within: bool) -> Place {
    let decided_ms = match (reading.resolved_ms, within) {
        (Some(resolved_ms), _) => Some(resolved_ms),
        (None, false) => reading.due_ms,
        (None, true) => None,
    };
    match decided_ms {
        Some(at_ms) if case.whole.contains(at_ms) => Place::Here,
        None if ticket.opened.ms() < case.whole.to_ms => Place::Open,
        _ => Place::Elsewhere,
    }
}

fn entry(ticket: &Ticket, reading: Reading, met: Option<bool>) -> TicketFigure {
    TicketFigure {
        id: ticket.id.to_string(),
        due: reading.due_ms.map(At),
        used_s: Ms(reading.used_ms),
        paused_s: Ms(reading.paused_ms),
        met,
        ignored: reading.ignored,
    }
}
