//! The same figures through the store: a world's records, in the order in which they arrived
//! and in any number of bodies, give the report that the surviving evidence gives at once, and
//! the store tells as many duplicates and conflicts as there were.

use std::sync::Arc;

use jiff::Timestamp;
use mailward_evidence::ManualClock;
use mailward_reporter::month::{Month, figures};
use mailward_reporter::store::{Source, Store};

use crate::draw::{self, Draw};
use crate::made;
use crate::naive::{Naive, Told};
use crate::random::{kept, report};
use crate::world::World;

/// A store that took in a world's records in some number of bodies, and what it answered.
fn filled(world: &World, seed: u64) -> (tempfile::TempDir, Store, Told) {
    let records = made::records(world);
    let directory = tempfile::tempdir().unwrap();
    let now = Timestamp::from_millisecond(world.now).unwrap();
    let store = Store::open(directory.path(), Arc::new(ManualClock::new(now))).unwrap();
    let bodies = Draw::new(seed).size(1, 6);
    let mut told = Told::default();
    for body in records.chunks(records.len().div_ceil(bodies).max(1)) {
        let answer = store.ingest(body.to_vec(), Source::Import).unwrap();
        told.accepted += answer.accepted;
        told.duplicates += answer.duplicates;
        told.conflicts += answer.conflicts;
    }
    (directory, store, told)
}

/// A store that holds a world.
pub(crate) fn store(world: &World, seed: u64) -> (tempfile::TempDir, Store) {
    let (directory, store, _) = filled(world, seed);
    (directory, store)
}

fn check(name: &str, world: &World, seed: u64) {
    let (_directory, store, told) = filled(world, seed);
    assert_eq!(told, Naive::new(world).told(), "{name}");
    let month: Month = world.month.parse().unwrap();
    let stored = figures(&store, &made::catalogue(world), month, world.now).unwrap();
    let direct = report(world);
    assert_eq!(stored.levels, direct.levels, "{name}");
    assert_eq!(stored.components, direct.components, "{name}");
    assert!(!stored.method.zone_data.is_empty());
}

/// `MAILWARD_STORED_WORLDS` sets how many are tried.
#[test]
fn the_store_changes_no_figure() {
    let worlds = std::env::var("MAILWARD_STORED_WORLDS").ok().and_then(|n| n.parse().ok());
    for seed in 0..worlds.unwrap_or(24) {
        check(&format!("seed {seed}"), &draw::world(seed), seed);
    }
    for (name, world) in kept() {
        if ["slip-first-revision-stays", "slip-last-outcome-wins"].contains(&name.as_str()) {
            check(&name, &world, 0);
        }
    }
}
