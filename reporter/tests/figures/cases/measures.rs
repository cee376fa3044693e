//! The worked cases of everything but availability: users, credits, mail, blocklists, tickets.

use std::collections::BTreeMap;
use std::time::Duration;

use mailward_catalogue::{Credit, Hours, Measure, Span as Declared, UnknownPolicy};
use mailward_evidence::{Extra, Instant, Ticket, TicketEvent, TicketEventKind};
use mailward_reporter::availability::exact::Ratio;
use mailward_reporter::availability::whole::Weighed;
use mailward_reporter::availability::{Sums, credit};
use mailward_reporter::clock::Month;
use mailward_reporter::report::model::Report;
use mailward_reporter::report::{Tallies, Tally, build};
use mailward_reporter::segment::Delivery;
use serde_json::Value;

use super::{MINUTE, case, close, look, ms, quiet, spans, zone_span};
use crate::made;
use crate::tickets::{core, reading};
use crate::world::World;
#[test]
fn users_weigh() {
    let case = case("user_minutes_weighting");
    let month = zone_span("2019-02", "Europe/London").len_ms();
    let users = case.input["users"].as_u64().unwrap();
    let incidents = case.input["incidents"].as_array().unwrap();
    let (all, some) = (&incidents[0], &incidents[1]);
    let minutes = |incident: &Value| incident["minutes"].as_i64().unwrap() * MINUTE;
    let fewer = some["users"].as_u64().unwrap();
    let sums = |down_ms| Sums { service_ms: month, down_ms, ..Sums::default() };
    let groups = [(users - fewer, sums(minutes(all))), (fewer, sums(minutes(all) + minutes(some)))];
    let none = made::percent("0");
    let judge = |groups: &[(u64, Sums)]| {
        Weighed::of(groups).judge(none, UnknownPolicy::Exclude, none).availability
    };
    let weighted = judge(&groups).unwrap();
    close(&case.name, "uptime_pct", weighted.pct(), &case.expected["uptime_pct"]);
    let plain = Ratio::without(minutes(all) + minutes(some), month).unwrap();
    close(&case.name, "unweighted_pct", plain.pct(), &case.expected["unweighted_pct"]);
    assert_eq!(judge(&[]), None);
}

#[test]
fn credits_come_by_tiers() {
    let case = case("service_credit_tiers");
    let tiers: Vec<Credit> = case.input["tiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tier| Credit {
            below: made::percent(tier[0].as_str().unwrap().trim_start_matches('<')),
            credit: made::percent(&tier[1].to_string()),
        })
        .collect();
    let shares = case.input["availability_pct"].as_array().unwrap();
    for (share, expect) in shares.iter().zip(case.expected["credit_pct"].as_array().unwrap()) {
        let units = made::percent(share.as_str().unwrap()).units();
        let ratio = Ratio::new(i128::from(units), 10_000_000_000).unwrap();
        let got = credit(ratio, &tiers).map_or("0".to_owned(), |credit| credit.to_string());
        assert_eq!(got, expect.to_string(), "{share}");
    }
}

/// The only level of a report of a month in which nothing was seen, by this measure.
fn only(measure: Measure, tallies: Tally, world: &World) -> Report {
    let mut catalogue = made::catalogue(world);
    catalogue.levels = vec![made::level("l", world, measure)];
    let month: Month = world.month.parse().unwrap();
    let tallies = Tallies { by_level: BTreeMap::from([("l".to_owned(), tallies)]) };
    let evidence = made::evidence(world, (0, world.now));
    build(&catalogue, month, &evidence, &tallies, world.now).unwrap()
}

#[test]
fn lost_mail_is_slower_than_any_other() {
    let case = case("delivery_percentiles_with_lost_mail");
    let arrived = case.input["delivered_s"].as_array().unwrap();
    let arrived = arrived.iter().map(|s| s.as_i64().map(|s| s * 1000));
    let lost = [None, Some(case.input["cutoff_s"].as_i64().unwrap() * 1000 + 1)];
    let mails: Vec<Delivery> = arrived
        .chain(lost)
        .enumerate()
        .map(|(i, delivery_ms)| Delivery { due_ms: i64::try_from(i).unwrap(), delivery_ms })
        .collect();
    let measure = Measure::DeliveryTime {
        target: made::percent("95"),
        within: Duration::from_secs(case.input["threshold_s"].as_u64().unwrap()),
        lost_after: Duration::from_secs(case.input["cutoff_s"].as_u64().unwrap()),
    };
    let world = quiet(&serde_json::json!({"month": "2019-02"}));
    let report = only(measure, Tally::Deliveries(mails), &world);
    let json = serde_json::to_value(&report.levels[0]).unwrap();
    for (key, expect) in [
        ("sent", Value::from(20)),
        ("delivered", Value::from(18)),
        ("lost", Value::from(2)),
        ("p50_s", Value::from(10)),
        ("p90_s", Value::from(18)),
        ("p95_s", Value::Null),
        ("p99_s", Value::Null),
        ("within_pct", Value::from(75.0)),
        ("met", Value::from(false)),
    ] {
        assert_eq!(json[key], expect, "{key}");
    }
    let wrong = &case.expected["wrong_if_lost_ignored"];
    assert_ne!(json["within_pct"], wrong["within_threshold_pct"]);
}

#[test]
fn exposure_is_the_union_over_lists() {
    let case = case("blacklist_exposure_two_lists");
    let mut world = quiet(&case.input);
    let lists: Vec<Vec<(i64, i64)>> =
        ["listA", "listB"].iter().map(|list| spans(&case.input["listings"][list], 0)).collect();
    let all: Vec<(i64, i64)> = lists.iter().flatten().copied().collect();
    look(&mut world, 0, &all, &[]);
    for seen in &mut world.outcomes {
        let on = |list: &Vec<(i64, i64)>| list.iter().any(|(a, b)| (*a..*b).contains(&seen.due));
        seen.lists = (0..2).filter(|i| on(&lists[usize::from(*i)])).collect();
    }
    let target = Duration::ZERO;
    let report = only(Measure::Listing { target }, Tally::Deliveries(Vec::new()), &world);
    let json = serde_json::to_value(&report.levels[0]).unwrap();
    assert_eq!(json["exposed_s"], case.expected["exposed_s"]);
    assert_eq!(json["list_s"], case.expected["list_seconds"]);
    assert_eq!(json["met"], false);
    let month_s = report.period.seconds.0 / 1000;
    assert_eq!(json["observed_s"], month_s);
    let exposed = Ratio::new(json["exposed_s"].as_i64().unwrap().into(), month_s.into()).unwrap();
    close(&case.name, "share", exposed.pct(), &case.expected["share_of_month_pct"]);
}

fn ticket(opened: &Value, events: &[(&Value, TicketEventKind)]) -> Ticket {
    let at = |value: &Value| Instant::from_ms(ms(value)).unwrap();
    Ticket {
        id: "INC1".into(),
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

#[test]
fn ticket_clocks_run_in_their_hours() {
    let easter = Hours {
        name: "office".to_owned(),
        weekly: std::array::from_fn(|day| {
            if day < 5 { vec![Declared { from_min: 540, to_min: 1020 }] } else { Vec::new() }
        }),
        holidays: ["2019-04-19", "2019-04-22"].iter().map(|d| d.parse().unwrap()).collect(),
    };
    for (name, hours, target) in [
        ("clock_48h_start_21_30", core(), "target_core_s"),
        ("clock_48h_across_spring_forward", core(), "target_core_s"),
        ("clock_business_hours_easter", easter, "target_s"),
    ] {
        let case = case(name);
        let opened = &case.input["opened"];
        let within_ms = case.input[target].as_i64().unwrap() * 1000;
        let ticket = ticket(opened, &[]);
        let reading = reading(&ticket, &hours, within_ms, None, ms(opened) + 1);
        let due = ms(&case.expected["due"]);
        assert_eq!(reading.due_ms, Some(due), "{name}");
        if let Some(elapsed_s) = case.expected["wall_elapsed_s"].as_i64() {
            assert_eq!((due - ms(opened)) / 1000, elapsed_s, "{name}");
        }
    }
}

#[test]
fn a_pause_counts_in_hours() {
    let case = case("clock_pause_overnight");
    let (pause, resolved) = (&case.input["pauses"][0], &case.input["resolved"]);
    let ticket = ticket(
        &case.input["opened"],
        &[
            (&pause[0], TicketEventKind::Paused),
            (&pause[1], TicketEventKind::Resumed),
            (resolved, TicketEventKind::Resolved),
        ],
    );
    let within_ms = case.input["target_core_s"].as_i64().unwrap() * 1000;
    let reading = reading(&ticket, &core(), within_ms, None, ms(resolved) + 1);
    assert_eq!(case.expected["core_elapsed_net_s"], reading.used_ms / 1000);
    assert_eq!(case.expected["core_paused_s"], reading.paused_ms / 1000);
    let gross_s = (reading.used_ms + reading.paused_ms) / 1000;
    assert_eq!(case.expected["core_elapsed_gross_s"], gross_s);
    assert!(reading.used_ms <= within_ms, "reaching the target exactly meets it");
}

#[test]
fn a_re_opened_ticket_is_the_same_ticket() {
    let case = case("clock_reopen_within_72h");
    let input = &case.input;
    let ticket = ticket(
        &input["opened"],
        &[
            (&input["resolved"], TicketEventKind::Resolved),
            (&input["reopened"], TicketEventKind::Reopened),
            (&input["resolved_again"], TicketEventKind::Resolved),
        ],
    );
    let within_ms = input["target_core_s"].as_i64().unwrap() * 1000;
    let limit_ms = input["reopen_limit_elapsed_s"].as_i64().map(|s| s * 1000);
    let at = |now: i64| reading(&ticket, &core(), within_ms, limit_ms, now);
    let first = at(ms(&input["resolved"]) + 1);
    assert_eq!(case.expected["used_before_reopen_s"], first.used_ms / 1000);
    assert!(first.resolved_ms.is_some() && first.used_ms <= within_ms);
    let last = at(ms(&input["resolved_again"]) + 1);
    assert_eq!(case.expected["total_core_s"], last.used_ms / 1000);
    assert_eq!(last.due_ms, Some(ms(&case.expected["due_after_reopen"])));
    assert!(last.used_ms <= within_ms && last.ignored.is_empty());
}
