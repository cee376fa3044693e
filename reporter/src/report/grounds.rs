//! The grounds of a figure, as the report holds them: every stretch of time and every record
//! that counted against a level, so that a figure can be followed to the evidence behind it. How
//! they are found is `explain`'s business; how they look is left to renderers.

use serde::{Deserialize, Serialize};

use super::model::{At, Ms};

/// What made a level's figure, by what its measure counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Grounds {
    /// Availability: stretches of time.
    Time(TimeGrounds),
    /// Success and response time: the runs that were not good.
    Runs(RunGrounds),
    /// Delivery time: the mails that were late or lost.
    Mails(MailGrounds),
    /// Resolution: what the clocks of the tickets did.
    Tickets(TicketGrounds),
    /// Listing: when which address stood on which list.
    Listings(ListingGrounds),
    /// Ratio: the counts that were added up.
    Counts(CountGrounds),
}

/// What made an availability.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeGrounds {
    /// The lengths of all stretches added up, by what they count as, for each component that
    /// the level rests on: also of those left out below.
    pub sums: Vec<TimeSum>,
    /// Every maximal stretch in service hours that did not count as up, in order of time.
    pub intervals: Vec<Interval>,
    /// Failures too short to count, in order of time.
    pub blips: Vec<Blip>,
    /// What was left out to keep the report short.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// What the stretches of a component add up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TimeSum {
    /// The component.
    pub component: String,
    /// In service hours.
    pub service_s: Ms,
    /// Excluded.
    pub excluded_s: Ms,
    /// Down.
    pub down_s: Ms,
    /// Unknown.
    pub unknown_s: Ms,
    /// How many blips.
    pub blips: u64,
}

/// What was left out of the grounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Entries that are not listed at all.
    pub entries: u64,
    /// Listed intervals that stand without the records behind them.
    pub unrecorded: u64,
}

impl LeftOut {
    /// Whether everything is there.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.entries == 0 && self.unrecorded == 0
    }
}

/// What a stretch of service time counts as, where that is not up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CountsAs {
    /// D of rule 6.
    Down,
    /// X of rule 6.
    Excluded,
    /// U of rule 6.
    Unknown,
}

/// A maximal stretch of service time that did not count as up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its beginning.
    pub from: At,
    /// Its end.
    pub to: At,
    /// Its length.
    pub length_s: Ms,
    /// What it counts as.
    pub counts_as: CountsAs,
    /// Whose time, where the level rests on several components.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The rule that says so.
    pub rule: u8,
    /// That rule in plain words, as it is set for this component.
    pub why: String,
    /// The probes that made it so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probes: Vec<ProbeGround>,
    /// The exclusions that cover it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclusions: Vec<ExclusionGround>,
}

/// A probe in an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeGround {
    /// The probe.
    pub probe: String,
    /// Down or unknown.
    pub was: CountsAs,
    /// For how long of the interval.
    pub length_s: Ms,
    /// Rule 4 in plain words, as it is set for this component.
    pub why: String,
    /// The sites that made it so.
    pub sites: Vec<SiteGround>,
}

/// A site in an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiteGround {
    /// The site; empty where the agents named none.
    pub site: String,
    /// Down or unknown.
    pub was: CountsAs,
    /// For how long of the interval.
    pub length_s: Ms,
    /// Rule 4 in plain words: how many agents, and how many must agree.
    pub why: String,
    /// What each agent on the roster said, and the records that say it.
    pub records: Vec<Record>,
}

/// What an agent said in an interval, for one reason, and the outcomes that say it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The agent; operators alone see its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What it said.
    pub said: Said,
    /// The verdict of the outcomes; none of silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// Their reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// For how long of the interval.
    pub length_s: Ms,
    /// Due of the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_due: Option<At>,
    /// Due of the last of them; of silence, of the last outcome before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_due: Option<At>,
    /// How many outcomes, re-probes among them.
    pub outcomes: u64,
}

/// What an agent said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// It does not work: an outage by rule 3.
    Down,
    /// It could not tell.
    Unknown,
    /// Nothing: no outcome speaks (rule 2).
    Silent,
    /// It works, though it failed: a blip by rule 3.
    Blip,
    /// It works.
    Up,
}

/// An exclusion in an interval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExclusionGround {
    /// Its id.
    pub id: String,
    /// From when on it counts within the interval.
    pub from: At,
    /// Until when.
    pub to: At,
    /// How much of that counts by it.
    pub length_s: Ms,
}

/// A run of failures too short to count (rule 3).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blip {
    /// The component, where the level rests on several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub component: Option<String>,
    /// The probe.
    pub probe: String,
    /// The agent; operators alone see its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Due of the first failure.
    pub first_due: At,
    /// Due of the last.
    pub last_due: At,
    /// How many failures.
    pub outcomes: u64,
    /// How many would have counted.
    pub confirm: u32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What made a share of runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunGrounds {
    /// How many runs were not good: the sum of all entries, also of those left out.
    pub not_good: u64,
    /// Maximal series of runs that were not good, in order of time.
    pub series: Vec<RunSeries>,
    /// What was left out to keep the report short.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
    /// Why the runs cannot be listed, where they cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

/// Scheduled runs of one agent and probe that were not good, with no good one between them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSeries {
    /// The probe.
    pub probe: String,
    /// The agent; operators alone see its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Due of the first run.
    pub first_due: At,
    /// Due of the last.
    pub last_due: At,
    /// How many.
    pub runs: u64,
    /// The slowest of them, where they were too slow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest_ms: Option<f64>,
    /// Why they failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// What made a share of mails.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MailGrounds {
    /// How many were lost: also of those left out.
    pub lost: u64,
    /// How many arrived, but late: also of those left out.
    pub late: u64,
    /// Each mail that was lost or late, in order of due.
    pub mails: Vec<Mail>,
    /// What was left out to keep the report short.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// A mail that was late or lost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mail {
    /// The probe.
    pub probe: String,
    /// The agent; operators alone see its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// When it was due to be sent.
    pub due: At,
    /// How long it took, where it arrived.
    pub delivery_s: Option<Ms>,
    /// Whether it counts as lost.
    pub lost: bool,
}

/// What made a share of tickets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TicketGrounds {
    /// Each ticket of the figure, then those still open, as the figure lists them.
    pub tickets: Vec<TicketCourse>,
    /// What was left out to keep the report short.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// What the clock of a ticket did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TicketCourse {
    /// The ticket.
    pub id: String,
    /// When it was opened.
    pub opened: At,
    /// When it was last resolved; null while it is open.
    pub resolved: Option<At>,
    /// What its clock did, in order of time.
    pub legs: Vec<Leg>,
    /// Events that were ignored, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<String>,
}

/// A stretch of time in which a ticket's clock does one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leg {
    /// Its beginning.
    pub from: At,
    /// Its end.
    pub to: At,
    /// Its length.
    pub length_s: Ms,
    /// What the clock does.
    pub clock: ClockState,
}

/// What a ticket's clock does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockState {
    /// It runs, in the level's hours: the time used.
    Running,
    /// It waits for somebody else, in the level's hours: the time paused.
    Paused,
    /// It would run or wait, but not outside the level's hours.
    OutOfHours,
    /// It stands still: the ticket is resolved.
    Resolved,
}

/// What made the time on blocklists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ListingGrounds {
    /// Each stretch in which an address stood on a list, in order of time.
    pub listings: Vec<ListingInterval>,
    /// What was left out to keep the report short.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// A maximal stretch in which an address stood on a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListingInterval {
    /// The address or domain.
    pub address: String,
    /// The list.
    pub list: String,
    /// From when on.
    pub from: At,
    /// Until when.
    pub to: At,
    /// How long.
    pub length_s: Ms,
    /// The outcomes that name it.
    pub records: Vec<ListingRecord>,
}

/// Outcomes of one agent and probe that name a listing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListingRecord {
    /// The probe.
    pub probe: String,
    /// The agent; operators alone see its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// Due of the first of them.
    pub first_due: At,
    /// Due of the last.
    pub last_due: At,
    /// How many.
    pub outcomes: u64,
}

/// What made a ratio.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CountGrounds {
    /// Each count that was added up, in order of time.
    pub counts: Vec<CountGround>,
    /// What was left out to keep the report short.
    #[serde(default, skip_serializing_if = "LeftOut::is_nothing")]
    pub left_out: LeftOut,
}

/// A count that was added up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountGround {
    /// Its series.
    pub series: String,
    /// The beginning of what was counted.
    pub from: At,
    /// Its end.
    pub to: At,
    /// How many were good.
    pub good: u64,
    /// Of how many.
    pub total: u64,
}

impl Grounds {
    /// Takes out what is for operators alone: the names of agents.
    pub fn for_the_public(&mut self) {
        match self {
            Self::Time(time) => {
                let sites = time.intervals.iter_mut().flat_map(|i| &mut i.probes);
                let records = sites.flat_map(|p| &mut p.sites).flat_map(|s| &mut s.records);
                records.for_each(|record| record.agent = None);
                time.blips.iter_mut().for_each(|blip| blip.agent = None);
            }
            Self::Runs(runs) => runs.series.iter_mut().for_each(|series| series.agent = None),
            Self::Mails(mails) => mails.mails.iter_mut().for_each(|mail| mail.agent = None),
            Self::Listings(listings) => {
                let records = listings.listings.iter_mut().flat_map(|l| &mut l.records);
                records.for_each(|record| record.agent = None);
            }
            Self::Tickets(_) | Self::Counts(_) => {}
        }
    }

    /// What was left out of it.
    #[must_use]
    pub const fn left_out(&self) -> LeftOut {
        match self {
            Self::Time(time) => time.left_out,
            Self::Runs(runs) => runs.left_out,
            Self::Mails(mails) => mails.left_out,
            Self::Tickets(tickets) => tickets.left_out,
            Self::Listings(listings) => listings.left_out,
            Self::Counts(counts) => counts.left_out,
        }
    }
}
