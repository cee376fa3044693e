//! A small world in plain values: what was defined and what was seen. The reckoning under test
//! and the naive one are both fed from it. All times are milliseconds since the epoch.

use mailward_evidence::Verdict;

#[derive(Clone, Debug)]
pub(crate) struct World {
    /// All times are multiples of this.
    pub grid: i64,
    pub zone: &'static str,
    pub month: &'static str,
    pub now: i64,
    pub probes: Vec<ProbeDef>,
    /// How many are needed: 0 stands for "all".
    pub rule: u32,
    /// 0 stands for "majority".
    pub quorum: u32,
    /// 0 stands for "all".
    pub site_rule: u32,
    pub since: Option<&'static str>,
    pub hours: Option<HoursDef>,
    /// The complement of the hours.
    pub not: bool,
    pub target: &'static str,
    pub min_coverage: &'static str,
    pub unknown: Policy,
    pub cap_ms: Option<i64>,
    pub notice_ms: Option<i64>,
    pub outcomes: Vec<Seen>,
    pub rosters: Vec<RosterDef>,
    pub exclusions: Vec<Excluded>,
    /// Hand the segments over whole, or cut to what a period needs.
    pub whole_streams: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Policy {
    Exclude,
    Up,
    Down,
}

#[derive(Clone, Debug)]
pub(crate) struct ProbeDef {
    pub confirm: u32,
    pub advisory: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct HoursDef {
    /// Minutes after local midnight, by weekday from Monday.
    pub weekly: [Vec<(u16, u16)>; 7],
    pub holidays: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub agent: usize,
    pub probe: usize,
    pub due: i64,
    pub attempt: u32,
    pub next: i64,
    pub verdict: Verdict,
    pub took_ms: f64,
    /// Lists that name the one address.
    pub lists: Vec<u8>,
}

#[derive(Clone, Debug)]
pub(crate) struct RosterDef {
    pub agent: usize,
    pub at: i64,
    pub site: usize,
    pub probes: Vec<usize>,
}

#[derive(Clone, Debug)]
pub(crate) struct Excluded {
    pub third_party: bool,
    pub from: i64,
    pub to: i64,
    pub announced: Option<i64>,
    pub approved: Option<i64>,
    pub by: bool,
}
