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
    /// What its clock did, in order of time, until now.
    pub course: Vec<(Span, Clock)>,
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

/// What a ticket's clock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// It runs, in its hours.
    Running,
    /// It waits for somebody else.
    Paused,
    /// It stands, because the ticket is resolved.
    Resolved,
}

struct Course {
    state: Clock,
    since_ms: i64,
    last_start_ms: i64,
    done: Vec<(Span, Clock)>,
    ignored: Vec<String>,
}

/// Reads a ticket's clock at `now_ms`; events at or after it do not exist.
#[must_use]
pub fn read(ticket: &Ticket, promise: &Promise<'_>, now_ms: i64) -> Reading {
    Course::of(ticket, promise.reopen_within_ms, now_ms).read(promise, now_ms)
}

/// When a ticket was last resolved as known at `now_ms`, by the same events that [`read`] counts;
/// `None` while it is open.
#[must_use]
pub fn resolved_ms(ticket: &Ticket, reopen_within_ms: Option<i64>, now_ms: i64) -> Option<i64> {
    Course::of(ticket, reopen_within_ms, now_ms).resolved_ms()
}

impl Course {
    fn of(ticket: &Ticket, reopen_within_ms: Option<i64>, now_ms: i64) -> Self {
        let opened_ms = ticket.opened.ms();
        let mut course = Self {
            state: Clock::Running,
            since_ms: opened_ms,
            last_start_ms: opened_ms,
            done: Vec::new(),
            ignored: Vec::new(),
        };
        let mut events: Vec<&TicketEvent> =
            ticket.events.iter().filter(|event| event.at.ms() < now_ms).collect();
        events.sort_by_key(|event| event.at);
        for event in events {
            course.take(event, reopen_within_ms);
        }
        course
    }

    fn resolved_ms(&self) -> Option<i64> {
        (self.state == Clock::Resolved).then_some(self.since_ms)
    }

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
        self.done.push((Span::new(self.since_ms, at_ms), self.state));
        if next == Clock::Running {
            self.last_start_ms = at_ms;
        }
        self.state = next;
        self.since_ms = at_ms;
    }

    fn read(mut self, promise: &Promise<'_>, now_ms: i64) -> Reading {
        let due_ms = self.due_ms(promise);
        self.done.push((Span::new(self.since_ms, now_ms), self.state));
        let in_hours = |clock: Clock| -> i64 {
            let spans = self.done.iter().filter(|(_, did)| *did == clock);
            spans.map(|(span, _)| (promise.hours)(*span).len_ms()).sum()
        };
        Reading {
            resolved_ms: self.resolved_ms(),
            used_ms: in_hours(Clock::Running),
            paused_ms: in_hours(Clock::Paused),
            due_ms,
            ignored: self.ignored,
            course: self.done,
        }
    }

    fn due_ms(&self, promise: &Promise<'_>) -> Option<i64> {
        const CHUNK_MS: i64 = 92 * 86_400_000;
        /// Hours that do not add up to a target in ten years never will.
        const CHUNKS: i64 = 40;
        let ran = self.done.iter().filter(|(_, did)| *did == Clock::Running);
        let before = ran.map(|(span, _)| *span).filter(|span| span.from_ms < self.last_start_ms);
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
