//! What the store takes and gives beside evidence: sources, counts, live state, agents and
//! editions.

use mailward_evidence::{AgentName, ProbeId, SiteName};
use serde::Serialize;

use super::histogram::Histogram;
use crate::interval::Set;
use crate::segment::Segment;

/// Where records come from: it decides what is remembered about them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An enrolled agent, over HTTP.
    Agent(AgentName),
    /// A file, or an operator.
    Import,
}

/// What became of the records of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// Records that were new, or superseded an older version.
    pub accepted: u64,
    /// Records that were stored before, in any version.
    pub duplicates: u64,
    /// Outcomes that differ from what is stored without a higher revision: the first stays.
    pub conflicts: u64,
}

impl Accepted {
    pub(super) fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.duplicates += other.duplicates;
        self.conflicts += other.conflicts;
    }
}

/// What one agent last saw with one probe.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveStream {
    /// Who looks.
    pub agent: AgentName,
    /// Where it stands, by its latest roster; unnamed before its first.
    pub site: SiteName,
    /// With which probe.
    pub probe: ProbeId,
    /// The run of equal outcomes that the last one belongs to: since when it is so (`first_ms`),
    /// when it was last seen so (`last_ms`), how often, and until when that speaks.
    pub tail: Segment,
}

/// When an agent last delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentSeen {
    /// Which agent.
    pub agent: AgentName,
    /// When its last body was stored, by this machine's clock; milliseconds since the epoch.
    pub last_seen_ms: i64,
    /// How far its clock is ahead of this machine's (negative: behind), as far as it is known.
    pub skew_ms: Option<i64>,
}

/// How many records came, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Whose; empty for imports.
    pub agent: String,
    /// The kind of record.
    pub kind: &'static str,
    /// What became of them.
    pub counted: Accepted,
}

/// An agent that may, or might once, deliver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolledAgent {
    /// Its name.
    pub name: AgentName,
    /// The site it was enrolled for, where one was named.
    pub site: Option<SiteName>,
    /// When it was enrolled.
    pub added_ms: i64,
    /// When its token was last made.
    pub token_made_ms: i64,
    /// Since when its token is refused.
    pub revoked_ms: Option<i64>,
    /// From when on it runs nothing.
    pub retired_ms: Option<i64>,
    /// Until when the token it had before a rotation is good as well; `None` where there is none.
    pub old_token_until_ms: Option<i64>,
}

/// How long runs took in one hour: bucket counts that can be added to other hours' or agents'.
#[derive(Clone, Debug, PartialEq)]
pub struct HourHistogram {
    /// Who looked.
    pub agent: AgentName,
    /// With which probe.
    pub probe: ProbeId,
    /// The beginning of the hour.
    pub hour_ms: i64,
    /// How long the up and degraded runs that were due in it took.
    pub took: Histogram,
}

/// Which scheduled runs are to be counted.
#[derive(Clone, Copy, Debug)]
pub struct RunsOf<'a> {
    /// Of which probes, by all agents.
    pub probes: &'a [ProbeId],
    /// Due in which time.
    pub counted: &'a Set,
    /// What counts as in time: at most so many milliseconds. Without it, nothing does.
    pub within_ms: Option<f64>,
}

/// What is frozen when a month is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEdition {
    /// The month, `2026-10`.
    pub month: String,
    /// The number the report was rendered with; must be [`Store::next_edition`].
    pub edition: u32,
    /// The instant up to which evidence counted.
    pub as_of_ms: i64,
    /// When it was published.
    pub published_ms: i64,
    /// By whom.
    pub by: String,
    /// Why it replaces the one before; needed from the second on.
    pub reason: Option<String>,
    /// report.json.
    pub report_json: String,
    /// report.pdf.
    pub pdf: Vec<u8>,
    /// outages.csv.
    pub outages_csv: String,
    /// daily.csv.
    pub daily_csv: String,
    /// The definition it was judged by.
    pub definition_toml: String,
    /// The canonical segments it rests on.
    pub segments: Vec<u8>,
    /// What signs all of it; `None` of one made before editions were signed.
    pub seal: Option<Seal>,
}

/// An edition without its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditionHead {
    /// The month, `2026-10`.
    pub month: String,
    /// Its number, from 1.
    pub edition: u32,
    /// The instant up to which evidence counted.
    pub as_of_ms: i64,
    /// When it was published.
    pub published_ms: i64,
    /// By whom.
    pub by: String,
    /// Why it replaces the one before.
    pub reason: Option<String>,
}

/// What signs an edition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// The parts of the edition, each with its digest, and what it is an edition of.
    pub manifest: String,
    /// The Ed25519 signature over that text.
    pub signature: Vec<u8>,
    /// The public key it holds under, PEM.
    pub public_key: String,
}

/// Something to be mailed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// What it is about, such as `edition/2026-10/1`; there is one letter about each.
    pub about: String,
    /// The subject.
    pub subject: String,
    /// The text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// The edition whose PDF goes with it.
    pub edition: Option<(String, u32)>,
    /// The way it takes: empty for the relay of published reports, else the id of a channel.
    pub via: String,
    /// What is posted to an address instead of a message.
    pub body: Option<String>,
    /// When it was made.
    pub made_ms: i64,
    /// Each recipient, and the id of the message to it, which never changes.
    pub to: Vec<(String, String)>,
}

/// How far a letter has come for a recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    /// The letter's number.
    pub letter: i64,
    /// What the letter is about.
    pub about: String,
    /// The way it takes: empty for the relay of published reports, else the id of a channel.
    pub via: String,
    /// The recipient; of what is posted to an address, the channel's id.
    pub address: String,
    /// The id of the message to it.
    pub message_id: String,
    /// How far it has come.
    pub state: LetterState,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_ms: i64,
    /// When the state last changed.
    pub changed_ms: i64,
    /// What was said last, by the relay or about it.
    pub said: Option<String>,
    /// When the letter was made.
    pub made_ms: i64,
}

/// How the messages of a channel stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelCounts {
    /// Those that are still to be sent.
    pub pending: u64,
    /// Those that were refused or given up, and are remembered.
    pub failed: u64,
    /// How many ever ended in each way: the state's word, and the count.
    pub ended: Vec<(LetterState, u64)>,
}

/// How far a letter has come for a recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LetterState {
    /// It waits for its (next) time.
    Waiting,
    /// It is being handed over; the relay cannot have taken it yet.
    Begun,
    /// All of it was handed over but the final dot, which is the next thing that is sent: from
    /// here on the relay may have taken it.
    AtTheDot,
    /// The relay has taken it.
    Sent,
    /// The relay refused it for good.
    Bounced,
    /// It was put off for too long.
    GivenUp,
    /// Whether the relay has taken it is not known: it broke off after the final dot. It is not
    /// sent again unless somebody says so.
    Uncertain,
}

impl LetterState {
    /// All states.
    pub const ALL: [Self; 7] = [
        Self::Waiting,
        Self::Begun,
        Self::AtTheDot,
        Self::Sent,
        Self::Bounced,
        Self::GivenUp,
        Self::Uncertain,
    ];

    /// Its word, in the store, in metrics and for people.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Begun => "begun",
            Self::AtTheDot => "at_the_dot",
            Self::Sent => "sent",
            Self::Bounced => "bounced",
            Self::GivenUp => "given_up",
            Self::Uncertain => "uncertain",
        }
    }

    /// Whether nothing more happens to it by itself.
    #[must_use]
    pub const fn is_final(self) -> bool {
        match self {
            Self::Waiting | Self::Begun | Self::AtTheDot => false,
            Self::Sent | Self::Bounced | Self::GivenUp | Self::Uncertain => true,
        }
    }

    /// The state of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}
