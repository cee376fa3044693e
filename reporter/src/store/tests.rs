//! The store as a whole: any order of arrival gives what folding everything would, whatever
//! is asked of it, and other processes may write beside it.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::Secret;
use mailward_evidence::{
    AgentName, Clock, Count, Exclusion, Extra, Instant, Listing, ManualClock, Outcome, ProbeId,
    Reason, Record, Roster, RosterProbe, SiteName, Verdict, wire,
};
use proptest::prelude::*;

use super::agents::OLD_TOKEN_MS;
use super::blocks::Sizes;
use super::span::{self, Span};
use super::writer::Limits;
use super::{Accepted, NewEdition, Source, Store, StoreError, codec, words::Words};
use crate::segment::{Evidence, Segment};

mod changes;
mod compact;
mod counted;
mod model;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new("2026-10-01T00:00:00Z".parse().unwrap()))
}

const SMALL: Limits = Limits { block: Sizes { small: 4, large: 12 }, head: 6, head_per_stream: 1 };

struct Home {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: Store,
}

fn home(limits: Limits) -> Home {
    let (dir, clock) = (tempfile::tempdir().unwrap(), clock());
    let store = Store::open_with(dir.path(), clock.clone(), limits).unwrap();
    Home { dir, clock, store }
}

impl Home {
    fn another(&self) -> Store {
        Store::open_with(self.dir.path(), self.clock.clone(), SMALL).unwrap()
    }

    fn take(&self, lines: &str) -> (u64, u64, u64) {
        let records = wire::decode_lines(lines.as_bytes()).unwrap();
        counts(self.store.ingest(records, Source::Import).unwrap())
    }
}

fn counts(a: Accepted) -> (u64, u64, u64) {
    (a.accepted, a.duplicates, a.conflicts)
}

fn outcome(agent: &str, probe: &str, due_ms: i64, verdict: Verdict) -> Outcome {
    let (agent, probe) = (AgentName::new(agent).unwrap(), ProbeId::new(probe).unwrap());
    Outcome::new(agent, probe, Instant::from_ms(due_ms).unwrap(), 60_000, verdict)
}

const LATER: i64 = 4_000_000_000_000;

fn evidence(store: &Store) -> Evidence {
    store.evidence(0, LATER, LATER).unwrap()
}

fn exported(store: &Store) -> Vec<u8> {
    let mut out = Vec::new();
    store.export(None, None, &mut out).unwrap();
    out
}

#[test]
fn revisions_duplicates_and_conflicts_are_told_apart() {
    let line = |revision: u32, took: u32| {
        format!(
            r#"{{"v":1,"kind":"outcome","agent":"a","probe":"p","due":"2026-10-01T00:00:00Z","attempt":0,"revision":{revision},"next_due_s":60,"took_ms":{took},"verdict":"up","reason":null,"phases":{{}},"facts":{{}}}}"#
        )
    };
    // each step: revision, duration, what becomes of it; settled in between or not
    let steps = [
        (1, 10, (1, 0, 0)),
        (1, 10, (0, 1, 0)),
        (1, 11, (0, 0, 1)),
        (0, 10, (0, 0, 1)),
        (3, 12, (1, 0, 0)),
        (1, 10, (0, 1, 0)),
        (2, 13, (0, 0, 1)),
        (3, 14, (0, 0, 1)),
    ];
    for settle in [false, true] {
        let home = home(Limits::default());
        for (revision, took, expect) in steps {
            let offset = line(revision, took).replace("00:00:00Z", "01:00:00+01:00");
            assert_eq!(home.take(&offset), expect, "revision {revision}, took {took}");
            if settle {
                home.store.settle().unwrap();
            }
        }
        let text = String::from_utf8(exported(&home.store)).unwrap();
        assert_eq!(
            text,
            format!("{}\n{}\n", line(1, 10), line(3, 12))
                .replace("10,", "10.0,")
                .replace("12,", "12.0,")
        );
        let tallies = home.store.tallies().unwrap();
        assert_eq!(counts(tallies[0].counted), (2, 2, 4));
    }
}

#[test]
fn within_one_body_the_first_of_two_that_differ_stays() {
    let home = home(Limits::default());
    let mut other = outcome("a", "p", 0, Verdict::Down);
    let first = outcome("a", "p", 0, Verdict::Up);
    other.reason = Some(Reason::Timeout);
    let body = vec![first.clone(), other, first.clone()].into_iter().map(Record::Outcome);
    let done = home.store.ingest(body.collect(), Source::Import).unwrap();
    assert_eq!(counts(done), (1, 1, 1));
    assert_eq!(evidence(&home.store).streams[0].segments[0].verdict, Verdict::Up);
}

#[test]
fn later_versions_of_rosters_exclusions_tickets_and_counts_supersede() {
    let home = home(Limits::default());
    let at = |ms| Instant::from_ms(ms).unwrap();
    let roster = |probes: &[&str]| {
        Record::Roster(Roster {
            agent: AgentName::new("a").unwrap(),
            site: SiteName::new("internet").unwrap(),
            at: at(5),
            probes: probes
                .iter()
                .map(|p| RosterProbe {
                    id: ProbeId::new(p).unwrap(),
                    every_s: Some(60),
                    extra: Extra::default(),
                })
                .collect(),
            extra: Extra::default(),
        })
    };
    let take =
        |record: &Record| counts(home.store.ingest(vec![record.clone()], Source::Import).unwrap());
    assert_eq!(take(&roster(&["p"])), (1, 0, 0));
    assert_eq!(take(&roster(&["p", "q"])), (1, 0, 0));
    assert_eq!(take(&roster(&["p"])), (0, 1, 0), "equal to any stored version");
    assert_eq!(evidence(&home.store).rosters[0].probes.len(), 2);

    let exclusion = |approved, cancelled| {
        Record::Exclusion(Exclusion {
            id: "MW-7".into(),
            class: mailward_evidence::ExclusionClass::Maintenance,
            components: vec![mailward_evidence::ComponentId::new("owa").unwrap()],
            from: at(100),
            to: at(200),
            announced: None,
            approved,
            by: Some("manager".into()),
            reason: None,
            cancelled,
            extra: Extra::default(),
        })
    };
    let first_seen = home.clock.now().as_millisecond();
    assert_eq!(take(&exclusion(None, false)), (1, 0, 0));
    home.clock.advance(Duration::from_secs(60));
    assert_eq!(take(&exclusion(Some(at(50)), false)), (1, 0, 0));
    let seen = &home.store.evidence(0, 300, 50).unwrap().exclusions[0];
    assert_eq!((seen.first_seen_ms, seen.exclusion.approved), (first_seen, Some(at(50))));
    let seen = &home.store.evidence(0, 300, 49).unwrap().exclusions[0];
    assert_eq!(seen.exclusion.approved, None, "given after now");
    assert_eq!(take(&exclusion(Some(at(50)), true)), (1, 0, 0));
    assert!(evidence(&home.store).exclusions.is_empty(), "withdrawn");

    let ticket = r#"{"v":1,"kind":"ticket","id":"T","severity":"2","opened":"2026-10-01T00:00:00Z","events":[{"at":"2026-10-01T01:00:00Z","what":"resolved"}]}"#;
    assert_eq!(home.take(ticket), (1, 0, 0));
    let opened = first_seen;
    assert!(home.store.evidence(0, opened, opened).unwrap().tickets.is_empty());
    assert!(home.store.evidence(0, opened, opened + 1).unwrap().tickets[0].events.is_empty());
    let resolved = opened + 3_600_001;
    assert_eq!(home.store.evidence(0, opened, resolved).unwrap().tickets[0].events.len(), 1);

    let count = |good| {
        Record::Count(Count {
            series: "calls".into(),
            from: at(0),
            to: at(1000),
            good,
            total: 9,
            extra: Extra::default(),
        })
    };
    assert_eq!(take(&count(5)), (1, 0, 0));
    assert_eq!(take(&count(6)), (1, 0, 0));
    assert!(home.store.evidence(0, 1000, 999).unwrap().counts.is_empty());
    assert_eq!(home.store.evidence(0, 1000, 1000).unwrap().counts[0].good, 6);

    let copy = Home { store: home.another(), ..home_like() };
    assert_eq!(exported(&copy.store), exported(&home.store));
}

fn home_like() -> Home {
    home(SMALL)
}

#[test]
fn an_export_imported_elsewhere_is_the_same_evidence() {
    let home = home(SMALL);
    home.take(include_str!("tests/sample.jsonl"));
    let out = exported(&home.store);
    let other = home_like();
    other.clock.advance(Duration::from_secs(86_400));
    let import = |store: &Store| crate::ingest::file::import(store, &*out, &mut |_| {}).unwrap();
    assert_eq!(import(&other.store).accepted, 11);
    assert_eq!(evidence(&other.store), evidence(&home.store));
    assert_eq!(exported(&other.store), out);
    assert_eq!(import(&other.store), Accepted { duplicates: 11, ..Accepted::default() });
    assert_eq!(import(&home.store), Accepted { duplicates: 11, ..Accepted::default() });
    let packed = wire::pack_zstd(&out).unwrap();
    let done = crate::ingest::file::import(&other.store, &*packed, &mut |_| {}).unwrap();
    assert_eq!(done.duplicates, 11);
}

#[test]
fn a_bad_line_keeps_nothing_of_its_file() {
    let home = home(SMALL);
    let mut text = include_str!("tests/sample.jsonl").to_owned();
    text.push_str("\n{\"v\":1,\"kind\":\"outcome\"}\n");
    let error = crate::ingest::file::import(&home.store, text.as_bytes(), &mut |_| {}).unwrap_err();
    insta::assert_snapshot!(error, @"line 14: outcome: missing field `next_due_s` at column 24");
    assert_eq!(evidence(&home.store), Evidence::default());
    assert!(exported(&home.store).is_empty());
    assert_eq!(home.take(include_str!("tests/sample.jsonl")).0, 11);
}

#[test]
fn another_process_may_write_beside() {
    let home = home(SMALL);
    let other = home.another();
    for i in 0..40 {
        let store = if i % 2 == 0 { &home.store } else { &other };
        let before = home.store.generation().unwrap();
        let mut new = outcome("a", &format!("p{}", i % 3), i * 60_000, Verdict::Up);
        new.facts.set(&format!("fact {i}"), "value".into());
        let record = Record::Outcome(new);
        assert_eq!(counts(store.ingest(vec![record.clone()], Source::Import).unwrap()), (1, 0, 0));
        assert!(home.store.generation().unwrap() > before);
        let again = if i % 3 == 0 { &home.store } else { &other };
        assert_eq!(counts(again.ingest(vec![record], Source::Import).unwrap()), (0, 1, 0));
    }
    assert_eq!(evidence(&home.store), evidence(&other));
    assert_eq!(exported(&home.store).iter().filter(|b| **b == b'\n').count(), 40);
}

#[test]
fn many_at_once_are_all_stored_once() {
    let home = home(SMALL);
    std::thread::scope(|scope| {
        for agent in 0..4 {
            let store = home.store.clone();
            scope.spawn(move || {
                let name = format!("a{}", agent / 2); // two of each, delivering the same
                for body in 0..20 {
                    let records = (0..5).map(|i| {
                        Record::Outcome(outcome(&name, "p", (body * 5 + i) * 60_000, Verdict::Up))
                    });
                    let source = Source::Agent(AgentName::new(&name).unwrap());
                    store.ingest(records.collect(), source).unwrap();
                }
            });
        }
    });
    let streams = evidence(&home.store).streams;
    assert_eq!(streams.iter().map(|s| s.segments[0].count).collect::<Vec<_>>(), [100, 100]);
    let tallies = home.store.tallies().unwrap();
    assert_eq!(counts(tallies[0].counted), (100, 100, 0));
    assert_eq!(home.store.agents_seen().unwrap().len(), 2);
}

#[test]
fn the_last_value_of_a_fact_is_found_wherever_it_lies() {
    let home = home(SMALL);
    let take = |minute: i64, value: Option<&str>| {
        let mut seen = outcome("a", "p", minute * 60_000, Verdict::Up);
        if let Some(value) = value {
            seen.facts.set("expires", value.into());
        }
        home.store.ingest(vec![Record::Outcome(seen)], Source::Import).unwrap();
    };
    let found = |looked: Option<i64>, now: i64| -> Option<(i64, Option<String>)> {
        let looked_ns = |_: &AgentName, _: &ProbeId| looked.map(|m| m * 60_000_000_000);
        let found = home.store.last_facts("expires", &looked_ns, now * 60_000).unwrap();
        let last = found.into_iter().next()?;
        Some((last.looked_ns / 60_000_000_000, last.value.map(String::from)))
    };
    let some = |minute: i64, value: &str| Some((minute, Some(value.to_owned())));
    assert_eq!(found(None, 100), None);
    take(0, Some("one"));
    assert_eq!(found(None, 100), some(0, "one"));
    assert_eq!(found(None, 0), None);
    home.store.settle().unwrap();
    assert_eq!(found(None, 100), some(0, "one"));
    take(1, Some("two"));
    take(2, None);
    assert_eq!(found(Some(0), 100), some(2, "two"));
    assert_eq!(found(Some(1), 100), Some((2, None)));
    assert_eq!(found(Some(2), 100), None);
    assert_eq!(found(Some(50), 2), None);
    home.store.settle().unwrap();
    assert_eq!(found(Some(0), 100), some(2, "two"));
}

#[test]
fn tokens_open_only_what_they_should() {
    let home = home(SMALL);
    let name = AgentName::new("leeds-1").unwrap();
    let who = |token: &str| home.store.authenticate(token).unwrap().map(|a| a.name);
    let token = home.store.add_agent(&name, Some(&SiteName::new("internet").unwrap())).unwrap();
    assert_eq!(token.expose().len(), 4 + 64);
    assert_eq!(who(token.expose()), Some(name.clone()));
    assert_eq!(who(&token.expose()[1..]), None);
    let known = home.store.add_agent(&name, None).unwrap_err();
    assert!(matches!(known, StoreError::AgentKnown(_)), "{known}");

    let newer = home.store.rotate_agent(&name).unwrap();
    assert_eq!(who(token.expose()), Some(name.clone()), "until the new one is used");
    assert_eq!((who(newer.expose()), who(token.expose())), (Some(name.clone()), None));
    home.store.revoke_agent(&name).unwrap();
    assert_eq!(who(newer.expose()), None);
    let back = home.store.add_agent(&name, None).unwrap();
    assert_eq!(who(back.expose()), Some(name.clone()));

    let at = Instant::from_ms(1000).unwrap();
    home.store.retire_agent(&name, at).unwrap();
    let roster = &evidence(&home.store).rosters[0];
    assert_eq!((&roster.agent, roster.at, roster.probes.len()), (&name, at, 0));
    assert_eq!(home.store.list_agents().unwrap()[0].retired_ms, Some(1000));
    let stranger = AgentName::new("nobody").unwrap();
    let error = home.store.retire_agent(&stranger, at).unwrap_err();
    assert!(matches!(error, StoreError::AgentUnknown(_)), "{error}");
    let bytes = std::fs::read(home.dir.path().join(super::schema::FILE)).unwrap();
    let wal = std::fs::read(home.dir.path().join("mailward.sqlite-wal")).unwrap_or_default();
    for file in [bytes, wal] {
        let found = file.windows(64).any(|w| w == &back.expose().as_bytes()[4..]);
        assert!(!found, "the token itself must not be on disk");
    }
}

#[test]
fn a_rotation_leaves_no_gap_and_has_an_end() {
    let home = home(SMALL);
    let name = AgentName::new("leeds-1").unwrap();
    let who = |token: &Secret| home.store.authenticate(token.expose()).unwrap().is_some();
    let until = || home.store.list_agents().unwrap()[0].old_token_until_ms;
    let first = home.store.add_agent(&name, None).unwrap();
    assert_eq!(until(), None);
    // the token between two rotations was never the agent's
    let between = home.store.rotate_agent(&name).unwrap();
    let second = home.store.rotate_agent(&name).unwrap();
    assert!(until().is_some());
    assert_eq!((who(&first), who(&between)), (true, false));
    assert!(who(&second));
    assert_eq!((until(), who(&first), who(&second)), (None, false, true));
    // one that nobody takes up: the old one ends by its time
    let third = home.store.rotate_agent(&name).unwrap();
    let grace = Duration::from_millis(OLD_TOKEN_MS.unsigned_abs());
    home.clock.advance(grace - Duration::from_millis(1));
    assert!(who(&second));
    home.clock.advance(Duration::from_millis(1));
    assert_eq!((who(&second), who(&third)), (false, true));
    // revoking ends both, and a rotation after it brings neither back
    let fourth = home.store.rotate_agent(&name).unwrap();
    home.store.revoke_agent(&name).unwrap();
    assert_eq!((who(&third), who(&fourth)), (false, false));
    let fifth = home.store.rotate_agent(&name).unwrap();
    assert_eq!((who(&third), who(&fourth), who(&fifth)), (false, false, true));
    let sixth = home.store.rotate_agent(&name).unwrap();
    home.store.revoke_agent(&name).unwrap();
    home.store.add_agent(&name, None).unwrap();
    assert_eq!((who(&fifth), who(&sixth)), (false, false));
}

#[test]
fn editions_are_numbered_and_never_rewritten() {
    let home = home(SMALL);
    let edition = |edition, reason: Option<&str>| NewEdition {
        month: "2026-10".to_owned(),
        edition,
        as_of_ms: 1,
        published_ms: 2,
        by: "manager".to_owned(),
        reason: reason.map(str::to_owned),
        report_json: format!("{{\"edition\":{edition}}}"),
        pdf: vec![1, 2, 3],
        outages_csv: String::new(),
        daily_csv: String::new(),
        definition_toml: String::new(),
        segments: vec![],
        seal: None,
    };
    let put = |e: NewEdition| home.store.put_edition(e);
    assert_eq!(home.store.next_edition("2026-10").unwrap(), 1);
    assert_eq!(put(edition(1, None)).unwrap(), 1);
    assert!(matches!(put(edition(1, None)), Err(StoreError::EditionTaken { next: 2, .. })));
    assert!(matches!(put(edition(2, Some(" "))), Err(StoreError::ReasonMissing { .. })));
    assert_eq!(put(edition(2, Some("late evidence"))).unwrap(), 2);
    let found = home.store.edition("2026-10", None).unwrap().unwrap();
    assert_eq!(found, edition(2, Some("late evidence")));
    assert_eq!(home.store.edition("2026-10", Some(1)).unwrap(), Some(edition(1, None)));
    assert_eq!(home.store.editions(Some("2026-10")).unwrap().len(), 2);
    assert!(home.store.editions(Some("2026-09")).unwrap().is_empty());
    let conn = rusqlite::Connection::open(home.dir.path().join(super::schema::FILE)).unwrap();
    for statement in ["UPDATE edition SET pdf = x''", "DELETE FROM edition"] {
        let error = conn.execute(statement, []).unwrap_err().to_string();
        assert!(error.starts_with("an edition is never"), "{error}");
    }
}

#[test]
fn the_calendar_finds_what_it_noted() {
    let home = home(SMALL);
    assert_eq!(home.store.ledger_get("draft 2026-10").unwrap(), None);
    home.store.ledger_put("draft 2026-10", "done").unwrap();
    home.store.ledger_put("draft 2026-10", "done twice").unwrap();
    assert_eq!(home.store.ledger_get("draft 2026-10").unwrap().as_deref(), Some("done twice"));
    home.store.probe_writable().unwrap();
}

#[test]
fn a_damaged_block_is_told_and_not_believed() {
    let home = home(SMALL);
    let records = (0..8).map(|i| {
        let mut o = outcome("a", "p", i * 60_000, Verdict::Up);
        o.facts.set("greeting", "hello ".repeat(20).into());
        Record::Outcome(o)
    });
    home.store.ingest(records.collect(), Source::Import).unwrap();
    home.store.settle().unwrap();
    let conn = rusqlite::Connection::open(home.dir.path().join(super::schema::FILE)).unwrap();
    conn.execute("UPDATE block SET run = substr(run, 1, length(run) / 2)", []).unwrap();
    let error = home.store.export(None, None, &mut std::io::sink()).unwrap_err();
    assert!(matches!(error, StoreError::Damaged(_)), "{error}");
}

#[test]
fn old_raw_outcomes_go_and_what_rests_on_segments_stays() {
    let home = home(SMALL);
    let mut records = Vec::new();
    for i in 0..100 {
        let down = i % 10 == 3;
        let verdict = if down { Verdict::Down } else { Verdict::Up };
        let mut o = outcome("a", "mail", i * 60_000, verdict);
        o.took_ms = Some(5.0);
        o.delivery_s = (!down).then_some(1.5);
        records.push(Record::Outcome(o));
    }
    home.store.ingest(records.clone(), Source::Import).unwrap();
    let probes = [ProbeId::new("mail").unwrap()];
    let all = |store: &Store| {
        (
            evidence(store),
            store.deliveries(0, LATER, &probes).unwrap(),
            store.histograms(0, LATER, &probes).unwrap(),
            store.last_outcomes(LATER).unwrap(),
        )
    };
    let before = all(&home.store);
    assert_eq!(before.1.len(), 100);
    let gone = home.store.forget_raw(50 * 60_000, 0).unwrap();
    assert!((40..=50).contains(&gone), "{gone}");
    assert_eq!(all(&home.store), before);
    let runs = home.store.for_each_run(0, LATER, &probes, &mut |_, _, _| {}).unwrap_err();
    assert!(matches!(runs, StoreError::RawGone { .. }), "{runs}");
    let mut kept = 0;
    home.store.for_each_run(60 * 60_000, LATER, &probes, &mut |_, _, _| kept += 1).unwrap();
    assert_eq!(kept, 40);
    // what was stored is a duplicate, what differs a conflict, and neither changes a figure
    assert_eq!(counts(home.store.ingest(records.clone(), Source::Import).unwrap()), (0, 100, 0));
    let other = Record::Outcome(outcome("a", "mail", 90_000, Verdict::Unknown));
    assert_eq!(counts(home.store.ingest(vec![other], Source::Import).unwrap()), (0, 0, 1));
    assert_eq!(all(&home.store), before);
    // counted from the last outcome of a stream: what is imported of long ago is all kept
    assert_eq!(home.store.forget_raw(LATER, 60 * 60_000).unwrap(), 0);
    home.store.forget_raw(LATER, 0).unwrap();
    let next = Record::Outcome(outcome("a", "mail", 100 * 60_000, Verdict::Up));
    assert_eq!(counts(home.store.ingest(vec![next], Source::Import).unwrap()), (1, 0, 0));
    assert_eq!(evidence(&home.store).streams[0].segments.last().unwrap().count, 7);
}
