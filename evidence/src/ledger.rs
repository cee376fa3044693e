//! Records that people and service desks make: exclusions, tickets and counts.

use serde::{Deserialize, Serialize};

use crate::ids::ComponentId;
use crate::record::Extra;
use crate::time::Instant;

/// What kind of time is agreed not to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExclusionClass {
    /// Planned work: notice, approval and the monthly cap apply.
    Maintenance,
    /// A cause outside the supplier's reach: needs approval, has no cap.
    ThirdParty,
}

/// Time agreed not to count, for some components.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exclusion {
    /// Its identity.
    pub id: Box<str>,
    /// Maintenance or third-party.
    pub class: ExclusionClass,
    /// The components it is for.
    pub components: Vec<ComponentId>,
    /// When it begins.
    pub from: Instant,
    /// When it ends.
    pub to: Instant,
    /// When it was made known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced: Option<Instant>,
    /// When it was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<Instant>,
    /// Who approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Box<str>>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Box<str>>,
    /// Withdrawn.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An incident of the service desk, with the events its clock obeys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ticket {
    /// Its identity.
    pub id: Box<str>,
    /// How bad, as the desk grades it.
    pub severity: Box<str>,
    /// The component it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentId>,
    /// When it was opened.
    pub opened: Instant,
    /// What happened to it.
    #[serde(default)]
    pub events: Vec<TicketEvent>,
    /// It was no incident after all, and counts for nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancelled: bool,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// Something that happened to a ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketEvent {
    /// When.
    pub at: Instant,
    /// What.
    pub what: TicketEventKind,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What can happen to a ticket's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TicketEventKind {
    /// The clock stops, waiting for somebody else.
    Paused,
    /// The clock goes on.
    Resumed,
    /// Mended.
    Resolved,
    /// Not mended after all.
    Reopened,
}

/// A count made elsewhere: how many of how many were good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Count {
    /// Which series; with `from`, its identity.
    pub series: Box<str>,
    /// The beginning of what was counted.
    pub from: Instant,
    /// Its end.
    pub to: Instant,
    /// How many were good.
    pub good: u64,
    /// Of how many.
    pub total: u64,
    /// Fields of a newer version, kept as they came.
    #[serde(flatten)]
    pub extra: Extra,
}
