//! What evidence of a month came, went or was superseded between two editions, in words for
//! everybody: records are named, agents are not.

use std::collections::{BTreeMap, BTreeSet};

use mailward_evidence::{ProbeId, TicketEventKind};

use crate::interval::Span;
use crate::language::{Local, english};
use crate::report::model::At;
use crate::segment::{Evidence, Segment, Stream};

/// The most sentences about records of one kind.
const MOST: usize = 50;

/// A sentence for each difference within the period.
#[must_use]
pub(crate) fn changes(
    before: &Evidence,
    after: &Evidence,
    period: Span,
    local: &Local<'_>,
) -> Vec<String> {
    let mut said = outcomes(before, after, period, local);
    if rosters(before, period) != rosters(after, period) {
        said.push(english().change.rosters().to_owned());
    }
    said.extend(records(Kind::Exclusion, &exclusions(before, period), &exclusions(after, period)));
    said.extend(records(Kind::Ticket, &tickets(before, period), &tickets(after, period)));
    said.extend(records(
        Kind::Count,
        &counts(before, period, local),
        &counts(after, period, local),
    ));
    said
}

/// Records by name, as text that differs where they do.
type Named = BTreeMap<String, String>;

/// A kind of records.
#[derive(Clone, Copy)]
enum Kind {
    Exclusion,
    Ticket,
    Count,
}

/// What became of a record.
#[derive(Clone, Copy)]
enum Fate {
    Came,
    Superseded,
    Withdrawn,
}

impl Kind {
    fn told(self, fate: Fate, name: &str) -> String {
        let text = &english().change;
        match (self, fate) {
            (Self::Exclusion, Fate::Came) => text.exclusion_came(name),
            (Self::Exclusion, Fate::Superseded) => text.exclusion_superseded(name),
            (Self::Exclusion, Fate::Withdrawn) => text.exclusion_withdrawn(name),
            (Self::Ticket, Fate::Came) => text.ticket_came(name),
            (Self::Ticket, Fate::Superseded) => text.ticket_superseded(name),
            (Self::Ticket, Fate::Withdrawn) => text.ticket_withdrawn(name),
            (Self::Count, Fate::Came) => text.count_came(name),
            (Self::Count, Fate::Superseded) => text.count_superseded(name),
            (Self::Count, Fate::Withdrawn) => text.count_withdrawn(name),
        }
    }

    fn more(self, n: usize) -> String {
        let text = &english().change;
        match self {
            Self::Exclusion => text.exclusions_more(n),
            Self::Ticket => text.tickets_more(n),
            Self::Count => text.counts_more(n),
        }
    }
}

fn records(kind: Kind, before: &Named, after: &Named) -> Vec<String> {
    let mut said = Vec::new();
    for (name, now) in after {
        match before.get(name) {
            None => said.push(kind.told(Fate::Came, name)),
            Some(was) if was != now => said.push(kind.told(Fate::Superseded, name)),
            Some(_) => {}
        }
    }
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    said.extend(gone.map(|name| kind.told(Fate::Withdrawn, name)));
    if said.len() > MOST {
        let more = said.len() - MOST;
        said.truncate(MOST);
        said.push(kind.more(more));
    }
    said
}

fn exclusions(evidence: &Evidence, period: Span) -> Named {
    let touching = evidence.exclusions.iter().map(|seen| &seen.exclusion).filter(|exclusion| {
        let span = Span::new(exclusion.from.ms(), exclusion.to.ms());
        !span.clip(period).is_empty()
    });
    touching.map(|e| (e.id.to_string(), format!("{e:?}"))).collect()
}

/// Tickets that were open at some time of the period.
fn tickets(evidence: &Evidence, period: Span) -> Named {
    let touching = evidence.tickets.iter().filter(|ticket| {
        let last = ticket.events.iter().map(|event| event.at).max().unwrap_or(ticket.opened);
        let open = ticket.events.iter().all(|event| event.what != TicketEventKind::Resolved);
        ticket.opened.ms() < period.to_ms && (open || last.ms() >= period.from_ms)
    });
    touching.map(|t| (t.id.to_string(), format!("{t:?}"))).collect()
}

fn counts(evidence: &Evidence, period: Span, local: &Local<'_>) -> Named {
    let within = evidence.counts.iter().filter(|count| period.contains(count.from.ms()));
    let name = |c: &mailward_evidence::Count| {
        format!("of {} from {}", c.series, local.short(At(c.from.ms())))
    };
    within.map(|c| (name(c), format!("{c:?}"))).collect()
}

fn rosters(evidence: &Evidence, period: Span) -> Vec<String> {
    let until = evidence.rosters.iter().filter(|roster| roster.at.ms() < period.to_ms);
    until.map(|roster| format!("{roster:?}")).collect()
}

/// What a stream says of the period: the same for equal evidence, however far it goes on after.
fn said_of(stream: &Stream, period: Span) -> Vec<(i64, i64, Segment)> {
    let touching = stream
        .segments
        .iter()
        .filter(|segment| segment.first_ms < period.to_ms && segment.last_ms >= period.from_ms);
    let clipped = touching.map(|segment| {
        let span = (segment.first_ms.max(period.from_ms), segment.last_ms.min(period.to_ms));
        // how many there are of a run that goes on outside of the period is no matter of it
        let inside = segment.first_ms >= period.from_ms && segment.last_ms < period.to_ms;
        let count = if inside { segment.count } else { 0 };
        let next_due_ms = if inside { segment.next_due_ms } else { 0 };
        let same = Segment { first_ms: 0, last_ms: 0, count, next_due_ms, ..segment.clone() };
        (span.0, span.1, same)
    });
    clipped.collect()
}

fn outcomes(before: &Evidence, after: &Evidence, period: Span, local: &Local<'_>) -> Vec<String> {
    let of = |evidence: &Evidence| {
        let streams = evidence
            .streams
            .iter()
            .map(|stream| ((stream.probe.clone(), stream.agent.clone()), said_of(stream, period)));
        streams.filter(|(_, said)| !said.is_empty()).collect::<BTreeMap<_, _>>()
    };
    let (before, after) = (of(before), of(after));
    let mut differ: BTreeMap<&ProbeId, (usize, i64, i64)> = BTreeMap::new();
    let keys: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let pieces = |all: &BTreeMap<_, Vec<_>>| all.get(key).cloned().unwrap_or_default();
        let (was, now) = (pieces(&before), pieces(&after));
        if was == now {
            continue;
        }
        // from the first piece that differs to the end of the last
        let alike = was.iter().zip(&now).take_while(|(a, b)| a == b).count();
        let rest = was.iter().skip(alike).chain(now.iter().skip(alike));
        let (from, to) = rest
            .fold((i64::MAX, i64::MIN), |(from, to), piece| (from.min(piece.0), to.max(piece.1)));
        let entry = differ.entry(&key.0).or_insert((0, i64::MAX, i64::MIN));
        *entry = (entry.0 + 1, entry.1.min(from), entry.2.max(to));
    }
    let sentences = differ.into_iter().map(|(probe, (agents, from, to))| {
        let text = &english().change;
        let (from, to) = (local.short(At(from)), local.short(At(to)));
        match agents {
            1 => text.outcomes(probe, from, to),
            n => text.outcomes_of(probe, n, from, to),
        }
    });
    sentences.collect()
}
