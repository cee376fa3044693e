//! The accounts as one run of a probe has them: secrets are read where they are used, the guard
//! is asked first, and what the run leaves undecided is given back when it ends.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::{Catalogue, Credential, Means, SecretRef};
use mailward_evidence::{Clock, Reason, Stopwatch};

use crate::causes::causes;
use crate::deliver::Way;
use crate::guard::{Attempt, Guard, Memory, Spared, file_name};
use crate::metrics::Metrics;
use crate::net::oauth::Tokens;
use crate::net::tls::Identity;
use crate::probe::{Account, AccountKey, Accounts, Deadline};

/// All accounts of the definition, and the guard over them.
#[derive(Debug)]
pub struct Purse {
    held: RwLock<HashMap<Box<str>, Arc<Held>>>,
    guard: Guard,
    /// Where refresh tokens are kept that took the place of declared ones.
    tokens: Option<PathBuf>,
}

/// An account as it is declared, and its tokens as they are.
#[derive(Debug)]
struct Held {
    declared: Credential,
    key: Key,
}

#[derive(Debug)]
enum Key {
    Password(SecretRef),
    Tokens(Arc<Tokens>),
    Certificate,
}

impl Held {
    fn new(declared: &Credential, tokens: Option<&Path>) -> Self {
        let key = match &declared.means {
            Means::Password(place) => Key::Password(place.clone()),
            Means::OAuth(means) => {
                let kept = tokens.map(|directory| directory.join(file_name(&declared.id)));
                Key::Tokens(Arc::new(Tokens::new(means.clone(), kept)))
            }
            Means::Certificate => Key::Certificate,
        };
        Self { declared: declared.clone(), key }
    }

    /// The secrets of the account as they are now; a token is fetched when it is shown.
    fn read(&self, id: &str) -> Result<(AccountKey, Option<Identity>), Reason> {
        let missing = |what: &str, error: &dyn std::error::Error| {
            tracing::warn!(credential = id, error = %causes(error), "the account's {what} cannot be read");
            Reason::CredentialMissing
        };
        let read = |what: &str, place: &SecretRef| place.read().map_err(|e| missing(what, &e));
        let key = match &self.key {
            Key::Tokens(tokens) => AccountKey::Tokens(Arc::clone(tokens)),
            Key::Password(place) => AccountKey::Password(read("password", place)?),
            Key::Certificate => AccountKey::Certificate,
        };
        let Some(places) = &self.declared.certificate else { return Ok((key, None)) };
        let certificate = read("certificate", &places.certificate)?;
        let private = read("key", &places.key)?;
        let identity = Identity::read(&certificate, &private);
        Ok((key, Some(identity.map_err(|error| missing("certificate", &error))?)))
    }
}

impl Purse {
    /// The accounts of a definition; see [`Tokens::new`] for what is kept in `tokens`.
    #[must_use]
    pub fn new(
        catalogue: &Catalogue,
        memory: Memory,
        tokens: Option<PathBuf>,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let held = catalogue.credentials.iter().map(|credential| {
            let held = Held::new(credential, tokens.as_deref());
            (Box::from(credential.id.as_str()), Arc::new(held))
        });
        let held = RwLock::new(held.collect());
        let guard = Guard::new(spared(catalogue), memory, clock, Some(metrics));
        Self { held, guard, tokens }
    }

    /// From now on, these are the accounts. One that is declared as before keeps its tokens, and
    /// what is remembered of any stays.
    pub fn take_over(&self, catalogue: &Catalogue) {
        self.guard.take_over(spared(catalogue));
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::take(&mut *held);
        for credential in &catalogue.credentials {
            let id: Box<str> = Box::from(credential.id.as_str());
            let same = before.get(&id).filter(|held| held.declared == *credential);
            let taken = same.map(Arc::clone);
            let made = || Arc::new(Held::new(credential, self.tokens.as_deref()));
            held.insert(id, taken.unwrap_or_else(made));
        }
    }

    fn held(&self, id: &str) -> Option<Arc<Held>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).get(id).map(Arc::clone)
    }

    /// No accounts at all.
    #[cfg(test)]
    pub(crate) fn empty(clock: Arc<dyn Clock>) -> Self {
        let guard = Guard::new(Vec::new(), Memory::Passing, clock, None);
        Self { held: RwLock::default(), guard, tokens: None }
    }

    /// From now on, the reporter is asked whether an account may be tried.
    pub fn ask_through(&self, way: Way) {
        self.guard.ask_through(way);
    }

    /// Tells the reporter what came of attempts, until it is dropped.
    pub async fn tell(&self) {
        self.guard.tell().await;
    }

    /// The accounts for one run.
    #[must_use]
    pub fn for_run(&self) -> RunAccounts<'_> {
        RunAccounts { purse: self, run: Mutex::default() }
    }
}

fn spared(catalogue: &Catalogue) -> Vec<Spared> {
    let spared = catalogue.credentials.iter().map(|credential| Spared {
        id: Box::from(credential.id.as_str()),
        username: credential.username.clone(),
        shared: credential.shared,
    });
    spared.collect()
}

/// The accounts of one run; when it is dropped, what was granted and came to no answer is
/// released.
#[derive(Debug)]
pub struct RunAccounts<'a> {
    purse: &'a Purse,
    run: Mutex<Run>,
}

#[derive(Debug, Default)]
struct Run {
    granted: Vec<(Box<str>, Attempt)>,
    rejected: Vec<Box<str>>,
    waited: Duration,
}

impl RunAccounts<'_> {
    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The attempt that was granted first of those that are not settled.
    fn settled(&self, id: &str) -> Option<Attempt> {
        let mut run = self.run();
        let i = run.granted.iter().position(|(granted, _)| **granted == *id)?;
        Some(run.granted.remove(i).1)
    }

    /// How long the run waited until it knew whether it may try an account.
    pub(crate) fn waited(&self) -> Duration {
        self.run().waited
    }

    async fn give(&self, credential_id: &str, deadline: Deadline) -> Result<Account, Reason> {
        let held = self.purse.held(credential_id).ok_or(Reason::CredentialMissing)?;
        let (key, identity) = held.read(credential_id)?;
        let watch = Stopwatch::start();
        let asked = self.purse.guard.ask(credential_id, deadline).await;
        let mut run = self.run();
        run.waited += watch.elapsed();
        let attempt = asked.map_err(|_| Reason::CredentialHeld)?;
        run.granted.push((Box::from(credential_id), attempt));
        Ok(Account { username: held.declared.username.clone(), key, identity })
    }
}

impl Accounts for RunAccounts<'_> {
    fn account<'a>(
        &'a self,
        credential_id: &'a str,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Account, Reason>> {
        self.give(credential_id, deadline).boxed()
    }

    fn accepted(&self, credential_id: &str) {
        if let Some(attempt) = self.settled(credential_id) {
            self.purse.guard.accepted(credential_id, &attempt);
        }
    }

    fn rejected(&self, credential_id: &str) {
        match self.settled(credential_id) {
            Some(attempt) => self.purse.guard.rejected(credential_id, &attempt),
            // the run showed it elsewhere too, after it was taken
            None => self.purse.guard.rejected_unasked(credential_id),
        }
        let earlier = {
            let mut run = self.run();
            let earlier = run.rejected.clone();
            run.rejected.push(Box::from(credential_id));
            earlier
        };
        self.purse.guard.align(&earlier);
    }

    fn undecided(&self, credential_id: &str) {
        if let Some(attempt) = self.settled(credential_id) {
            self.purse.guard.release(credential_id, &attempt);
        }
    }

    fn proven(&self, credential_id: &str) -> bool {
        self.purse.guard.proven(credential_id)
    }
}

impl Drop for RunAccounts<'_> {
    fn drop(&mut self) {
        let run = self.run.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (id, attempt) in run.granted.drain(..) {
            self.purse.guard.release(&id, &attempt);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use jiff::Timestamp;
    use mailward_catalogue::SecretRef;
    use mailward_evidence::ManualClock;

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_millis(200))
    }

    fn purse(secret: SecretRef) -> Purse {
        purse_at(secret, Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH)))
    }

    fn purse_at(secret: SecretRef, clock: Arc<dyn Clock>) -> Purse {
        let username = "probe1@example.org".to_owned();
        let declared = Credential {
            id: "owa".to_owned(),
            username: username.clone(),
            means: Means::Password(secret),
            certificate: None,
            shared: false,
        };
        let held = HashMap::from([(Box::from("owa"), Arc::new(Held::new(&declared, None)))]);
        let spared = vec![Spared { id: Box::from("owa"), username, shared: false }];
        let guard = Guard::new(spared, Memory::Passing, clock, None);
        Purse { held: RwLock::new(held), guard, tokens: None }
    }

    #[tokio::test]
    async fn a_run_that_ends_gives_its_account_back() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"secret\n").unwrap();
        let purse = purse(SecretRef::File(file.path().to_owned()));
        let run = purse.for_run();
        let account = run.account("owa", soon()).await.unwrap();
        assert_eq!(account.password().unwrap().expose(), "secret");
        let other = purse.for_run();
        assert_eq!(other.account("owa", soon()).await.unwrap_err(), Reason::CredentialHeld);
        assert!(other.waited() >= Duration::from_millis(40), "it waits for the other a moment");
        let (waiting, ()) = tokio::join!(other.account("owa", soon()), async { drop(run) });
        assert!(waiting.is_ok(), "and has its turn when that ends");
        other.accepted("owa");
        assert!(purse.for_run().account("owa", soon()).await.is_ok());
        let nobody = other.account("nobody", soon()).await;
        assert_eq!(nobody.unwrap_err(), Reason::CredentialMissing);
    }

    #[tokio::test]
    async fn a_refusal_after_an_acceptance_in_one_run_counts() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"secret\n").unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let purse = purse_at(SecretRef::File(file.path().to_owned()), clock.clone());
        let run = purse.for_run();
        assert!(run.account("owa", soon()).await.is_ok());
        run.accepted("owa");
        run.rejected("owa");
        drop(run);
        let again = async || {
            let run = purse.for_run();
            let given = run.account("owa", soon()).await.is_ok();
            if given {
                run.rejected("owa");
            }
            given
        };
        assert!(!again().await, "it is spared");
        clock.advance(Duration::from_secs(310));
        assert!(again().await, "one refusal: it is tried once more");
        clock.advance(Duration::from_secs(310_000));
        assert!(!again().await, "and then not until it is cleared");
    }

    #[tokio::test]
    async fn a_password_that_cannot_be_read_costs_no_attempt() {
        let purse = purse(SecretRef::File("/nonexistent/secret".into()));
        let run = purse.for_run();
        let missing = run.account("owa", soon()).await;
        assert_eq!(missing.unwrap_err(), Reason::CredentialMissing);
        assert!(purse.guard.ask("owa", soon()).await.is_ok());
    }

    #[tokio::test]
    async fn accounts_go_on_as_they_are_declared_by_now() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"secret\n").unwrap();
        let catalogue = |credentials: &str| {
            let text = format!("[service]\nname = \"A\"\nzone = \"UTC\"\n{credentials}");
            let parsed = mailward_catalogue::parse("a", &text);
            parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults))
        };
        let account = |username: &str| {
            catalogue(&format!(
                "[[credential]]\nid = \"owa\"\nusername = \"{username}\"\n\
                 password = {{ file = \"{}\" }}\n",
                file.path().display()
            ))
        };
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let metrics = Arc::new(Metrics::new().unwrap());
        let purse = Purse::new(&account("one"), Memory::Passing, None, clock, metrics);
        let held = purse.held("owa").unwrap();
        let run = purse.for_run();
        assert!(run.account("owa", soon()).await.is_ok());
        purse.take_over(&account("one"));
        assert!(Arc::ptr_eq(&held, &purse.held("owa").unwrap()), "what it has is kept");
        let busy = purse.for_run().account("owa", soon()).await;
        assert_eq!(busy.unwrap_err(), Reason::CredentialHeld, "the run is still at it");
        run.accepted("owa");
        drop(run);
        assert!(purse.guard.proven("owa"));
        purse.take_over(&account("two"));
        assert!(!purse.guard.proven("owa"), "nothing is known of another mailbox");
        let run = purse.for_run();
        assert_eq!(run.account("owa", soon()).await.unwrap().username, "two");
        purse.take_over(&catalogue(""));
        run.accepted("owa");
        let gone = purse.for_run().account("owa", soon()).await;
        assert_eq!(gone.unwrap_err(), Reason::CredentialMissing);
    }
}
