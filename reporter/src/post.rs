//! Post: published reports on their way to their readers, once each. Letters stand in a queue in
//! the store; a relay takes them; every step is on disk before the next, so that neither a
//! restart nor a relay that breaks off sends one twice. When one is due is the calendar's business.

mod letter;
mod relay;
mod round;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use mailward_catalogue::{Catalogue, Distribution};
use mailward_evidence::Clock;
use tokio::sync::watch;

use crate::language::Language;
use crate::publish::recompute;
use crate::render::mail;
use crate::report::model::Report;
use crate::store::{Addressee, LetterState, NewLetter, Store, StoreError};

pub(crate) use letter::message_id;
pub use relay::Limits;
pub use round::{Outgoing, Sender};

/// How long a letter that is being handed over may take once the program is to stop.
const LAST_MOMENT: Duration = Duration::from_secs(1);
/// The line of the ledger that holds the instant from which editions are mailed: that at which
/// a distribution was first declared.
const SINCE: &str = "distribution/since";

/// Why a letter was not queued or sent.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The queue could not be read or written.
    #[error("use the queue of letters")]
    Store(#[from] StoreError),
    /// The letter could not be rendered.
    #[error("render the letter about {about}")]
    Render {
        /// What it is about.
        about: String,
        /// Why.
        #[source]
        source: askama::Error,
    },
    /// The report of an edition could not be read.
    #[error("read the report of {month}")]
    Report {
        /// The month.
        month: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// What the sender needs cannot be had.
    #[error("set up the sending of letters: {0}")]
    Setup(String),
}

/// What editions published from now on are mailed since; noted the first time it is asked.
///
/// # Errors
/// When the ledger cannot be read or written.
pub fn since_ms(store: &Store, now_ms: i64) -> Result<i64, StoreError> {
    if let Some(noted) = store.ledger_get(SINCE)?.and_then(|text| text.parse().ok()) {
        return Ok(noted);
    }
    store.ledger_put(SINCE, &now_ms.to_string())?;
    Ok(now_ms)
}

/// Queues a letter for each edition that was published since there is a distribution and has
/// none yet, whoever published it; gives how many.
///
/// # Errors
/// When the store cannot be read or written, or a letter cannot be rendered.
pub fn queue_editions(
    store: &Store,
    to: &Distribution,
    since_ms: i64,
    now_ms: i64,
) -> Result<usize, PostError> {
    let mut queued = 0;
    for head in store.editions(None)? {
        let about = format!("edition/{}/{}", head.month, head.edition);
        if head.published_ms < since_ms || store.knows_letter(&about)? {
            continue;
        }
        let Some(edition) = store.edition(&head.month, Some(head.edition))? else { continue };
        let report: Report = serde_json::from_str(&edition.report_json)
            .map_err(|source| PostError::Report { month: head.month.clone(), source })?;
        let written =
            mail::edition(&report, &to.subject, &recompute::language(&edition.definition_toml));
        let edition = Some((head.month, head.edition));
        queued += usize::from(queue(store, to, (about, written), edition, now_ms)?);
    }
    Ok(queued)
}

/// Queues the digest of a week: the month so far.
///
/// # Errors
/// When the store cannot be written, or the letter cannot be rendered.
pub fn queue_digest(
    store: &Store,
    to: &Distribution,
    (date, report, say): (Date, &Report, &Language),
    now_ms: i64,
) -> Result<bool, PostError> {
    queue(store, to, (format!("digest/{date}"), mail::digest(report, date, say)), None, now_ms)
}

fn queue(
    store: &Store,
    distribution: &Distribution,
    (about, written): (String, askama::Result<mail::Written>),
    edition: Option<(String, u32)>,
    now_ms: i64,
) -> Result<bool, PostError> {
    let written = written.map_err(|source| PostError::Render { about: about.clone(), source })?;
    let id = |address: &String| message_id(&about, address, &distribution.from, now_ms);
    let to = distribution.to.iter().map(|address| (address.clone(), id(address))).collect();
    let letter = NewLetter {
        subject: written.subject,
        text: written.text,
        html: written.html,
        edition,
        via: String::new(),
        body: None,
        made_ms: now_ms,
        to,
        about,
    };
    Ok(store.put_letter(letter)?)
}

/// Brings back a letter that bounced, was given up, or of which nobody knows whether it arrived;
/// false where none such is there.
///
/// # Errors
/// When the store cannot be read or written.
pub fn again(store: &Store, about: &str, address: &str, now_ms: i64) -> Result<bool, StoreError> {
    let all = store.addressees("")?;
    let known = all.iter().find(|a| a.about == about && a.address == address);
    known.map_or(Ok(false), |known| wait_again(store, known, now_ms))
}

/// Lets a letter wait again that did not surely arrive; false where it did or still may.
///
/// # Errors
/// When the store cannot be written.
pub fn wait_again(store: &Store, known: &Addressee, now_ms: i64) -> Result<bool, StoreError> {
    if !known.state.is_final() || known.state == LetterState::Sent {
        return Ok(false);
    }
    let waiting = Addressee {
        state: LetterState::Waiting,
        attempts: 0,
        next_ms: now_ms,
        changed_ms: now_ms,
        ..known.clone()
    };
    store.move_addressee(known.state, &waiting)
}

/// Hands a letter over now, past the queue; gives what the relay said for each recipient.
///
/// # Errors
/// When the system's resolver cannot be set up.
pub async fn hand_over_now(
    outgoing: &Outgoing,
    service: &str,
    letter: &NewLetter,
) -> Result<Vec<(String, Result<String, String>)>, PostError> {
    round::hand_over_now(outgoing, service, letter).await
}

/// The thread that sends letters, beside the runtime: a step that waits for the disk may block.
pub struct Post {
    ended: tokio::sync::oneshot::Receiver<()>,
}

impl Post {
    /// Starts that of published reports, where there is a distribution; it ends when `shutdown`
    /// is true.
    ///
    /// # Errors
    /// When the thread or what it needs cannot be had.
    pub fn start(
        store: Store,
        catalogue: &Arc<Catalogue>,
        clock: Arc<dyn Clock>,
        shutdown: watch::Receiver<bool>,
    ) -> Result<Option<Self>, PostError> {
        let Some(distribution) = &catalogue.distribution else { return Ok(None) };
        let reports = Outgoing::reports(distribution);
        Self::of(store, reports, &catalogue.service.name, clock, shutdown).map(Some)
    }

    /// Starts one; it ends when `shutdown` is true.
    ///
    /// # Errors
    /// When the thread or what it needs cannot be had.
    pub fn of(
        store: Store,
        outgoing: Outgoing,
        service: &str,
        clock: Arc<dyn Clock>,
        shutdown: watch::Receiver<bool>,
    ) -> Result<Self, PostError> {
        let look_every = outgoing.look_every;
        let sender = Sender::new(store, outgoing, service, clock)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| PostError::Setup(error.to_string()))?;
        let (tell, ended) = tokio::sync::oneshot::channel();
        let work = move || {
            runtime.block_on(keep_sending(sender, look_every, shutdown));
            // nobody may be waiting any more
            let _ = tell.send(());
        };
        std::thread::Builder::new()
            .name("post".to_owned())
            .spawn(work)
            .map_err(|error| PostError::Setup(error.to_string()))?;
        Ok(Self { ended })
    }

    /// Waits until it has ended.
    pub async fn ended(self) {
        let _ = self.ended.await;
    }
}

async fn keep_sending(sender: Sender, look_every: Duration, mut shutdown: watch::Receiver<bool>) {
    let said = |result: Result<usize, PostError>| {
        if let Err(error) = result {
            let error: &dyn std::error::Error = &error;
            tracing::error!(error, "letters could not be sent; it is tried again");
        }
    };
    if let Err(error) = sender.recover() {
        let error: &dyn std::error::Error = &error;
        tracing::error!(error, "read the queue of letters");
    }
    loop {
        {
            let mut round = std::pin::pin!(sender.round());
            tokio::select! {
                result = &mut round => said(result),
                _ = shutdown.wait_for(|asked| *asked) => {
                    // one that is at the dot had better end well
                    if let Ok(result) = tokio::time::timeout(LAST_MOMENT, round).await {
                        said(result);
                    }
                    return;
                }
            }
        }
        if let Ok(Ok(_)) = tokio::time::timeout(look_every, shutdown.wait_for(|a| *a)).await {
            return;
        }
    }
}

/// How long to wait after this many tries: doubled each time, from the first to the longest.
pub(crate) fn wait_ms(attempts: u32, first_ms: i64, longest_ms: i64) -> i64 {
    let doubled = attempts.saturating_sub(1).min(20);
    first_ms.saturating_mul(1 << doubled).min(longest_ms)
}

/// The PEM file of further authorities.
fn read_trust(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| format!("read {}: {error}", path.display()))
}

#[cfg(test)]
mod tests;
