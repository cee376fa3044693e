//! Levels over what a service desk hands in: tickets and counts, judged by month.

use std::time::Duration;

use mailward_catalogue::{Level, LevelHours, Measure};
use mailward_evidence::{
    Count, Extra, Instant, Ticket, TicketEvent, TicketEventKind, TicketEventKind::*,
};
use mailward_reporter::clock::Month;
use mailward_reporter::report::{Tallies, build};
use mailward_reporter::segment::Evidence;
use serde_json::{Value, json};

use crate::draw;
use crate::made;
use crate::tickets::core;

const NOW: &str = "2019-03-20T12:00:00Z";

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

fn ticket(id: &str, opened: &str, events: &[(&str, TicketEventKind)]) -> Ticket {
    Ticket {
        id: id.into(),
        severity: "2".into(),
        component: None,
        opened: at(opened),
        events: events
            .iter()
            .map(|(when, what)| TicketEvent { at: at(when), what: *what, extra: Extra::default() })
            .collect(),
        cancelled: false,
        extra: Extra::default(),
    }
}

/// The level as report.json has it.
fn judged(month: &str, measure: Measure, evidence: &Evidence) -> Value {
    let mut catalogue = made::catalogue(&draw::world(0));
    catalogue.service.zone = jiff::tz::TimeZone::get("Europe/London").unwrap();
    catalogue.hours = vec![core()];
    catalogue.levels = vec![Level {
        id: "desk".to_owned(),
        component: None,
        over: None,
        measure,
        hours: LevelHours::Named("core".to_owned()),
        unknown: mailward_catalogue::UnknownPolicy::Exclude,
        min_coverage: made::percent("90"),
        credits: Vec::new(),
    }];
    let month: Month = month.parse().unwrap();
    let report = build(&catalogue, month, evidence, &Tallies::default(), at(NOW).ms()).unwrap();
    serde_json::to_value(&report.levels[0]).unwrap()
}

fn resolution(month: &str, tickets: &[Ticket]) -> Value {
    let measure = Measure::Resolution {
        target: made::percent("100"),
        severity: "2".to_owned(),
        within: Duration::from_secs(48 * 3600),
        reopen_within: Some(Duration::from_secs(72 * 3600)),
    };
    judged(month, measure, &Evidence { tickets: tickets.to_vec(), ..Evidence::default() })
}

#[test]
fn a_ticket_says_what_the_contract_says() {
    let mine = ticket("INC1", "2019-02-14T21:30:00Z", &[("2019-02-18T09:29:00Z", Resolved)]);
    let mut other = mine.clone();
    other.severity = "3".into();
    let level = resolution("2019-02", &[mine, other]);
    assert_eq!(
        level["tickets"],
        json!([{
            "id": "INC1", "due": "2019-02-18T09:30:00Z", "used_s": 172_740, "paused_s": 0, "met": true
        }])
    );
    assert_eq!((&level["within_pct"], &level["met"]), (&json!(100.0), &json!(true)));
    assert_eq!(level["measure"], "resolution");
}

#[test]
fn a_ticket_belongs_to_the_month_that_decides_it() {
    let tickets = [
        // reopened in time, and resolved for good in March
        ticket(
            "reopened",
            "2019-02-25T09:00:00Z",
            &[
                ("2019-02-26T09:00:00Z", Resolved),
                ("2019-02-28T09:00:00Z", Reopened),
                ("2019-03-01T09:00:00Z", Resolved),
            ],
        ),
        // reopened too late: stays resolved in February
        ticket(
            "too-late",
            "2019-02-20T09:00:00Z",
            &[("2019-02-20T10:00:00Z", Resolved), ("2019-02-23T10:00:01Z", Reopened)],
        ),
        // the target passed on 4 February, and it is still open
        ticket("late", "2019-02-01T07:00:00Z", &[]),
        // paused before the target could pass
        ticket("paused", "2019-02-10T07:00:00Z", &[("2019-02-10T08:00:00Z", Paused)]),
        // resolved at an instant that has not come yet: open, and in time
        ticket("young", "2019-03-20T11:00:00Z", &[(NOW, Resolved)]),
        ticket("unborn", NOW, &[]),
    ];
    let ids = |level: &Value, list: &str| -> Vec<(String, Value)> {
        let list = level[list].as_array().unwrap().iter();
        list.map(|t| (t["id"].as_str().unwrap().to_owned(), t["met"].clone())).collect()
    };
    let told = |id: &str, met: Value| (id.to_owned(), met);
    let february = resolution("2019-02", &tickets);
    assert_eq!(
        ids(&february, "tickets"),
        [told("too-late", json!(true)), told("late", json!(false))]
    );
    assert_eq!(ids(&february, "open"), [told("paused", Value::Null)]);
    assert_eq!((&february["within_pct"], &february["met"]), (&json!(50.0), &json!(false)));
    assert_eq!(
        february["tickets"][0]["ignored"],
        json!(["reopened at 2019-02-23T10:00:01Z: too late after its resolution"])
    );
    assert_eq!(february["tickets"][1]["due"], "2019-02-04T10:00:00Z");
    let march = resolution("2019-03", &tickets);
    assert_eq!(ids(&march, "tickets"), [told("reopened", json!(true))]);
    assert_eq!(ids(&march, "open"), [told("paused", Value::Null), told("young", Value::Null)]);
    let january = resolution("2019-01", &tickets);
    assert_eq!((&january["within_pct"], &january["met"]), (&Value::Null, &Value::Null));
    assert_eq!(january["open"], json!([]));
}

#[test]
fn counts_of_the_month_are_added_up() {
    let count = |series: &str, from: &str, to: &str, good: u64, total: u64| Count {
        series: series.into(),
        from: at(from),
        to: at(to),
        good,
        total,
        extra: Extra::default(),
    };
    let counts = vec![
        count("calls", "2019-01-31T23:59:59Z", "2019-02-01T23:59:59Z", 0, 1000),
        count("calls", "2019-02-01T00:00:00Z", "2019-02-02T00:00:00Z", 950, 980),
        count("calls", "2019-02-28T00:00:00Z", "2019-03-02T00:00:00Z", 20, 20),
        count("mails", "2019-02-03T00:00:00Z", "2019-02-04T00:00:00Z", 0, 5),
        count("calls", "2019-03-19T00:00:00Z", NOW, 1, 3),
        count("calls", "2019-03-20T00:00:00Z", "2019-03-21T00:00:00Z", 5, 5),
    ];
    let evidence = Evidence { counts, ..Evidence::default() };
    for (month, good, total, shown, met) in [
        ("2019-02", 970, 1000, "97.000", json!(true)),
        ("2019-03", 1, 3, "33.333", json!(false)),
        ("2018-12", 0, 0, "n/a", Value::Null),
    ] {
        let target = made::percent("97");
        let level = judged(month, Measure::Ratio { target, series: "calls".to_owned() }, &evidence);
        assert_eq!((&level["good"], &level["total"]), (&json!(good), &json!(total)), "{month}");
        assert_eq!((&level["ratio_shown"], &level["met"]), (&json!(shown), &met), "{month}");
    }
}
