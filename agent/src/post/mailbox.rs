//! Finding messages in a mailbox over IMAP: one connection for a mailbox, however many messages
//! are awaited there. It waits where the server tells news (IDLE) and asks where it does not,
//! looks into every folder a message may have been put in, and removes what is ours and nothing
//! else. What a message means is the post's.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::Settings;
use mailward_evidence::clock::Reading;
use mailward_evidence::{Clock, Reason};
use tokio::sync::watch;

use super::Post;
use crate::accounts::Purse;
use crate::net::{Access, Deadline, Net, Security};

mod fetch;
mod folders;
mod logon;
mod moment;
mod visit;

use visit::Visit;

/// How long a mailbox may take to open.
const OPENING: Duration = Duration::from_secs(30);
/// How long after a failure it is tried again, at first and at most.
const RETRY: Duration = Duration::from_secs(2);
const MAX_RETRY: Duration = Duration::from_secs(60);
/// How long a connection stays when nothing is awaited.
const LINGER: Duration = Duration::from_secs(60);

/// A mailbox and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxAccess {
    access: Access,
    credential: String,
    folder: String,
    junk: Vec<String>,
}

impl MailboxAccess {
    /// Reads the keys of `receive`; `None` where they name no server.
    #[must_use]
    pub fn read(keys: &Settings) -> Option<Self> {
        Some(Self {
            access: Access {
                host: keys.text("host")?.to_owned(),
                port: keys.port("port")?,
                security: Security::read(keys.text("tls")?)?,
            },
            credential: keys.texts("credential").first()?.clone(),
            folder: keys.text("folder").unwrap_or("INBOX").to_owned(),
            junk: keys.texts("junk").to_vec(),
        })
    }

    /// Its name at the desk.
    #[must_use]
    pub fn name(&self) -> String {
        let Access { host, port, .. } = &self.access;
        format!("imap:{}@{host}:{port}/{}", self.credential, self.folder)
    }

    /// Takes over what another probe says of the same mailbox.
    pub fn take_folders(&mut self, other: &Self) {
        for folder in &other.junk {
            if !self.junk.contains(folder) {
                self.junk.push(folder.clone());
            }
        }
    }
}

/// One mailbox that is followed.
pub struct Mailbox {
    access: MailboxAccess,
    name: String,
    post: Arc<Post>,
    net: Arc<Net>,
    purse: Arc<Purse>,
    clock: Arc<dyn Clock>,
    wanted: watch::Receiver<u64>,
}

impl std::fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mailbox").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Mailbox {
    /// One that is followed once [`Mailbox::run`] runs.
    #[must_use]
    pub fn new(
        access: MailboxAccess,
        post: &Arc<Post>,
        net: &Arc<Net>,
        purse: &Arc<Purse>,
        clock: &Arc<dyn Clock>,
    ) -> Self {
        Self {
            name: access.name(),
            access,
            wanted: post.desk.wanted(),
            post: Arc::clone(post),
            net: Arc::clone(net),
            purse: Arc::clone(purse),
            clock: Arc::clone(clock),
        }
    }

    /// Follows it until it is dropped. It is connected only while something is awaited.
    pub async fn run(mut self) {
        let mut pause = RETRY;
        loop {
            if !self.is_awaited() {
                if self.wanted.changed().await.is_err() {
                    return;
                }
                continue;
            }
            match self.visit().await {
                Ok(()) => pause = RETRY,
                Err(fault) => {
                    tracing::debug!(mailbox = self.name, %fault, "a mailbox cannot be followed");
                    self.post.desk.blind(&self.name, fault.reason.clone(), &fault.detail);
                    // an account is never tried again and again
                    let held = matches!(
                        fault.reason,
                        Reason::Credential | Reason::CredentialHeld | Reason::CredentialMissing
                    );
                    pause = if held { MAX_RETRY } else { (pause * 2).min(MAX_RETRY) };
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    fn is_awaited(&self) -> bool {
        self.post.desk.awaited_at(&self.name).is_some()
    }

    fn now(&self) -> Reading {
        self.clock.read()
    }

    /// One connection, until nothing is awaited for a while or it fails.
    async fn visit(&mut self) -> Result<(), crate::net::Fault> {
        let deadline = Deadline::after(OPENING);
        let (talk, offered) = self.log_on(deadline).await?;
        let mut visit = Visit::begin(self, talk, &offered).await?;
        let mut idle_since = None;
        loop {
            let awaited = visit.of.post.desk.awaited_at(&visit.of.name);
            let now = visit.of.now();
            match awaited {
                Some(_) => idle_since = None,
                None => {
                    let since = *idle_since.get_or_insert(now.mono);
                    if now.mono.saturating_sub(since) > LINGER {
                        visit.leave().await;
                        return Ok(());
                    }
                }
            }
            visit.look_and_wait(awaited).await?;
        }
    }
}
