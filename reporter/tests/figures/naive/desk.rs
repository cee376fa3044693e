//! Mails, tickets and counts (rules 11, 12 and 14), one by one.

use std::collections::BTreeSet;

use jiff::civil::Date;
use mailward_evidence::{TicketEventKind, Verdict};

use super::hours::Open;
use super::{Branch, Naive, Slip};
use crate::world::TicketDef;

/// What lies further ahead is not foreseen: ten years and a month.
const FORESEEN: i64 = 3680 * 86_400_000;

#[derive(Debug, Default, PartialEq)]
pub(crate) struct DeskAnswer {
    pub sent: u64,
    pub delivered: u64,
    pub in_time: u64,
    /// At 50, 90, 95 and 99 per cent.
    pub ranks: [Option<i64>; 4],
    pub tickets: Vec<TicketAnswer>,
    pub open: Vec<TicketAnswer>,
    /// good, total.
    pub counted: (u64, u64),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TicketAnswer {
    pub id: usize,
    pub due: Option<i64>,
    pub used: i64,
    pub paused: i64,
    pub met: Option<bool>,
    pub ignored: usize,
}

impl Naive<'_> {
    pub(super) fn desk(&self, (from, to): (i64, i64), first: Date) -> DeskAnswer {
        let mut answer = DeskAnswer::default();
        self.mails((from, to.min(self.world.now)), &mut answer);
        self.tickets((from, to), first, &mut answer);
        for count in self.arrivals.counts.iter().filter(|count| count.ours) {
            let when = if self.slip == Slip::CountsByEnd { count.to } else { count.from };
            let inside = from <= when && when < to;
            self.saws.if_so(inside && count.to > self.world.now, Branch::CountLeftOut);
            if inside && count.to <= self.world.now {
                answer.counted.0 += count.good;
                answer.counted.1 += count.total;
            }
        }
        self.saws.if_so(answer.counted.1 == 0, Branch::NoCount);
        answer
    }

    fn mails(&self, (from, to): (i64, i64), answer: &mut DeskAnswer) {
        let desk = &self.world.desk;
        // `None` is lost, which is slower than anything
        let mut sent: Vec<Option<i64>> = Vec::new();
        let of_mail = |probe: usize| self.world.probes[probe].mail;
        let inside = |due: i64| from <= due && due < to;
        for seen in self.outcomes().filter(|seen| of_mail(seen.probe) && inside(seen.due)) {
            let late = seen.delivery.is_some_and(|took| took > desk.lost_after);
            match (seen.verdict, seen.delivery) {
                (Verdict::Unknown, _) | (Verdict::Up | Verdict::Degraded, None) => {}
                (Verdict::Down, _) => {
                    self.saws.tick(Branch::LostDown);
                    sent.push(None);
                }
                (_, Some(_)) if late && self.slip != Slip::LostAfterForgotten => {
                    self.saws.tick(Branch::LostLate);
                    sent.push(None);
                }
                (_, took) => sent.push(took),
            }
        }
        if self.slip == Slip::LostForgotten {
            sent.retain(Option::is_some);
        }
        let arrived = |limit: i64| sent.iter().flatten().filter(|took| **took <= limit).count();
        answer.sent = sent.len() as u64;
        answer.delivered = arrived(i64::MAX) as u64;
        answer.in_time = arrived(desk.deliver_within) as u64;
        answer.ranks = [50, 90, 95, 99].map(|p| {
            // the least time within which p per cent of all that was sent had arrived
            let enough = |took: &&i64| match self.slip {
                Slip::RankBelow => (arrived(**took) + 1) * 100 > p * sent.len(),
                _ => arrived(**took) * 100 >= p * sent.len(),
            };
            sent.iter().flatten().filter(enough).min().copied()
        });
        let lost = answer.ranks[3].is_none() && answer.sent > 0;
        self.saws.if_so(lost, Branch::LostRank);
    }

    fn tickets(&self, (from, to): (i64, i64), first: Date, answer: &mut DeskAnswer) {
        let of_component = self.world.desk.of_component;
        let mut own: Vec<&TicketDef> = self.arrivals.tickets.clone();
        own.retain(|t| t.severe && t.opened < self.world.now && (t.ours || !of_component));
        own.sort_by_key(|ticket| ticket.id);
        let Some(earliest) = own.iter().map(|ticket| ticket.opened).min() else { return };
        let begin = self.calendar.date(earliest).min(first);
        let end = first.checked_add(jiff::Span::new().days(250)).unwrap();
        let mut hours = self.open(begin, end, of_component);
        let since = self.world.since.as_ref().map(|date| date.parse::<Date>().unwrap());
        if let Some(since) = since.filter(|since| of_component && *since > end) {
            let later = since.checked_add(jiff::Span::new().days(100)).unwrap();
            hours.and(self.open(since, later, of_component));
        }
        for ticket in own {
            let clock = self.clock(ticket, &hours);
            let late = match self.slip {
                Slip::ExactIsLate => clock.answer.used >= self.world.desk.resolve_within,
                _ => clock.answer.used > self.world.desk.resolve_within,
            };
            let exactly = clock.answer.used == self.world.desk.resolve_within;
            let decided = match clock.resolved {
                Some(at) => Some(at),
                None if late => clock.answer.due,
                None => None,
            };
            let entry = |met| TicketAnswer { met, ..clock.answer.clone() };
            match decided {
                Some(at) if from <= at && at < to => {
                    let resolved = clock.resolved.is_some();
                    self.saws.if_so(resolved && !late, Branch::Resolved);
                    self.saws.if_so(resolved && exactly, Branch::ResolvedExactly);
                    self.saws.if_so(resolved && late, Branch::ResolvedLate);
                    self.saws.if_so(!resolved, Branch::OpenLate);
                    answer.tickets.push(entry(Some(!late)));
                }
                None if ticket.opened < to => {
                    self.saws.tick(Branch::StillOpen);
                    answer.open.push(entry(None));
                }
                _ => self.saws.tick(Branch::Elsewhere),
            }
        }
    }

    /// The clock of a ticket, stretch by stretch.
    fn clock(&self, ticket: &TicketDef, hours: &Open) -> Clock {
        let now = self.world.now;
        let mut events = ticket.events.clone();
        events.retain(|(at, _)| *at < now);
        events.sort_by_key(|(at, _)| *at);
        let mut clock = Clock::new(ticket);
        for (at, what) in events {
            self.take(&mut clock, at, what);
        }
        clock.stretches.push((clock.since, now, clock.state));
        let edges: BTreeSet<i64> = hours.edges().collect();
        let runs = |state: State| {
            state == State::Running || (state == State::Paused && self.slip == Slip::PausesRun)
        };
        let open = |at: i64| hours.at(at) || self.slip == Slip::ClockNeverRests;
        let mut used_at_start = 0;
        let mut reached = None;
        for (a, b, state) in clock.stretches.clone() {
            if a == clock.started && state == State::Running {
                used_at_start = clock.answer.used;
            }
            let mut cuts: Vec<i64> = edges.range(a..b.max(a)).copied().collect();
            cuts.extend([a, b]);
            cuts.sort_unstable();
            for piece in cuts.windows(2).filter(|w| w[1] > w[0] && open(w[0])) {
                let len = piece[1] - piece[0];
                let left = self.world.desk.resolve_within - clock.answer.used;
                if runs(state) {
                    if reached.is_none() && left <= len {
                        reached = Some(piece[0] + left);
                    }
                    clock.answer.used += len;
                } else if state == State::Paused {
                    self.saws.tick(Branch::Paused);
                    clock.answer.paused += len;
                }
            }
        }
        clock.answer.due = if used_at_start >= self.world.desk.resolve_within {
            reached
        } else {
            let left = self.world.desk.resolve_within - used_at_start;
            let due = self.runs_on(clock.started, left, &edges, &open);
            due.filter(|due| due - clock.started <= FORESEEN)
        };
        if self.slip == Slip::FirstResolution {
            clock.resolved = clock.resolved.and(clock.first_resolved);
        }
        clock
    }

    /// When a clock that starts at `at` has run for `left`.
    fn runs_on(
        &self,
        at: i64,
        mut left: i64,
        edges: &BTreeSet<i64>,
        open: &dyn Fn(i64) -> bool,
    ) -> Option<i64> {
        let last = edges.last().copied().unwrap_or(at).max(at);
        let mut cuts: Vec<i64> = edges.range(at..).copied().collect();
        cuts.extend([at, last]);
        cuts.sort_unstable();
        for piece in cuts.windows(2).filter(|w| open(w[0])) {
            if left <= piece[1] - piece[0] {
                return Some(piece[0] + left);
            }
            left -= piece[1] - piece[0];
        }
        // past the last edge nothing changes any more
        let for_ever = self.world.hours.is_none() || self.slip == Slip::ClockNeverRests;
        (for_ever && open(last)).then_some(last + left)
    }

    fn take(&self, clock: &mut Clock, at: i64, what: TicketEventKind) {
        use TicketEventKind as What;
        let limit = self.world.desk.reopen_within.filter(|_| self.slip != Slip::ReopenAlways);
        let passed = at - clock.since;
        let in_time = limit.is_none_or(|limit| match self.slip {
            Slip::ReopenStrict => passed < limit,
            _ => passed <= limit,
        });
        let next = match (clock.state, what) {
            (State::Running, What::Paused) => State::Paused,
            (State::Paused, What::Resumed) => State::Running,
            (State::Running | State::Paused, What::Resolved) => State::Resolved,
            (State::Resolved, What::Reopened) if in_time => {
                self.saws.tick(Branch::Reopened);
                self.saws.if_so(limit == Some(passed), Branch::ReopenedAtLimit);
                State::Running
            }
            (state, what) => {
                let late = state == State::Resolved && what == What::Reopened;
                self.saws.tick(if late { Branch::ReopenedTooLate } else { Branch::EventIgnored });
                clock.answer.ignored += 1;
                return;
            }
        };
        clock.stretches.push((clock.since, at, clock.state));
        (clock.state, clock.since) = (next, at);
        clock.resolved = (next == State::Resolved).then_some(at);
        clock.first_resolved = clock.first_resolved.or(clock.resolved);
        if next == State::Running {
            clock.started = at;
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Running,
    Paused,
    Resolved,
}

struct Clock {
    state: State,
    since: i64,
    started: i64,
    resolved: Option<i64>,
    first_resolved: Option<i64>,
    stretches: Vec<(i64, i64, State)>,
    answer: TicketAnswer,
}

impl Clock {
    fn new(ticket: &TicketDef) -> Self {
        let (id, opened) = (ticket.id, ticket.opened);
        let answer = TicketAnswer { id, due: None, used: 0, paused: 0, met: None, ignored: 0 };
        Self {
            state: State::Running,
            since: opened,
            started: opened,
            resolved: None,
            first_resolved: None,
            stretches: Vec::new(),
            answer,
        }
    }
}
