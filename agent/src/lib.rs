//! The agent: schedules probes, runs them, keeps what they saw and delivers it. It does not
//! know the reporter's insides, nor what was promised.

pub mod net;
pub mod outbox;
pub mod probe;
pub mod schedule;
