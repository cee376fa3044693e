//! The accounts as one run of a probe has them: secrets are read where they are used, the guard
//! is asked first, and what the run leaves undecided is given back when it ends.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::{Catalogue, ClientCertificate, Means, SecretRef};
use mailward_evidence::{Clock, Reason};

use crate::causes::causes;
use crate::guard::Guard;
use crate::net::oauth::Tokens;
use crate::net::tls::Identity;
use crate::probe::{Account, AccountKey, Accounts, Deadline};

/// All accounts of the definition, and the guard over them.
#[derive(Debug)]
pub struct Purse {
    held: HashMap<Box<str>, Held>,
    guard: Guard,
}

/// An account as it is declared, and its tokens as they are.
#[derive(Debug)]
struct Held {
    username: String,
    key: Key,
    certificate: Option<ClientCertificate>,
}

#[derive(Debug)]
enum Key {
    Password(SecretRef),
    Tokens(Arc<Tokens>),
    Certificate,
}

impl Held {
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
        let Some(places) = &self.certificate else { return Ok((key, None)) };
        let certificate = read("certificate", &places.certificate)?;
        let private = read("key", &places.key)?;
        let identity = Identity::read(&certificate, &private);
        Ok((key, Some(identity.map_err(|error| missing("certificate", &error))?)))
    }
}

impl Purse {
    /// The accounts of a definition; see [`Guard::new`] for `directory`, and [`Tokens::new`] for
    /// what is kept in `tokens`.
    #[must_use]
    pub fn new(
        catalogue: &Catalogue,
        directory: Option<PathBuf>,
        tokens: Option<PathBuf>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let held = catalogue.credentials.iter().map(|credential| {
            let key = match &credential.means {
                Means::Password(place) => Key::Password(place.clone()),
                Means::OAuth(means) => {
                    let kept = tokens.as_ref().map(|directory| directory.join(&credential.id));
                    Key::Tokens(Arc::new(Tokens::new(means.clone(), kept)))
                }
                Means::Certificate => Key::Certificate,
            };
            let certificate = credential.certificate.clone();
            let held = Held { username: credential.username.clone(), key, certificate };
            (Box::from(credential.id.as_str()), held)
        });
        Self { held: held.collect(), guard: Guard::new(directory, clock) }
    }

    /// No accounts at all.
    #[cfg(test)]
    pub(crate) fn empty(clock: Arc<dyn Clock>) -> Self {
        Self { held: HashMap::new(), guard: Guard::new(None, clock) }
    }

    /// The accounts for one run.
    #[must_use]
    pub fn for_run(&self) -> RunAccounts<'_> {
        RunAccounts { purse: self, granted: Mutex::default() }
    }
}

/// The accounts of one run; when it is dropped, what was granted and came to no answer is
/// released.
#[derive(Debug)]
pub struct RunAccounts<'a> {
    purse: &'a Purse,
    granted: Mutex<Vec<Box<str>>>,
}

impl RunAccounts<'_> {
    fn settled(&self, id: &str) {
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.retain(|granted| **granted != *id);
    }
}

impl RunAccounts<'_> {
    async fn give(&self, credential_id: &str) -> Result<Account, Reason> {
        let held = self.purse.held.get(credential_id).ok_or(Reason::CredentialMissing)?;
        let (key, identity) = held.read(credential_id)?;
        self.purse.guard.ask(credential_id).map_err(|_| Reason::CredentialHeld)?;
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        granted.push(Box::from(credential_id));
        Ok(Account { username: held.username.clone(), key, identity })
    }
}

impl Accounts for RunAccounts<'_> {
    fn account<'a>(
        &'a self,
        credential_id: &'a str,
        _deadline: Deadline,
    ) -> BoxFuture<'a, Result<Account, Reason>> {
        self.give(credential_id).boxed()
    }

    fn accepted(&self, credential_id: &str) {
        self.settled(credential_id);
        self.purse.guard.accepted(credential_id);
    }

    fn rejected(&self, credential_id: &str) {
        self.settled(credential_id);
        self.purse.guard.rejected(credential_id);
    }

    fn proven(&self, credential_id: &str) -> bool {
        self.purse.guard.proven(credential_id)
    }
}

impl Drop for RunAccounts<'_> {
    fn drop(&mut self) {
        let granted = self.granted.get_mut().unwrap_or_else(PoisonError::into_inner);
        for id in granted.drain(..) {
            self.purse.guard.release(&id);
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
        Deadline::after(std::time::Duration::from_secs(5))
    }

    fn purse(secret: SecretRef) -> Purse {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::UNIX_EPOCH));
        let username = "probe1@example.org".to_owned();
        let held = Held { username, key: Key::Password(secret), certificate: None };
        let held = HashMap::from([(Box::from("owa"), held)]);
        Purse { held, guard: Guard::new(None, clock) }
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
        drop(run);
        assert!(other.account("owa", soon()).await.is_ok());
        other.accepted("owa");
        assert!(purse.for_run().account("owa", soon()).await.is_ok());
        assert_eq!(other.account("nobody", soon()).await.unwrap_err(), Reason::CredentialMissing);
    }

    #[tokio::test]
    async fn a_password_that_cannot_be_read_costs_no_attempt() {
        let purse = purse(SecretRef::File("/nonexistent/secret".into()));
        let run = purse.for_run();
        assert_eq!(run.account("owa", soon()).await.unwrap_err(), Reason::CredentialMissing);
        assert_eq!(purse.guard.ask("owa"), Ok(()));
    }
}
