//! The definition that is in force while a program runs, which may be read again, and word from
//! those who work by it. When it is read again, and who is told, is left to others.

use std::sync::Arc;

use crate::service::Catalogue;

/// A definition in force, and how it last went to read it again.
///
/// Whoever watches for a new one is told after every reading, also when the new one was refused
/// and nothing has changed: files beside it (certificates, say) may have.
#[derive(Clone, Debug)]
pub struct InForce {
    /// What is watched and promised.
    pub catalogue: Arc<Catalogue>,
    /// Its normal form, which is kept with what is judged by it.
    pub normal: Arc<str>,
    /// When it was read, in milliseconds since the epoch.
    pub since_ms: i64,
    /// Whether it is what the file says: false once a newer one was refused.
    pub is_latest: bool,
}

impl InForce {
    /// A definition that was read just now.
    #[must_use]
    pub fn new(catalogue: Arc<Catalogue>, normal: &str, now_ms: i64) -> Self {
        Self { catalogue, normal: Arc::from(normal), since_ms: now_ms, is_latest: true }
    }

    /// The same definition, after a newer one was refused.
    #[must_use]
    pub fn after_refusal(&self) -> Self {
        Self { is_latest: false, ..self.clone() }
    }
}

/// How a part of the program is that works by a definition.
#[derive(Clone, Debug)]
pub struct Pulse {
    /// The definition that it works by.
    pub by: Arc<InForce>,
    /// One line for whoever looks after it; an error where something does not do its work.
    pub said: Result<String, String>,
}
