//! Times as a service desk writes them: by a format, or as ISO 8601, in a zone whose clock
//! changes. A doubled time means its first occurrence, a skipped one the same distance after.

use jiff::civil::{Date, DateTime};
use jiff::fmt::strtime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use mailward_catalogue::CsvForm;
use mailward_evidence::Instant;

use super::shown;

/// Why a local time is not quite what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quirk {
    /// The clock shows it twice.
    Doubled,
    /// The clock never shows it.
    Skipped,
}

/// How times are read.
pub(super) struct Times<'a> {
    format: Option<&'a str>,
    zone: TimeZone,
}

impl<'a> Times<'a> {
    pub(super) fn new(form: &'a CsvForm, service: &TimeZone) -> Self {
        let zone = form.zone.as_ref().unwrap_or(service).clone();
        Self { format: form.date_format.as_deref(), zone }
    }

    /// The instant that is written.
    pub(super) fn instant(&self, text: &str) -> Result<(Instant, Option<Quirk>), String> {
        match self.format {
            Some(format) => {
                let read = strtime::parse(format, text).map_err(|_| self.expected(text))?;
                if let Ok(at) = read.to_timestamp() {
                    return Ok((bounded(at, text)?, None));
                }
                self.local(read.to_datetime().map_err(|_| self.expected(text))?, text)
            }
            None => {
                if let Ok(at) = Instant::parse(text) {
                    return Ok((at, None));
                }
                let local = text.parse::<DateTime>().ok().filter(|_| text.contains(':'));
                self.local(local.ok_or_else(|| self.expected(text))?, text)
            }
        }
    }

    /// The first instant of the day that is written, and the first after it.
    pub(super) fn day(&self, text: &str) -> Result<(Instant, Instant), String> {
        let date: Date = match self.format {
            Some(format) => strtime::parse(format, text).and_then(|read| read.to_date()),
            None => text.parse(),
        }
        .map_err(|_| self.expected(text))?;
        let starts = |date: Date| {
            let midnight = date.to_zoned(self.zone.clone()).map_err(|_| self.expected(text))?;
            bounded(midnight.timestamp(), text)
        };
        let after = date.tomorrow().map_err(|_| self.expected(text))?;
        Ok((starts(date)?, starts(after)?))
    }

    fn local(&self, at: DateTime, text: &str) -> Result<(Instant, Option<Quirk>), String> {
        let ambiguous = self.zone.to_ambiguous_zoned(at);
        let quirk = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => None,
            AmbiguousOffset::Gap { .. } => Some(Quirk::Skipped),
            AmbiguousOffset::Fold { .. } => Some(Quirk::Doubled),
        };
        let zoned = ambiguous.compatible().map_err(|_| self.expected(text))?;
        Ok((bounded(zoned.timestamp(), text)?, quirk))
    }

    fn expected(&self, text: &str) -> String {
        match self.format {
            Some(format) => format!("expected a time as {format:?}, got {}", shown(text)),
            None => format!(
                "expected a time as \"2026-10-14 08:00:00\", got {}; \"date_format\" says how they \
                 are written",
                shown(text)
            ),
        }
    }
}

/// Evidence is accepted of some centuries only.
fn bounded(at: jiff::Timestamp, text: &str) -> Result<Instant, String> {
    Instant::parse(&at.to_string())
        .map_err(|_| format!("expected a time between 1678 and 2261, got {}", shown(text)))
}
