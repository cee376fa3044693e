//! Editions are frozen whole, in order, with reasons, and can be judged again from what they
//! hold.

mod alone;
mod later;
mod sealed;
mod worded;

use std::sync::Arc;

use mailward_evidence::{Clock, ManualClock, Record};

use super::*;
use crate::language::english;
use crate::sign::tests::key;
use crate::store::Source;

/// A service of one row with one level, checked each hour.
pub(crate) const DEFINITION: &str = r#"
[service]
name = "Post"
zone = "Europe/London"

[[component]]
id = "owa"
name = "Outlook Web Access"

[[probe]]
id = "owa-page"
component = "owa"
kind = "http"
url = "https://mail.example.org/owa/"
every = "1h"
confirm = 1

[[level]]
id = "owa-availability"
component = "owa"
measure = "availability"
target = "99.5%"

[report]
publish = "auto"
publish_on = 5
"#;

pub(crate) fn catalogue() -> Catalogue {
    let parsed = mailward_catalogue::parse("probes.toml", DEFINITION);
    parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults))
}

/// Publishes by [`DEFINITION`].
fn publisher<'a>(store: &'a Store, catalogue: &'a Catalogue) -> Publisher<'a> {
    Publisher { store, catalogue, definition: DEFINITION, demo: false, key: key() }
}

pub(crate) fn ms(text: &str) -> i64 {
    mailward_evidence::Instant::parse(text).unwrap().ms()
}

pub(crate) fn clock_at(text: &str) -> Arc<ManualClock> {
    Arc::new(ManualClock::new(text.parse().unwrap()))
}

/// Hourly outcomes of an agent from one instant until before another; those due in `down` fail.
pub(crate) fn evidence(from: &str, to: &str, down: &[&str]) -> Vec<Record> {
    let line = |text: String| mailward_evidence::wire::decode_line(text.as_bytes()).unwrap();
    let mut records = vec![line(format!(
        r#"{{"v":1,"kind":"roster","agent":"leeds","site":"internet","at":"{from}","probes":[{{"id":"owa-page","every_s":3600}}]}}"#
    ))];
    let mut due_ms = ms(from);
    while due_ms < ms(to) {
        let due = mailward_evidence::Instant::from_ms(due_ms).unwrap().to_string();
        let (verdict, reason) =
            if down.contains(&due.as_str()) { ("down", "\"timeout\"") } else { ("up", "null") };
        records.push(line(format!(
            r#"{{"v":1,"kind":"outcome","agent":"leeds","probe":"owa-page","due":"{due}","attempt":0,"next_due_s":3600,"took_ms":20,"verdict":"{verdict}","reason":{reason},"phases":{{}},"facts":{{}}}}"#
        )));
        due_ms += 3_600_000;
    }
    records
}

/// A store with October 2026, in which the service was down for three hours.
pub(crate) fn october_store(clock: Arc<dyn Clock>) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), clock).unwrap();
    let down = ["2026-10-14T00:00:00Z", "2026-10-14T01:00:00Z", "2026-10-14T02:00:00Z"];
    let records = evidence("2026-09-30T23:00:00Z", "2026-11-01T01:00:00Z", &down);
    store.ingest(records, Source::Import).unwrap();
    (dir, store)
}

fn october() -> Month {
    "2026-10".parse().unwrap()
}

const NOW: &str = "2026-11-06T09:00:00Z";

#[test]
fn an_edition_holds_all_it_was_judged_by() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    let edition = publisher.publish(october(), "A. Manager", None, ms(NOW)).unwrap();
    assert_eq!((edition.number, edition.supersedes), (1, None));
    let kept = store.edition("2026-10", None).unwrap().unwrap();
    assert_eq!(json::digest(&kept.report_json), edition.digest);
    let report: Report = serde_json::from_str(&kept.report_json).unwrap();
    assert_eq!(report, edition.report);
    assert_eq!(report.published_by.as_deref(), Some("A. Manager"));
    assert_eq!(kept.pdf, pdf::render(&report, english()).unwrap());
    assert_eq!(kept.outages_csv, csv::outages(&report));
    assert_eq!(kept.daily_csv, csv::daily(&report));
    assert_eq!(kept.definition_toml, DEFINITION);

    // the figures come out the same from what the edition holds, without the store
    let (held, tallies) = canonical::unpack(&kept.segments).unwrap();
    let again = crate::report::build(
        &mailward_catalogue::parse("probes.toml", &kept.definition_toml).catalogue.unwrap(),
        october(),
        &held,
        &tallies,
        kept.as_of_ms,
    );
    assert_eq!(figures::differing(&again.unwrap(), &report), []);
    let crate::report::model::Figure::Availability(figure) = &report.levels[0].figure else {
        panic!("not an availability level");
    };
    assert_eq!(figure.down_s.0, 3 * 3_600_000);
}

#[test]
fn a_later_edition_says_why_and_leaves_the_earlier_as_it_was() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = Publisher {
        store: &store,
        catalogue: &catalogue,
        definition: DEFINITION,
        demo: true,
        key: key(),
    };
    publisher.publish(october(), "A", None, ms(NOW)).unwrap();
    let first = store.edition("2026-10", Some(1)).unwrap();
    for reason in [None, Some(""), Some("  ")] {
        let error = publisher.publish(october(), "A", reason, ms(NOW)).unwrap_err();
        assert_eq!(error.to_string(), "edition 2 of 2026-10 replaces edition 1 and needs a reason");
    }
    let second = publisher.publish(october(), "B", Some("late evidence"), ms(NOW) + 1000).unwrap();
    assert_eq!((second.number, second.supersedes), (2, Some(1)));
    assert_eq!(second.report.edition_reason.as_deref(), Some("late evidence"));
    assert!(second.report.demo);
    assert_eq!(store.edition("2026-10", Some(1)).unwrap(), first);
    let numbers: Vec<_> =
        store.editions(None).unwrap().into_iter().map(|head| head.edition).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    let check = |month: &str, by: &str, now: &str, expect: &str| {
        let error = publisher.publish(month.parse().unwrap(), by, None, ms(now)).unwrap_err();
        assert_eq!(error.to_string(), expect);
        assert!(store.editions(None).unwrap().is_empty());
    };
    check(
        "2026-10",
        "A",
        "2026-10-31T23:59:59.999Z",
        "expected a month that is over, got 2026-10, which runs until Sun 1 Nov 2026, 00:00 GMT",
    );
    check(
        "2026-12",
        "A",
        NOW,
        "expected a month that is over, got 2026-12, which runs until Fri 1 Jan 2027, 00:00 GMT",
    );
    check("2026-10", " ", NOW, "expected the name of whoever publishes, got none");
}

#[test]
fn two_at_once_never_share_a_number() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    let numbers: Vec<u32> = std::thread::scope(|scope| {
        let publish = || match publisher.publish(october(), "A", Some("again"), ms(NOW)) {
            Ok(edition) => Some(edition.number),
            Err(PublishError::Store { source: StoreError::EditionTaken { .. }, .. }) => None,
            Err(other) => panic!("{other:?}"),
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(publish)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    let kept: Vec<u32> =
        store.editions(Some("2026-10")).unwrap().iter().map(|head| head.edition).collect();
    let mut sorted = numbers.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, kept);
    assert_eq!(kept, (1..=u32::try_from(kept.len()).unwrap()).collect::<Vec<_>>());
    assert!(!kept.is_empty());
}

#[test]
fn a_draft_is_no_edition() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    let draft = publisher.draft(october(), ms("2026-10-20T00:00:00Z")).unwrap();
    assert_eq!((draft.edition, draft.to_date), (None, true));
    assert!(store.editions(None).unwrap().is_empty());
}

#[test]
fn what_is_published_says_nothing_of_credits() {
    let (_dir, store) = october_store(clock_at(NOW));
    let credits = "target = \"99.5%\"\ncredits = [{ below = \"99.5%\", credit = \"12.5%\" }]";
    let definition = DEFINITION.replace("target = \"99.5%\"", credits);
    let catalogue = mailward_catalogue::parse("probes.toml", &definition).catalogue.unwrap();
    let publisher = Publisher {
        store: &store,
        catalogue: &catalogue,
        definition: &definition,
        demo: false,
        key: key(),
    };
    // 3 of 745 h: 99.597 %, which is no miss
    let due =
        |report: &Report| report.levels[0].credits.as_ref().map(|credits| credits.due_pct.clone());
    let draft = publisher.draft(october(), ms(NOW)).unwrap();
    assert_eq!(due(&draft), Some(Some("0".to_owned())));
    let edition = publisher.publish(october(), "A. Manager", None, ms(NOW)).unwrap();
    assert_eq!(due(&edition.report), None);
    let kept = store.edition("2026-10", None).unwrap().unwrap();
    assert!(!kept.report_json.contains("credit"), "{}", kept.report_json);
}
