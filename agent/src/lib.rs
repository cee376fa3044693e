//! The agent: schedules probes, runs them, keeps what they saw and delivers it. It does not
//! know the reporter's insides, nor what was promised.

pub mod accounts;
mod causes;
pub mod deliver;
pub mod devices;
mod file;
pub mod foreign;
pub mod guard;
pub mod health;
pub mod metrics;
pub mod net;
pub mod once;
pub mod outbox;
pub mod policy;
pub mod post;
pub mod probe;
pub mod run;
pub mod schedule;
pub mod sink;
pub mod turn;
pub mod wbxml;

pub use guard::Memory;
pub use once::{OnceError, probe_once};
pub use run::{RunError, Settings, run};
