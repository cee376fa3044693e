//! Which run of a probe: when it is due, and which attempt it is. What makes it due, and what
//! it sees, is left to others.

/// One run that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// When it is due, in milliseconds since the epoch.
    pub due_ms: i64,
    /// Re-probes since the first failure; 0 for a scheduled run.
    pub attempt: u32,
}
