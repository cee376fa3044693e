//! What the pages need from the store beyond the bundle: rows of the past and published
//! editions, read a few at a time off the async threads, and whether the store is writable.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::Catalogue;
use mailward_evidence::Stopwatch;
use tokio::sync::{Mutex, Semaphore};

use crate::interval::Span;
use crate::language::Language;
use crate::publish::{manifest, recompute};
use crate::render::json;
use crate::report::model::Report;
use crate::status::{self, Row};
use crate::store::{NewEdition, Store, StoreError};

/// Readers of the past at once.
const READERS: usize = 2;
/// How long a reader waits for its turn.
const PATIENCE: Duration = Duration::from_secs(2);
/// Editions kept in memory.
const KEPT_EDITIONS: usize = 24;
/// How long an answer about writability holds.
const READY_FOR: Duration = Duration::from_secs(1);

/// Why something of the past is not there.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// Too many are asking.
    #[error("too many readers of the past at once")]
    Busy,
    /// It could not be read.
    #[error("read the past")]
    Failed(#[source] StoreError),
}

/// An edition as it is served.
pub struct Edition {
    /// Its files.
    pub files: NewEdition,
    /// Its report, read back.
    pub report: Report,
    /// SHA-256 of report.json, in hexadecimal.
    pub digest: String,
    /// The language it was published in.
    pub language: Arc<Language>,
}

/// What the pages read from the store.
pub struct Archive {
    store: Store,
    readers: Semaphore,
    editions: Mutex<Vec<Arc<Edition>>>,
    ready: Mutex<Option<(Stopwatch, bool)>>,
}

impl Archive {
    /// Reads from this store.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            store,
            readers: Semaphore::new(READERS),
            editions: Mutex::new(Vec::new()),
            ready: Mutex::new(None),
        }
    }

    /// The row with the outages and stretches of another window in place of its own, by this
    /// definition.
    ///
    /// # Errors
    /// When too many ask, or the store cannot be read.
    pub async fn row(
        &self,
        catalogue: Arc<Catalogue>,
        row: &Row,
        window: Span,
        now_ms: i64,
    ) -> Result<Row, Missing> {
        let id = row.id.clone();
        let past = self
            .read(move |store| {
                let window = Span::new(window.from_ms, window.to_ms.min(now_ms));
                if window.is_empty() {
                    return Ok(None);
                }
                let evidence = store.evidence(window.from_ms, window.to_ms, now_ms)?;
                Ok(status::evaluate::past(&catalogue, &id, &evidence, window, now_ms))
            })
            .await?;
        let mut row = row.clone();
        if let Some(past) = past {
            row.days = past.days;
            row.outages = past.outages;
            row.stretches = past.stretches;
        }
        Ok(row)
    }

    /// An edition; the latest where no number is given, which the caller knows from the list.
    ///
    /// # Errors
    /// When too many ask, the store cannot be read, or what it has is not what was signed.
    pub async fn edition(&self, month: &str, number: u32) -> Result<Option<Arc<Edition>>, Missing> {
        let same = |e: &Arc<Edition>| e.files.month == month && e.files.edition == number;
        if let Some(kept) = self.editions.lock().await.iter().find(|e| same(e)) {
            return Ok(Some(kept.clone()));
        }
        let wanted = month.to_owned();
        let read = self
            .read(move |store| {
                let read = store.edition(&wanted, Some(number))?;
                match read.as_ref().and_then(manifest::damaged) {
                    // a bad page is not shown as what was published
                    Some(part) => Err(StoreError::Damaged(format!(
                        "{part} of {wanted}, edition {number}, is not what was signed"
                    ))),
                    None => Ok(read),
                }
            })
            .await?;
        let Some(files) = read else { return Ok(None) };
        let report = serde_json::from_str(&files.report_json)
            .map_err(|e| Missing::Failed(StoreError::Damaged(format!("report of {month}: {e}"))))?;
        let digest = json::digest(&files.report_json);
        let language = recompute::language(&files.definition_toml);
        let edition = Arc::new(Edition { files, report, digest, language });
        let mut kept = self.editions.lock().await;
        if kept.len() >= KEPT_EDITIONS {
            kept.remove(0);
        }
        kept.push(edition.clone());
        Ok(Some(edition))
    }

    /// Public keys that editions were or are signed with, PEM, each with the instant it was first
    /// seen.
    ///
    /// # Errors
    /// When too many ask, or the store cannot be read.
    pub async fn signing_keys(&self) -> Result<Vec<(i64, String)>, Missing> {
        self.read(Store::signing_keys).await
    }

    /// Whether the store can be written; asked of the disk once a second at most.
    pub async fn writable(&self) -> bool {
        let mut ready = self.ready.lock().await;
        if let Some((asked, answer)) = &*ready
            && asked.elapsed() < READY_FOR
        {
            return *answer;
        }
        let store = self.store.clone();
        let answer = tokio::task::spawn_blocking(move || store.probe_writable().is_ok())
            .await
            .unwrap_or(false);
        *ready = Some((Stopwatch::start(), answer));
        answer
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Missing> {
        let turn = tokio::time::timeout(PATIENCE, self.readers.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Missing::Busy) };
        let store = self.store.clone();
        match tokio::task::spawn_blocking(move || read(&store)).await {
            Ok(result) => result.map_err(Missing::Failed),
            Err(_) => Err(Missing::Failed(StoreError::Closed)),
        }
    }
}
