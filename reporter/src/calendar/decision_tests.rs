//! What is due, across clock changes, downtime and clocks that jump.

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

fn ms(text: &str) -> i64 {
    mailward_evidence::Instant::parse(text).unwrap().ms()
}

fn london() -> TimeZone {
    TimeZone::get("Europe/London").unwrap()
}

const AUTO: ReportRules = rules(Publish::Auto, 5, Time::constant(0, 0, 0, 0));
const MANUAL: ReportRules = rules(Publish::Manual, 5, Time::constant(0, 0, 0, 0));

const fn rules(publish: Publish, publish_on: u8, publish_at: Time) -> ReportRules {
    ReportRules { publish, publish_on, publish_at, signing_key: None, language: None }
}

fn check(now: &str, done: &[&str], rules: ReportRules, first: &str, expect: &[&str]) {
    let tasks = due(
        ms(now),
        &|task| done.contains(&task.key().as_str()),
        &rules,
        &london(),
        first.parse().unwrap(),
    );
    let keys: Vec<_> = tasks.into_iter().map(Task::key).collect();
    assert_eq!(keys, expect, "at {now}");
}

#[test]
fn a_month_is_drafted_at_local_midnight_of_the_first() {
    // October ends in winter time, March in summer time
    check("2026-10-31T23:59:59.999Z", &[], AUTO, "2026-10", &[]);
    check("2026-11-01T00:00:00Z", &[], AUTO, "2026-10", &["draft/2026-10"]);
    check("2026-03-31T22:59:59.999Z", &[], AUTO, "2026-03", &[]);
    check("2026-03-31T23:00:00Z", &[], AUTO, "2026-03", &["draft/2026-03"]);
}

#[test]
fn it_is_published_on_the_day_and_only_by_itself_where_that_was_agreed() {
    let done = ["draft/2026-03"];
    check("2026-04-04T22:59:59Z", &done, AUTO, "2026-03", &[]);
    check("2026-04-04T23:00:00Z", &done, AUTO, "2026-03", &["publish/2026-03"]);
    check(
        "2026-06-30T00:00:00Z",
        &["draft/2026-03", "draft/2026-04", "draft/2026-05"],
        MANUAL,
        "2026-03",
        &[],
    );
    check("2026-04-30T00:00:00Z", &["draft/2026-03", "publish/2026-03"], AUTO, "2026-03", &[]);
}

#[test]
fn after_being_away_each_is_done_once_and_in_order() {
    check(
        "2026-12-03T09:00:00Z",
        &["draft/2026-08", "publish/2026-08"],
        AUTO,
        "2026-08",
        &["draft/2026-09", "publish/2026-09", "draft/2026-10", "publish/2026-10", "draft/2026-11"],
    );
}

#[test]
fn it_is_published_at_the_local_time_whatever_the_clocks_do() {
    let check = |zone: &str, month: &str, day: u8, at: &str, expect: &str| {
        let rules = rules(Publish::Auto, day, at.parse().unwrap());
        let zone = TimeZone::get(zone).unwrap();
        let due_ms = publish_at_ms(month.parse().unwrap(), &rules, &zone);
        assert_eq!(due_ms, ms(expect), "{month} {at}");
    };
    check("Europe/London", "2026-10", 5, "09:00", "2026-11-05T09:00:00Z");
    check("Europe/London", "2026-03", 5, "09:00", "2026-04-05T08:00:00Z");
    // the clocks go forward from 02:00 to 03:00 on 8 March, and back from 02:00 on 1 November
    check("America/New_York", "2026-02", 8, "02:30", "2026-03-08T07:30:00Z");
    check("America/New_York", "2026-10", 1, "01:30", "2026-11-01T05:30:00Z");
    check("Europe/London", "2027-02", 28, "01:30", "2027-03-28T01:30:00Z");
}

#[test]
fn the_digest_that_was_due_last_is_the_one_that_is_sent() {
    let check = |now: &str, expect: &str| {
        let at = Time::constant(9, 0, 0, 0);
        let due = last_digest(ms(now), Weekday::Monday, at, &london());
        let told = due.map(|(date, due_ms)| format!("{date} {due_ms}"));
        let (date, due) = expect.split_once(' ').unwrap();
        assert_eq!(told, Some(format!("{date} {}", ms(due))), "at {now}");
    };
    check("2026-10-19T07:59:59Z", "2026-10-12 2026-10-12T08:00:00Z");
    check("2026-10-19T08:00:00Z", "2026-10-19 2026-10-19T08:00:00Z");
    // after the clocks went back
    check("2026-10-26T08:59:00Z", "2026-10-19 2026-10-19T08:00:00Z");
    check("2026-10-26T09:00:00Z", "2026-10-26 2026-10-26T09:00:00Z");
    check("2026-11-22T12:00:00Z", "2026-11-16 2026-11-16T09:00:00Z");
}

#[test]
fn a_month_without_evidence_before_it_is_not_due() {
    check("2026-12-31T00:00:00Z", &[], AUTO, "2026-12", &[]);
    check("2026-12-31T00:00:00Z", &[], AUTO, "2027-02", &[]);
}

proptest! {
    /// However often and however late it is woken, and however the clock jumps back, each
    /// month is drafted and published at most once, never before its time, and all are done
    /// in the end.
    #[test]
    fn each_month_once_and_never_early(
        wakes in proptest::collection::vec(0i64..400 * 24, 1..60),
        publish_on in 1u8..=28,
        hour in 0i8..24,
        zone in proptest::sample::select(vec!["Europe/London", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
    ) {
        let zone = TimeZone::get(zone).unwrap();
        let rules = rules(Publish::Auto, publish_on, Time::new(hour, 30, 0, 0).unwrap());
        let first: Month = "2026-01".parse().unwrap();
        let start = first.span(&zone).from_ms;
        let ledger = RefCell::new(BTreeSet::new());
        let mut instants: Vec<i64> = wakes.iter().map(|h| start + h * 3_600_000).collect();
        instants.push(start + 401 * 86_400_000);
        for now in instants {
            for task in due(now, &|t| ledger.borrow().contains(&t), &rules, &zone, first) {
                prop_assert!(ledger.borrow_mut().insert(task), "{task:?} twice");
                prop_assert!(now >= task.month().span(&zone).to_ms);
                if let Task::Publish(month) = task {
                    prop_assert!(now >= publish_at_ms(month, &rules, &zone));
                    prop_assert!(ledger.borrow().contains(&Task::Draft(month)));
                }
            }
        }
        // thirteen months are over by then, and the last may still wait for its day
        prop_assert!(ledger.borrow().len() >= 2 * 12);
    }
}
