//! Spares accounts: a service locks an account after a few wrong passwords. An account that is
//! not known to be good is tried under a lease from the reporter, a refused one once more after
//! five minutes, and then not until it is cleared. Every attempt is written down before it is
//! made, so that no crash buys another one. How often is `evidence`'s budget; files and what is
//! told the reporter have their own rooms.

mod by_hand;
mod leasing;
mod lessor;
mod memory;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use mailward_evidence::Clock;
use mailward_evidence::lease::{AccountState, Answered, CONFIRM_AFTER_MS, Refusal, Said};
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::deliver::Way;
use crate::metrics::Metrics;
use crate::net::Deadline;
use lessor::{ASK_WITHIN, Lessor};
pub(crate) use memory::file_name;
use memory::{Files, Found, Kept, Stamp};

/// How much longer than the reporter the agent waits with a confirmation, so that accounts that
/// were refused in one run are tried in one run again.
const MARGIN_MS: i64 = 5_000;
/// How often the reporter is told that an account is good, where nothing else is to be told.
const TELL_GOOD_MS: i64 = 3_600_000;
/// How often the reporter is asked whether a refused account was cleared.
const LOOK: Duration = Duration::from_secs(60);
/// How often what is owed is looked at without being told that something is.
const IDLE: Duration = Duration::from_secs(10);
/// The most answers that are owed to the reporter; the oldest are forgotten first.
const MAX_OWED: usize = 64;

/// The account is being spared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the account is being spared")]
pub struct Held;

/// Where what became of accounts is remembered.
#[derive(Clone, Debug)]
pub enum Memory {
    /// In this directory, which no other agent uses: an attempt found under way was cut short.
    OfAgent(PathBuf),
    /// In this directory, beside an agent that may be running.
    Beside(PathBuf),
    /// Only until the process ends.
    Passing,
}

impl Memory {
    /// The directory that the memory lies in, with whatever else is kept between runs.
    pub(crate) fn home(&self) -> Option<&Path> {
        match self {
            Self::OfAgent(directory) | Self::Beside(directory) => directory.parent(),
            Self::Passing => None,
        }
    }
}

/// An account that is to be spared.
#[derive(Clone, Debug)]
pub struct Spared {
    /// The credential's id.
    pub id: Box<str>,
    /// Its user name; credentials of one name share a budget.
    pub username: String,
    /// Whether more than one agent may use it.
    pub shared: bool,
}

/// An attempt that may be made; whoever has it says what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    name: Box<str>,
    leased: bool,
}

/// A credential: its mailbox, and what is known of it since the start.
#[derive(Debug)]
struct Account {
    mailbox: Box<str>,
    shared: bool,
    /// Accepted since the start.
    trusted: bool,
    /// Until when the reporter need not be asked, on the monotonic clock.
    quiet_until: Duration,
    /// When it was asked last.
    asked: Option<Duration>,
    /// When the reporter was last told that it is good.
    told_good_ms: Option<i64>,
    /// What the reporter said of it last, until something happens here.
    told: Option<AccountState>,
}

/// A mailbox: what is kept of it, and its credentials.
#[derive(Debug, Default)]
struct Mailbox {
    ids: Vec<Box<str>>,
    kept: Kept,
    /// What was read from, or written to, disk last.
    stamps: Vec<Option<Stamp>>,
    /// Requests for a lease that are under way.
    asking: usize,
}

#[derive(Debug, Default)]
struct Desk {
    accounts: HashMap<Box<str>, Account>,
    mailboxes: HashMap<Box<str>, Mailbox>,
}

impl Desk {
    /// Enters an account, or what is declared of it by now; whether its mailbox is new to it.
    fn enter(&mut self, Spared { id, username, shared }: Spared) -> bool {
        // a certificate may stand for an account without a name
        let name = if username.trim().is_empty() { &*id } else { &*username };
        let mailbox = mailbox_of(name);
        if let Some(known) = self.accounts.get_mut(&id) {
            known.shared = shared;
            if known.mailbox == mailbox {
                return false;
            }
            if let Some(before) = self.mailboxes.get_mut(&known.mailbox) {
                before.ids.retain(|other| *other != id);
            }
        }
        self.mailboxes.entry(mailbox.clone()).or_default().ids.push(id.clone());
        let account = Account {
            mailbox,
            shared,
            trusted: false,
            quiet_until: Duration::ZERO,
            asked: None,
            told_good_ms: None,
            told: None,
        };
        self.accounts.insert(id, account);
        true
    }
}

/// The memory of all accounts of an agent.
#[derive(Debug)]
pub struct Guard {
    files: Option<Files>,
    /// No other process has these files.
    is_alone: bool,
    clock: Arc<dyn Clock>,
    metrics: Option<Arc<Metrics>>,
    lessor: OnceLock<Lessor>,
    desk: Mutex<Desk>,
    /// Woken when an attempt has ended.
    ended: Notify,
    /// Woken when something is owed to the reporter.
    owing: Notify,
}

/// What an account's turn comes to, before anybody else is asked.
enum Step {
    Granted(Attempt),
    Busy,
    Held,
    Ask,
}

impl Guard {
    /// A guard over these accounts.
    #[must_use]
    pub fn new(
        accounts: Vec<Spared>,
        memory: Memory,
        clock: Arc<dyn Clock>,
        metrics: Option<Arc<Metrics>>,
    ) -> Self {
        let mut desk = Desk::default();
        for spared in accounts {
            desk.enter(spared);
        }
        let (files, is_alone) = match memory {
            Memory::OfAgent(directory) => (Some(Files::new(directory)), true),
            Memory::Beside(directory) => (Some(Files::new(directory)), false),
            Memory::Passing => (None, false),
        };
        let guard = Self {
            files,
            is_alone,
            clock,
            metrics,
            lessor: OnceLock::new(),
            desk: Mutex::new(desk),
            ended: Notify::new(),
            owing: Notify::new(),
        };
        guard.recall();
        guard
    }

    /// From now on, the reporter is asked.
    pub fn ask_through(&self, way: Way) {
        // there is one reporter for the life of a process
        let _ = self.lessor.set(Lessor::new(way));
    }

    /// From now on, these accounts are to be spared as well, each as it is declared now. Of those
    /// that are not named any more nothing is forgotten: a run that has one may be under way.
    pub fn take_over(&self, accounts: Vec<Spared>) {
        let now_ms = self.now_ms();
        let mut desk = self.lock();
        for spared in accounts {
            let id = spared.id.clone();
            if !desk.enter(spared) {
                continue;
            }
            let Desk { accounts, mailboxes } = &mut *desk;
            let Some(account) = accounts.get(&id) else { continue };
            let Some(mailbox) = mailboxes.get_mut(&account.mailbox) else { continue };
            // where other credentials share it, one of them may be tried at this moment
            let is_first = mailbox.ids.len() == 1;
            self.recall_one(accounts, mailbox, self.is_alone && is_first, now_ms);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is on disk. What was under way when an agent died was never answered.
    fn recall(&self) {
        let now_ms = self.now_ms();
        let mut desk = self.lock();
        let Desk { accounts, mailboxes } = &mut *desk;
        for mailbox in mailboxes.values_mut() {
            self.recall_one(accounts, mailbox, self.is_alone, now_ms);
        }
    }

    /// Reads what is on disk of a mailbox; `loses` where nobody can be at it.
    fn recall_one(
        &self,
        accounts: &HashMap<Box<str>, Account>,
        mailbox: &mut Mailbox,
        loses: bool,
        now_ms: i64,
    ) {
        let _held = self.hold();
        self.refresh(mailbox, true, now_ms);
        let lost = if loses { mailbox.kept.budget.lose_all(now_ms) } else { 0 };
        if lost > 0 {
            tracing::warn!(
                credentials = mailbox.ids.join(", "),
                attempts = lost,
                "attempts with this account were cut short; each may have been refused"
            );
            self.write_down(mailbox, true);
        }
        for id in &mailbox.ids {
            self.show(accounts.get(id), mailbox, id, now_ms);
        }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }

    /// No other process decides until this is dropped. Where the disk refuses, nothing can be
    /// written down either, and so no attempt is made.
    fn hold(&self) -> Option<File> {
        match self.files.as_ref()?.lock() {
            Ok(file) => Some(file),
            Err(error) => {
                tracing::error!(%error, "cannot lock what is remembered of accounts");
                None
            }
        }
    }

    /// Takes over what others have written since, and what a person has cleared.
    fn refresh(&self, mailbox: &mut Mailbox, is_first: bool, now_ms: i64) {
        let Some(files) = &self.files else { return };
        let stamps: Vec<Option<Stamp>> = mailbox.ids.iter().map(|id| files.stamp(id)).collect();
        if !is_first && stamps == mailbox.stamps {
            return;
        }
        let mut removed: Vec<Box<str>> = Vec::new();
        let mut newest: Option<Kept> = None;
        for id in &mailbox.ids {
            match files.read(id) {
                Found::Nothing => {}
                Found::Removed => removed.push(id.clone()),
                Found::Kept(kept) => {
                    let is_newer = |best: &Kept| kept.budget.is_later_than(&best.budget);
                    if newest.as_ref().is_none_or(is_newer) {
                        newest = Some(*kept);
                    }
                }
                Found::Unreadable => {
                    let kept = newest.get_or_insert_default();
                    kept.budget.answer("unreadable", id, Said::Rejected, now_ms);
                }
            }
        }
        if let Some(kept) = newest {
            mailbox.kept = kept;
        }
        for id in removed {
            tracing::info!(credential = &*id, "the account was cleared");
            mailbox.kept.budget.clear(&id, now_ms);
            mailbox.kept.cleared.push(id);
            self.owing.notify_one();
        }
        mailbox.stamps = stamps;
    }

    /// Whether it could be written down.
    fn write_down(&self, mailbox: &mut Mailbox, surely: bool) -> bool {
        let Some(files) = &self.files else { return true };
        for id in &mailbox.ids {
            if let Err(error) = files.write(id, &mailbox.kept, surely) {
                tracing::error!(
                    credential = &**id,
                    path = %files.path(id).display(),
                    %error,
                    "cannot write down what became of the account"
                );
                return false;
            }
        }
        mailbox.stamps = mailbox.ids.iter().map(|id| files.stamp(id)).collect();
        true
    }

    /// Runs `work` on an account and its mailbox as they are on disk now; then shows how it
    /// stands.
    fn at<T>(
        &self,
        id: &str,
        work: impl FnOnce(&mut Account, &mut Mailbox, i64) -> T,
    ) -> Option<T> {
        let now_ms = self.now_ms();
        let mut desk = self.lock();
        let Desk { accounts, mailboxes } = &mut *desk;
        let account = accounts.get_mut(id)?;
        let mailbox = mailboxes.get_mut(&account.mailbox)?;
        let held = self.hold();
        if self.files.is_some() && held.is_none() {
            return None;
        }
        self.refresh(mailbox, false, now_ms);
        if mailbox.kept.cleared.iter().any(|cleared| **cleared == *id) {
            account.quiet_until = Duration::ZERO;
        }
        let done = work(account, mailbox, now_ms);
        self.show(Some(account), mailbox, id, now_ms);
        Some(done)
    }

    /// Shows how the account stands, as far as it is known here.
    fn show(&self, account: Option<&Account>, mailbox: &Mailbox, id: &str, now_ms: i64) {
        if let Some(metrics) = &self.metrics {
            let own = mailbox.kept.budget.state(id, now_ms);
            metrics.credential(id, account.and_then(|account| account.told).unwrap_or(own));
        }
    }

    /// Asks to try the account. It waits a moment for others that are trying it, and for the
    /// reporter where that has to be asked: two seconds at most, and a quarter of what is left
    /// until the deadline.
    ///
    /// # Errors
    /// When it is being spared, or others keep trying it.
    pub async fn ask(&self, id: &str, deadline: Deadline) -> Result<Attempt, Held> {
        let patience = ASK_WITHIN.min(deadline.left() / 4);
        let until = deadline.within(patience);
        loop {
            // listening begins before looking: what ends in between must not be missed
            let ended = self.ended.notified();
            match self.begin(id) {
                Step::Granted(attempt) => return Ok(attempt),
                Step::Held => return Err(Held),
                Step::Busy => {}
                Step::Ask => match self.lease(id, until).await {
                    Some(decided) => return decided,
                    // no answer: what may be done without one is decided anew
                    None if until.left().is_zero() => return Err(Held),
                    None => continue,
                },
            }
            if until.bound(ended).await.is_none() {
                return Err(Held);
            }
        }
    }

    fn begin(&self, id: &str) -> Step {
        let mono = self.clock.read().mono;
        let begun = self.at(id, |account, mailbox, now_ms| {
            let answers = self.lessor.get().is_some_and(|lessor| lessor.answers(mono));
            let budget = &mut mailbox.kept.budget;
            let (_, rejected_ms) = budget.rejections(id);
            let is_proven = budget.is_proven(id, now_ms);
            if let Some(at) = rejected_ms
                && (0..CONFIRM_AFTER_MS + MARGIN_MS).contains(&(now_ms - at))
            {
                return Step::Held;
            }
            if answers && (account.shared || !account.trusted) {
                if mono < account.quiet_until {
                    return Step::Held;
                }
                let most = if is_proven && rejected_ms.is_none() { 2 } else { 1 };
                if mailbox.asking >= most {
                    return Step::Busy;
                }
                mailbox.asking += 1;
                return Step::Ask;
            }
            let is_alone = self.lessor.get().is_none();
            // others may be trying it as well, and nobody counts them all together
            if account.shared && !is_alone && (!is_proven || rejected_ms.is_some()) {
                return Step::Held;
            }
            let before = mailbox.kept.clone();
            match mailbox.kept.budget.ask(id, now_ms) {
                Ok(name) if self.write_down(mailbox, !account.trusted) => {
                    Step::Granted(Attempt { name, leased: false })
                }
                Ok(_) => {
                    mailbox.kept = before;
                    Step::Held
                }
                Err(Refusal::Busy) => Step::Busy,
                Err(Refusal::Later(_) | Refusal::Held) => Step::Held,
            }
        });
        begun.unwrap_or(Step::Held)
    }

    /// The service took the account.
    pub fn accepted(&self, id: &str, attempt: &Attempt) {
        self.settle(id, attempt, Said::Accepted);
    }

    /// The service refused the account.
    pub fn rejected(&self, id: &str, attempt: &Attempt) {
        self.settle(id, attempt, Said::Rejected);
    }

    /// The service refused the account when it was shown once more than it was asked for.
    pub fn rejected_unasked(&self, id: &str) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-unasked-{count}", self.now_ms()).into();
        self.settle(id, &Attempt { name, leased: false }, Said::Rejected);
    }

    /// The attempt came to no answer: nothing is known, and the account may be asked for again.
    pub fn release(&self, id: &str, attempt: &Attempt) {
        self.settle(id, attempt, Said::Nothing);
    }

    fn settle(&self, id: &str, attempt: &Attempt, said: Said) {
        let settled = self.at(id, |account, mailbox, now_ms| {
            let before = mailbox.kept.budget.rejections(id).0;
            let was_trusted = account.trusted;
            mailbox.kept.budget.answer(&attempt.name, id, said, now_ms);
            account.told = None;
            let untold = account.told_good_ms.is_none_or(|at| (now_ms - at).abs() > TELL_GOOD_MS);
            let tells = match said {
                Said::Accepted => attempt.leased || before > 0 || untold,
                Said::Rejected => true,
                Said::Nothing => attempt.leased,
            };
            if tells && self.lessor.get().is_some() {
                let Attempt { name, leased } = attempt.clone();
                mailbox.owe(id, Answered { attempt: name, said, leased });
                self.owing.notify_one();
            }
            match said {
                Said::Accepted => {
                    account.trusted = true;
                    account.told_good_ms = if tells { Some(now_ms) } else { account.told_good_ms };
                    if before > 0 {
                        tracing::info!(credential = id, "the account is accepted again");
                    }
                }
                Said::Rejected => {
                    account.trusted = false;
                    self.tell_rejected(id, mailbox.kept.budget.rejections(id).0);
                }
                Said::Nothing => {}
            }
            self.write_down(mailbox, !was_trusted || said == Said::Rejected);
        });
        if settled.is_none() {
            tracing::error!(credential = id, "what became of the account could not be noted");
        }
        self.ended.notify_waiters();
    }

    fn tell_rejected(&self, id: &str, rejections: u32) {
        if rejections <= 1 {
            tracing::warn!(
                credential = id,
                "the account was refused; it is tried once more in 5 minutes"
            );
        } else {
            let path = self.files.as_ref().map(|files| files.path(id)).unwrap_or_default();
            tracing::error!(
                credential = id,
                clear_by_removing = %path.display(),
                "the account was refused again; it is not tried any more until it is cleared"
            );
        }
    }

    /// Accounts that were refused in one run are tried again in one run: none before the last
    /// one may be.
    pub fn align(&self, ids: &[Box<str>]) {
        for id in ids {
            self.at(id, |_, mailbox, now_ms| {
                mailbox.kept.budget.postpone(id, now_ms);
                self.write_down(mailbox, false);
            });
        }
    }

    /// Whether the account was accepted within the last 24 hours.
    pub fn proven(&self, id: &str) -> bool {
        let is_proven = self.at(id, |_, mailbox, now_ms| mailbox.kept.budget.is_proven(id, now_ms));
        is_proven.unwrap_or(false)
    }
}

impl Mailbox {
    fn owe(&mut self, id: &str, answered: Answered) {
        self.kept.owed.push((Box::from(id), answered));
        if self.kept.owed.len() > MAX_OWED {
            self.kept.owed.remove(0);
        }
    }
}

/// SHA-256 of a user name in lower case: what two credentials of one mailbox have in common.
fn mailbox_of(username: &str) -> Box<str> {
    HEXLOWER.encode(&Sha256::digest(username.trim().to_lowercase().as_bytes())).into()
}

#[cfg(test)]
mod tests;
