//! What made the figures that rest on whole records: the clocks of tickets (rule 12), the time
//! addresses stood on lists (rule 13), and imported counts (rule 14).

use std::collections::BTreeMap;

use mailward_catalogue::{Level, Measure};
use mailward_evidence::Ticket;

use super::Limits;
use crate::clock::duration_ms;
use crate::clock::ticket::{Clock, Promise, Reading, read};
use crate::interval::{Set, Span};
use crate::report::grounds::{
    ClockState, CountGround, CountGrounds, Leg, ListingGrounds, ListingInterval, ListingRecord,
    TicketCourse, TicketGrounds,
};
use crate::report::model::{At, Figure, LevelFigure, Ms};
use crate::report::{Case, ReportError, share};
use crate::segment::{Segment, Stream};
use crate::timeline::spoken;

/// The clocks of the tickets of a figure, in its order.
pub(super) fn tickets(
    case: &Case<'_>,
    level: &Level,
    figure: &LevelFigure,
    limits: Limits,
) -> Result<TicketGrounds, ReportError> {
    let (Measure::Resolution { within, reopen_within, .. }, Figure::Resolution(figure)) =
        (&level.measure, &figure.figure)
    else {
        return Ok(TicketGrounds::default());
    };
    let since = match &level.component {
        Some(_) => case.row(level)?.component.since,
        None => None,
    };
    // asked once, so that hours no definition holds are an error and not an absence
    case.hours(level, since, case.period)?;
    let hours = |span: Span| case.hours(level, since, span).unwrap_or_default();
    let promise = Promise {
        hours: &hours,
        within_ms: duration_ms(*within),
        reopen_within_ms: reopen_within.map(duration_ms),
    };
    let by_id: BTreeMap<&str, &Ticket> =
        case.evidence.tickets.iter().map(|ticket| (&*ticket.id, ticket)).collect();
    let (mut grounds, mut left) = (TicketGrounds::default(), limits.entries);
    for listed in figure.tickets.iter().chain(&figure.open) {
        let Some(ticket) = by_id.get(listed.id.as_str()) else { continue };
        let reading = read(ticket, &promise, case.now_ms);
        let mut course = course(ticket, reading, &promise);
        if course.legs.len() > left {
            grounds.left_out.entries += (course.legs.len() - left) as u64;
            course.legs.truncate(left);
        }
        left -= course.legs.len();
        grounds.tickets.push(course);
    }
    Ok(grounds)
}

fn course(ticket: &Ticket, reading: Reading, promise: &Promise<'_>) -> TicketCourse {
    let mut legs = Vec::new();
    let mut did = reading.course;
    if reading.resolved_ms.is_some() {
        // it stays resolved from then on, and that is no leg of its clock
        did.pop();
    }
    for (span, clock) in did {
        let state = match clock {
            Clock::Running => ClockState::Running,
            Clock::Paused => ClockState::Paused,
            Clock::Resolved => {
                legs.push((span, ClockState::Resolved));
                continue;
            }
        };
        let open = (promise.hours)(span);
        let shut = Set::from(span).subtract(&open);
        let from = legs.len();
        legs.extend(open.spans().iter().map(|part| (*part, state)));
        legs.extend(shut.spans().iter().map(|part| (*part, ClockState::OutOfHours)));
        legs[from..].sort_by_key(|(part, _)| part.from_ms);
    }
    legs.retain(|(span, _)| !span.is_empty());
    let leg = |(span, clock): (Span, ClockState)| Leg {
        from: At(span.from_ms),
        to: At(span.to_ms),
        length_s: Ms(span.len_ms()),
        clock,
    };
    TicketCourse {
        id: ticket.id.to_string(),
        opened: At(ticket.opened.ms()),
        resolved: reading.resolved_ms.map(At),
        legs: legs.into_iter().map(leg).collect(),
        ignored: reading.ignored,
    }
}

/// What names an address on a list: the segments of one of the component's streams.
type Naming<'a> = Vec<(&'a Stream, &'a Segment, Span)>;

/// When which address stood on which list.
pub(super) fn listings(
    case: &Case<'_>,
    level: &Level,
    limits: Limits,
) -> Result<ListingGrounds, ReportError> {
    let row = case.row(level)?;
    let probes = case.catalogue.probes_of(&row.component.id);
    let probes: Vec<&str> =
        probes.filter(|p| p.kind.name == "dnsbl").map(|p| p.id.as_str()).collect();
    let own = |stream: &&Stream| probes.contains(&stream.probe.as_str());
    let mut named: BTreeMap<(&str, &str), Naming<'_>> = BTreeMap::new();
    for stream in case.evidence.streams.iter().filter(own) {
        for (segment, span) in spoken(stream, case.period, case.now_ms) {
            for listing in &segment.listings {
                let naming = named.entry((&listing.address, &listing.list)).or_default();
                naming.push((stream, segment, span));
            }
        }
    }
    let mut all = Vec::new();
    for ((address, list), naming) in &named {
        for span in Set::of(naming.iter().map(|(.., span)| *span)).spans() {
            all.push(ListingInterval {
                address: (*address).to_owned(),
                list: (*list).to_owned(),
                from: At(span.from_ms),
                to: At(span.to_ms),
                length_s: Ms(span.len_ms()),
                records: records(naming, *span),
            });
        }
    }
    all.sort_by_key(|listing| listing.from);
    let mut grounds = ListingGrounds::default();
    grounds.left_out.entries = all.len().saturating_sub(limits.entries) as u64;
    all.truncate(limits.entries);
    let mut left = limits.records;
    for listing in &mut all {
        if listing.records.len() > left {
            grounds.left_out.unrecorded += 1;
            listing.records.truncate(left);
        }
        left -= listing.records.len();
    }
    grounds.listings = all;
    Ok(grounds)
}

/// The outcomes that name a listing within a stretch, one record for each agent and probe.
fn records(naming: &Naming<'_>, within: Span) -> Vec<ListingRecord> {
    let mut records: Vec<ListingRecord> = Vec::new();
    for (stream, segment, _) in naming.iter().filter(|(.., s)| !s.clip(within).is_empty()) {
        let (agent, probe) = (stream.agent.as_str(), stream.probe.as_str());
        let same = |r: &&mut ListingRecord| r.probe == probe && r.agent.as_deref() == Some(agent);
        match records.iter_mut().find(same) {
            Some(held) => {
                held.last_due = At(segment.last_ms);
                held.outcomes += segment.count;
            }
            None => records.push(ListingRecord {
                probe: probe.to_owned(),
                agent: Some(agent.to_owned()),
                first_due: At(segment.first_ms),
                last_due: At(segment.last_ms),
                outcomes: segment.count,
            }),
        }
    }
    records
}

/// The counts that were added up.
pub(super) fn counts(case: &Case<'_>, series: &str, limits: Limits) -> CountGrounds {
    let mut all: Vec<CountGround> = share::counts(case, series)
        .map(|count| CountGround {
            series: count.series.to_string(),
            from: At(count.from.ms()),
            to: At(count.to.ms()),
            good: count.good,
            total: count.total,
        })
        .collect();
    all.sort_by_key(|count| (count.from, count.to));
    let mut grounds = CountGrounds::default();
    grounds.left_out.entries = all.len().saturating_sub(limits.entries) as u64;
    all.truncate(limits.entries);
    grounds.counts = all;
    grounds
}
