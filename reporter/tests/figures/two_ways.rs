//! Two ways to the same number: from segments and counters, and from raw outcomes alone, for
//! random months that arrived late, out of order, superseded and contradicted.

use std::sync::Arc;

use jiff::Timestamp;
use mailward_evidence::{ManualClock, Outcome, Record, Verdict};
use mailward_reporter::month::{Basis, Detail, Month, compute_to};
use mailward_reporter::store::{Source, Store};

use crate::draw::{self, Draw};
use crate::made;

/// Adds, to some outcomes, a version that another supersedes, whichever of them comes first.
fn contradict(records: &mut Vec<Record>, d: &mut Draw) -> usize {
    let mut added: Vec<Outcome> = Vec::new();
    for record in records.iter_mut() {
        let Record::Outcome(outcome) = record else { continue };
        if d.size(0, 7) > 0 {
            continue;
        }
        let mut other = outcome.clone();
        other.verdict = match outcome.verdict {
            Verdict::Up | Verdict::Degraded => Verdict::Down,
            Verdict::Down | Verdict::Unknown => Verdict::Up,
        };
        other.took_ms = Some(1.0);
        outcome.revision += 1;
        added.push(other);
    }
    let count = added.len();
    records.extend(added.into_iter().map(Record::Outcome));
    count
}

/// `MAILWARD_STORED_WORLDS` sets how many are tried.
#[test]
fn segments_and_raw_outcomes_give_the_same_report() {
    let worlds = std::env::var("MAILWARD_STORED_WORLDS").ok().and_then(|n| n.parse().ok());
    let (mut contradicted, mut refused) = (0, 0);
    for seed in 0..worlds.unwrap_or(16) {
        let world = draw::world(seed);
        let mut d = Draw::new(seed);
        let mut records = made::records(&world);
        contradicted += contradict(&mut records, &mut d) as u64;
        for i in (1..records.len()).rev() {
            records.swap(i, d.size(0, i));
        }
        let directory = tempfile::tempdir().unwrap();
        let now = Timestamp::from_millisecond(world.now).unwrap();
        let store = Store::open(directory.path(), Arc::new(ManualClock::new(now))).unwrap();
        let bodies = d.size(1, 6);
        for body in records.chunks(records.len().div_ceil(bodies).max(1)) {
            let done = store.ingest(body.to_vec(), Source::Import).unwrap();
            refused += done.conflicts;
            if d.size(0, 1) == 1 {
                store.settle().unwrap();
            }
        }
        let month: Month = world.month.parse().unwrap();
        let catalogue = made::catalogue(&world);
        // the figures: the grounds tell of a run that goes back before the month from where it
        // was read, and the two ways begin to read at different outcomes
        let by = |basis| {
            let wanted = (basis, Detail::Figures);
            compute_to(&store, &catalogue, month, world.now, wanted).unwrap()
        };
        let (kept, raw) = (by(Basis::Kept), by(Basis::Raw));
        assert_eq!(kept, raw, "seed {seed}");
    }
    // the rest came before what supersedes them
    assert!(0 < refused && refused < contradicted, "{refused} of {contradicted} refused");
}
