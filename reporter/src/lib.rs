//! The reporter: stores evidence, turns it into states, incidents and service levels, and
//! renders page, PDF, CSV and metrics from one model. It does not know the agent or any
//! protocol that a probe speaks.

mod allowance;
pub mod availability;
pub mod backup;
pub mod brand;
pub mod calendar;
mod causes;
pub mod clock;
pub mod exclusions;
pub mod explain;
pub mod http;
pub mod ingest;
pub mod interval;
pub mod language;
pub mod leases;
pub mod metrics;
pub mod month;
pub mod notify;
pub mod outward;
pub mod post;
pub mod publish;
pub mod render;
pub mod report;
pub mod run;
pub mod segment;
pub mod sign;
pub mod status;
pub mod store;
pub mod timeline;
pub mod what_if;
