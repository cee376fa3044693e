//! Whether a published edition still says what the evidence says. Evidence may arrive late or be
//! superseded; an edition is left alone and flagged. Asked often, it costs a look-up: a month is
//! judged again only after evidence of its time changed, by the definition of its edition.

use serde::{Deserialize, Serialize};

use super::figures::{differing, sentence};
use super::recompute::{Parts, RecomputeError};
use crate::language::english;
use crate::month::{self, ComputeError};
use crate::report::model::LevelChange;
use crate::store::{EditionHead, Store, StoreError};

/// How long after a month's end evidence may still bear on it: the first success after it ends
/// the longest reading of an outage.
const AFTER_MS: i64 = 86_400_000;

/// Why it is not known whether an edition differs.
#[derive(Debug, thiserror::Error)]
pub enum DiffersError {
    /// The store could not be asked.
    #[error("look for evidence that arrived since")]
    Store(#[from] StoreError),
    /// The edition could not be read back.
    #[error("read the edition")]
    Edition(#[from] RecomputeError),
    /// The month could not be judged again.
    #[error("judge the month again")]
    Compute(#[from] ComputeError),
}

/// What is noted about an edition.
#[derive(Serialize, Deserialize)]
struct Compared {
    /// The last change of evidence that was looked at.
    change: u64,
    /// What differs.
    levels: Vec<LevelChange>,
    /// The end of the month's evidence.
    until_ms: i64,
}

fn key(month: &str, edition: u32) -> String {
    format!("compared/{month}/{edition}")
}

/// Notes that an edition was made of all evidence up to `change`.
pub(super) fn note(
    store: &Store,
    (month, edition): (&str, u32),
    month_ends_ms: i64,
    change: u64,
) -> Result<(), StoreError> {
    let until_ms = month_ends_ms.saturating_add(AFTER_MS);
    put(store, &key(month, edition), &Compared { change, levels: Vec::new(), until_ms })
}

fn put(store: &Store, key: &str, compared: &Compared) -> Result<(), StoreError> {
    let text = serde_json::to_string(compared)
        .map_err(|error| StoreError::Damaged(format!("a note on an edition: {error}")))?;
    store.ledger_put(key, &text)
}

/// Levels of an edition whose figures are different by what is known now. Blocks on the store.
///
/// # Errors
/// When the store cannot be read, or the month cannot be judged again.
pub fn since(
    store: &Store,
    head: &EditionHead,
    now_ms: i64,
) -> Result<Vec<LevelChange>, DiffersError> {
    let key = key(&head.month, head.edition);
    let noted = store.ledger_get(&key)?;
    let noted = noted.and_then(|text| serde_json::from_str::<Compared>(&text).ok());
    if let Some(noted) = noted
        && store.changed_since(noted.until_ms, noted.change)?.is_none()
    {
        return Ok(noted.levels);
    }
    // what arrives while the month is judged is seen next time
    let change = store.last_change()?;
    let Some(edition) = store.edition(&head.month, Some(head.edition))? else {
        return Ok(Vec::new());
    };
    let parts = Parts::of(&edition)?;
    let now = month::figures(store, &parts.catalogue, parts.month, now_ms)?;
    let levels = differing(&parts.report, &now);
    if !levels.is_empty() {
        let figures: Vec<String> = levels.iter().map(|level| sentence(level, english())).collect();
        tracing::warn!(
            month = head.month,
            edition = head.edition,
            "evidence that arrived since changes published figures: {}; `mailward publish` makes \
             a new edition",
            figures.join("; ")
        );
    }
    let until_ms = parts.month.span(&parts.catalogue.service.zone).to_ms.saturating_add(AFTER_MS);
    put(store, &key, &Compared { change, levels: levels.clone(), until_ms })?;
    Ok(levels)
}
