//! probes.toml: what is watched and what was promised, parsed, validated and typed. It does
//! not know how a probe is run, how evidence is stored, or what time it is.

pub mod blocklist;
pub mod branding;
pub mod credential;
pub mod desk;
pub mod distribution;
pub mod fault;
pub mod hours;
pub mod in_force;
pub mod key;
pub mod level;
pub mod network;
pub mod notify;
pub mod probe;
pub mod quantity;
pub mod read;
pub mod schema;
pub mod section;
pub mod service;
pub mod template;
pub mod wording;

pub use branding::{Branding, Colour};
pub use credential::{ClientCertificate, Credential, Grant, Means, OAuth, Secret, SecretRef};
pub use desk::{CountsCsv, CsvForm, TicketLayout, TicketState, TicketsCsv};
pub use distribution::{Distribution, Relay, RelayTls};
pub use fault::{Fault, Gravity};
pub use hours::{Hours, Span};
pub use in_force::{InForce, Pulse};
pub use key::{Key, Settings, Shape, Value};
pub use level::{Credit, Level, LevelHours, Measure, Over, UnknownPolicy};
pub use notify::{Channel, Detail, Hook, HookUrl, Notify, Topic};
pub use probe::{Effect, Kind, Probe, Schedule};
pub use quantity::Percent;
pub use read::{EnrolledAt, Parsed, load, parse};
pub use schema::schema;
pub use service::{
    Agent, Catalogue, Component, Maintenance, Need, Publish, Report, Reporter, ReporterTls,
    Service, Sink,
};
pub use wording::{Phrase, Wording, Written};
