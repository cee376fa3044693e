//! What was seen, when and by whom: evidence records, their identity, their wire form,
//! and the one place where a clock is read. It does not know how a thing was observed,
//! how it is stored, or what was promised about it.

pub mod backlog;
pub mod clock;
pub mod exhibit;
pub mod ids;
pub mod lease;
pub mod ledger;
pub mod outcome;
pub mod reason;
pub mod record;
pub mod roster;
pub mod time;
pub mod wire;

pub use backlog::Backlog;
pub use clock::{Clock, ManualClock, Stopwatch, SystemClock};
pub use exhibit::{Certificate, Exhibit};
pub use ids::{AgentName, ComponentId, IdError, LevelId, ProbeId, SiteName};
pub use ledger::{Count, Exclusion, ExclusionClass, Ticket, TicketEvent, TicketEventKind};
pub use outcome::{Listing, Outcome, Verdict};
pub use reason::Reason;
pub use record::{Extra, Identity, Record};
pub use roster::{Roster, RosterProbe};
pub use time::Instant;
