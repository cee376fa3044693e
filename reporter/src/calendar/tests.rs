//! The calendar at work on a store: each month once, late rather than never, and nothing that
//! a person did is done again.

use std::sync::Arc;

use mailward_catalogue::InForce;
use mailward_evidence::ManualClock;
use tokio::sync::watch;

use super::wake::Calendar;
use crate::publish::tests::{DEFINITION, catalogue, clock_at, evidence, ms, october_store};
use crate::publish::{CALENDAR, Publisher};
use crate::sign::SigningKey;
use crate::sign::tests::key;
use crate::store::{Source, Store};

struct World {
    clock: Arc<ManualClock>,
    store: Store,
    calendar: Calendar,
    _dir: tempfile::TempDir,
}

/// A world whose store holds October, and whose calendar first wakes in it.
fn world() -> World {
    let clock = clock_at("2026-10-15T12:00:00Z");
    let (dir, store) = october_store(clock.clone());
    let calendar = Calendar {
        store: store.clone(),
        catalogue: Arc::new(catalogue()),
        definition: DEFINITION.into(),
        clock: clock.clone(),
        demo: false,
        data: dir.path().to_owned(),
        key: Arc::new(SigningKey::generate().unwrap().0),
    };
    World { clock, store, calendar, _dir: dir }
}

impl World {
    fn turn(&self, at: &str) -> Vec<String> {
        self.clock.step_to(at.parse().unwrap());
        self.calendar.turn().unwrap().into_iter().map(super::Task::key).collect()
    }

    fn editions(&self) -> Vec<(String, u32, String)> {
        let heads = self.store.editions(None).unwrap();
        heads.into_iter().map(|head| (head.month, head.edition, head.by)).collect()
    }
}

fn by_calendar(month: &str) -> (String, u32, String) {
    (month.to_owned(), 1, CALENDAR.to_owned())
}

#[test]
fn a_month_is_drafted_on_the_first_and_published_on_its_day_once() {
    let world = world();
    assert!(world.turn("2026-10-15T12:00:00Z").is_empty());
    assert!(world.turn("2026-10-31T23:59:00Z").is_empty());
    assert_eq!(world.turn("2026-11-01T00:00:00Z"), ["draft/2026-10"]);
    assert!(world.turn("2026-11-01T00:01:00Z").is_empty());
    assert!(world.editions().is_empty());
    let draft = world.store.ledger_get("draft/2026-10").unwrap().unwrap();
    let draft: crate::report::model::Report = serde_json::from_str(&draft).unwrap();
    assert_eq!(draft.edition, None);
    let drafts = world._dir.path().join("drafts/2026-10");
    let kept = std::fs::read_to_string(drafts.join("report.json")).unwrap();
    assert_eq!(kept, world.store.ledger_get("draft/2026-10").unwrap().unwrap());
    assert!(drafts.join("report.pdf").is_file());
    assert_eq!(world.turn("2026-11-05T09:00:00Z"), ["publish/2026-10"]);
    assert!(world.turn("2026-11-05T09:01:00Z").is_empty());
    assert_eq!(world.editions(), [by_calendar("2026-10")]);
    // a clock that is set back does not make it due again
    assert!(world.turn("2026-11-01T00:00:00Z").is_empty());
    assert!(world.turn("2026-11-05T09:00:00Z").is_empty());
    assert_eq!(world.editions().len(), 1);
}

#[test]
fn after_being_away_months_are_published_late_and_in_order() {
    let world = world();
    assert!(world.turn("2026-10-15T12:00:00Z").is_empty());
    assert_eq!(
        world.turn("2027-01-03T08:00:00Z"),
        ["draft/2026-10", "publish/2026-10", "draft/2026-11", "publish/2026-11", "draft/2026-12"]
    );
    assert_eq!(world.editions(), [by_calendar("2026-10"), by_calendar("2026-11")]);
}

#[test]
fn what_a_person_published_is_not_published_again() {
    let world = world();
    assert!(world.turn("2026-10-15T12:00:00Z").is_empty());
    let catalogue = catalogue();
    let publisher = Publisher {
        store: &world.store,
        catalogue: &catalogue,
        definition: DEFINITION,
        demo: false,
        key: key(),
    };
    let now_ms = ms("2026-11-02T09:00:00Z");
    publisher.publish("2026-10".parse().unwrap(), "A. Manager", None, now_ms).unwrap();
    world.turn("2026-11-05T09:00:00Z");
    assert_eq!(world.editions(), [("2026-10".to_owned(), 1, "A. Manager".to_owned())]);
    assert!(world.turn("2026-11-05T09:01:00Z").is_empty());
}

#[test]
fn what_is_due_is_queued_once_at_the_local_time_across_a_clock_change() {
    let mut world = world();
    let definition = format!(
        "{DEFINITION}[distribution]\nto = [\"a@example.org\", \"b@example.org\"]\n\
         from = \"reports@example.org\"\nhost = \"mail.example.org\"\ndigest = \"mon\"\n"
    );
    let parsed = mailward_catalogue::parse("probes.toml", &definition);
    world.calendar.catalogue = Arc::new(parsed.catalogue.unwrap());
    let queued = |at: &str| {
        world.turn(at);
        world.turn(at);
        let all = world.store.addressees("").unwrap();
        let mut about: Vec<String> = all.iter().map(|at| at.about.clone()).collect();
        about.dedup();
        assert_eq!(all.len(), 2 * about.len(), "one for each recipient");
        about.reverse();
        about
    };
    // a Thursday; the digest of the Monday before is not made up for
    assert!(queued("2026-10-15T12:00:00Z").is_empty());
    assert!(queued("2026-10-19T07:59:00Z").is_empty());
    assert_eq!(queued("2026-10-19T08:00:00Z"), ["digest/2026-10-19"]);
    // the clocks went back on the Sunday
    assert_eq!(queued("2026-10-26T08:59:00Z").len(), 1);
    assert_eq!(queued("2026-10-26T09:00:00Z").pop().unwrap(), "digest/2026-10-26");
    // away over a Monday: its digest comes late, and the month not before its hour
    assert_eq!(queued("2026-11-05T08:59:00Z").pop().unwrap(), "digest/2026-11-02");
    assert_eq!(queued("2026-11-05T09:00:00Z").pop().unwrap(), "edition/2026-10/1");
    assert_eq!(queued("2026-11-05T09:01:00Z").len(), 4);
    // set back, and away again for two Mondays, of which the last is made up for
    assert_eq!(queued("2026-11-05T08:00:00Z").len(), 4);
    let after = queued("2026-11-18T12:00:00Z");
    assert_eq!(after[4..], ["digest/2026-11-16"], "{after:?}");
}

#[test]
fn months_before_it_first_woke_are_left_alone() {
    let world = world();
    world.turn("2026-10-15T12:00:00Z");
    let old = evidence("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z", &[]);
    world.store.ingest(old, Source::Import).unwrap();
    assert_eq!(world.turn("2026-11-01T12:00:00Z"), ["draft/2026-10"]);
}

#[test]
fn outcomes_past_their_retention_go_and_figures_stay() {
    let world = world();
    let old = evidence("2025-01-01T00:00:00Z", "2026-09-30T23:00:00Z", &["2025-02-03T04:00:00Z"]);
    world.store.ingest(old, Source::Import).unwrap();
    world.store.settle().unwrap();
    let (from_ms, to_ms) = (ms("2025-01-01T00:00:00Z"), ms("2026-10-15T00:00:00Z"));
    let judged = || world.store.evidence(from_ms, to_ms, to_ms).unwrap();
    let lines = || world.store.export(None, None, &mut std::io::sink()).unwrap();
    let (whole, before) = (lines(), judged());
    world.turn("2026-10-15T12:00:00Z");
    let kept = lines();
    // 400 days unless set, a block at a time
    let days_gone = (whole - kept) / 24;
    assert!((100..=252).contains(&days_gone), "{days_gone}");
    assert_eq!(judged(), before);
    world.turn("2026-10-15T12:01:00Z");
    world.turn("2026-10-16T12:00:00Z");
    assert_eq!(lines(), kept);
}

#[test]
fn without_evidence_nothing_is_due() {
    let clock = clock_at("2026-10-15T12:00:00Z");
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), clock.clone()).unwrap();
    let calendar = Calendar {
        store: store.clone(),
        catalogue: Arc::new(catalogue()),
        definition: DEFINITION.into(),
        clock: clock.clone(),
        demo: false,
        data: dir.path().to_owned(),
        key: Arc::new(SigningKey::generate().unwrap().0),
    };
    assert!(calendar.turn().unwrap().is_empty());
    clock.step_to("2026-12-06T00:00:00Z".parse().unwrap());
    assert!(calendar.turn().unwrap().is_empty());
    assert!(store.editions(None).unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn waking_takes_a_turn_at_once_and_stops_in_order() {
    let world = world();
    world.turn("2026-10-15T12:00:00Z");
    world.clock.step_to("2026-11-05T09:30:00Z".parse().unwrap());
    let in_force = InForce::new(world.calendar.catalogue.clone(), DEFINITION, 0);
    let (_, definition) = watch::channel(Arc::new(in_force));
    let waking = world.calendar.clone().wake(definition).await.unwrap();
    let published = async {
        while world.editions().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), published).await.unwrap();
    waking.stop().await;
    assert_eq!(world.editions(), [by_calendar("2026-10")]);
}
