//! Counts from a file: one record a row, for a series, a day or a stretch of time.

use std::collections::BTreeMap;

use mailward_catalogue::CountsCsv;
use mailward_catalogue::desk::{CountPeriod, CountSeries};
use mailward_evidence::{Count, Extra, Record};

use super::sheet::{Row, Sheet};
use super::times::Times;
use super::{CsvError, Exported, at_line, shown};

/// Where the columns are.
pub(super) struct Columns {
    series: Option<usize>,
    /// The day; or the beginning, and the end.
    period: (usize, Option<usize>),
    good: usize,
    total: usize,
}

impl Columns {
    pub(super) fn find(sheet: &Sheet<'_>, mapping: &CountsCsv) -> Result<Self, CsvError> {
        Ok(Self {
            series: match &mapping.series {
                CountSeries::Fixed(_) => None,
                CountSeries::Column { column, .. } => Some(sheet.column(column)?),
            },
            period: match &mapping.period {
                CountPeriod::Day(day) => (sheet.column(day)?, None),
                CountPeriod::Between { from, to } => (sheet.column(from)?, Some(sheet.column(to)?)),
            },
            good: sheet.column(&mapping.good)?,
            total: sheet.column(&mapping.total)?,
        })
    }
}

/// Reads all rows.
pub(super) fn read(
    mut sheet: Sheet<'_>,
    mapping: &CountsCsv,
    times: &Times<'_>,
) -> Result<Exported, CsvError> {
    let columns = Columns::find(&sheet, mapping)?;
    let mut exported = Exported::default();
    let mut known = BTreeMap::new();
    while let Some(row) = sheet.next()? {
        let Some(count) = one(&row, &columns, mapping, times, &mut exported)? else {
            exported.left_out += 1;
            continue;
        };
        let identity = (count.series.clone(), count.from);
        match known.get(&identity) {
            None => {
                exported.push(row.line, &Record::Count(count.clone()))?;
                known.insert(identity, (row.line, count));
            }
            Some((_, same)) if *same == count => {}
            Some((line, _)) => {
                return Err(at_line(row.line)(format!(
                    "the counts of {} from {} stand on line {line} as well, and differ",
                    shown(&count.series),
                    count.from
                )));
            }
        }
    }
    Ok(exported)
}

fn one(
    row: &Row,
    columns: &Columns,
    mapping: &CountsCsv,
    times: &Times<'_>,
    exported: &mut Exported,
) -> Result<Option<Count>, CsvError> {
    let series = match (&mapping.series, columns.series) {
        (CountSeries::Column { column, names }, Some(index)) => {
            let theirs = row.needed(index, column)?;
            match names.get(theirs) {
                Some(ours) if ours.is_empty() => return Ok(None),
                Some(ours) => ours.as_str(),
                None if names.is_empty() => theirs,
                None => {
                    let message = format!("{column}: {} is not among the \"names\"", shown(theirs));
                    return Err(at_line(row.line)(message));
                }
            }
        }
        (CountSeries::Fixed(series), _) => series.as_str(),
        (CountSeries::Column { .. }, None) => return Ok(None),
    };
    let mut instant = |index: usize, name: &str| {
        let written = row.needed(index, name)?;
        let fault = |message: String| at_line(row.line)(format!("{name}: {message}"));
        let (at, quirk) = times.instant(written).map_err(fault)?;
        exported.note(row.line, name, written, quirk);
        Ok(at)
    };
    let (from, to) = match &mapping.period {
        CountPeriod::Day(day) => {
            let written = row.needed(columns.period.0, day)?;
            let fault = |message: String| at_line(row.line)(format!("{day}: {message}"));
            times.day(written).map_err(fault)?
        }
        CountPeriod::Between { from, to } => {
            let ends = columns.period.1.unwrap_or(columns.period.0);
            (instant(columns.period.0, from)?, instant(ends, to)?)
        }
    };
    Ok(Some(Count {
        series: series.into(),
        from,
        to,
        good: number(row, columns.good, &mapping.good)?,
        total: number(row, columns.total, &mapping.total)?,
        extra: Extra::default(),
    }))
}

fn number(row: &Row, index: usize, name: &str) -> Result<u64, CsvError> {
    let written = row.needed(index, name)?;
    let digits = written.bytes().all(|byte| byte.is_ascii_digit());
    written.parse().ok().filter(|_| digits).ok_or_else(|| {
        let message = format!("{name}: expected a whole number, got {}", shown(written));
        at_line(row.line)(message)
    })
}
