//! The made-up past as evidence records, in order of time and the same for the same `now`.
//! What happens in it is left to `episodes`, what a run looks like to `runs`.

use std::sync::Arc;

use anyhow::Result;
use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use mailward_evidence::{
    AgentName, Extra, Instant, Outcome, ProbeId, Record, Roster, RosterProbe, SiteName, Verdict,
};

use super::episodes::{Episode, episodes, weather};
use super::months::{Month, latest_change, months};
use super::runs::{EVERY_MS, Habit, RETRY_MS, Run, bustle, chance, seed};
use super::{Watcher, ledger};

/// A time in which the agents were at work without a break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shift {
    from_ms: i64,
    to_ms: i64,
}

/// The past, ready to be told.
#[derive(Clone, Debug)]
pub(crate) struct Story {
    zone: TimeZone,
    now: Timestamp,
    months: Vec<Month>,
    shifts: Vec<Shift>,
    episodes: Arc<[Episode]>,
}

impl Story {
    /// The past of somebody who starts the demonstration at `now`: the three months before, the
    /// current one so far, and the latest month with a clock change.
    ///
    /// # Errors
    /// When `now` is so near an end of the calendar that there are no such months.
    pub(crate) fn new(now: Timestamp, zone: &TimeZone) -> Result<Self> {
        let months = months(now, zone)?;
        let change_ms = latest_change(now, zone).map(Timestamp::as_millisecond);
        let mut all = Vec::new();
        let mut shifts: Vec<Shift> = Vec::new();
        for month in &months {
            let inside = change_ms.filter(|at| (month.from_ms..month.to_ms).contains(at));
            all.extend(episodes(month, zone, inside)?);
            match shifts.last_mut() {
                Some(last) if last.to_ms == month.from_ms => last.to_ms = month.to_ms,
                _ => shifts.push(Shift { from_ms: month.from_ms, to_ms: month.to_ms }),
            }
        }
        Ok(Self { zone: zone.clone(), now, months, shifts, episodes: all.into() })
    }

    /// The months that are over, as `2026-10`, in order: those to be published.
    pub(crate) fn complete_months(&self) -> Vec<String> {
        self.months.iter().filter(|month| month.is_complete()).map(Month::label).collect()
    }

    /// What an agent may not send: exclusions, tickets and counts, to be imported.
    ///
    /// # Errors
    /// When `now` is so near an end of the calendar that a date cannot be had.
    pub(crate) fn ledger(&self) -> Result<Vec<Record>> {
        ledger::ledger(&self.months, &self.zone, self.now)
    }

    /// About how many records [`Story::records`] gives, for a progress bar.
    pub(crate) fn estimate(&self, watcher: &Watcher) -> u64 {
        let slots: i64 = self.shifts.iter().map(|s| (s.to_ms - s.from_ms) / EVERY_MS).sum();
        slots.unsigned_abs() * watcher.probes.len() as u64
    }

    /// What `watcher` saw: rosters, and outcomes in order of due. `retires` ends the last shift
    /// with an empty roster; an agent that goes on live does not.
    ///
    /// # Errors
    /// When the watcher's names are no ids.
    pub(crate) fn records(&self, watcher: &Watcher, retires: bool) -> Result<Records> {
        let agent = AgentName::new(watcher.name)?;
        let streams = watcher.probes.iter().map(|habit| -> Result<Stream> {
            let seed = seed(watcher.name) ^ seed(habit.probe).rotate_left(17);
            let phase = chance(&[seed, 4]);
            #[allow(clippy::cast_possible_truncation, reason = "below 300")]
            let phase_ms = (phase * 300.0) as i64 * 1000;
            Ok(Stream { habit: *habit, probe: ProbeId::new(habit.probe)?, seed, phase_ms })
        });
        Ok(Records {
            agent,
            site: SiteName::new(watcher.site)?,
            streams: streams.collect::<Result<_>>()?,
            zone: self.zone.clone(),
            shifts: self.shifts.clone(),
            episodes: Arc::clone(&self.episodes),
            retires,
            shift: 0,
            slot_ms: None,
            ready: Vec::new().into_iter(),
        })
    }
}

/// One probe of an agent, and where in the interval it stands.
#[derive(Clone, Debug)]
struct Stream {
    habit: Habit,
    probe: ProbeId,
    seed: u64,
    phase_ms: i64,
}

/// The records of one agent, made as they are asked for.
#[derive(Debug)]
pub(crate) struct Records {
    agent: AgentName,
    site: SiteName,
    streams: Vec<Stream>,
    zone: TimeZone,
    shifts: Vec<Shift>,
    episodes: Arc<[Episode]>,
    retires: bool,
    shift: usize,
    slot_ms: Option<i64>,
    ready: std::vec::IntoIter<Record>,
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            if let Some(record) = self.ready.next() {
                return Some(record);
            }
            self.ready = self.more()?.into_iter();
        }
    }
}

impl Records {
    /// The next records: a roster where a shift begins or ends, else five minutes of runs.
    fn more(&mut self) -> Option<Vec<Record>> {
        let shift = *self.shifts.get(self.shift)?;
        let Some(slot_ms) = self.slot_ms else {
            self.slot_ms = Some(shift.from_ms);
            return Some(self.roster(shift.from_ms, true));
        };
        if slot_ms < shift.to_ms {
            self.slot_ms = Some(slot_ms + EVERY_MS);
            return Some(self.slot(slot_ms, shift.to_ms));
        }
        self.slot_ms = None;
        self.shift += 1;
        let last = self.shift == self.shifts.len();
        Some(if last && !self.retires { Vec::new() } else { self.roster(shift.to_ms, false) })
    }

    fn roster(&self, at_ms: i64, working: bool) -> Vec<Record> {
        let Some(at) = Instant::from_ms(at_ms) else { return Vec::new() };
        let probe = |stream: &Stream| RosterProbe {
            id: stream.probe.clone(),
            every_s: Some(EVERY_MS.unsigned_abs() / 1000),
            extra: Extra::default(),
        };
        vec![Record::Roster(Roster {
            agent: self.agent.clone(),
            site: self.site.clone(),
            at,
            probes: if working { self.streams.iter().map(probe).collect() } else { Vec::new() },
            extra: Extra::default(),
        })]
    }

    /// All runs that are due in the five minutes from `slot_ms` on, and before `to_ms`.
    fn slot(&self, slot_ms: i64, to_ms: i64) -> Vec<Record> {
        let load = self.load(slot_ms);
        // most slots touch no episode, and need not look through them all for each probe
        let near: Vec<Episode> = self
            .episodes
            .iter()
            .filter(|e| e.from_ms < slot_ms + 2 * EVERY_MS && slot_ms < e.to_ms)
            .cloned()
            .collect();
        let mut outcomes = Vec::with_capacity(self.streams.len());
        for stream in &self.streams {
            self.runs(stream, slot_ms + stream.phase_ms, load, &near, &mut outcomes);
        }
        outcomes.retain(|outcome| outcome.due.ms() < to_ms);
        outcomes.sort_by(|a, b| (a.due, &a.probe).cmp(&(b.due, &b.probe)));
        outcomes.into_iter().map(Record::Outcome).collect()
    }

    /// The scheduled run due at `due_ms` and, if it fails, the re-probes until one does not or
    /// the next scheduled run is due.
    fn runs(
        &self,
        stream: &Stream,
        due_ms: i64,
        load: f64,
        episodes: &[Episode],
        out: &mut Vec<Outcome>,
    ) {
        let whom = (self.agent.as_str(), stream.probe.as_str());
        for attempt in 0..(EVERY_MS / RETRY_MS) {
            let at_ms = due_ms + attempt * RETRY_MS;
            let number = u32::try_from(attempt).unwrap_or(0);
            let Some(weather) = weather(episodes, whom, at_ms, number) else { return };
            let left_ms = due_ms + EVERY_MS - at_ms;
            let mut run = Run {
                agent: &self.agent,
                probe: &stream.probe,
                habit: &stream.habit,
                seed: stream.seed,
                due_ms: at_ms,
                attempt: number,
                next_due_ms: left_ms.unsigned_abs(),
                load,
            };
            let Some(mut outcome) = run.outcome(&weather) else { return };
            if outcome.verdict != Verdict::Down {
                out.push(outcome);
                return;
            }
            run.next_due_ms = RETRY_MS.unsigned_abs();
            outcome.next_due_ms = run.next_due_ms;
            out.push(outcome);
        }
    }

    fn load(&self, at_ms: i64) -> f64 {
        let Ok(at) = Timestamp::from_millisecond(at_ms) else { return 1.0 };
        let local = self.zone.to_datetime(at);
        let hour = f64::from(local.hour()) + f64::from(local.minute()) / 60.0;
        let works = !matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
        bustle(hour, works)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use mailward_evidence::{ExclusionClass, Identity, Reason, wire};

    use super::super::months::tests::london;
    use super::super::{LIVE, PAST};
    use super::*;

    const NOW: &str = "2026-11-22T14:00:00Z";

    fn story(now: &str) -> Story {
        Story::new(now.parse().expect("an instant"), &london()).expect("a story")
    }

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().expect("an instant").as_millisecond()
    }

    /// The outcomes of a watcher from one instant, on the hour, to another.
    fn outcomes(story: &Story, watcher: &Watcher, from: &str, to: &str) -> Vec<Outcome> {
        let mut story = story.clone();
        story.shifts = vec![Shift { from_ms: ms(from), to_ms: ms(to) }];
        let records = story.records(watcher, true).expect("records");
        let outcome = |record| match record {
            Record::Outcome(outcome) => Some(outcome),
            _ => None,
        };
        records.filter_map(outcome).collect()
    }

    #[test]
    fn the_past_is_in_order_unique_and_over() {
        let mut story = story(NOW);
        story.shifts[0].from_ms = ms("2026-10-12T00:00:00Z");
        for (watcher, retires) in [(&LIVE, false), (&PAST, true)] {
            let mut last = 0;
            let mut seen = BTreeSet::new();
            for record in story.records(watcher, retires).expect("records") {
                assert!(seen.insert(record.identity()), "twice: {record:?}");
                assert_eq!(record.agent().map(AgentName::as_str), Some(watcher.name));
                if let Record::Outcome(outcome) = &record {
                    assert!(outcome.due.ms() < ms(NOW), "{outcome:?}");
                    // a re-probe may fall into the next slot, never further back than that
                    assert!(outcome.due.ms() > last - 2 * EVERY_MS, "{outcome:?}");
                    last = last.max(outcome.due.ms());
                }
            }
            let (estimate, count) = (story.estimate(watcher), seen.len() as u64);
            assert!((estimate * 95 / 100..estimate * 110 / 100).contains(&count), "{count}");
            let retired = Identity::Roster(
                AgentName::new(watcher.name).expect("an id"),
                Instant::from_ms(ms(NOW)).expect("an instant"),
            );
            assert_eq!(seen.contains(&retired), retires);
        }
    }

    #[test]
    fn the_same_now_gives_the_same_past_that_reads_back_as_written() {
        let story = story(NOW);
        let records = |_| story.records(&LIVE, true).expect("records").take(20_000);
        let mut line = Vec::new();
        for (record, same) in records(0).zip(records(1)) {
            assert_eq!(record, same);
            line.clear();
            wire::encode_line(&record, &mut line);
            assert_eq!(wire::decode_line(&line).expect("a record"), record);
        }
        for record in story.ledger().expect("a ledger") {
            line.clear();
            wire::encode_line(&record, &mut line);
            assert_eq!(wire::decode_line(&line).expect("a record"), record);
        }
    }

    #[test]
    fn each_run_says_when_the_next_one_is_due() {
        let story = story(NOW);
        let mut last: BTreeMap<ProbeId, Outcome> = BTreeMap::new();
        let silence = ms("2026-10-16T22:05:00Z")..ms("2026-10-17T03:35:00Z");
        for outcome in outcomes(&story, &LIVE, "2026-10-05T00:00:00Z", "2026-10-29T00:00:00Z") {
            if let Some(before) = last.insert(outcome.probe.clone(), outcome.clone()) {
                let step = outcome.due.ms() - before.due.ms();
                if !silence.contains(&before.due.ms()) {
                    assert_eq!(step.unsigned_abs(), before.next_due_ms, "{before:?}");
                }
            }
        }
    }

    #[test]
    fn the_story_is_worth_reading() {
        let story = story(NOW);
        assert_eq!(story.complete_months(), ["2026-08", "2026-09", "2026-10"]);
        let during = |probe: &str, from: &str, to: &str| {
            let mut found = outcomes(&story, &LIVE, from, to);
            found.retain(|outcome| outcome.probe.as_str() == probe);
            found
        };
        let check = |probe: &str, from: &str, to: &str, expect: (Verdict, Option<Reason>)| {
            let found = during(probe, from, to);
            assert!(!found.is_empty(), "{probe} {from}");
            let same = found.iter().all(|o| (o.verdict, o.reason.clone()) == expect);
            assert!(same, "{probe} {from}: {found:#?}");
        };
        // the night outage, and the hour before it
        let gone = (Verdict::Down, Some(Reason::ServiceUnavailable));
        check("owa-logon", "2026-09-08T01:15:00Z", "2026-09-08T02:40:00Z", gone.clone());
        check("owa-logon", "2026-09-08T00:00:00Z", "2026-09-08T01:10:00Z", (Verdict::Up, None));
        // two days on a blocklist, a second address from the afternoon on
        let listed = (Verdict::Down, Some(Reason::Listed));
        check("blocklists", "2026-09-13T07:05:00Z", "2026-09-14T16:20:00Z", listed);
        let second = during("blocklists", "2026-09-14T00:00:00Z", "2026-09-14T01:00:00Z");
        assert!(second.iter().all(|o| o.listings.len() == 2));
        // planned work, over a clock change, a slow day, isolation, silence
        check("owa-logon", "2026-08-11T21:05:00Z", "2026-08-11T22:50:00Z", gone);
        let failing = (Verdict::Down, Some(Reason::ServerError));
        check("eas-options", "2026-10-25T00:00:00Z", "2026-10-25T01:30:00Z", failing);
        let slow = (Verdict::Degraded, Some(Reason::Slow));
        check("portal-page", "2026-10-06T08:00:00Z", "2026-10-06T16:00:00Z", slow);
        let isolated = (Verdict::Unknown, Some(Reason::Isolated));
        check("mx-accepts", "2026-10-19T05:15:00Z", "2026-10-19T05:40:00Z", isolated);
        let silent = during("mx-accepts", "2026-10-16T22:15:00Z", "2026-10-17T03:30:00Z");
        assert_eq!(silent, []);
    }

    #[test]
    fn intermittent_failure_stays_below_an_outage() {
        let story = story(NOW);
        let mut found = outcomes(&story, &LIVE, "2026-09-21T06:30:00Z", "2026-09-23T17:40:00Z");
        found.retain(|outcome| outcome.probe.as_str() == "outlook-health");
        let failed = found.iter().filter(|o| o.verdict == Verdict::Down).count();
        assert!(failed > 40, "{failed}");
        let twice = found.windows(2).any(|w| w.iter().all(|o| o.verdict == Verdict::Down));
        assert!(!twice, "a run of failures is an outage, not a blip");
    }

    #[test]
    fn people_recorded_what_they_should() {
        let records = story(NOW).ledger().expect("a ledger");
        let exclusions: Vec<_> = records
            .iter()
            .filter_map(|record| match record {
                Record::Exclusion(e) => Some((&*e.id, e.class, e.from.timestamp())),
                _ => None,
            })
            .collect();
        let at = |text: &str| text.parse::<Timestamp>().expect("an instant");
        let maintenance = ExclusionClass::Maintenance;
        assert_eq!(
            exclusions,
            [
                ("MW-101", maintenance, at("2026-08-11T21:00:00Z")),
                ("MW-103", maintenance, at("2026-09-17T20:30:00Z")),
                ("TP-7", ExclusionClass::ThirdParty, at("2026-10-12T09:00:00Z")),
                ("MW-110", maintenance, at("2026-11-28T22:00:00Z")),
            ]
        );
        let tickets = records.iter().filter(|r| matches!(r, Record::Ticket(_))).count();
        let counts = records.iter().filter(|r| matches!(r, Record::Count(_))).count();
        assert_eq!((tickets, counts), (5, 31 + 30 + 31 + 21));
    }

    #[test]
    fn a_clock_change_that_lies_further_back_is_told_as_well() {
        let story = story("2026-08-10T09:00:00Z");
        assert_eq!(story.complete_months(), ["2026-03", "2026-05", "2026-06", "2026-07"]);
        let spans = [
            (ms("2026-03-01T00:00:00Z"), ms("2026-03-31T23:00:00Z")),
            (ms("2026-04-30T23:00:00Z"), ms("2026-08-10T09:00:00Z")),
        ];
        assert!(story.shifts.iter().map(|shift| (shift.from_ms, shift.to_ms)).eq(spans));
        // the last five minutes of each shift will do to see its rosters
        let mut late = story.clone();
        late.shifts.iter_mut().for_each(|shift| shift.from_ms = shift.to_ms - EVERY_MS);
        let rosters = late.records(&PAST, true).expect("records").filter_map(|r| match r {
            Record::Roster(roster) => Some((roster.at.ms(), roster.probes.len())),
            _ => None,
        });
        let expect = spans.map(|(_, to_ms)| [(to_ms - EVERY_MS, 4), (to_ms, 0)]);
        assert_eq!(rosters.collect::<Vec<_>>(), expect.as_flattened());
        let night = outcomes(&story, &LIVE, "2026-03-29T00:50:00Z", "2026-03-29T01:10:00Z");
        let down = |o: &Outcome| o.probe.as_str() == "eas-options" && o.verdict == Verdict::Down;
        assert!(night.iter().any(down));
    }
}
