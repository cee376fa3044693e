//! The lab's mailboxes: names, passwords, and the lock that closes after too many rejections,
//! so that a test can see what a careless client would have cost.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::LabAccount;

/// What an account has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountSeen {
    /// Logons accepted.
    pub accepted: u32,
    /// Logons rejected since the last accepted one.
    pub rejected: u32,
    /// Whether it is locked; then the right password is rejected too.
    pub locked: bool,
}

#[derive(Debug)]
struct Kept {
    password: String,
    seen: AccountSeen,
}

#[derive(Debug)]
pub(crate) struct Accounts {
    kept: Mutex<BTreeMap<String, Kept>>,
    lock_after: u32,
}

impl Accounts {
    pub(crate) fn new(accounts: &[LabAccount], lock_after: u32) -> Self {
        let kept = accounts.iter().map(|account| {
            let kept = Kept { password: account.password.clone(), seen: AccountSeen::default() };
            (account.username.to_ascii_lowercase(), kept)
        });
        Self { kept: Mutex::new(kept.collect()), lock_after }
    }

    /// Tries a password; `refuse` rejects even the right one.
    pub(crate) fn log_on(&self, username: &str, password: &str, refuse: bool) -> bool {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = kept.get_mut(&username.to_ascii_lowercase()) else {
            return false;
        };
        if account.password == password && !account.seen.locked && !refuse {
            account.seen.accepted = account.seen.accepted.saturating_add(1);
            account.seen.rejected = 0;
            return true;
        }
        account.seen.rejected = account.seen.rejected.saturating_add(1);
        account.seen.locked |= account.seen.rejected >= self.lock_after;
        false
    }

    pub(crate) fn exists(&self, username: &str) -> bool {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.contains_key(&username.to_ascii_lowercase())
    }

    pub(crate) fn seen(&self, username: &str) -> Option<AccountSeen> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&username.to_ascii_lowercase()).map(|account| account.seen)
    }

    pub(crate) fn unlock(&self, username: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(account) = kept.get_mut(&username.to_ascii_lowercase()) {
            account.seen.rejected = 0;
            account.seen.locked = false;
        }
    }
}
