//! Trying accounts without locking them: each at most once in a run, no retries, and a verdict
//! that never takes one refused account for a service that is down.

use std::time::Duration;

use mailward_evidence::{Reason, Stopwatch};

use super::{Account, AccountKey, Accounts, Seen};
use crate::net::oauth::NoToken;
use crate::net::sasl::Login;
use crate::net::{Deadline, Net, Trace};

/// A wait for an account that is shorter than this is in no phase.
const NOTICED: Duration = Duration::from_millis(1);

/// The accounts of one run, in the order they are tried.
pub(crate) struct Round<'a> {
    accounts: &'a dyn Accounts,
    ids: &'a [String],
    next: usize,
    rejected: usize,
    /// Of the rejected, those the service is known to have taken within a day.
    proven: usize,
    withheld: Option<Reason>,
    /// Why one was refused, where that says more than that it was.
    because: Option<Reason>,
}

impl<'a> Round<'a> {
    pub(crate) fn new(accounts: &'a dyn Accounts, ids: &'a [String]) -> Self {
        Self { accounts, ids, next: 0, rejected: 0, proven: 0, withheld: None, because: None }
    }

    /// The next account that may be tried. Its password is hidden in what `trace` keeps. Phase
    /// `lease`, where it takes a while to learn whether it may be.
    pub(crate) async fn next_account(
        &mut self,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Option<Account> {
        while let Some(id) = self.ids.get(self.next) {
            self.next += 1;
            trace.skip();
            let asked = Stopwatch::start();
            let given = self.accounts.account(id, deadline).await;
            if asked.elapsed() > NOTICED {
                trace.lap("lease");
            }
            match given {
                Ok(account) => {
                    if let AccountKey::Password(password) = &account.key {
                        trace.hide(password);
                    }
                    return Some(account);
                }
                Err(reason) => {
                    self.withheld.get_or_insert(reason);
                }
            }
        }
        None
    }

    /// Whether an account was withheld that may be had in a moment.
    pub(crate) fn is_held(&self) -> bool {
        self.withheld == Some(Reason::CredentialHeld)
    }

    fn current(&self) -> Option<&'a String> {
        self.ids.get(self.next.checked_sub(1)?)
    }

    /// The service took the account that was given last.
    pub(crate) fn accepted(&self) {
        if let Some(id) = self.current() {
            self.accounts.accepted(id);
        }
    }

    /// The service refused the account that was given last.
    pub(crate) fn rejected(&mut self) {
        if let Some(id) = self.current() {
            self.rejected += 1;
            self.proven += usize::from(self.accounts.proven(id));
            self.accounts.rejected(id);
        }
    }

    /// The account that was given last was refused for a reason that is the account's own.
    pub(crate) fn rejected_for(&mut self, reason: Reason) {
        self.rejected();
        self.because.get_or_insert(reason);
    }

    /// The account that was given last cannot be shown to the service.
    pub(crate) fn withhold(&mut self, reason: Reason) {
        self.withheld.get_or_insert(reason);
    }

    /// Takes note of what the service said of the account that was given last, and tells how the
    /// logon ended; `None` where the next account may be tried.
    pub(crate) async fn settle(
        &mut self,
        account: &Account,
        login: &Login,
        said: Logon,
    ) -> Option<Result<(), Seen>> {
        match said {
            Logon::Accepted => {
                self.accepted();
                Some(Ok(()))
            }
            Logon::AcceptedBut(seen) => {
                self.accepted();
                Some(Err(seen))
            }
            Logon::Rejected(because) => {
                account.spoil(login).await;
                match because {
                    Some(reason) => self.rejected_for(reason),
                    None => self.rejected(),
                }
                None
            }
            Logon::Ended(seen) => {
                if let Some(id) = self.current() {
                    self.accounts.undecided(id);
                }
                Some(Err(seen))
            }
        }
    }

    /// What it means that no account was taken. Two accounts refused in one run, each proven
    /// good within a day, is the service's fault; anything less may be the account's.
    pub(crate) fn verdict(&self) -> Seen {
        if let Some(reason) = &self.because {
            return Seen::unknown(reason.clone());
        }
        if self.rejected >= 2 && self.proven == self.rejected && self.rejected == self.ids.len() {
            return Seen::down(Reason::AuthRejected);
        }
        if self.rejected > 0 {
            return Seen::unknown(Reason::Credential);
        }
        let withheld = self.withheld.clone();
        Seen::unknown(withheld.unwrap_or(Reason::CredentialMissing))
    }
}

/// What a service's answer to a logon means.
#[derive(Debug, PartialEq)]
pub(crate) enum Logon {
    /// The account is taken.
    Accepted,
    /// The account is taken, and yet there is no way on.
    AcceptedBut(Seen),
    /// The account is refused; with a reason where the server gives one.
    Rejected(Option<Reason>),
    /// Neither.
    Ended(Seen),
}

/// What a server is shown of an account; `None` where it has nothing to show, which `round`
/// is told.
pub(crate) async fn show(
    account: &Account,
    net: &Net,
    deadline: Deadline,
    round: &mut Round<'_>,
    trace: &mut Trace,
) -> Option<Login> {
    let failure = match account.login(net, deadline, trace).await {
        Ok(login) => return Some(login),
        Err(failure) => failure,
    };
    trace.fact("token_detail", failure.to_string());
    match failure {
        NoToken::Secret(_) => round.withhold(Reason::CredentialMissing),
        NoToken::Refused(_) => round.rejected_for(Reason::Credential),
        NoToken::Unavailable(_) => round.withhold(Reason::TokenUnavailable),
    }
    None
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt;
    use futures_util::future::BoxFuture;
    use mailward_catalogue::Secret;
    use mailward_evidence::Verdict;

    use super::*;
    use crate::net::oauth::Tokens;

    /// Accounts for tests: a table, and what became of them.
    #[derive(Default)]
    pub(crate) struct Table {
        pub(crate) known: BTreeMap<String, (String, String)>,
        pub(crate) proven: Vec<String>,
        pub(crate) held: Vec<String>,
        /// All accounts have these instead of their passwords.
        pub(crate) tokens: Option<Arc<Tokens>>,
        pub(crate) told: Mutex<Vec<String>>,
    }

    impl Table {
        pub(crate) fn with(ids: &[(&str, &str, &str)]) -> Self {
            let entry = |(id, name, password): &(&str, &str, &str)| {
                ((*id).to_owned(), ((*name).to_owned(), (*password).to_owned()))
            };
            Self { known: ids.iter().map(entry).collect(), ..Self::default() }
        }

        pub(crate) fn told(&self) -> Vec<String> {
            self.told.lock().unwrap().clone()
        }
    }

    impl Accounts for Table {
        fn account<'a>(
            &'a self,
            id: &'a str,
            _: Deadline,
        ) -> BoxFuture<'a, Result<Account, Reason>> {
            std::future::ready(self.give(id)).boxed()
        }

        fn accepted(&self, id: &str) {
            self.told.lock().unwrap().push(format!("+{id}"));
        }

        fn rejected(&self, id: &str) {
            self.told.lock().unwrap().push(format!("-{id}"));
        }

        fn proven(&self, id: &str) -> bool {
            self.proven.iter().any(|proven| proven == id)
        }
    }

    impl Table {
        fn give(&self, id: &str) -> Result<Account, Reason> {
            if self.held.iter().any(|held| held == id) {
                return Err(Reason::CredentialHeld);
            }
            let (username, password) = self.known.get(id).ok_or(Reason::CredentialMissing)?;
            if let Some(tokens) = &self.tokens {
                let key = AccountKey::Tokens(tokens.clone());
                return Ok(Account { username: username.clone(), key, identity: None });
            }
            let password = Secret::new(password.clone());
            Ok(Account::with_password(username.clone(), password))
        }
    }

    #[tokio::test]
    async fn one_refused_account_is_never_the_services_fault() {
        let check =
            async |ids: &[&str], proven: &[&str], held: &[&str], expect: (Verdict, Reason)| {
                let owned = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
                let ids: Vec<String> = owned(ids);
                let mut table = Table::with(&[("a", "a@x", "1"), ("b", "b@x", "2")]);
                table.proven = owned(proven);
                table.held = owned(held);
                let mut round = Round::new(&table, &ids);
                let deadline = Deadline::after(Duration::from_secs(5));
                while round.next_account(deadline, &mut Trace::start()).await.is_some() {
                    round.rejected();
                }
                let seen = round.verdict();
                assert_eq!((seen.verdict, seen.reason.unwrap()), expect, "{ids:?}");
            };
        let (down, unknown) = (Verdict::Down, Verdict::Unknown);
        check(&["a"], &["a"], &[], (unknown, Reason::Credential)).await;
        check(&["a", "b"], &["a", "b"], &[], (down, Reason::AuthRejected)).await;
        check(&["a", "b"], &["a"], &[], (unknown, Reason::Credential)).await;
        check(&["a", "b"], &["a", "b"], &["b"], (unknown, Reason::Credential)).await;
        check(&["a"], &["a"], &["a"], (unknown, Reason::CredentialHeld)).await;
        check(&["c"], &[], &[], (unknown, Reason::CredentialMissing)).await;
    }
}
