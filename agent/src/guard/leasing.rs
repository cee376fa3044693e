//! What the guard and the reporter tell each other: leases asked for, what came of attempts,
//! what was cleared on either side. Whether an account may be tried is decided in `guard`.

use std::time::Duration;

use mailward_evidence::Stopwatch;
use mailward_evidence::lease::{
    AccountState, Answered, LeaseAsk, LeaseReply, MAX_ANSWERS, NoLease, Said,
};

use super::lessor::ASK_WITHIN;
use super::{Account, Attempt, Desk, Guard, Held, IDLE, LOOK, Mailbox};
use crate::net::Deadline;

impl Guard {
    /// Asks the reporter; `None` where it does not answer.
    pub(super) async fn lease(&self, id: &str, until: Deadline) -> Option<Result<Attempt, Held>> {
        let asking = Asking { guard: self, id };
        let ask = self.request(id, true)?;
        let lessor = self.lessor.get()?;
        let within = until.left().max(Duration::from_millis(100));
        let reply = lessor.ask(&ask, within, self.clock.read().mono).await?;
        let decided = self.at(id, |account, mailbox, now_ms| {
            Self::take(account, mailbox, id, &ask, &reply);
            let Some(name) = &reply.attempt else {
                if reply.refused != Some(NoLease::Busy) {
                    let quiet = Duration::from_secs(u64::from(reply.again_s)).min(LOOK);
                    account.quiet_until = self.clock.read().mono + quiet;
                    warn_refused(id, &reply);
                }
                self.write_down(mailbox, false);
                return Err(Held);
            };
            let mut alone = mailbox.kept.budget.clone();
            // of an account that is its own, the agent knows what the reporter may have lost
            let may = account.shared || alone.ask(id, now_ms).is_ok();
            if may {
                mailbox.kept.budget.adopt(name, id, now_ms);
            }
            if may && self.write_down(mailbox, true) {
                return Ok(Attempt { name: name.clone(), leased: true });
            }
            let told = Answered { attempt: name.clone(), said: Said::Nothing, leased: true };
            mailbox.owe(id, told);
            account.quiet_until = self.clock.read().mono + LOOK;
            self.owing.notify_one();
            Err(Held)
        });
        drop(asking);
        Some(decided.unwrap_or(Err(Held)))
    }

    /// What the reporter is asked and told of an account.
    fn request(&self, id: &str, wants: bool) -> Option<LeaseAsk> {
        let mono = self.clock.read().mono;
        self.at(id, |account, mailbox, _| {
            account.asked = Some(mono);
            let owed = mailbox.kept.owed.iter().filter(|(of, _)| **of == *id);
            LeaseAsk {
                mailbox: account.mailbox.clone(),
                credential: Box::from(id),
                shared: account.shared,
                wants,
                cleared: mailbox.kept.cleared.iter().any(|cleared| **cleared == *id),
                answers: owed.take(MAX_ANSWERS).map(|(_, answered)| answered.clone()).collect(),
            }
        })
    }

    /// Takes note of what the reporter said: what it was told is not owed any more, and what
    /// was cleared there is cleared here.
    fn take(
        account: &mut Account,
        mailbox: &mut Mailbox,
        id: &str,
        ask: &LeaseAsk,
        reply: &LeaseReply,
    ) {
        let is_told = |of: &str, owed: &Answered| *of == *id && ask.answers.contains(owed);
        mailbox.kept.owed.retain(|(of, owed)| !is_told(of, owed));
        if ask.cleared {
            mailbox.kept.cleared.retain(|cleared| **cleared != *id);
        }
        let (_, rejected_ms) = mailbox.kept.budget.rejections(id);
        if reply.cleared_ms > mailbox.kept.budget.cleared_ms {
            if rejected_ms.is_some() {
                tracing::info!(credential = id, "the account was cleared at the reporter");
            }
            mailbox.kept.budget.clear_with(reply.cleared_ms);
            account.quiet_until = Duration::ZERO;
        } else if account.shared && reply.state == AccountState::Good && rejected_ms.is_some() {
            let cleared_ms = mailbox.kept.budget.cleared_ms;
            mailbox.kept.budget.clear_with(cleared_ms);
            account.quiet_until = Duration::ZERO;
        }
        account.told = Some(reply.state);
    }

    /// Tells the reporter what came of attempts, and asks once a minute about accounts that were
    /// refused; until it is dropped.
    pub async fn tell(&self) {
        let mut looked: Option<Stopwatch> = None;
        loop {
            // an error means that nothing was owed for a while: what rests is looked at then
            let _ = tokio::time::timeout(IDLE, self.owing.notified()).await;
            let looks = looked.is_none_or(|at| at.elapsed() >= LOOK);
            let mono = self.clock.read().mono;
            let Some(lessor) = self.lessor.get().filter(|lessor| lessor.answers(mono)) else {
                continue;
            };
            for id in self.to_tell(looks) {
                let Some(ask) = self.request(&id, false) else { continue };
                let Some(reply) = lessor.ask(&ask, ASK_WITHIN, mono).await else { break };
                self.at(&id, |account, mailbox, _| {
                    Self::take(account, mailbox, &id, &ask, &reply);
                    self.write_down(mailbox, false);
                    if mailbox.kept.owed.iter().any(|(of, _)| *of == id) {
                        self.owing.notify_one();
                    }
                });
            }
            if looks {
                looked = Some(Stopwatch::start());
            }
        }
    }

    /// Accounts that the reporter has to hear of; with `looks`, also those that were refused.
    fn to_tell(&self, looks: bool) -> Vec<Box<str>> {
        let mono = self.clock.read().mono;
        let desk = self.lock();
        let is_due = |id: &str, account: &Account| {
            let Some(mailbox) = desk.mailboxes.get(&account.mailbox) else { return false };
            let kept = &mailbox.kept;
            let is_refused = kept.budget.rejections(id).0 > 0;
            let is_long = account.asked.is_none_or(|at| mono.saturating_sub(at) >= LOOK);
            kept.owed.iter().any(|(of, _)| **of == *id)
                || kept.cleared.iter().any(|of| **of == *id)
                || looks && is_refused && is_long
        };
        let due = desk.accounts.iter().filter(|(id, account)| is_due(id, account));
        due.map(|(id, _)| id.clone()).collect()
    }
}

/// A request for a lease that is under way.
struct Asking<'a> {
    guard: &'a Guard,
    id: &'a str,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut desk = self.guard.lock();
        let Desk { accounts, mailboxes } = &mut *desk;
        let account = accounts.get(self.id);
        if let Some(mailbox) = account.and_then(|account| mailboxes.get_mut(&account.mailbox)) {
            mailbox.asking = mailbox.asking.saturating_sub(1);
        }
        drop(desk);
        self.guard.ended.notify_waiters();
    }
}

fn warn_refused(id: &str, reply: &LeaseReply) {
    if reply.refused == Some(NoLease::Elsewhere) {
        tracing::warn!(
            credential = id,
            "the account belongs to another agent; set shared = true, or give each its own"
        );
    } else {
        tracing::debug!(credential = id, state = reply.state.label(), "the account is spared");
    }
}
