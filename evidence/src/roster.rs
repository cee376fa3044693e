//! Which probes an agent was due to run, from an instant on: what makes silence visible.

use serde::{Deserialize, Serialize};

use crate::ids::{AgentName, ProbeId, SiteName};
use crate::record::Extra;
use crate::time::Instant;

/// The probes an agent runs from `at` until its next roster, and the site it stands at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roster {
    /// Whose roster.
    pub agent: AgentName,
    /// Where the agent stands while this roster holds.
    pub site: SiteName,
    /// When it begins to hold. With `agent`, its identity.
    pub at: Instant,
    /// The probes; an empty list retires the agent.
    pub probes: Vec<RosterProbe>,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// One probe on a roster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RosterProbe {
    /// The probe.
    pub id: ProbeId,
    /// Seconds between scheduled runs; `None` for a probe on a cron.
    pub every_s: Option<u64>,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}
