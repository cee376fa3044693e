//! The demonstration: a definition that points at the lab, three months of made-up evidence
//! with a story in it, and the sending of it through the ordinary door. Starting the parts and
//! talking to the newcomer is left to `command/up.rs`.

mod backfill;
mod definition;
mod episodes;
mod ledger;
mod months;
mod runs;
mod story;

pub(crate) use backfill::{Door, backfill};
pub(crate) use definition::{lab_settings, prepare};
pub(crate) use story::Story;

/// An agent of the demonstration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Watcher {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where it stands.
    pub(crate) site: &'static str,
    /// Its probes and how they behave.
    pub(crate) probes: &'static [runs::Habit],
}

/// The agent that goes on watching, live, once the past has been told.
pub(crate) const LIVE: Watcher =
    Watcher { name: "demo-1", site: "internet", probes: &runs::EVERYTHING };

/// An agent at a second site, which is retired at the instant the demonstration starts.
pub(crate) const PAST: Watcher =
    Watcher { name: "demo-2", site: "hscn", probes: &runs::USERS_WAYS_IN };

/// The address that gets onto blocklists, in the past and in the lab's script.
pub(crate) const LISTED_ADDRESS: &str = "192.0.2.25";
