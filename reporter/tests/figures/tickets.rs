//! Ticket clocks (rule 12): by hand, and point by point on random tickets.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailward_catalogue::{Hours, LevelHours, Span as Declared};
use mailward_evidence::{Extra, Instant, Ticket, TicketEvent, TicketEventKind};
use mailward_reporter::clock::service_hours;
use mailward_reporter::clock::ticket::{Promise, Reading, read};
use mailward_reporter::interval::Span;
use proptest::prelude::*;

const HOUR: i64 = 3_600_000;

fn ticket(opened: i64, events: &[(i64, TicketEventKind)]) -> Ticket {
    Ticket {
        id: "INC1".into(),
        severity: "2".into(),
        component: None,
        opened: Instant::from_ms(opened).unwrap(),
        events: events
            .iter()
            .map(|(at, what)| TicketEvent {
                at: Instant::from_ms(*at).unwrap(),
                what: *what,
                extra: Extra::default(),
            })
            .collect(),
        cancelled: false,
        extra: Extra::default(),
    }
}

/// 07:00 to 22:00 in London on every day.
pub(crate) fn core() -> Hours {
    Hours {
        name: "core".to_owned(),
        weekly: std::array::from_fn(|_| vec![Declared { from_min: 420, to_min: 1320 }]),
        holidays: std::collections::BTreeSet::new(),
    }
}

pub(crate) fn reading(
    ticket: &Ticket,
    hours: &Hours,
    within_ms: i64,
    reopen_within_ms: Option<i64>,
    now_ms: i64,
) -> Reading {
    let zone = TimeZone::get("Europe/London").unwrap();
    let named = LevelHours::Named(hours.name.clone());
    let hours = |span: Span| service_hours(&named, Some(hours), &zone, None, span);
    read(ticket, &Promise { hours: &hours, within_ms, reopen_within_ms }, now_ms)
}

fn ms(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_millisecond()
}

/// Point by point: is it in hours, and what does the clock do then?
fn naive(
    ticket: &Ticket,
    within: i64,
    limit: Option<i64>,
    now: i64,
) -> (Option<i64>, i64, i64, Option<i64>, usize) {
    let zone = TimeZone::get("Europe/London").unwrap();
    let open = |at: i64| {
        let local = zone.to_datetime(Timestamp::from_millisecond(at).unwrap());
        (7..22).contains(&local.hour())
    };
    let mut events: Vec<(i64, TicketEventKind)> =
        ticket.events.iter().map(|e| (e.at.ms(), e.what)).filter(|(at, _)| *at < now).collect();
    events.sort_by_key(|(at, _)| *at);
    let (mut used, mut paused, mut ignored) = (0, 0, 0);
    let mut state = "running";
    let mut resolved = None;
    let mut last_start = ticket.opened.ms();
    let mut used_at_start = 0;
    let mut reached = None;
    let mut at = ticket.opened.ms();
    while at <= now {
        for (_, what) in events.iter().filter(|(when, _)| *when == at) {
            let next = match (state, what) {
                ("running", TicketEventKind::Paused) => "paused",
                ("paused", TicketEventKind::Resumed) => "running",
                ("running" | "paused", TicketEventKind::Resolved) => "resolved",
                ("resolved", TicketEventKind::Reopened)
                    if limit.is_none_or(|limit| at <= resolved.unwrap() + limit) =>
                {
                    "running"
                }
                _ => {
                    ignored += 1;
                    continue;
                }
            };
            state = next;
            resolved = (state == "resolved").then_some(at);
            if state == "running" {
                last_start = at;
                used_at_start = used;
            }
        }
        if at == now {
            break;
        }
        if open(at) {
            used += if state == "running" { HOUR } else { 0 };
            paused += if state == "paused" { HOUR } else { 0 };
            if used >= within && reached.is_none() {
                reached = Some(at + HOUR);
            }
        }
        at += HOUR;
    }
    let due = if used_at_start >= within {
        reached
    } else {
        let mut left = within - used_at_start;
        let mut at = last_start;
        while left > 0 {
            left -= if open(at) { HOUR } else { 0 };
            at += HOUR;
        }
        Some(at)
    };
    (resolved, used, paused, due, ignored)
}

proptest! {
    #[test]
    fn clocks_agree_with_the_naive_one(
        // through the change to summer time at the end of March 2019
        opened in 0i64..200,
        events in proptest::collection::vec((0i64..400, 0u8..4), 0..9),
        within in 1i64..60,
        limit in proptest::option::of(0i64..100),
        now in 1i64..500,
    ) {
        let start = ms("2019-03-25T00:00:00Z");
        let opened = start + opened * HOUR;
        let kinds = [
            TicketEventKind::Paused,
            TicketEventKind::Resumed,
            TicketEventKind::Resolved,
            TicketEventKind::Reopened,
        ];
        let events: Vec<(i64, TicketEventKind)> = events
            .into_iter()
            .map(|(after, kind)| (opened + after * HOUR, kinds[usize::from(kind)]))
            .collect();
        let ticket = ticket(opened, &events);
        let (within, limit, now) = (within * HOUR, limit.map(|h| h * HOUR), opened + now * HOUR);
        let got = reading(&ticket, &core(), within, limit, now);
        let expect = naive(&ticket, within, limit, now);
        prop_assert_eq!(
            (got.resolved_ms, got.used_ms, got.paused_ms, got.due_ms, got.ignored.len()),
            expect
        );
    }
}

#[test]
fn what_is_ignored_is_said() {
    use TicketEventKind::{Paused, Reopened, Resolved, Resumed};
    let start = ms("2019-02-11T09:00:00Z");
    let ticket = ticket(
        start,
        &[
            (start + HOUR, Resumed),
            (start + 2 * HOUR, Resolved),
            (start + 3 * HOUR, Paused),
            (start + 75 * HOUR, Reopened),
        ],
    );
    let reading = reading(&ticket, &core(), 48 * HOUR, Some(72 * HOUR), start + 100 * HOUR);
    assert_eq!(reading.used_ms, 2 * HOUR);
    assert_eq!(
        reading.ignored,
        [
            "resumed at 2019-02-11T10:00:00Z: its clock was running",
            "paused at 2019-02-11T12:00:00Z: it was resolved",
            "reopened at 2019-02-14T12:00:00Z: too late after its resolution",
        ]
    );
}

#[test]
fn a_clock_without_hours_never_passes_its_target() {
    let never = Hours {
        name: "never".to_owned(),
        weekly: std::array::from_fn(|_| Vec::new()),
        holidays: std::collections::BTreeSet::new(),
    };
    let start = ms("2019-02-11T09:00:00Z");
    let reading = reading(&ticket(start, &[]), &never, HOUR, None, start + 9999 * HOUR);
    assert_eq!((reading.due_ms, reading.used_ms), (None, 0));
}
