//! The live state of the service as readers may see it: rows, sites, days, outages. An
//! allow-list by shape: nothing in it can hold an agent's name, a server's answer or a host.
//! It is computed from evidence by `status::live` and `status::history`; it renders nothing.

use jiff::civil::Date;
use jiff::tz::TimeZone;

pub mod evaluate;
pub mod history;
pub mod live;

/// Days in a strip.
pub const STRIP_DAYS: usize = 90;
/// How long an outage stays on the front page.
pub const RECENT_MS: i64 = 7 * 86_400_000;

/// What a reader sees at one instant.
#[derive(Clone, Debug)]
pub struct Status {
    /// The service's name.
    pub service: String,
    /// The zone in which times are written.
    pub zone: TimeZone,
    /// The instant it holds for, in milliseconds since the Unix epoch.
    pub now_ms: i64,
    /// Made by `--demo`.
    pub demo: bool,
    /// The rows, in the order of probes.toml.
    pub rows: Vec<Row>,
    /// Planned work that is under way or to come, soonest first.
    pub maintenance: Vec<Planned>,
    /// Published months, latest first.
    pub months: Vec<MonthEntry>,
    /// The latest instant for which any check reported; `None` before the first.
    pub last_evidence_ms: Option<i64>,
    /// How often the most frequent and the rarest check run, in seconds.
    pub every_s: Option<(u64, u64)>,
}

impl Status {
    /// The state of the service as a whole: the worst of its rows.
    #[must_use]
    pub fn overall(&self) -> State {
        self.rows.iter().map(|r| r.now.state).max().unwrap_or(State::NoData)
    }

    /// The row of this component.
    #[must_use]
    pub fn row(&self, id: &str) -> Option<&Row> {
        self.rows.iter().find(|r| r.id == id)
    }
}

/// What is said of a row or a site. Ordered by how much it matters to a reader.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It works.
    Working,
    /// Planned work is under way.
    Maintenance,
    /// Nothing is known.
    NoData,
    /// It works, but not as it should.
    Slow,
    /// It works from some places only, or with less in reserve.
    Partly,
    /// It does not work.
    NotWorking,
}

impl State {
    /// Every state, in the order of the legend.
    pub const ALL: [Self; 6] = [
        Self::Working,
        Self::Slow,
        Self::Partly,
        Self::NotWorking,
        Self::Maintenance,
        Self::NoData,
    ];

    /// The words on the page.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Working => "Working",
            Self::Slow => "Slow",
            Self::Partly => "Partly working",
            Self::NotWorking => "Not working",
            Self::NoData => "No data",
            Self::Maintenance => "Maintenance",
        }
    }

    /// The word in the API, in class names and in badges' file of colours.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Slow => "slow",
            Self::Partly => "partly_working",
            Self::NotWorking => "not_working",
            Self::NoData => "no_data",
            Self::Maintenance => "maintenance",
        }
    }
}

/// A component on the page.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The heading it stands under; empty if none.
    pub group: String,
    /// A sentence for readers.
    pub description: Option<String>,
    /// How deep its checks go, as in "to the inbox"; empty where it has none.
    pub probed: String,
    /// Its state now.
    pub now: Now,
    /// Its state at each site, where it is watched from more than one.
    pub sites: Vec<SiteNow>,
    /// The last [`STRIP_DAYS`] local days, oldest first; the last is today.
    pub days: Vec<DayCell>,
    /// What was promised, and the month so far.
    pub month: Option<MonthShare>,
    /// Outages of the days in the strip, latest first.
    pub outages: Vec<Outage>,
    /// What was not simply working in the days of the strip, in order of time.
    pub stretches: Vec<Stretch>,
}

/// A stretch of time of a row that was not simply working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Its beginning.
    pub from_ms: i64,
    /// Its end.
    pub to_ms: i64,
    /// What it was; never [`Form::Up`].
    pub form: Form,
}

/// The state of a row now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Now {
    /// The state.
    pub state: State,
    /// Since when it has been so; `None` where that is before what was looked at.
    pub since_ms: Option<i64>,
    /// When it is to end, where that is planned.
    pub until_ms: Option<i64>,
    /// Why, as a clause in plain words.
    pub why: Option<&'static str>,
    /// Why it is not simply working, where the state's words alone would mislead.
    pub shade: Shade,
}

/// What lies behind a state that has several causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// The state says it all.
    Plain,
    /// Slow: the answers are slow.
    Slow,
    /// Slow: something else about the answers is not as it should be.
    Impaired,
    /// Slow: three short failures in half an hour.
    Flapping,
    /// Partly working: it fails at some sites.
    Sites,
    /// Partly working: some checks fail, fewer than count as an outage.
    Resilience,
}

/// The state at a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteNow {
    /// The site's name.
    pub site: String,
    /// The state there.
    pub state: State,
}

/// A local day of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DayCell {
    /// The local date.
    pub date: Date,
    /// Up and not degraded.
    pub up_ms: i64,
    /// Up and degraded.
    pub degraded_ms: i64,
    /// Down.
    pub down_ms: i64,
    /// Excluded.
    pub excluded_ms: i64,
    /// Unknown.
    pub unknown_ms: i64,
}

/// The form of a day in a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Nothing but up.
    Up,
    /// Degraded at some time.
    Degraded,
    /// Down at some time.
    Down,
    /// Excluded at some time.
    Excluded,
    /// For the most part unknown.
    Unknown,
}

impl Form {
    /// The words of the legend and of the text equivalent.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Up => "working",
            Self::Degraded => "slow",
            Self::Down => "not working",
            Self::Excluded => "maintenance",
            Self::Unknown => "no data",
        }
    }
}

impl DayCell {
    /// Whether nothing at all was seen or agreed.
    #[must_use]
    pub const fn is_blank(&self) -> bool {
        self.up_ms + self.degraded_ms + self.down_ms + self.excluded_ms == 0
    }

    /// The worst of the day that a reader must see; hollow where more than half of it, or all
    /// that is not excluded, is unknown.
    #[must_use]
    pub const fn form(&self) -> Form {
        let seen = self.up_ms + self.degraded_ms + self.down_ms;
        if self.down_ms > 0 {
            Form::Down
        } else if self.unknown_ms > seen + self.excluded_ms || (seen == 0 && self.excluded_ms == 0)
        {
            Form::Unknown
        } else if self.excluded_ms > 0 {
            Form::Excluded
        } else if self.degraded_ms > 0 {
            Form::Degraded
        } else {
            Form::Up
        }
    }
}

/// A level of a row, month to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthShare {
    /// With three places, cut off; `n/a` where nothing was measured.
    pub shown: String,
    /// The promise, as short as it is exact.
    pub target: String,
    /// Whether the promise is kept so far; `None` where that cannot be said.
    pub met: Option<bool>,
}

/// An outage of a row. Its address is its row and its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Its beginning.
    pub from_ms: i64,
    /// Its end, or now while it goes on.
    pub to_ms: i64,
    /// Whether it goes on.
    pub open: bool,
    /// The reason seen most, as a clause in plain words.
    pub why: Option<&'static str>,
}

/// Planned work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// Names of the rows it is for.
    pub names: Vec<String>,
    /// Its beginning.
    pub from_ms: i64,
    /// Its end.
    pub to_ms: i64,
    /// What an operator wrote about it.
    pub reason: Option<String>,
}

/// A published month in the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonthEntry {
    /// `2026-10`
    pub month: String,
    /// The latest edition.
    pub edition: u32,
    /// Editions there are, latest first.
    pub editions: Vec<u32>,
    /// What evidence that arrived since would change in the latest edition, a sentence for each
    /// level.
    pub differs: Vec<String>,
    /// How many levels were met.
    pub met: usize,
    /// How many were missed.
    pub missed: usize,
    /// How many are neither.
    pub open: usize,
}
