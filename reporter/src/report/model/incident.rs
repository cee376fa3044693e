//! Incidents that somebody declared, beside what was measured of them.

use serde::{Deserialize, Serialize};

use super::{At, Ms};

/// A ticket of a severity that an outage opens, and how long it was said and measured to last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// The ticket.
    pub id: String,
    /// How bad, as the desk grades it.
    pub severity: String,
    /// The component it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// When it was opened.
    pub opened: At,
    /// When it was last resolved; null while it is open.
    pub resolved: Option<At>,
    /// From opened to resolved, or to `as_of`, by the clock.
    pub declared_s: Ms,
    /// How long the outages lasted that touch it, within the month; null where it names no
    /// component that is watched.
    pub measured_s: Option<Ms>,
}
