//! probes.toml: what is watched and what was promised, parsed, validated and typed. It does
//! not know how a probe is run, how evidence is stored, or what time it is.

pub mod credential;
pub mod fault;
pub mod hours;
pub mod level;
pub mod probe;
pub mod quantity;
pub mod read;
pub mod service;

pub use credential::{Credential, Secret, SecretRef};
pub use fault::{Fault, Gravity};
pub use hours::{Hours, Span};
pub use level::{Credit, Level, LevelHours, Measure, UnknownPolicy};
pub use probe::{Effect, Kind, Probe, Schedule, Settings, Value};
pub use quantity::Percent;
pub use read::{Parsed, load, parse};
pub use service::{
    Agent, Catalogue, Component, Maintenance, Need, Publish, Report, Reporter, Service, Sink,
};
