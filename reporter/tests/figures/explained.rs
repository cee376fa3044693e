//! What made a figure adds up to it: on random months through the store, every interval, run
//! and listing that is told, to the millisecond; and by hand for mails, tickets and counts.

use std::time::Duration;

use mailward_catalogue::{Catalogue, Level, Measure};
use mailward_evidence::{Outcome, Record, Verdict};
use mailward_reporter::interval::{Set, Span};
use mailward_reporter::month::{Basis, Detail, Month, compute, compute_to};
use mailward_reporter::report::grounds::{
    ClockState, CountsAs, Grounds, Interval, LeftOut, ListingGrounds, RunGrounds, Said, SiteGround,
    TicketGrounds, TimeGrounds,
};
use mailward_reporter::report::model::{Availability, Figure, LevelFigure, Ms, Report};
use mailward_reporter::store::{Source, Store};

use crate::draw;
use crate::made;
use crate::stored;
use crate::world::World;

fn in_full(world: &World, store: &Store, level: &str) -> LevelFigure {
    let month: Month = world.month.parse().unwrap();
    let how = (Basis::Kept, Detail::Level(level));
    let catalogue = made::catalogue(world);
    let report = compute_to(store, &catalogue, month, world.now, how).unwrap();
    report.levels.into_iter().find(|figure| figure.id == level).unwrap()
}

/// `MAILWARD_STORED_WORLDS` sets how many are tried.
#[test]
fn what_is_told_adds_up_to_the_figure() {
    let worlds = std::env::var("MAILWARD_STORED_WORLDS").ok().and_then(|n| n.parse().ok());
    for seed in 100..100 + worlds.unwrap_or(16) {
        let world = draw::world(seed);
        let (_directory, store) = stored::store(&world, seed);
        for level in ["availability", "success", "response", "listing"] {
            let figure = in_full(&world, &store, level);
            let context = format!("seed {seed}, {level}: {:#?}", figure.grounds);
            let grounds = figure.grounds.as_deref().unwrap();
            assert_eq!(grounds.left_out(), LeftOut::default(), "{context}");
            match (grounds, &figure.figure) {
                (Grounds::Time(told), Figure::Availability(a)) => {
                    check_time(told, a, &world, &context);
                }
                (Grounds::Runs(told), Figure::Success(share) | Figure::ResponseTime(share)) => {
                    check_runs(told, share.total - share.good, &context);
                }
                (Grounds::Listings(told), Figure::Listing(listing)) => {
                    check_listings(told, (listing.exposed_s, listing.list_s), &context);
                }
                _ => panic!("grounds of another measure: {context}"),
            }
        }
    }
}

fn check_time(told: &TimeGrounds, figure: &Availability, world: &World, context: &str) {
    let sum = |counts_as: CountsAs| -> Ms {
        let own = told.intervals.iter().filter(|interval| interval.counts_as == counts_as);
        Ms(own.map(|interval| interval.length_s.0).sum())
    };
    assert_eq!(sum(CountsAs::Down), figure.down_s, "{context}");
    assert_eq!(sum(CountsAs::Unknown), figure.unknown_s, "{context}");
    assert_eq!(sum(CountsAs::Excluded), figure.excluded_s, "{context}");
    assert_eq!(told.blips.len() as u64, figure.blips, "{context}");
    let [total] = told.sums.as_slice() else { panic!("one component: {context}") };
    let sums = (total.service_s, total.excluded_s, total.down_s, total.unknown_s, total.blips);
    let figures = (figure.service_s, figure.excluded_s, figure.down_s, figure.unknown_s);
    assert_eq!((sums.0, sums.1, sums.2, sums.3), figures, "{context}");
    assert_eq!(total.blips, figure.blips, "{context}");
    let down: Vec<_> = told
        .intervals
        .iter()
        .filter(|interval| interval.counts_as == CountsAs::Down)
        .map(|interval| (interval.from, interval.to))
        .collect();
    let outages: Vec<_> = figure.outages.iter().map(|outage| (outage.from, outage.to)).collect();
    assert_eq!(down, outages, "{context}");
    for interval in &told.intervals {
        check_interval(interval, world, context);
    }
    for blip in &told.blips {
        assert!((1..u64::from(blip.confirm)).contains(&blip.outcomes), "{blip:?} {context}");
    }
}

fn check_interval(interval: &Interval, world: &World, context: &str) {
    assert_eq!(interval.to.0 - interval.from.0, interval.length_s.0, "{context}");
    let context = format!("{interval:#?} {context}");
    match interval.counts_as {
        CountsAs::Down => assert!(!interval.probes.is_empty(), "{context}"),
        CountsAs::Excluded => {
            let parts = interval.exclusions.iter().map(|e| e.length_s.0);
            assert!(parts.sum::<i64>() >= interval.length_s.0, "{context}");
        }
        CountsAs::Unknown => {
            let nobody = interval.why.contains("none of its probes");
            assert_eq!(interval.probes.is_empty(), nobody, "{context}");
        }
    }
    for probe in &interval.probes {
        assert!(probe.length_s <= interval.length_s && !probe.sites.is_empty(), "{context}");
        for site in &probe.sites {
            assert!(site.length_s <= probe.length_s && !site.records.is_empty(), "{context}");
            check_site(site, world, &context);
        }
    }
}

/// Enough agents say down for as long as the site is down, and outcomes stand behind each.
fn check_site(site: &SiteGround, world: &World, context: &str) {
    for record in &site.records {
        let spoke = record.said != Said::Silent;
        assert_eq!(record.outcomes > 0, spoke, "{record:?} {context}");
        assert_eq!(record.first_due.is_some(), spoke, "{record:?} {context}");
        assert!(record.agent.is_some() && record.length_s.0 > 0, "{record:?} {context}");
        if record.said == Said::Down {
            assert_eq!(record.verdict.as_deref(), Some("down"), "{record:?} {context}");
        }
    }
    if site.was == CountsAs::Down {
        let down = site.records.iter().filter(|record| record.said == Said::Down);
        let said: i64 = down.map(|record| record.length_s.0).sum();
        let least = i64::from(world.quorum.max(1)) * site.length_s.0;
        assert!(said >= least, "{said} of {least} ms said down: {context}");
    }
}

fn check_runs(told: &RunGrounds, not_good: u64, context: &str) {
    assert_eq!(told.missing, None, "{context}");
    assert_eq!(told.not_good, not_good, "{context}");
    let runs: u64 = told.series.iter().map(|series| series.runs).sum();
    assert_eq!(runs, not_good, "{context}");
    assert!(told.series.iter().all(|s| s.runs > 0 && s.first_due <= s.last_due), "{context}");
    assert!(told.series.is_sorted_by_key(|series| series.first_due), "{context}");
}

fn check_listings(told: &ListingGrounds, (exposed, sum): (Ms, Ms), context: &str) {
    let lengths = told.listings.iter().map(|listing| listing.length_s.0);
    assert_eq!(Ms(lengths.sum()), sum, "{context}");
    let spans = told.listings.iter().map(|l| Span::new(l.from.0, l.to.0));
    assert_eq!(Ms(Set::of(spans).len_ms()), exposed, "{context}");
    assert!(told.listings.iter().all(|listing| !listing.records.is_empty()), "{context}");
}

/// What a report holds is the beginning of what is told in full, and says what it left out.
#[test]
fn a_report_stays_short_and_says_so() {
    let mut world = draw::world(7);
    let month: Month = world.month.parse().unwrap();
    let from = mailward_reporter::report::period(&made::catalogue(&world), month, world.now)
        .unwrap()
        .from_ms;
    // one minute in four hundred, one agent fails each time, which is an outage of a minute
    world.outcomes = (0..1000)
        .map(|i| {
            let verdict = if i % 2 == 0 { Verdict::Up } else { Verdict::Down };
            crate::world::Seen::new((0, 0), from + i * 60_000, 60_000, verdict)
        })
        .collect();
    (world.rosters, world.exclusions) = (Vec::new(), Vec::new());
    (world.since, world.hours, world.not) = (None, None, false);
    (world.rule, world.quorum, world.site_rule) = (1, 1, 1);
    world.now = world.now.max(from + 1000 * 60_000);
    world.probes.truncate(1);
    (world.probes[0].confirm, world.probes[0].advisory) = (1, false);
    let (_directory, store) = stored::store(&world, 7);
    let report = compute(&store, &made::catalogue(&world), month, world.now).unwrap();
    for level in &report.levels[..2] {
        let left = level.grounds.as_ref().unwrap().left_out();
        assert!(left.entries > 0, "{level:?}");
    }
    let Some(Grounds::Time(told)) = report.levels[0].grounds.as_deref() else { panic!() };
    assert_eq!(
        told.intervals.len() + usize::try_from(told.left_out.entries).unwrap(),
        500 + unknown(&report)
    );
    let Figure::Availability(figure) = &report.levels[0].figure else { panic!() };
    assert_eq!(told.sums[0].down_s, figure.down_s, "sums are of everything");
    let text = serde_json::to_string(&report).unwrap();
    assert!(text.len() < 400_000, "{} bytes", text.len());
}

fn unknown(report: &Report) -> usize {
    let Figure::Availability(figure) = &report.levels[0].figure else { panic!() };
    usize::from(figure.unknown_s.0 > 0)
}

#[test]
fn the_public_sees_no_agent() {
    for seed in 100..104 {
        let world = draw::world(seed);
        let (_directory, store) = stored::store(&world, seed);
        let month: Month = world.month.parse().unwrap();
        let report = compute(&store, &made::catalogue(&world), month, world.now).unwrap();
        let own = serde_json::to_string(&report).unwrap();
        assert!(own.contains("agent-"), "seed {seed} names no agent at all");
        let public = serde_json::to_string(&report.for_the_public()).unwrap();
        assert!(!public.contains("agent-"), "seed {seed}: {public}");
    }
}

fn desk(measure: Measure, component: Option<&str>) -> Catalogue {
    let mut catalogue = made::catalogue(&draw::world(0));
    catalogue.service.zone = jiff::tz::TimeZone::get("Europe/London").unwrap();
    catalogue.service.zone_name = "Europe/London".to_owned();
    catalogue.hours = vec![crate::tickets::core()];
    catalogue.components[0].since = None;
    let mut level: Level = catalogue.levels[0].clone();
    level.id = "desk".to_owned();
    level.component = component.map(str::to_owned);
    level.measure = measure;
    level.hours = mailward_catalogue::LevelHours::Named("core".to_owned());
    catalogue.levels = vec![level];
    catalogue
}

fn kept(lines: &[&str]) -> (tempfile::TempDir, Store) {
    let records: Vec<Record> = lines
        .iter()
        .map(|line| mailward_evidence::wire::decode_line(line.as_bytes()).unwrap())
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let clock = mailward_evidence::ManualClock::new("2019-04-10T00:00:00Z".parse().unwrap());
    let store = Store::open(directory.path(), std::sync::Arc::new(clock)).unwrap();
    store.ingest(records, Source::Import).unwrap();
    (directory, store)
}

fn grounds(catalogue: &Catalogue, store: &Store) -> Grounds {
    let (month, now) = ("2019-02".parse().unwrap(), "2019-04-10T00:00:00Z");
    let now_ms = mailward_evidence::Instant::parse(now).unwrap().ms();
    let report = compute(store, catalogue, month, now_ms).unwrap();
    *report.levels[0].grounds.clone().unwrap()
}

#[test]
fn a_tickets_clock_is_told_leg_by_leg() {
    let measure = Measure::Resolution {
        target: made::percent("100"),
        severity: "2".to_owned(),
        within: Duration::from_secs(48 * 3600),
        reopen_within: Some(Duration::from_secs(3600)),
    };
    let (_directory, store) = kept(&[
        r#"{"v":1,"kind":"ticket","id":"INC1","severity":"2","opened":"2019-02-14T20:00:00Z","events":[{"at":"2019-02-15T08:00:00Z","what":"paused"},{"at":"2019-02-15T09:00:00Z","what":"resumed"},{"at":"2019-02-15T10:00:00Z","what":"resumed"},{"at":"2019-02-15T11:00:00Z","what":"resolved"},{"at":"2019-02-16T11:00:00Z","what":"reopened"}]}"#,
    ]);
    let Grounds::Tickets(TicketGrounds { tickets, .. }) = grounds(&desk(measure, None), &store)
    else {
        panic!("not of tickets")
    };
    let hours = |clock: ClockState| {
        let own = tickets[0].legs.iter().filter(|leg| leg.clock == clock);
        own.map(|leg| leg.length_s.0 / 3_600_000).collect::<Vec<_>>()
    };
    assert_eq!(hours(ClockState::Running), [2, 1, 2]);
    assert_eq!(hours(ClockState::OutOfHours), [9]);
    assert_eq!(hours(ClockState::Paused), [1]);
    assert!(tickets[0].resolved.is_some(), "{:?}", tickets[0].legs);
    assert_eq!(hours(ClockState::Resolved), [] as [i64; 0]);
    assert_eq!(tickets[0].ignored.len(), 2, "{:?}", tickets[0].ignored);
}

#[test]
fn every_mail_that_was_not_in_time_is_told() {
    let measure = Measure::DeliveryTime {
        target: made::percent("95"),
        within: Duration::from_secs(60),
        lost_after: Duration::from_secs(900),
    };
    let mut catalogue = desk(measure, Some("c"));
    catalogue.probes.truncate(1);
    catalogue.probes[0].kind = mailward_catalogue::probe::kinds::kind("mail").unwrap();
    let mail = |minute: i64, delivery_s: Option<f64>, verdict| {
        let due = mailward_evidence::Instant::parse("2019-02-05T00:00:00Z").unwrap().ms();
        let (agent, probe) = (made::agent(0), made::probe_id(0));
        let due = made::instant(due + minute * 60_000);
        let mut outcome = Outcome::new(agent, probe, due, 60_000, verdict);
        outcome.delivery_s = delivery_s;
        Record::Outcome(outcome)
    };
    let (_directory, store) = kept(&[]);
    let records = vec![
        mail(0, Some(60.0), Verdict::Up),
        mail(1, Some(60.001), Verdict::Up),
        mail(2, None, Verdict::Down),
        mail(3, Some(901.0), Verdict::Degraded),
        mail(4, None, Verdict::Unknown),
    ];
    store.ingest(records, Source::Import).unwrap();
    let Grounds::Mails(told) = grounds(&catalogue, &store) else { panic!("not of mails") };
    assert_eq!((told.lost, told.late), (2, 1));
    let mails: Vec<_> = told.mails.iter().map(|m| (m.delivery_s.map(|s| s.0), m.lost)).collect();
    assert_eq!(mails, [(Some(60_001), false), (None, true), (Some(901_000), true)]);
    assert!(told.mails.iter().all(|m| m.agent.as_deref() == Some("agent-0")));
}

#[test]
fn every_count_is_told() {
    let measure = Measure::Ratio { target: made::percent("97"), series: "calls".to_owned() };
    let (_directory, store) = kept(&[
        r#"{"v":1,"kind":"count","series":"calls","from":"2019-02-02T00:00:00Z","to":"2019-02-03T00:00:00Z","good":9,"total":10}"#,
        r#"{"v":1,"kind":"count","series":"calls","from":"2019-02-01T00:00:00Z","to":"2019-02-02T00:00:00Z","good":8,"total":8}"#,
        r#"{"v":1,"kind":"count","series":"calls","from":"2019-03-01T00:00:00Z","to":"2019-03-02T00:00:00Z","good":1,"total":8}"#,
        r#"{"v":1,"kind":"count","series":"other","from":"2019-02-01T00:00:00Z","to":"2019-02-02T00:00:00Z","good":1,"total":8}"#,
    ]);
    let Grounds::Counts(told) = grounds(&desk(measure, None), &store) else {
        panic!("not of counts")
    };
    let counts: Vec<_> = told.counts.iter().map(|count| (count.good, count.total)).collect();
    assert_eq!(counts, [(8, 8), (9, 10)]);
}
