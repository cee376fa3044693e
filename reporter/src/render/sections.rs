//! The report as sections: a heading, sentences, and a table whose cells are words. Page and PDF
//! show the same ones; how they look, and what of them a sheet has room for, is theirs.

mod changes;
mod delivery;
mod exclusions;
mod failures;
mod incidents;
mod listings;
mod method;
mod months;
mod outages;
mod score;
mod strips;
mod tickets;
mod unseen;

use crate::language::Language;
use crate::render::history::Course;
use crate::render::words::Standing;
use crate::report::model::{At, ComponentMonth, Report};

pub(crate) use score::scorecard;
pub(crate) use strips::{day_by_day, strips, strips_note};

/// A part of the report under its own heading.
#[derive(Default)]
pub(crate) struct Section<'r> {
    /// Where links lead.
    pub(crate) id: String,
    pub(crate) title: String,
    /// Paragraphs before the table.
    pub(crate) intro: Vec<String>,
    pub(crate) table: Option<Table<'r>>,
    /// What is to be known to read the table; it stays with its last rows.
    pub(crate) note: String,
    /// Paragraphs after it.
    pub(crate) after: Vec<String>,
}

impl Section<'_> {
    fn new(id: impl Into<String>, title: impl Into<String>) -> Self {
        Self { id: id.into(), title: title.into(), ..Self::default() }
    }
}

/// A table.
#[derive(Default)]
pub(crate) struct Table<'r> {
    /// What it is a table of.
    pub(crate) caption: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Row<'r>>,
    /// How many rows a sheet shows where there is an appendix for all.
    pub(crate) limit: usize,
    /// Which these are: `the longest`.
    pub(crate) shown: String,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// Text, which may wrap.
    Text,
    /// Figures, which do not, at the right.
    Figures,
    /// The days of a month, drawn.
    Days,
    /// The months of a course, drawn.
    Months,
}

/// A column.
#[derive(Clone)]
pub(crate) struct Column {
    pub(crate) head: String,
    pub(crate) holds: Holds,
}

fn text(head: impl Into<String>) -> Column {
    Column { head: head.into(), holds: Holds::Text }
}

fn figures(head: impl Into<String>) -> Column {
    Column { head: head.into(), holds: Holds::Figures }
}

/// A row.
#[derive(Default)]
pub(crate) struct Row<'r> {
    /// Where links lead; empty where none do.
    pub(crate) id: String,
    pub(crate) cells: Vec<Cell<'r>>,
    /// How much it matters where not all rows are shown.
    pub(crate) weight: i64,
    /// Whether the next row goes on with the same subject.
    pub(crate) open: bool,
}

impl<'r> Row<'r> {
    fn new(weight: i64, cells: Vec<Cell<'r>>) -> Self {
        Self { cells, weight, ..Self::default() }
    }
}

/// What stands in a cell, from the top.
#[derive(Clone, Default)]
pub(crate) struct Cell<'r> {
    pub(crate) lines: Vec<Line>,
    /// The sign before them.
    pub(crate) sign: Option<Standing>,
    pub(crate) chart: Option<Chart<'r>>,
    /// What lies behind it, for whoever asks.
    pub(crate) behind: Vec<String>,
    /// What the cell is about, where only the row above shows it: said to those who do not see.
    pub(crate) unshown: String,
}

/// How a line stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Strong,
    /// Small, but as dark as the rest.
    Figure,
    FigureStrong,
    /// Beside the matter.
    Small,
    /// That there is nothing.
    Faint,
    /// An address that can be followed.
    Address,
}

/// A line, or several where it is long.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) tone: Tone,
    pub(crate) text: String,
    /// The instant that it tells.
    pub(crate) at: Option<At>,
}

/// A drawing, and what it says in words.
#[derive(Clone)]
pub(crate) struct Chart<'r> {
    pub(crate) drawn: Drawn<'r>,
    pub(crate) says: String,
}

/// What is drawn.
#[derive(Clone)]
pub(crate) enum Drawn<'r> {
    Days(&'r ComponentMonth),
    Months(Course<'r>),
}

impl<'r> Cell<'r> {
    fn new(text: impl Into<String>) -> Self {
        Self::default().and(Tone::Plain, text)
    }

    fn figure(text: impl Into<String>) -> Self {
        Self::default().and(Tone::Figure, text)
    }

    /// A dash where nothing is known.
    fn maybe(text: Option<String>) -> Self {
        text.map_or_else(|| Self::default().and(Tone::Faint, "–"), Self::figure)
    }

    /// Another line; nothing for an empty text.
    fn and(mut self, tone: Tone, text: impl Into<String>) -> Self {
        let text = text.into();
        if !text.is_empty() {
            self.lines.push(Line { tone, text, at: None });
        }
        self
    }

    /// The last line tells this instant.
    fn at(mut self, at: At) -> Self {
        if let Some(last) = self.lines.last_mut() {
            last.at = Some(at);
        }
        self
    }

    fn small(self, text: impl Into<String>) -> Self {
        self.and(Tone::Small, text)
    }

    fn strong(self, text: impl Into<String>) -> Self {
        self.and(Tone::Strong, text)
    }

    fn signed(mut self, standing: Standing) -> Self {
        self.sign = Some(standing);
        self
    }

    fn drawn(drawn: Drawn<'r>, says: String) -> Self {
        Self { chart: Some(Chart { drawn, says }), ..Self::default() }
    }
}

/// The sections after page 1, in order: those that say nothing are not there.
pub(crate) fn all<'r>(report: &'r Report, digest: &str, say: &Language) -> Vec<Section<'r>> {
    let mut all = changes::sections(report, say);
    all.extend(months::section(report, say));
    all.push(outages::section(report, say));
    all.push(incidents::section(report, say));
    all.extend(failures::section(report, say));
    all.push(exclusions::section(report, say));
    all.push(unseen::section(report, say));
    all.extend(delivery::section(report, say));
    all.extend(tickets::sections(report, say));
    all.extend(listings::sections(report, say));
    all.extend(method::sections(report, digest, say));
    all
}

/// Each month's figure of each course, the newest first: what a chart shows, as numbers.
pub(crate) fn months_in_figures<'r>(report: &'r Report, say: &Language) -> Option<Table<'r>> {
    months::in_figures(report, say)
}
