//! Tickets from a file: a row is a ticket with its times, or a change of its state. Either way a
//! ticket becomes one record with the events that its clock obeys.

use std::collections::BTreeMap;

use mailward_catalogue::{Catalogue, TicketLayout, TicketState, TicketsCsv};
use mailward_evidence::{
    ComponentId, Extra, Instant, Record, Ticket, TicketEvent, TicketEventKind,
};

use super::sheet::{Row, Sheet};
use super::times::Times;
use super::{CsvError, Exported, at_line, shown};

/// Where the columns are.
pub(super) struct Columns {
    id: usize,
    severity: usize,
    component: Option<usize>,
    layout: Layout,
}

enum Layout {
    Ticket { opened: usize, times: Vec<(usize, TicketState)>, state: Option<usize> },
    Change { at: usize, state: usize, opened: Option<usize> },
}

impl Columns {
    pub(super) fn find(sheet: &Sheet<'_>, mapping: &TicketsCsv) -> Result<Self, CsvError> {
        let may_be =
            |name: &Option<String>| name.as_deref().map(|name| sheet.column(name)).transpose();
        Ok(Self {
            id: sheet.column(&mapping.id)?,
            severity: sheet.column(&mapping.severity)?,
            component: may_be(&mapping.component)?,
            layout: match &mapping.layout {
                TicketLayout::Ticket { opened, times, state } => Layout::Ticket {
                    opened: sheet.column(opened)?,
                    times: times
                        .iter()
                        .map(|(name, state)| Ok((sheet.column(name)?, *state)))
                        .collect::<Result<_, CsvError>>()?,
                    state: may_be(state)?,
                },
                TicketLayout::Change { at, state, opened } => Layout::Change {
                    at: sheet.column(at)?,
                    state: sheet.column(state)?,
                    opened: may_be(opened)?,
                },
            },
        })
    }
}

/// What the rows say of one ticket.
struct Draft {
    /// The line of its first row.
    line: u64,
    said: Vec<Said>,
}

/// What one row says of a ticket.
#[derive(PartialEq)]
struct Said {
    line: u64,
    /// None where tickets of this severity are left out.
    severity: Option<String>,
    component: Option<ComponentId>,
    opened: Option<Instant>,
    /// What happened when.
    changes: Vec<(Instant, TicketState)>,
    cancelled: bool,
}

/// Reads all rows.
pub(super) fn read(
    sheet: Sheet<'_>,
    mapping: &TicketsCsv,
    catalogue: &Catalogue,
    times: &Times<'_>,
) -> Result<Exported, CsvError> {
    let columns = Columns::find(&sheet, mapping)?;
    let mut reading = Reading { columns, mapping, catalogue, times, exported: Exported::default() };
    let drafts = reading.rows(sheet)?;
    let one_row = matches!(mapping.layout, TicketLayout::Ticket { .. });
    let mut in_order: Vec<(String, Draft)> = drafts.into_iter().collect();
    in_order.sort_by_key(|(_, draft)| draft.line);
    for (id, draft) in in_order {
        let line = draft.line;
        let ticket = if one_row { whole(&id, draft)? } else { pieced(&id, draft)? };
        match ticket {
            Some(ticket) => reading.exported.push(line, &Record::Ticket(ticket))?,
            None => reading.exported.left_out += 1,
        }
    }
    Ok(reading.exported)
}

struct Reading<'a> {
    columns: Columns,
    mapping: &'a TicketsCsv,
    catalogue: &'a Catalogue,
    times: &'a Times<'a>,
    exported: Exported,
}

impl Reading<'_> {
    fn rows(&mut self, mut sheet: Sheet<'_>) -> Result<BTreeMap<String, Draft>, CsvError> {
        let mut drafts: BTreeMap<String, Draft> = BTreeMap::new();
        while let Some(row) = sheet.next()? {
            let id = row.needed(self.columns.id, &self.mapping.id)?.to_owned();
            let said = self.row(&row)?;
            let draft = drafts.entry(id);
            draft.or_insert(Draft { line: row.line, said: Vec::new() }).said.push(said);
        }
        Ok(drafts)
    }

    /// What a row says.
    fn row(&mut self, row: &Row) -> Result<Said, CsvError> {
        let severity = self.severity(row)?;
        let component = self.component(row)?;
        let mut said = Said {
            line: row.line,
            severity,
            component,
            opened: None,
            changes: Vec::new(),
            cancelled: false,
        };
        match (&self.columns.layout, &self.mapping.layout) {
            (
                Layout::Ticket { opened, times, state },
                TicketLayout::Ticket { opened: opened_name, times: names, .. },
            ) => {
                row.needed(*opened, opened_name)?;
                let (exported, reader) = (&mut self.exported, self.times);
                said.opened = instant(exported, reader, row, *opened, opened_name)?;
                for ((index, state), (name, _)) in times.iter().zip(names) {
                    if let Some(at) = instant(exported, reader, row, *index, name)? {
                        said.changes.push((at, *state));
                    }
                }
                if let Some(state) = state {
                    said.cancelled = self.state(row, *state)? == TicketState::Cancelled;
                }
            }
            (
                Layout::Change { at, state, opened },
                TicketLayout::Change { at: at_name, opened: opened_name, .. },
            ) => {
                row.needed(*at, at_name)?;
                let state = self.state(row, *state)?;
                let (exported, reader) = (&mut self.exported, self.times);
                if let Some(at) = instant(exported, reader, row, *at, at_name)? {
                    said.changes.push((at, state));
                }
                if let (Some(opened), Some(name)) = (opened, opened_name) {
                    said.opened = instant(exported, reader, row, *opened, name)?;
                }
            }
            _ => {}
        }
        Ok(said)
    }

    fn severity(&self, row: &Row) -> Result<Option<String>, CsvError> {
        let theirs = row.needed(self.columns.severity, &self.mapping.severity)?;
        match self.mapping.severities.get(theirs) {
            Some(ours) => Ok(Some(ours.clone()).filter(|ours| !ours.is_empty())),
            None if self.mapping.severities.is_empty() => Ok(Some(theirs.to_owned())),
            None => Err(at_line(row.line)(format!(
                "{}: {} is not among the \"severities\"",
                self.mapping.severity,
                shown(theirs)
            ))),
        }
    }

    fn component(&self, row: &Row) -> Result<Option<ComponentId>, CsvError> {
        let Some(index) = self.columns.component else { return Ok(None) };
        let theirs = row.get(index);
        let ours = self.mapping.components.get(theirs).map_or(theirs, String::as_str);
        if ours.is_empty() {
            return Ok(None);
        }
        let known = self.catalogue.component(ours).and_then(|_| ComponentId::new(ours).ok());
        known.map(Some).ok_or_else(|| {
            let column = self.mapping.component.as_deref().unwrap_or_default();
            at_line(row.line)(format!(
                "{column}: {} is no component; say under \"components\" which it is, or \"\" for \
                 none",
                shown(theirs)
            ))
        })
    }

    fn state(&self, row: &Row, index: usize) -> Result<TicketState, CsvError> {
        let theirs = row.get(index);
        let state = match self.mapping.states.is_empty() {
            true => TicketState::parse(&theirs.to_lowercase()).filter(|_| !theirs.is_empty()),
            false => self.mapping.states.get(theirs).copied(),
        };
        state.ok_or_else(|| {
            at_line(row.line)(format!("the state {} is not among the \"states\"", shown(theirs)))
        })
    }
}

/// The instant in a field; none where it is empty.
fn instant(
    exported: &mut Exported,
    times: &Times<'_>,
    row: &Row,
    index: usize,
    name: &str,
) -> Result<Option<Instant>, CsvError> {
    let written = row.get(index);
    if written.is_empty() {
        return Ok(None);
    }
    let fault = |message: String| at_line(row.line)(format!("{name}: {message}"));
    let (at, quirk) = times.instant(written).map_err(fault)?;
    exported.note(row.line, name, written, quirk);
    Ok(Some(at))
}

/// A ticket of which one row says all.
fn whole(id: &str, draft: Draft) -> Result<Option<Ticket>, CsvError> {
    let mut said = draft.said.into_iter();
    let missing = || at_line(draft.line)(format!("ticket {id}: expected when it was opened"));
    let mut first = said.next().ok_or_else(missing)?;
    for other in said {
        let line = other.line;
        if (Said { line: first.line, ..other }) != first {
            let message = format!("ticket {id} stands on line {} as well, and differs", first.line);
            return Err(at_line(line)(message));
        }
    }
    let opened = first.opened.ok_or_else(missing)?;
    first.changes.sort_by_key(|(at, _)| *at);
    let events = first.changes.into_iter().filter_map(|(at, state)| Some(event(at, kind(state)?)));
    let events = events.collect();
    let made = |severity| ticket(id, severity, first.component, opened, events, first.cancelled);
    Ok(first.severity.map(made))
}

/// A ticket pieced together from the changes of its state, of the severity it had last. What
/// changes nothing is no event.
fn pieced(id: &str, mut draft: Draft) -> Result<Option<Ticket>, CsvError> {
    let at = |said: &Said| said.changes.first().map(|(at, _)| *at);
    // an export with the newest row first has rows of one instant the other way round, too
    if draft.said.first().and_then(at) > draft.said.last().and_then(at) {
        draft.said.reverse();
    }
    draft.said.sort_by_key(at);
    let told = draft.said.iter().find_map(|said| said.opened);
    let mut clock = Clock::default();
    if let Some(opened) = told {
        clock.now = Some(Now::Running);
        clock.opened = Some(opened);
    }
    for said in &draft.said {
        for (at, state) in &said.changes {
            clock
                .take(*at, *state)
                .map_err(|message| at_line(said.line)(format!("ticket {id}: {message}")))?;
        }
    }
    let Some(opened) = clock.opened else {
        let message = format!("ticket {id}: no row says when it was opened");
        return Err(at_line(draft.line)(message));
    };
    let component = draft.said.iter().rev().find_map(|said| said.component.clone());
    let severity = draft.said.pop().and_then(|said| said.severity);
    let made = |severity| ticket(id, severity, component, opened, clock.events, clock.cancelled);
    Ok(severity.map(made))
}

fn ticket(
    id: &str,
    severity: String,
    component: Option<ComponentId>,
    opened: Instant,
    events: Vec<TicketEvent>,
    cancelled: bool,
) -> Ticket {
    let (id, severity) = (id.into(), severity.into());
    Ticket { id, severity, component, opened, events, cancelled, extra: Extra::default() }
}

/// What a state that is reached at a known time means for the clock.
fn kind(state: TicketState) -> Option<TicketEventKind> {
    match state {
        TicketState::Paused => Some(TicketEventKind::Paused),
        TicketState::Resumed => Some(TicketEventKind::Resumed),
        TicketState::Resolved => Some(TicketEventKind::Resolved),
        TicketState::Reopened => Some(TicketEventKind::Reopened),
        TicketState::Opened | TicketState::Cancelled | TicketState::Nothing => None,
    }
}

fn event(at: Instant, what: TicketEventKind) -> TicketEvent {
    TicketEvent { at, what, extra: Extra::default() }
}

#[derive(Clone, Copy, PartialEq)]
enum Now {
    Running,
    Paused,
    Resolved,
}

/// A ticket's states, one after the other.
#[derive(Default)]
struct Clock {
    opened: Option<Instant>,
    now: Option<Now>,
    events: Vec<TicketEvent>,
    cancelled: bool,
}

impl Clock {
    fn take(&mut self, at: Instant, state: TicketState) -> Result<(), String> {
        if state == TicketState::Nothing {
            return Ok(());
        }
        let Some(now) = self.now else {
            if state != TicketState::Opened {
                return Err("expected a row that says when it was opened before this one; export \
                            from further back, or map a column \"opened\""
                    .to_owned());
            }
            (self.opened, self.now) = (Some(at), Some(Now::Running));
            return Ok(());
        };
        self.cancelled = state == TicketState::Cancelled;
        let mut add = |what| self.events.push(event(at, what));
        use TicketEventKind::{Paused, Reopened, Resolved, Resumed};
        self.now = Some(match (state, now) {
            (TicketState::Paused, Now::Paused) => Now::Paused,
            (TicketState::Paused, now) => {
                if now == Now::Resolved {
                    add(Reopened);
                }
                add(Paused);
                Now::Paused
            }
            (TicketState::Resolved | TicketState::Cancelled, now) => {
                if now != Now::Resolved {
                    add(Resolved);
                }
                Now::Resolved
            }
            (_, Now::Running) => Now::Running,
            (_, Now::Paused) => {
                add(Resumed);
                Now::Running
            }
            (_, Now::Resolved) => {
                add(Reopened);
                Now::Running
            }
        });
        Ok(())
    }
}
