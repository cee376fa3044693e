//! Which changes of evidence a keeper of figures is told of.

use mailward_evidence::{Exclusion, ExclusionClass};

use super::*;

const DAY: i64 = 86_400_000;

fn exclusion(id: &str, from_ms: i64) -> Record {
    Record::Exclusion(Exclusion {
        id: id.into(),
        class: ExclusionClass::Maintenance,
        components: vec!["c".parse().unwrap()],
        from: Instant::from_ms(from_ms).unwrap(),
        to: Instant::from_ms(from_ms + 1000).unwrap(),
        announced: None,
        approved: None,
        by: None,
        reason: None,
        cancelled: false,
        extra: Extra::default(),
    })
}

#[test]
fn a_change_is_told_to_who_looks_beyond_it() {
    let home = home(SMALL);
    let seen = |day: i64| Record::Outcome(outcome("a", "p", day * DAY + 5, Verdict::Up));
    assert_eq!(home.store.last_change().unwrap(), 0);
    // what comes, and by which day (exclusively) it is a change
    let steps = [
        (seen(10), Some(10)),
        (seen(10), None),
        (seen(12), Some(12)),
        (seen(3), Some(3)),
        (exclusion("MW-1", 20 * DAY), Some(20)),
        // moved: what it said before has changed as well
        (exclusion("MW-1", 40 * DAY), Some(20)),
        (exclusion("MW-1", 40 * DAY), None),
    ];
    for (record, first_day) in steps {
        let before = home.store.last_change().unwrap();
        home.store.ingest(vec![record.clone()], Source::Import).unwrap();
        let told = |day: i64| home.another().changed_since(day * DAY, before).unwrap();
        match first_day {
            Some(day) => {
                assert_eq!(told(day), None, "{record:?}");
                assert_eq!(told(day + 1), Some(before + 1), "{record:?}");
                assert_eq!(told(LATER / DAY), Some(before + 1), "{record:?}");
            }
            None => assert_eq!(told(LATER / DAY), None, "{record:?}"),
        }
    }
}
