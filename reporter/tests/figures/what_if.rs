//! Every cell of "what if" is the figure of a full run with that definition: on random months
//! through the store, against runs of a world that was made so from the start.

use mailward_catalogue::Need;
use mailward_reporter::month::{Month, figures};
use mailward_reporter::report::model::{Figure, Report};
use mailward_reporter::what_if::{self, Cell, WhatIf};

use crate::draw;
use crate::made;
use crate::random::report;
use crate::stored;
use crate::world::{Policy, World};

const LEVELS: [&str; 3] = ["availability", "success", "response"];

/// The cells that a report of the same levels would fill.
fn cells(report: &Report) -> Vec<Cell> {
    let own = report.levels.iter().filter(|level| LEVELS.contains(&level.id.as_str()));
    own.map(|level| {
        let (pct, shown, provable) = match &level.figure {
            Figure::Availability(a) => {
                (a.availability_pct, &a.availability_shown, Some(a.provable))
            }
            Figure::Success(s) | Figure::ResponseTime(s) => (s.ratio_pct, &s.ratio_shown, None),
            other => panic!("cannot change: {other:?}"),
        };
        Cell { level: level.id.clone(), pct, shown: shown.clone(), met: level.met, provable }
    })
    .collect()
}

fn of<'a>(tried: &'a WhatIf, id: &str) -> &'a [Cell] {
    let reading = tried.readings.iter().find(|reading| reading.id == id);
    &reading.unwrap_or_else(|| panic!("no reading {id}")).cells
}

/// `MAILWARD_STORED_WORLDS` sets how many are tried.
#[test]
fn every_cell_is_a_full_run() {
    let worlds = std::env::var("MAILWARD_STORED_WORLDS").ok().and_then(|n| n.parse().ok());
    for seed in 200..200 + worlds.unwrap_or(12) {
        let world = draw::world(seed);
        let (_directory, store) = stored::store(&world, seed);
        let month: Month = world.month.parse().unwrap();
        let catalogue = made::catalogue(&world);
        let tried = what_if::compute(&store, &catalogue, month, world.now).unwrap();
        let check = |id: &str, other: &World| {
            assert_eq!(of(&tried, id), cells(&report(other)), "seed {seed}, {id}: {world:#?}");
        };
        check("as-defined", &world);
        for confirm in [1, 2, 3, 5] {
            let mut other = world.clone();
            other.probes.iter_mut().for_each(|probe| probe.confirm = confirm);
            check(&format!("confirm-{confirm}"), &other);
        }
        for (id, quorum) in [("quorum-1", 1), ("quorum-majority", 0)] {
            check(id, &World { quorum, ..world.clone() });
        }
        for (id, unknown) in [
            ("unknown-exclude", Policy::Exclude),
            ("unknown-up", Policy::Up),
            ("unknown-down", Policy::Down),
        ] {
            check(id, &World { unknown, ..world.clone() });
        }
        let mut all = catalogue.clone();
        all.components[0].quorum = Need::All;
        let full = figures(&store, &all, month, world.now).unwrap();
        assert_eq!(of(&tried, "quorum-all"), cells(&full), "seed {seed}");
        check_exclusions(&tried, &world, seed);
        check_survival(&tried);
    }
}

/// Each exclusion that counts is taken away once, and no other.
fn check_exclusions(tried: &WhatIf, world: &World, seed: u64) {
    let counts = report(world).exclusions.into_iter().filter(|e| e.accepted);
    let mut expected: Vec<String> = counts.map(|e| format!("without-{}", e.id)).collect();
    let mut got: Vec<String> = tried.readings.iter().map(|reading| reading.id.clone()).collect();
    got.retain(|id| id.starts_with("without-"));
    got.sort();
    expected.sort();
    assert_eq!(got, expected, "seed {seed}");
    for id in got {
        let which: usize = id["without-MW-".len()..].parse().unwrap();
        let mut other = world.clone();
        other.exclusions.retain(|exclusion| exclusion.id != which);
        assert_eq!(of(tried, &id), cells(&report(&other)), "seed {seed}, {id}: {world:#?}");
    }
}

fn check_survival(tried: &WhatIf) {
    for (which, level) in tried.levels.iter().enumerate() {
        let met: Vec<_> = tried.readings.iter().map(|reading| reading.cells[which].met).collect();
        assert_eq!(level.met, met[0]);
        assert_eq!(level.survives, met.iter().all(|m| *m == met[0]), "{level:?}");
        assert_eq!(level.differs_in.len(), met.iter().filter(|m| **m != met[0]).count());
    }
    assert_eq!(tried.unaffected, ["listing", "delivery", "resolution", "ratio"]);
}

#[test]
fn what_the_definition_says_already_is_marked() {
    let mut world = draw::world(3);
    world.probes.iter_mut().for_each(|probe| probe.confirm = 3);
    (world.quorum, world.unknown) = (0, Policy::Down);
    let (_directory, store) = stored::store(&world, 3);
    let month: Month = world.month.parse().unwrap();
    let tried = what_if::compute(&store, &made::catalogue(&world), month, world.now).unwrap();
    let marked: Vec<&str> =
        tried.readings.iter().filter(|r| r.as_defined).map(|r| r.id.as_str()).collect();
    let confirm: &[&str] = match world.probes.iter().all(|probe| probe.advisory) {
        true => &["confirm-1", "confirm-2", "confirm-3", "confirm-5"],
        false => &["confirm-3"],
    };
    let expected = [&["as-defined"], confirm, &["quorum-majority", "unknown-down"]].concat();
    assert_eq!(marked, expected);
}
