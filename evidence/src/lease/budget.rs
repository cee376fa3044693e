//! The budget of one mailbox: how often it may still be tried before a directory could lock it.
//! An attempt is granted before it is made and counts as rejected until it is answered, so that
//! no crash, lost answer or order of events buys another one. Order is kept by a counter of its
//! own; the wall clock only makes a confirmation wait.

use serde::{Deserialize, Serialize};

use super::{ATTEMPT_MS, AccountState, CONFIRM_AFTER_MS, MAX_REJECTIONS, PROVEN_MS, Said};

/// The most credentials of one mailbox.
pub const MAX_CREDENTIALS: usize = 16;
/// How many may try an account at once that is proven good. With the confirmation after it that
/// is no more than [`MAX_REJECTIONS`].
const AT_ONCE: usize = 2;
/// How many names of answered attempts are remembered, so that none is counted twice.
const REMEMBERED: usize = 64;

/// Why an account may not be tried now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// As many try it now as may.
    Busy,
    /// It was rejected; after so many milliseconds it may be tried once more.
    Later(i64),
    /// It was rejected too often, or there is no room for another credential.
    Held,
}

/// A mailbox, with the credentials that lead to it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// When somebody last cleared it, in milliseconds since the epoch; 0 for never.
    pub cleared_ms: i64,
    /// Counts grants and rejections, so that it can be said which came first.
    order: u64,
    credentials: Vec<Standing>,
    attempts: Vec<Attempt>,
    /// Names of attempts that were answered without a grant of this budget.
    answered: Vec<Box<str>>,
}

/// How one credential stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Standing {
    id: Box<str>,
    /// Rejections since it was last accepted.
    rejections: u32,
    /// Attempts that were never answered while it was proven good: they may have been rejected.
    lost: u32,
    /// The one confirmation is made, or being made.
    confirmed: bool,
    /// When it was last rejected.
    rejected_ms: i64,
    /// Where that stands in the order.
    rejected_at: u64,
    /// When it was last accepted.
    proven_ms: Option<i64>,
}

/// An attempt that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Attempt {
    name: Box<str>,
    credential: Box<str>,
    since_ms: i64,
    at: u64,
    confirms: bool,
    /// What it was counted as when no answer came in time.
    overdue: Option<Counted>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Counted {
    Lost,
    Rejected,
}

impl Standing {
    fn is_proven(&self, now_ms: i64) -> bool {
        // a clock that was put back does not make old proof young
        self.proven_ms.is_some_and(|at| (-PROVEN_MS..=PROVEN_MS).contains(&(now_ms - at)))
    }

    /// It was, or may have been, rejected.
    fn count(&mut self, as_what: Counted, now_ms: i64, at: u64) {
        self.rejected_at = at;
        match as_what {
            Counted::Lost => self.lost += 1,
            Counted::Rejected => {
                self.rejections += 1;
                self.rejected_ms = now_ms;
            }
        }
    }
}

impl Budget {
    fn standing(&mut self, id: &str) -> Option<&mut Standing> {
        if let Some(i) = self.credentials.iter().position(|s| *s.id == *id) {
            return self.credentials.get_mut(i);
        }
        if self.credentials.len() >= MAX_CREDENTIALS {
            return None;
        }
        self.credentials.push(Standing {
            id: Box::from(id),
            rejections: 0,
            lost: 0,
            confirmed: false,
            rejected_ms: 0,
            rejected_at: 0,
            proven_ms: None,
        });
        self.credentials.last_mut()
    }

    fn known(&self, id: &str) -> Option<&Standing> {
        self.credentials.iter().find(|standing| *standing.id == *id)
    }

    fn open(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.overdue.is_none())
    }

    fn next(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    /// How many rejections there are or may come of what is under way.
    fn spent(&self) -> usize {
        let counted = |s: &Standing| (s.rejections + s.lost) as usize;
        self.credentials.iter().map(counted).sum::<usize>() + self.open().count()
    }

    /// The ids of its credentials.
    pub fn credentials(&self) -> impl Iterator<Item = &str> {
        self.credentials.iter().map(|standing| &*standing.id)
    }

    /// Rejections of a credential since it was last accepted, and when the last one was.
    #[must_use]
    pub fn rejections(&self, id: &str) -> (u32, Option<i64>) {
        let known = self.known(id).filter(|standing| standing.rejections > 0);
        known.map_or((0, None), |standing| (standing.rejections, Some(standing.rejected_ms)))
    }

    /// Whether the account was accepted within a day.
    #[must_use]
    pub fn is_proven(&self, id: &str, now_ms: i64) -> bool {
        self.known(id).is_some_and(|standing| standing.is_proven(now_ms))
    }

    /// When it was last accepted.
    #[must_use]
    pub fn proven_ms(&self, id: &str) -> Option<i64> {
        self.known(id)?.proven_ms
    }

    /// How an account stands.
    #[must_use]
    pub fn state(&self, id: &str, now_ms: i64) -> AccountState {
        let Some(standing) = self.known(id) else { return AccountState::Untried };
        let is_full = self.spent() - self.open().count() >= MAX_REJECTIONS as usize;
        match standing.rejections {
            _ if is_full => AccountState::Held,
            0 if standing.is_proven(now_ms) => AccountState::Good,
            0 => AccountState::Untried,
            _ if standing.confirmed && !self.is_confirming(id) => AccountState::Held,
            _ => AccountState::Refused,
        }
    }

    fn is_confirming(&self, id: &str) -> bool {
        self.open().any(|attempt| attempt.confirms && *attempt.credential == *id)
    }

    /// Asks to try an account now; the attempt's name, under which it is to be answered.
    ///
    /// # Errors
    /// When it is being spared, or tried by as many as may.
    pub fn ask(&mut self, id: &str, now_ms: i64) -> Result<Box<str>, Refusal> {
        self.expire(now_ms);
        let spent = self.spent();
        let under_way = self.open().filter(|attempt| *attempt.credential == *id).count();
        let others = self.open().count() - under_way;
        let Some(standing) = self.standing(id) else { return Err(Refusal::Held) };
        let confirms = standing.rejections > 0;
        if confirms {
            if standing.confirmed && under_way == 0 {
                return Err(Refusal::Held);
            }
            if standing.confirmed || under_way > 0 {
                return Err(Refusal::Busy);
            }
            if standing.rejected_ms > now_ms {
                // the clock was put back: wait anew, but not for years
                standing.rejected_ms = now_ms;
            }
            let waited = now_ms.saturating_sub(standing.rejected_ms);
            if waited < CONFIRM_AFTER_MS {
                return Err(Refusal::Later(CONFIRM_AFTER_MS - waited));
            }
        } else {
            let most = if standing.is_proven(now_ms) { AT_ONCE } else { 1 };
            if under_way >= most {
                return Err(Refusal::Busy);
            }
        }
        if spent >= MAX_REJECTIONS as usize {
            return Err(if under_way + others > 0 { Refusal::Busy } else { Refusal::Held });
        }
        standing.confirmed = confirms;
        let at = self.next();
        let name: Box<str> = format!("{now_ms}-{at}").into();
        self.open_attempt(&name, id, now_ms, at, confirms);
        Ok(name)
    }

    fn open_attempt(&mut self, name: &str, id: &str, now_ms: i64, at: u64, confirms: bool) {
        self.attempts.push(Attempt {
            name: Box::from(name),
            credential: Box::from(id),
            since_ms: now_ms,
            at,
            confirms,
            overdue: None,
        });
    }

    /// Notes an attempt that another budget granted, whatever this one would have said.
    pub fn adopt(&mut self, name: &str, id: &str, now_ms: i64) {
        if let Some(standing) = self.standing(id) {
            let confirms = standing.rejections > 0;
            standing.confirmed |= confirms;
            let at = self.next();
            self.open_attempt(name, id, now_ms, at, confirms);
        }
    }

    /// Takes an attempt's answer. One that is not known was granted elsewhere, or made without
    /// a grant: a rejection counts, and an acceptance only says that the account was good.
    pub fn answer(&mut self, name: &str, id: &str, said: Said, now_ms: i64) {
        let Some(i) = self.attempts.iter().position(|attempt| *attempt.name == *name) else {
            self.answer_unknown(name, id, said, now_ms);
            return;
        };
        let attempt = self.attempts.swap_remove(i);
        let at = self.next();
        let mut is_over = false;
        let Some(standing) = self.standing(&attempt.credential) else { return };
        if let Some(counted) = attempt.overdue {
            // it was not lost after all: what it was counted as is taken back
            match counted {
                Counted::Lost => standing.lost = standing.lost.saturating_sub(1),
                Counted::Rejected => standing.rejections = standing.rejections.saturating_sub(1),
            }
        }
        match said {
            Said::Rejected => standing.count(Counted::Rejected, now_ms, at),
            Said::Accepted => {
                standing.proven_ms = Some(now_ms);
                // only what was begun after the last rejection proves that it is over
                if attempt.at > standing.rejected_at {
                    (standing.rejections, standing.lost) = (0, 0);
                    standing.confirmed = false;
                    is_over = true;
                } else if attempt.confirms {
                    standing.confirmed = false;
                }
            }
            Said::Nothing if attempt.confirms => {
                standing.confirmed = false;
                standing.rejected_ms = now_ms;
            }
            Said::Nothing => {}
        }
        if is_over {
            // what they were counted as is gone, so a late answer must not take it back
            let is_other = |other: &Attempt| *other.credential != *attempt.credential;
            self.attempts.retain(|other| other.overdue.is_none() || is_other(other));
        }
        self.remember(name);
    }

    fn answer_unknown(&mut self, name: &str, id: &str, said: Said, now_ms: i64) {
        if self.answered.iter().any(|known| **known == *name) {
            return;
        }
        let at = self.next();
        let Some(standing) = self.standing(id) else { return };
        match said {
            Said::Rejected => standing.count(Counted::Rejected, now_ms, at),
            Said::Accepted => standing.proven_ms = Some(now_ms),
            Said::Nothing => {}
        }
        self.remember(name);
    }

    fn remember(&mut self, name: &str) {
        if self.answered.len() >= REMEMBERED {
            self.answered.remove(0);
        }
        self.answered.push(Box::from(name));
    }

    /// Counts what was never answered and is overdue. An account that is proven good is not made
    /// to wait for it.
    pub fn expire(&mut self, now_ms: i64) {
        for i in 0..self.attempts.len() {
            let Some(attempt) = self.attempts.get_mut(i) else { return };
            if attempt.since_ms > now_ms {
                attempt.since_ms = now_ms;
            }
            if now_ms - attempt.since_ms > ATTEMPT_MS && attempt.overdue.is_none() {
                self.lose(i, now_ms);
            }
        }
        // late answers to these are not awaited for ever
        let mut late = self.attempts.len().saturating_sub(REMEMBERED);
        self.attempts.retain(|attempt| {
            let goes = late > 0 && attempt.overdue.is_some();
            late -= usize::from(goes);
            !goes
        });
    }

    fn lose(&mut self, i: usize, now_ms: i64) {
        let at = self.next();
        let Some(id) = self.attempts.get(i).map(|attempt| attempt.credential.clone()) else {
            return;
        };
        let Some(standing) = self.standing(&id) else { return };
        let is_good = standing.is_proven(now_ms) && standing.rejections == 0;
        let counted = if is_good { Counted::Lost } else { Counted::Rejected };
        standing.count(counted, now_ms, at);
        if let Some(attempt) = self.attempts.get_mut(i) {
            attempt.overdue = Some(counted);
        }
    }

    /// Counts all that is under way as never answered: whoever made the attempts is gone. How
    /// many there were.
    pub fn lose_all(&mut self, now_ms: i64) -> usize {
        let open = self.open().count();
        for i in 0..self.attempts.len() {
            if self.attempts.get(i).is_some_and(|attempt| attempt.overdue.is_none()) {
                self.lose(i, now_ms);
            }
        }
        self.attempts.clear();
        open
    }

    /// Somebody says that an account may be tried again. What is under way still counts.
    pub fn clear(&mut self, id: &str, now_ms: i64) {
        self.cleared_ms = now_ms.max(self.cleared_ms + 1);
        let at = self.next();
        if let Some(standing) = self.standing(id) {
            (standing.rejections, standing.lost) = (0, 0);
            (standing.confirmed, standing.rejected_at) = (false, at);
        }
        self.attempts.retain(|attempt| attempt.overdue.is_none());
    }

    /// Whoever alone tries the account says that it was accepted after all that is known here.
    pub fn prove(&mut self, id: &str, now_ms: i64) {
        let at = self.next();
        if let Some(standing) = self.standing(id) {
            (standing.rejections, standing.lost) = (0, 0);
            (standing.confirmed, standing.rejected_at) = (false, at);
            standing.proven_ms = Some(now_ms);
        }
    }

    /// A rejection counts as if it had come now, so that its confirmation waits as long again.
    pub fn postpone(&mut self, id: &str, now_ms: i64) {
        let known = self.credentials.iter_mut().find(|standing| *standing.id == *id);
        if let Some(standing) = known.filter(|standing| standing.rejections > 0) {
            standing.rejected_ms = now_ms;
        }
    }

    /// Whether more has happened in this copy of the budget than in another one.
    #[must_use]
    pub const fn is_later_than(&self, other: &Self) -> bool {
        self.order > other.order
    }

    /// Another budget of the same mailbox was cleared at this time.
    pub fn clear_with(&mut self, cleared_ms: i64) {
        let ids: Vec<Box<str>> = self.credentials.iter().map(|s| s.id.clone()).collect();
        ids.iter().for_each(|id| self.clear(id, cleared_ms));
        self.cleared_ms = cleared_ms;
    }
}

#[cfg(test)]
mod tests;
