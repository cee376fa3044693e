//! The same figures through the store: a world's records, ingested in any order and in any
//! number of bodies, give the report that the same evidence gives at once.

use std::sync::Arc;

use jiff::Timestamp;
use mailward_evidence::{ManualClock, Outcome, Record};
use mailward_reporter::month::{Month, figures};
use mailward_reporter::store::{Source, Store};

use crate::draw::{self, Draw};
use crate::made;
use crate::random::report;
use crate::world::World;

pub(crate) fn records(world: &World) -> Vec<Record> {
    let mut records: Vec<Record> = world
        .outcomes
        .iter()
        .map(|seen| {
            let mut outcome = Outcome::new(
                made::agent(seen.agent),
                made::probe_id(seen.probe),
                made::instant(seen.due),
                u64::try_from(seen.next).unwrap(),
                seen.verdict,
            );
            outcome.attempt = seen.attempt;
            outcome.took_ms = Some(seen.took_ms);
            outcome.listings = made::listings(seen);
            Record::Outcome(outcome)
        })
        .collect();
    records.extend(made::rosters(world).into_iter().map(Record::Roster));
    records.extend(made::exclusions(world).into_iter().map(|e| Record::Exclusion(e.exclusion)));
    records
}

/// A store that holds a world, ingested in any order and in any number of bodies.
pub(crate) fn store(world: &World, seed: u64) -> (tempfile::TempDir, Store) {
    let mut d = Draw::new(seed);
    let mut records = records(world);
    for i in (1..records.len()).rev() {
        records.swap(i, d.size(0, i));
    }
    let directory = tempfile::tempdir().unwrap();
    let now = Timestamp::from_millisecond(world.now).unwrap();
    let store = Store::open(directory.path(), Arc::new(ManualClock::new(now))).unwrap();
    let bodies = d.size(1, 6);
    for body in records.chunks(records.len().div_ceil(bodies).max(1)) {
        store.ingest(body.to_vec(), Source::Import).unwrap();
    }
    (directory, store)
}

/// `MAILWARD_STORED_WORLDS` sets how many are tried.
#[test]
fn the_store_changes_no_figure() {
    let worlds = std::env::var("MAILWARD_STORED_WORLDS").ok().and_then(|n| n.parse().ok());
    for seed in 0..worlds.unwrap_or(12) {
        let world = draw::world(seed);
        let (_directory, store) = store(&world, seed);
        let month: Month = world.month.parse().unwrap();
        let catalogue = made::catalogue(&world);
        let stored = figures(&store, &catalogue, month, world.now).unwrap();
        let direct = report(&world);
        assert_eq!(stored.levels, direct.levels, "seed {seed}");
        assert_eq!(stored.components, direct.components, "seed {seed}");
        assert!(!stored.method.zone_data.is_empty());
    }
}
