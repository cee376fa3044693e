//! The clock of a ticket (rule 12): which of its events count, how long its clock ran in the
//! hours it is promised in, and when its target passes.

use mailward_evidence::{Ticket, TicketEvent, TicketEventKind};

use crate::interval::{Set, Span};

/// What a ticket's clock shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// When its last resolution was; `None` while it is open.
    pub resolved_ms: Option<i64>,
    /// In-hours time on the clock.
    pub used_ms: i64,
    /// In-hours time paused.
    pub paused_ms: i64,
    /// When the target passes if the clock runs on from its last start; `None` where there are
    /// no hours for it to pass in.
    pub due_ms: Option<i64>,
    /// Events that were ignored, and why.
    pub ignored: Vec<String>,
}

/// What a ticket is promised.
pub struct Promise<'a> {
    /// The hours the clock runs in, for any window.
    pub hours: &'a dyn Fn(Span) -> Set,
    /// The target, in in-hours milliseconds.
    pub within_ms: i64,
    /// A re-open later than this after the resolution does not count; `None`: no limit.
    pub reopen_within_ms: Option<i64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Clock {
    Running,
    Paused,
    Resolved,
}

struct Course {
    state: Clock,
    since_ms: i64,
    last_start_ms: i64,
    ran: Vec<Span>,
    paused: Vec<Span>,
    ignored: Vec<String>,
}

/// Reads a ticket's clock at `now_ms`; events at or after it do not exist.
#[must_use]
pub fn read(ticket: &Ticket, promise: &Promise<'_>, now_ms: i64) -> Reading {
    let opened_ms = ticket.opened.ms();
    let mut course = Course {
        state: Clock::Running,
        since_ms: opened_ms,
        last_start_ms: opened_ms,
        ran: Vec::new(),
        paused: Vec::new(),
        ignored: Vec::new(),
    };
    let mut events: Vec<&TicketEvent> =
        ticket.events.iter().filter(|event| event.at.ms() < now_ms).collect();
    events.sort_by_key(|event| event.at);
    for event in events {
        course.take(event, promise.reopen_within_ms);
    }
    course.read(promise, now_ms)
}

impl Course {
    fn take(&mut self, event: &TicketEvent, reopen_within_ms: Option<i64>) {
        use TicketEventKind::{Paused, Reopened, Resolved, Resumed};
        let at_ms = event.at.ms();
        let next = match (self.state, event.what) {
            (Clock::Running, Paused) => Clock::Paused,
            (Clock::Paused, Resumed) => Clock::Running,
            (Clock::Running | Clock::Paused, Resolved) => Clock::Resolved,
            (Clock::Resolved, Reopened) => {
                if reopen_within_ms.is_some_and(|limit| at_ms - self.since_ms > limit) {
                    let at = event.at;
                    self.ignored.push(format!("reopened at {at}: too late after its resolution"));
                    return;
                }
                Clock::Running
            }
            (state, what) => {
                self.ignored.push(format!("{} at {}: {}", word(what), event.at, state.why_not()));
                return;
            }
        };
        let span = Span::new(self.since_ms, at_ms);
        match self.state {
            Clock::Running => self.ran.push(span),
            Clock::Paused => self.paused.push(span),
            Clock::Resolved => {}
        }
        if next == Clock::Running {
            self.last_start_ms = at_ms;
        }
        self.state = next;
        self.since_ms = at_ms;
    }

    fn read(mut self, promise: &Promise<'_>, now_ms: i64) -> Reading {
        let due_ms = self.due_ms(promise);
        let until_now = Span::new(self.since_ms, now_ms);
        match self.state {
            Clock::Running => self.ran.push(until_now),
            Clock::Paused => self.paused.push(until_now),
            Clock::Resolved => {}
        }
        let in_hours = |spans: &[Span]| -> i64 {
            spans.iter().map(|span| (promise.hours)(*span).len_ms()).sum()
        };
        Reading {
            resolved_ms: (self.state == Clock::Resolved).then_some(self.since_ms),
            used_ms: in_hours(&self.ran),
            paused_ms: in_hours(&self.paused),
            due_ms,
            ignored: self.ignored,
        }
    }

    fn due_ms(&self, promise: &Promise<'_>) -> Option<i64> {
        const CHUNK_MS: i64 = 92 * 86_400_000;
        /// Hours that do not add up to a target in ten years never will.
        const CHUNKS: i64 = 40;
        let before = self.ran.iter().filter(|span| span.from_ms < self.last_start_ms).copied();
        let onward = (0..CHUNKS).map(|n| {
            let from_ms = self.last_start_ms.saturating_add(n * CHUNK_MS);
            Span::new(from_ms, from_ms.saturating_add(CHUNK_MS))
        });
        let mut left_ms = promise.within_ms;
        for span in before.chain(onward) {
            for open in (promise.hours)(span).spans() {
                if left_ms <= open.len_ms() {
                    return Some(open.from_ms + left_ms);
                }
                left_ms -= open.len_ms();
            }
        }
        None
    }
}

impl Clock {
    const fn why_not(self) -> &'static str {
        match self {
            Self::Running => "its clock was running",
            Self::Paused => "its clock was paused",
            Self::Resolved => "it was resolved",
        }
    }
}

const fn word(what: TicketEventKind) -> &'static str {
    match what {
        TicketEventKind::Paused => "paused",
        TicketEventKind::Resumed => "resumed",
        TicketEventKind::Resolved => "resolved",
        TicketEventKind::Reopened => "reopened",
    }
}
