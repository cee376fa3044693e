//! `[tickets.csv]` and `[counts.csv]`: which column of a service desk's export holds what, and
//! what its words mean. Reading a file by them is the reporter's business.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::key::{Key, Shape};
use crate::section::{Form, Section};

/// How a file of comma-separated values is written.
#[derive(Clone, Debug, PartialEq)]
pub struct CsvForm {
    /// What stands between two fields.
    pub delimiter: u8,
    /// How times are written, as `strptime` has it; ISO 8601 where absent.
    pub date_format: Option<String>,
    /// The zone of times without an offset; the service's where absent.
    pub zone: Option<TimeZone>,
}

/// `[tickets.csv]`; texts are names of columns where nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub struct TicketsCsv {
    /// How the file is written.
    pub form: CsvForm,
    /// The ticket's id.
    pub id: String,
    /// Its severity.
    pub severity: String,
    /// What it is about.
    pub component: Option<String>,
    /// What a row is.
    pub layout: TicketLayout,
    /// Their words for states. Empty: ours, in any case of letters.
    pub states: BTreeMap<String, TicketState>,
    /// Their words for severities in ours; `""` leaves the ticket out. Empty: as written.
    pub severities: BTreeMap<String, String>,
    /// Their words for components in ours; `""` is none. Empty: as written.
    pub components: BTreeMap<String, String>,
}

/// What a row of a file of tickets is.
#[derive(Clone, Debug, PartialEq)]
pub enum TicketLayout {
    /// A ticket, with its times in columns.
    Ticket {
        /// When it was opened.
        opened: String,
        /// Each column of a kind, with the event whose time it holds.
        times: Vec<(String, TicketState)>,
        /// Its state; here only `cancelled` matters.
        state: Option<String>,
    },
    /// A change of a ticket's state.
    Change {
        /// When it changed.
        at: String,
        /// To what.
        state: String,
        /// When the ticket was opened, where no row says it.
        opened: Option<String>,
    },
}

/// What state a ticket came into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TicketState {
    /// It was opened.
    Opened,
    /// It waits for somebody else: the clock stops.
    Paused,
    /// It is worked on: after a pause the clock goes on, after a resolution it was re-opened.
    Resumed,
    /// It was resolved.
    Resolved,
    /// It was opened again.
    Reopened,
    /// It was no incident after all.
    Cancelled,
    /// A word that changes nothing.
    Nothing,
}

impl TicketState {
    /// The words of probes.toml; `""` stands for [`TicketState::Nothing`].
    pub const WORDS: &'static [&'static str] =
        &["opened", "paused", "resumed", "resolved", "reopened", "cancelled"];

    /// The state of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "opened" => Self::Opened,
            "paused" => Self::Paused,
            "resumed" => Self::Resumed,
            "resolved" => Self::Resolved,
            "reopened" => Self::Reopened,
            "cancelled" => Self::Cancelled,
            "" => Self::Nothing,
            _ => return None,
        })
    }
}

/// `[counts.csv]`; texts are names of columns where nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub struct CountsCsv {
    /// How the file is written.
    pub form: CsvForm,
    /// Which series a row counts for.
    pub series: CountSeries,
    /// What time it counts.
    pub period: CountPeriod,
    /// How many were good.
    pub good: String,
    /// Of how many.
    pub total: String,
}

/// Which series a row counts for.
#[derive(Clone, Debug, PartialEq)]
pub enum CountSeries {
    /// This one.
    Fixed(String),
    /// The one whose name stands in the column, by a table of names where it is not empty; a
    /// name of `""` leaves the row out.
    Column {
        /// The column.
        column: String,
        /// Their names for ours.
        names: BTreeMap<String, String>,
    },
}

/// What time a row counts.
#[derive(Clone, Debug, PartialEq)]
pub enum CountPeriod {
    /// The local day in the column.
    Day(String),
    /// From the instant in one column until before that in another.
    Between {
        /// Its beginning.
        from: String,
        /// Its end.
        to: String,
    },
}

const DELIMITER: Key =
    Key::optional("delimiter", Shape::Word(&[",", ";", "\t", "|"]), "what stands between fields")
        .or("\",\"");
const DATE_FORMAT: Key = Key::optional(
    "date_format",
    Shape::Text,
    "how times are written, as strptime has it (`%d/%m/%Y %H:%M`); ISO 8601 where absent",
);
const ZONE: Key =
    Key::optional("zone", Shape::Zone, "the zone of times without an offset; the service's");

/// `[tickets.csv]`
pub static TICKETS: Section = Section {
    name: "tickets",
    form: Form::Below("csv"),
    about: "how a service desk's export of tickets is read",
    keys: &[
        Key::required("id", Shape::Text, "column of the ticket's id"),
        Key::required("severity", Shape::Text, "column of its severity"),
        Key::optional("component", Shape::Text, "column of what it is about"),
        Key::optional("opened", Shape::Text, "column of when it was opened"),
        Key::optional("paused", Shape::OneOrTexts, "columns of when its clock stopped"),
        Key::optional("resumed", Shape::OneOrTexts, "columns of when its clock went on"),
        Key::optional("resolved", Shape::OneOrTexts, "columns of when it was resolved"),
        Key::optional("reopened", Shape::OneOrTexts, "columns of when it was opened again"),
        Key::optional(
            "at",
            Shape::Text,
            "where a row is a change of state: column of when it changed",
        ),
        Key::optional("state", Shape::Text, "column of the state"),
        Key::optional(
            "states",
            Shape::WordTable(TicketState::WORDS),
            "their words for states in ours; \"\" changes nothing",
        ),
        Key::optional(
            "severities",
            Shape::Table,
            "their words for severities in ours; \"\" leaves the ticket out",
        ),
        Key::optional(
            "components",
            Shape::Table,
            "their words for components, to ids of ours; \"\" is none",
        ),
        DELIMITER,
        DATE_FORMAT,
        ZONE,
    ],
};

/// `[counts.csv]`
pub static COUNTS: Section = Section {
    name: "counts",
    form: Form::Below("csv"),
    about: "how exported counts are read",
    keys: &[
        Key::optional("fixed_series", Shape::Text, "the series that every row counts for"),
        Key::optional("series", Shape::Text, "column of the series' name"),
        Key::optional(
            "names",
            Shape::Table,
            "their names of series in ours; \"\" leaves the row out",
        ),
        Key::optional("day", Shape::Text, "column of the local day that was counted"),
        Key::optional("from", Shape::Text, "column of the beginning of what was counted"),
        Key::optional("to", Shape::Text, "column of its end"),
        Key::required("good", Shape::Text, "column of how many were good"),
        Key::required("total", Shape::Text, "column of how many there were"),
        DELIMITER,
        DATE_FORMAT,
        ZONE,
    ],
};
