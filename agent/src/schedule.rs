//! When probes are due: intervals and a seed in, due times out. Pure: the time is passed in,
//! and nothing here knows a probe's kind, a timer or a socket. Scheduled runs stand on a grid:
//! the epoch plus a phase from a hash of agent and probe, so that a fleet spreads and a restart
//! keeps step. Re-probes hang between them; `Course` documents how.

pub mod cron;

use sha2::{Digest, Sha256};

use crate::turn::Turn;

pub use cron::{Cron, CronError};

/// A run that starts later than this after it was due is not made: what it would see is no
/// longer what it was due to see. The interval itself is the limit where it is shorter.
pub const MAX_LATE_MS: i64 = 10_000;
/// A run that starts this much after it was due bears the fact `late_ms`.
pub const LATE_MS: i64 = 1_000;
/// What an outcome says of the next run where the cron has none any more.
const NO_NEXT_MS: u64 = 86_400_000;
/// The most missed runs of a cron that are counted one by one.
const MAX_COUNTED: u32 = 10_000;

/// The phase of a probe on its grid, in milliseconds: 0 to `every_ms`, fixed for (agent, probe).
#[must_use]
pub fn phase_ms(agent: &str, probe: &str, every_ms: i64) -> i64 {
    let mut hash = Sha256::new();
    hash.update(agent.as_bytes());
    // a byte that no identifier holds, so that ("ab", "c") and ("a", "bc") differ
    hash.update([0]);
    hash.update(probe.as_bytes());
    let digest = hash.finalize();
    let mut head = [0u8; 8];
    head.copy_from_slice(&digest[..8]);
    let seed = u64::from_be_bytes(head) >> 1;
    i64::try_from(seed).unwrap_or(0).rem_euclid(every_ms.max(1))
}

/// What schedules the runs of a probe that does not fail.
#[derive(Clone, Debug)]
pub enum Rhythm {
    /// Every `every_ms` on the epoch's grid, shifted by `phase_ms`.
    Every {
        /// The interval, above 0.
        every_ms: i64,
        /// The shift, 0 to `every_ms`.
        phase_ms: i64,
    },
    /// On a cron.
    Cron(Cron),
}

impl Rhythm {
    /// The grid of a probe that runs at a fixed interval.
    #[must_use]
    pub fn every(agent: &str, probe: &str, every_ms: i64) -> Self {
        let every_ms = every_ms.max(1);
        Self::Every { every_ms, phase_ms: phase_ms(agent, probe, every_ms) }
    }

    /// The first scheduled instant after `ms`; `None` where a cron has no more.
    #[must_use]
    pub fn next_after(&self, ms: i64) -> Option<i64> {
        match self {
            Self::Every { every_ms, phase_ms } => {
                let slot = (ms - phase_ms).div_euclid(*every_ms) + 1;
                Some(slot * every_ms + phase_ms)
            }
            Self::Cron(cron) => cron.next_after(ms),
        }
    }

    /// How late a run that was due at `due_ms` may still start.
    fn patience_ms(&self, due_ms: i64) -> i64 {
        let interval = match self {
            Self::Every { every_ms, .. } => Some(*every_ms),
            Self::Cron(_) => self.next_after(due_ms).map(|next| next - due_ms),
        };
        interval.map_or(MAX_LATE_MS, |ms| ms.min(MAX_LATE_MS))
    }

    /// The first scheduled instant from `from_ms` on that may still start at `now_ms`, and how
    /// many before it may not.
    fn first_in_time(&self, from_ms: i64, now_ms: i64) -> (Option<i64>, u32) {
        match self {
            Self::Every { every_ms, .. } => {
                let patience = self.patience_ms(from_ms);
                if now_ms - from_ms <= patience {
                    return (Some(from_ms), 0);
                }
                let first = self.next_after(now_ms - patience - 1);
                let missed = first.map_or(0, |first| (first - from_ms) / every_ms);
                (first, u32::try_from(missed).unwrap_or(u32::MAX))
            }
            Self::Cron(_) => {
                let (mut due, mut missed) = (Some(from_ms), 0);
                while let Some(at) = due
                    && now_ms - at > self.patience_ms(at)
                {
                    missed += 1;
                    due = self.next_after(if missed < MAX_COUNTED { at } else { now_ms });
                }
                (due, missed)
            }
        }
    }
}

/// What a run said, as far as the schedule cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settling {
    /// Up or degraded: there is nothing to confirm.
    Good,
    /// Down, or what would have been down had the agent been fit to judge.
    Failed,
    /// It could not tell for another reason.
    Undecided,
}

/// What follows after a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// From the run's own due time to the next run's, whatever schedules it.
    pub next_due_ms: u64,
    /// Scheduled runs that were left out because they came too late.
    pub missed: u32,
}

/// The course of one probe: which run is next.
///
/// - A scheduled run has attempt 0 and keeps to its grid, also while the probe is failing.
/// - After a failure the probe is run again at `retry_every` after the failed run's due time,
///   with attempt 1, 2, 3 … counted from the first failure, until a run is up or degraded. An
///   unknown run neither starts nor ends this, except where a failure was overruled because the
///   agent itself was unfit: that starts it, for it shows soonest whose the fault is.
/// - Where a scheduled run and a re-probe meet, the scheduled run is made. So it is where the
///   re-probe, if it takes as long as the last run did, would still be running then: a scheduled
///   run is on time. A failing run that takes longer than `retry_every` skips the steps it covers.
/// - A run that would start too late ([`MAX_LATE_MS`]) is left out. A scheduled one is counted as
///   missed; no outcome is made up for it.
/// - No instant is used twice, also when the wall clock is put back: up to [`MAX_REWIND_MS`] the
///   probe waits until its last due time has passed again; beyond, its grid moves by 1 ms.
#[derive(Clone, Debug)]
pub struct Course {
    rhythm: Rhythm,
    retry_every_ms: i64,
    next: Option<Turn>,
    /// Re-probes since the first failure, while the probe is failing.
    failing: Option<u32>,
    last_due_ms: Option<i64>,
    nudge_ms: i64,
    /// Since when another rhythm holds, until the run that was under way then is over.
    since_ms: Option<i64>,
}

/// How far the wall clock may be put back before a probe stops waiting for it.
pub const MAX_REWIND_MS: i64 = 600_000;

impl Course {
    /// The course of a probe that starts now; its first run is the next on its grid.
    #[must_use]
    pub fn new(rhythm: Rhythm, retry_every_ms: i64, now_ms: i64) -> Self {
        let next = rhythm.next_after(now_ms).map(|due_ms| Turn { due_ms, attempt: 0 });
        Self {
            rhythm,
            retry_every_ms: retry_every_ms.max(1),
            next,
            failing: None,
            last_due_ms: None,
            nudge_ms: 0,
            since_ms: None,
        }
    }

    /// The next run; `None` where a cron has no more.
    #[must_use]
    pub fn next(&self) -> Option<Turn> {
        self.next
    }

    /// How late `turn` may still start.
    #[must_use]
    pub fn patience_ms(&self, turn: Turn) -> i64 {
        if turn.attempt == 0 {
            self.rhythm.patience_ms(turn.due_ms)
        } else {
            self.retry_every_ms.min(MAX_LATE_MS)
        }
    }

    fn scheduled_after(&self, ms: i64) -> Option<i64> {
        self.rhythm.next_after(ms - self.nudge_ms).map(|due| due + self.nudge_ms)
    }

    /// Leaves out what can no longer start in time; how many scheduled runs that were.
    pub fn catch_up(&mut self, now_ms: i64) -> u32 {
        let Some(turn) = self.next else { return 0 };
        if now_ms - turn.due_ms <= self.patience_ms(turn) {
            return 0;
        }
        let from =
            if turn.attempt == 0 { Some(turn.due_ms) } else { self.scheduled_after(turn.due_ms) };
        let (scheduled, missed) = match from {
            Some(from) => {
                let nudge = self.nudge_ms;
                let (due, missed) = self.rhythm.first_in_time(from - nudge, now_ms - nudge);
                (due.map(|due| due + nudge), missed)
            }
            None => (None, 0),
        };
        self.next = self.choose(scheduled, turn.due_ms, 0, now_ms);
        missed
    }

    /// The run was not made although it was its time (no slot was free); what is next.
    pub fn skip(&mut self, turn: Turn, now_ms: i64) -> u32 {
        let from = self.since(turn.due_ms);
        let scheduled = self.scheduled_after(from);
        self.last_due_ms = Some(turn.due_ms);
        self.next = self.choose(scheduled, turn.due_ms, 0, now_ms);
        u32::from(turn.attempt == 0) + self.catch_up(now_ms)
    }

    /// From when on scheduled runs count that follow a run which was due at `due_ms`.
    fn since(&mut self, due_ms: i64) -> i64 {
        self.since_ms.take().map_or(due_ms, |since| due_ms.max(since))
    }

    /// Goes on by another rhythm. The run that is next keeps its place, since the evidence has
    /// announced it, unless the new rhythm has one before it; re-probes under way go on.
    pub fn take_over(&mut self, rhythm: Rhythm, retry_every_ms: i64, now_ms: i64) {
        (self.rhythm, self.retry_every_ms) = (rhythm, retry_every_ms.max(1));
        let from = self.last_due_ms.map_or(now_ms, |last| last.max(now_ms));
        let first = self.scheduled_after(from).map(|due_ms| Turn { due_ms, attempt: 0 });
        let earlier = |next: &Turn| first.filter(|first| first.due_ms < next.due_ms);
        self.next = self.next.map(|next| earlier(&next).unwrap_or(next)).or(first);
        self.since_ms = Some(now_ms);
    }

    /// Takes note of what a run said, at the time it ended.
    pub fn settle(&mut self, ran: Turn, said: Settling, now_ms: i64) -> Settled {
        self.last_due_ms = Some(ran.due_ms);
        let made = self.failing.unwrap_or(0).max(ran.attempt);
        self.failing = match said {
            Settling::Good => None,
            Settling::Failed => Some(made),
            Settling::Undecided => self.failing.map(|_| made),
        };
        let took_ms = (now_ms - ran.due_ms).max(0);
        let from = self.since(ran.due_ms);
        let scheduled = self.scheduled_after(from);
        self.next = self.choose(scheduled, ran.due_ms, took_ms, now_ms);
        let missed = self.catch_up(now_ms);
        let next_due_ms = self
            .next
            .and_then(|next| u64::try_from(next.due_ms - ran.due_ms).ok())
            .map_or(NO_NEXT_MS, |ms| ms.max(1));
        Settled { next_due_ms, missed }
    }

    /// The earlier of the scheduled run and, while failing, the next re-probe that does not get
    /// in its way.
    fn choose(
        &self,
        scheduled: Option<i64>,
        last_due_ms: i64,
        took_ms: i64,
        now_ms: i64,
    ) -> Option<Turn> {
        let scheduled_turn = scheduled.map(|due_ms| Turn { due_ms, attempt: 0 });
        let Some(made) = self.failing else { return scheduled_turn };
        // the first step of retry_every after the last run that is not over yet
        let passed = (now_ms - last_due_ms).max(0);
        let steps = (passed + self.retry_every_ms - 1).div_euclid(self.retry_every_ms).max(1);
        let retry = last_due_ms + steps * self.retry_every_ms;
        match scheduled {
            Some(due) if retry + took_ms > due || retry >= due => scheduled_turn,
            _ => Some(Turn { due_ms: retry, attempt: made + 1 }),
        }
    }

    /// Plans anew after the wall clock was put to `now_ms`; how many scheduled runs were missed.
    pub fn replan(&mut self, now_ms: i64) -> u32 {
        let behind = self.last_due_ms.map_or(0, |last| last - now_ms);
        if behind > MAX_REWIND_MS {
            self.nudge_ms += 1;
            self.last_due_ms = None;
        }
        self.since_ms = self.since_ms.filter(|since| *since <= now_ms);
        let Some(next) = self.next.filter(|next| next.due_ms > now_ms) else {
            return self.catch_up(now_ms);
        };
        if next.attempt > 0 && behind <= 0 {
            return 0;
        }
        let from = self.last_due_ms.map_or(now_ms, |last| last.max(now_ms));
        self.next = self.scheduled_after(from).map(|due_ms| Turn { due_ms, attempt: 0 });
        0
    }
}

#[cfg(test)]
mod tests;
