//! The store against a model that keeps every final outcome and folds all of them from
//! scratch: the same segments, whatever the order, repetition, revision and time of asking.

use std::collections::{BTreeMap, HashMap};

use super::*;
use crate::interval::{self, Set};
use crate::segment::{Delivery, Run, RunCounts};
use crate::store::{Histogram, RunsOf};

#[derive(Clone, Debug)]
enum Step {
    Body(Vec<Outcome>),
    Settle,
    Reopen,
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    let class = prop_oneof![
        5 => Just((Verdict::Up, None, 0)),
        2 => Just((Verdict::Degraded, Some(Reason::Slow), 0)),
        3 => Just((Verdict::Down, Some(Reason::Timeout), 0)),
        1 => Just((Verdict::Down, Some(Reason::Other("odd".into())), 0)),
        1 => Just((Verdict::Down, Some(Reason::Listed), 1)),
        1 => Just((Verdict::Down, Some(Reason::Listed), 2)),
        2 => Just((Verdict::Unknown, Some(Reason::Isolated), 0)),
    ];
    // dues on a grid of 100 ms with next_due 100 to 300 ms: equal dues, neighbours and gaps
    (0..2u8, 0..60i64, 0..2i64, 0..2u32, 0..3u32, 1..4u64, class, 0..4u32).prop_map(
        |(probe, slot, fine, attempt, revision, next, (verdict, reason, listed), took)| {
            let probe = ["p", "q"][usize::from(probe)];
            let mut o = outcome("a", probe, 0, verdict);
            o.due = Instant::from_ns(slot * 100_000_000 + fine * 300_000);
            o.attempt = attempt;
            o.revision = revision;
            o.next_due_ms = next * 100;
            o.reason = reason;
            o.took_ms = (took > 0).then_some(f64::from(took) * 7.25);
            o.delivery_s = (took == 2).then_some(1.005);
            for i in 0..listed {
                o.listings.push(Listing {
                    address: format!("192.0.2.{i}").into(),
                    list: "bl.example.org".into(),
                    code: None,
                    extra: Extra::default(),
                });
            }
            if took == 3 {
                o.phases.set("connect", 1.0 / 3.0);
                o.facts.set("seen", "yes".into());
            }
            if took == 3 && verdict != Verdict::Up {
                let exhibit = o.exhibit.get_or_insert_default();
                exhibit.set_answer("HTTP/1.1 503 Oh", [("Server", "it")], "busy\n");
            }
            o
        },
    )
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => proptest::collection::vec(any_outcome(), 1..12).prop_map(Step::Body),
        2 => Just(Step::Settle),
        1 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..16)
}

/// What the rules of identity make of the outcomes, one after the other.
#[derive(Default)]
struct Model {
    versions: BTreeMap<(ProbeId, Instant, u32), Vec<Outcome>>,
    total: Accepted,
}

impl Model {
    fn take(&mut self, new: &Outcome) {
        let key = (new.probe.clone(), new.due, new.attempt);
        let versions = self.versions.entry(key).or_default();
        if versions.contains(new) {
            self.total.duplicates += 1;
        } else if versions.iter().all(|old| old.revision < new.revision) {
            self.total.accepted += 1;
            versions.push(new.clone());
        } else {
            self.total.conflicts += 1;
        }
    }

    fn current(&self, probe: &str) -> impl Iterator<Item = &Outcome> {
        self.versions
            .iter()
            .filter(move |(key, _)| key.0.as_str() == probe)
            .filter_map(|(_, versions)| versions.last())
    }

    /// Segments from scratch, of what is due before `now`.
    fn segments(&self, probe: &str, now_ms: i64) -> Vec<Segment> {
        let mut words = Words::default();
        let mut spans: Vec<Span> = Vec::new();
        for outcome in self.current(probe).filter(|o| o.due.ms() < now_ms) {
            span::push_outcome(&mut spans, &codec::pack(outcome, &mut words)).unwrap();
        }
        spans.into_iter().map(Span::into_segment).collect()
    }

    /// The part of them that a period needs.
    fn window(&self, probe: &str, from_ms: i64, to_ms: i64, now_ms: i64) -> Vec<Segment> {
        let segments = self.segments(probe, now_ms);
        let good = |s: &Segment| matches!(s.verdict, Verdict::Up | Verdict::Degraded);
        let start = segments.iter().rposition(|s| good(s) && s.first_ms < from_ms).unwrap_or(0);
        let end = segments
            .iter()
            .position(|s| good(s) && s.first_ms >= to_ms)
            .map_or(segments.len(), |i| i + 1);
        segments[start.min(end)..end].to_vec()
    }

    /// The same from raw outcomes: no more than the outcomes that the period needs.
    fn refolded(&self, probe: &str, from_ms: i64, to_ms: i64, now_ms: i64) -> Vec<Segment> {
        let outcomes: Vec<_> = self.current(probe).filter(|o| o.due.ms() < now_ms).collect();
        let good = |o: &&Outcome| matches!(o.verdict, Verdict::Up | Verdict::Degraded);
        let start = outcomes.iter().rposition(|o| good(o) && o.due.ms() < from_ms).unwrap_or(0);
        let end = outcomes.iter().position(|o| good(o) && o.due.ms() >= to_ms);
        let end = end.map_or(outcomes.len(), |i| i + 1);
        let (mut words, mut spans) = (Words::default(), Vec::new());
        for outcome in &outcomes[start.min(end)..end] {
            span::push_outcome(&mut spans, &codec::pack(outcome, &mut words)).unwrap();
        }
        spans.into_iter().map(Span::into_segment).collect()
    }

    /// How the runs of a set of time went, counted one by one.
    fn counts(&self, probe: &str, counted: &Set, within_ms: f64) -> RunCounts {
        let mut counts = RunCounts::default();
        for run in self.runs(probe, 0, LATER) {
            let in_time = run.took_ms.is_some_and(|took| took <= within_ms);
            let (sum, timed) = match run.verdict {
                _ if !counted.contains(run.due_ms) => continue,
                Verdict::Up | Verdict::Degraded => (&mut counts.good, &mut counts.good_in_time),
                Verdict::Down => (&mut counts.down, &mut counts.down_in_time),
                Verdict::Unknown => continue,
            };
            *sum += 1;
            *timed += u64::from(in_time);
        }
        counts
    }

    fn runs(&self, probe: &str, from_ms: i64, to_ms: i64) -> Vec<Run> {
        self.current(probe)
            .filter(|o| o.attempt == 0 && (from_ms..to_ms).contains(&o.due.ms()))
            .map(|o| Run { due_ms: o.due.ms(), took_ms: o.took_ms, verdict: o.verdict })
            .collect()
    }

    fn deliveries(&self, from_ms: i64, to_ms: i64) -> Vec<Delivery> {
        let mut all: Vec<_> = ["p", "q"].iter().flat_map(|p| self.current(p)).collect();
        all.retain(|o| (from_ms..to_ms).contains(&o.due.ms()));
        let mut out: Vec<Delivery> = all
            .into_iter()
            .filter(|o| {
                o.verdict == Verdict::Down
                    || (o.verdict != Verdict::Unknown && o.delivery_s.is_some())
            })
            .map(|o| Delivery {
                due_ms: o.due.ms(),
                delivery_ms: o.delivery_ms().filter(|_| o.verdict != Verdict::Down),
            })
            .collect();
        out.sort_by_key(|d| d.due_ms);
        out
    }

    fn histogram(&self, probe: &str) -> Histogram {
        let mut histogram = Histogram::default();
        let good = |o: &&Outcome| matches!(o.verdict, Verdict::Up | Verdict::Degraded);
        for took in self.current(probe).filter(good).filter_map(|o| o.took_ms) {
            histogram.add(took);
        }
        histogram
    }

    fn check(&self, store: &Store, from_ms: i64, to_ms: i64, now_ms: i64) {
        let evidence = store.evidence(from_ms, to_ms, now_ms).unwrap();
        let found: HashMap<_, _> =
            evidence.streams.into_iter().map(|s| (s.probe.to_string(), s)).collect();
        let live = store.last_outcomes(now_ms).unwrap();
        for probe in ["p", "q"] {
            let all = self.segments(probe, now_ms);
            let stream = found.get(probe);
            assert_eq!(stream.map(|s| s.first_due_ms), all.first().map(|s| s.first_ms));
            let expect = self.window(probe, from_ms, to_ms, now_ms);
            assert_eq!(stream.map_or(vec![], |s| s.segments.clone()), expect, "{probe}");
            let tail = live.iter().find(|l| l.probe.as_str() == probe).map(|l| l.tail.clone());
            assert_eq!(tail, all.last().cloned());
            let ids = [ProbeId::new(probe).unwrap()];
            let mut runs = Vec::new();
            store.for_each_run(from_ms, to_ms, &ids, &mut |_, _, run| runs.push(run)).unwrap();
            assert_eq!(runs, self.runs(probe, from_ms, to_ms));
            let raw = store.evidence_from_raw(from_ms, to_ms, now_ms).unwrap();
            let raw = raw.streams.into_iter().find(|s| s.probe.as_str() == probe);
            let expect = self.refolded(probe, from_ms, to_ms, now_ms);
            assert_eq!(raw.map_or(vec![], |s| s.segments), expect, "{probe} from raw");
            for limit_ms in [14.5, 15.0] {
                let counted = [(from_ms, to_ms), (to_ms + 200, to_ms + 700)];
                let counted = Set::of(counted.map(|(from, to)| interval::Span::new(from, to)));
                let asked = RunsOf { probes: &ids, counted: &counted, within_ms: Some(limit_ms) };
                let counts = store.count_runs(&[asked]).unwrap();
                assert_eq!(counts, [[self.counts(probe, &counted, limit_ms)]], "{counted:?}");
            }
            let hours = store.histograms(0, LATER, &ids).unwrap();
            let sum = hours.iter().fold(Histogram::default(), |mut sum, hour| {
                sum.merge(&hour.took);
                sum
            });
            assert_eq!(sum, self.histogram(probe));
        }
        let ids = ["p", "q"].map(|p| ProbeId::new(p).unwrap());
        assert_eq!(
            store.deliveries(from_ms, to_ms, &ids).unwrap(),
            self.deliveries(from_ms, to_ms)
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        // each case opens stores and waits for fsyncs; PROPTEST_CASES still sets how many
        cases: ProptestConfig::default().cases.div_ceil(8),
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_history_gives_what_folding_everything_gives(
        steps in any_steps(),
        asked in proptest::collection::vec((0..6500i64, 0..3000i64, 0..6500i64), 1..4),
    ) {
        let mut home = home(SMALL);
        let mut model = Model::default();
        let mut total = Accepted::default();
        for step in steps {
            match step {
                Step::Body(outcomes) => {
                    outcomes.iter().for_each(|o| model.take(o));
                    let records = outcomes.into_iter().map(Record::Outcome).collect();
                    total.add(home.store.ingest(records, Source::Import).unwrap());
                    prop_assert_eq!(total, model.total);
                }
                Step::Settle => home.store.settle().unwrap(),
                Step::Reopen => home.store = home.another(),
            }
        }
        model.check(&home.store, 0, LATER, LATER);
        for (from_ms, length_ms, now_ms) in asked {
            model.check(&home.store, from_ms, from_ms + length_ms, now_ms);
        }
        let every: Vec<Record> = ["p", "q"]
            .iter()
            .flat_map(|probe| model.versions.iter().filter(move |(k, _)| k.0.as_str() == *probe))
            .flat_map(|(_, versions)| versions.iter().cloned().map(Record::Outcome))
            .collect();
        prop_assert_eq!(wire::decode_lines(&exported(&home.store)).unwrap(), every);
        home.store.settle().unwrap();
        model.check(&home.store, 0, LATER, LATER);
    }
}
