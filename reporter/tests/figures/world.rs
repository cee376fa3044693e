//! A small world in plain values: what was defined, and what arrived in which order. The
//! reckoning under test and the naive one are both fed from it. All times are milliseconds since
//! the epoch, all lengths milliseconds.

use mailward_evidence::{TicketEventKind, Verdict};
use serde::{Deserialize, Deserializer, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct World {
    #[serde(deserialize_with = "leaked")]
    pub zone: &'static str,
    #[serde(deserialize_with = "leaked")]
    pub month: &'static str,
    pub now: i64,
    pub probes: Vec<ProbeDef>,
    /// How many are needed: 0 stands for "all".
    pub rule: u32,
    /// 0 stands for "majority".
    pub quorum: u32,
    /// 0 stands for "all".
    pub site_rule: u32,
    pub since: Option<String>,
    pub hours: Option<HoursDef>,
    /// The complement of the hours.
    pub not: bool,
    #[serde(deserialize_with = "leaked")]
    pub target: &'static str,
    #[serde(deserialize_with = "leaked")]
    pub min_coverage: &'static str,
    pub unknown: Policy,
    pub cap_ms: Option<i64>,
    pub notice_ms: Option<i64>,
    pub desk: Desk,
    /// In order of arrival, as are all the lists below; several may be of one identity.
    pub outcomes: Vec<Seen>,
    pub rosters: Vec<RosterDef>,
    pub exclusions: Vec<Excluded>,
    pub tickets: Vec<TicketDef>,
    pub counts: Vec<CountDef>,
    /// Hand the segments over whole, or cut to what a period needs.
    pub whole_streams: bool,
}

fn leaked<'de, D: Deserializer<'de>>(from: D) -> Result<&'static str, D::Error> {
    String::deserialize(from).map(|text| &*text.leak())
}

impl World {
    /// A month of which nobody knows anything: one probe, no rules that bite.
    pub(crate) fn bare(zone: &'static str, month: &'static str, now: i64) -> Self {
        Self {
            zone,
            month,
            now,
            probes: vec![ProbeDef { confirm: 1, advisory: false, mail: false }],
            rule: 1,
            quorum: 0,
            site_rule: 1,
            since: None,
            hours: None,
            not: false,
            target: "99.9",
            min_coverage: "90",
            unknown: Policy::Exclude,
            cap_ms: None,
            notice_ms: None,
            desk: Desk::default(),
            outcomes: Vec::new(),
            rosters: Vec::new(),
            exclusions: Vec::new(),
            tickets: Vec::new(),
            counts: Vec::new(),
            whole_streams: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Policy {
    Exclude,
    Up,
    Down,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProbeDef {
    pub confirm: u32,
    pub advisory: bool,
    /// Sends mail; any other asks blocklists.
    pub mail: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct HoursDef {
    /// Minutes after local midnight, by weekday from Monday.
    pub weekly: [Vec<(u16, u16)>; 7],
    pub holidays: Vec<String>,
}

/// What the levels that count mails and tickets promise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Desk {
    pub deliver_within: i64,
    pub lost_after: i64,
    pub resolve_within: i64,
    pub reopen_within: Option<i64>,
    /// The resolution level is the component's; else the whole service's.
    pub of_component: bool,
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            deliver_within: 60_000,
            lost_after: 900_000,
            resolve_within: 36_000_000,
            reopen_within: None,
            of_component: false,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub agent: usize,
    pub probe: usize,
    pub due: i64,
    pub attempt: u32,
    pub revision: u32,
    pub next: i64,
    pub verdict: Verdict,
    pub took_ms: f64,
    pub delivery: Option<i64>,
    /// Lists that name the one address.
    pub lists: Vec<u8>,
}

impl Seen {
    /// What an agent saw with a probe at an instant, due again after `next`.
    pub(crate) fn new(
        (agent, probe): (usize, usize),
        due: i64,
        next: i64,
        verdict: Verdict,
    ) -> Self {
        let (took_ms, lists) = (100.0, Vec::new());
        Self {
            agent,
            probe,
            due,
            attempt: 0,
            revision: 0,
            next,
            verdict,
            took_ms,
            delivery: None,
            lists,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RosterDef {
    pub agent: usize,
    pub at: i64,
    pub site: usize,
    pub probes: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Excluded {
    pub id: usize,
    pub third_party: bool,
    pub from: i64,
    pub to: i64,
    pub announced: Option<i64>,
    pub approved: Option<i64>,
    pub by: bool,
    pub cancelled: bool,
    /// For the component that is judged; else for another one.
    pub ours: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TicketDef {
    pub id: usize,
    /// Of the severity that is judged.
    pub severe: bool,
    /// About the component that is judged; else about none.
    pub ours: bool,
    pub opened: i64,
    pub events: Vec<(i64, TicketEventKind)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CountDef {
    /// Of the series that is judged.
    pub ours: bool,
    pub from: i64,
    pub to: i64,
    pub good: u64,
    pub total: u64,
}
