//! Counts of scheduled runs in any set of time, and latencies by the hour: from counters, and
//! from raw outcomes only where an edge of the set, or a limit, cuts through a counter.

use std::collections::BTreeMap;
use std::ops::Range;

use mailward_evidence::Verdict;

use super::codec::{Key, Packed};
use super::counts::{self, Changes, Counts, Day, PART_MS, PARTS, Stored, Timed};
use super::error::StoreError;
use super::head::StreamInfo;
use super::read::detail::Wanted;
use super::read::{View, raw_gone};
use super::run::Want;
use super::{Histogram, HourHistogram, RunsOf};
use crate::interval::Span;
use crate::segment::RunCounts;

const DAY_MS: i64 = PART_MS * PARTS;
const HOUR_MS: i64 = 3_600_000;

impl RunCounts {
    /// Adds counters that lie in the counted time as a whole; false where they cannot say how
    /// many were in time.
    fn add(&mut self, counts: &Counts, within_ms: Option<f64>) -> bool {
        let in_time = |timed: &Timed| {
            within_ms.map_or(Some(0), |within_ms| timed.took.exactly_at_most_ms(within_ms))
        };
        let (Some(good), Some(down)) = (in_time(counts.good()), in_time(counts.down())) else {
            return false;
        };
        self.good += counts.good().count();
        self.good_in_time += good;
        self.down += counts.down().count();
        self.down_in_time += down;
        true
    }

    fn add_run(&mut self, run: &Packed, within_ms: Option<f64>) {
        let in_time =
            run.took_ms.zip(within_ms).is_some_and(|(took_ms, within_ms)| took_ms <= within_ms);
        match run.verdict {
            Verdict::Up | Verdict::Degraded => {
                self.good += 1;
                self.good_in_time += u64::from(in_time);
            }
            Verdict::Down => {
                self.down += 1;
                self.down_in_time += u64::from(in_time);
            }
            Verdict::Unknown => {}
        }
    }
}

/// The counters of one stream, with what arrived since.
struct Counters<'a> {
    view: &'a View<'a>,
    stream: i64,
    info: &'a StreamInfo,
    arrived: Changes,
}

impl<'a> Counters<'a> {
    fn new(view: &'a View<'a>, stream: i64, info: &'a StreamInfo) -> Result<Self, StoreError> {
        let arrived = counts::changes(&mut view.raw(stream), info, view.head.fresh(stream))?;
        Ok(Self { view, stream, info, arrived })
    }

    /// Due of the first and the last of all outcomes of the stream, in milliseconds.
    fn bounds(&self) -> Option<Span> {
        let fresh = self.view.head.fresh(self.stream);
        let first_ns = self.info.first_ns.into_iter().chain(fresh.first().map(|e| e.key.due_ns));
        let last_ns = self.info.last_ns.into_iter().chain(fresh.last().map(|e| e.key.due_ns));
        let (first_ns, last_ns) = (first_ns.min()?, last_ns.max()?);
        Some(Span::new(first_ns.div_euclid(1_000_000), last_ns.div_euclid(1_000_000) + 1))
    }

    fn arrived_on(&self, day: i64) -> impl Iterator<Item = (&i64, &Vec<counts::Change>)> {
        self.arrived.range(day * PARTS..(day + 1) * PARTS)
    }

    fn stored(&self, day: i64) -> Result<Option<Stored>, StoreError> {
        Stored::read(self.view.conn, self.stream, day)
    }

    fn day(&self, day: i64) -> Result<Day, StoreError> {
        let mut counts = self.stored(day)?.map_or(Ok(Day::default()), |stored| stored.open())?;
        for (part, changes) in self.arrived_on(day) {
            counts.change(*part, changes);
        }
        Ok(counts)
    }

    /// Adds the runs in `of` up.
    fn count(&self, of: &RunsOf<'_>, sum: &mut RunCounts) -> Result<(), StoreError> {
        let Some(bounds) = self.bounds() else { return Ok(()) };
        let mut unclear: Vec<Span> = Vec::new();
        for day in days(of, bounds) {
            // where the stream has nothing, an edge cuts through nothing
            let span = Span::new(day * DAY_MS, (day + 1) * DAY_MS).clip(bounds);
            let held_ms = of.counted.len_within_ms(span);
            if held_ms == 0 {
                continue;
            }
            if held_ms == span.len_ms()
                && self.arrived_on(day).next().is_none()
                && let Some(stored) = self.stored(day)?
                && sum.add(&stored.total()?, of.within_ms)
            {
                continue;
            }
            for (number, counts) in self.day(day)?.parts {
                let from_ms = day * DAY_MS + i64::from(number) * PART_MS;
                let span = Span::new(from_ms, from_ms + PART_MS).clip(bounds);
                let held_ms = of.counted.len_within_ms(span);
                let whole = held_ms == span.len_ms();
                if held_ms > 0 && !(whole && sum.add(&counts, of.within_ms)) {
                    match unclear.last_mut() {
                        Some(last) if last.to_ms == span.from_ms => last.to_ms = span.to_ms,
                        _ => unclear.push(span),
                    }
                }
            }
        }
        unclear.into_iter().try_for_each(|span| self.count_one_by_one(span, of, sum))
    }

    fn count_one_by_one(
        &self,
        span: Span,
        of: &RunsOf<'_>,
        sum: &mut RunCounts,
    ) -> Result<(), StoreError> {
        let range = (Key::at_ms(span.from_ms), Key::at_ms(span.to_ms));
        if range.0.due_ns < self.info.raw_from_ns {
            return Err(raw_gone(self.info));
        }
        let fresh = self.view.head.fresh(self.stream);
        let mut held = Span::new(0, 0);
        let mut raw = self.view.raw(self.stream);
        raw.merged(fresh, range, (Want::Front, false), &mut |run| {
            let due_ms = run.key.due_ms();
            if run.key.attempt != 0 {
                return Ok(());
            }
            if !held.contains(due_ms) {
                // runs come in order, so the last look-up mostly holds for the next as well
                let Some(around) = of.counted.around(due_ms) else { return Ok(()) };
                held = around;
            }
            sum.add_run(run, of.within_ms);
            Ok(())
        })
    }
}

/// The days of UTC that hold something to count.
fn days(of: &RunsOf<'_>, bounds: Span) -> Range<i64> {
    let spans = of.counted.spans();
    let (Some(first), Some(last)) = (spans.first(), spans.last()) else { return 0..0 };
    let span = Span::new(first.from_ms, last.to_ms).clip(bounds);
    span.from_ms.div_euclid(DAY_MS)..(span.to_ms - 1).div_euclid(DAY_MS) + 1
}

impl Counters<'_> {
    /// The stretches of at most a day in which a run may have been late, or failed.
    fn late(&self, of: &RunsOf<'_>) -> Result<Vec<Span>, StoreError> {
        let Some(bounds) = self.bounds() else { return Ok(Vec::new()) };
        let all_in_time = |counts: &Counts| {
            let mut sum = RunCounts::default();
            sum.add(counts, of.within_ms) && sum.down == 0 && sum.good == sum.good_in_time
        };
        let mut late: Vec<Span> = Vec::new();
        for day in days(of, bounds) {
            let span = Span::new(day * DAY_MS, (day + 1) * DAY_MS).clip(bounds);
            if of.counted.len_within_ms(span) == 0 {
                continue;
            }
            if self.arrived_on(day).next().is_none()
                && let Some(stored) = self.stored(day)?
                && all_in_time(&stored.total()?)
            {
                continue;
            }
            for (number, counts) in self.day(day)?.parts {
                let from_ms = day * DAY_MS + i64::from(number) * PART_MS;
                let span = Span::new(from_ms, from_ms + PART_MS).clip(bounds);
                if of.counted.len_within_ms(span) == 0 || all_in_time(&counts) {
                    continue;
                }
                match late.last_mut() {
                    Some(last) if last.to_ms == span.from_ms => last.to_ms = span.to_ms,
                    _ => late.push(span),
                }
            }
        }
        Ok(late)
    }
}

impl View<'_> {
    /// Where runs that a question names may have been late, in order of agent, probe and due.
    pub(super) fn late_runs(&self, of: &RunsOf<'_>) -> Result<Vec<Wanted>, StoreError> {
        let mut wanted = Vec::new();
        for (stream, info) in self.of_probes(of.probes) {
            let late = Counters::new(self, stream, info)?.late(of)?;
            wanted.extend(late.into_iter().map(|span| Wanted {
                agent: info.agent.clone(),
                probe: info.probe.clone(),
                first_ms: span.from_ms,
                last_ms: span.to_ms - 1,
            }));
        }
        Ok(wanted)
    }

    /// How the runs went that a question names, by its probes.
    pub(super) fn count_runs(&self, of: &RunsOf<'_>) -> Result<Vec<RunCounts>, StoreError> {
        let mut sums = vec![RunCounts::default(); of.probes.len()];
        for (stream, info) in self.of_probes(of.probes) {
            let counters = Counters::new(self, stream, info)?;
            for (sum, _) in sums.iter_mut().zip(of.probes).filter(|(_, p)| **p == info.probe) {
                counters.count(of, sum)?;
            }
        }
        Ok(sums)
    }

    /// Latencies of the probes for hours that begin in the range, in order of stream, then hour.
    pub(super) fn histograms(
        &self,
        (from_ms, to_ms): (i64, i64),
        probes: &[mailward_evidence::ProbeId],
    ) -> Result<Vec<HourHistogram>, StoreError> {
        let mut out = Vec::new();
        for (stream, info) in self.of_probes(probes) {
            let counters = Counters::new(self, stream, info)?;
            let Some(bounds) = counters.bounds() else { continue };
            let span =
                Span::new(from_ms, to_ms).clip(Span::new(bounds.from_ms - HOUR_MS, bounds.to_ms));
            if span.is_empty() {
                continue;
            }
            let mut hours: BTreeMap<i64, Histogram> = BTreeMap::new();
            for day in span.from_ms.div_euclid(DAY_MS)..=(span.to_ms - 1).div_euclid(DAY_MS) {
                for (number, counts) in counters.day(day)?.parts {
                    let at_ms = day * DAY_MS + i64::from(number) * PART_MS;
                    let hour_ms = at_ms - at_ms.rem_euclid(HOUR_MS);
                    if (from_ms..to_ms).contains(&hour_ms) {
                        hours.entry(hour_ms).or_default().merge(&counts.took());
                    }
                }
            }
            out.extend(hours.into_iter().filter(|(_, took)| !took.is_empty()).map(
                |(hour_ms, took)| HourHistogram {
                    agent: info.agent.clone(),
                    probe: info.probe.clone(),
                    hour_ms,
                    took,
                },
            ));
        }
        Ok(out)
    }
}
