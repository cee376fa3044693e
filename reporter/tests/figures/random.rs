//! Random months: the reporter's figures against the naive ones. `MAILWARD_WORLDS` sets how many
//! are tried (600 if unset, about half a minute unoptimised; `tests/run --long` tries 10,000).
//! One that fails is made as small as it can be and kept in `kept/`, which is tried every time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mailward_reporter::clock::Month;
use mailward_reporter::report::Case;
use mailward_reporter::report::model::{Availability, Figure, LevelFigure, Report, TicketFigure};

use crate::draw;
use crate::made;
use crate::naive::{Answer, Branch, Naive};
use crate::shrink;
use crate::world::World;

pub(crate) fn report(world: &World) -> Report {
    let catalogue = made::catalogue(world);
    let month: Month = world.month.parse().unwrap();
    let period = mailward_reporter::report::period(&catalogue, month, world.now).unwrap();
    let period = (period.from_ms, period.to_ms);
    let evidence = made::evidence(world, period);
    let case = Case::new(&catalogue, month, &evidence, world.now).unwrap();
    let counted: BTreeMap<&str, _> = ["success", "response"]
        .into_iter()
        .map(|id| (id, case.counted(catalogue.level(id).unwrap()).unwrap()))
        .collect();
    let counts = |level: &mailward_catalogue::Level, at| counted[level.id.as_str()].contains(at);
    let tallies = made::tallies(world, &catalogue, counts, period);
    case.report(&tallies).unwrap()
}

/// What differs, in the order of the report.
#[derive(Default)]
pub(crate) struct Differences(Vec<String>);

impl Differences {
    fn same<T: PartialEq + std::fmt::Debug>(&mut self, name: &str, got: T, expect: T) {
        if got != expect {
            self.0.push(format!("{name}: got {got:?}, expected {expect:?}"));
        }
    }

    fn near(&mut self, name: &str, got: Option<f64>, expect: Option<f64>) {
        let close = match (got, expect) {
            (Some(got), Some(expect)) => (got - expect).abs() < 1e-9,
            (got, expect) => got == expect,
        };
        if !close {
            self.0.push(format!("{name}: got {got:?}, expected {expect:?}"));
        }
    }
}

fn availability(report: &Report) -> &Availability {
    match &report.levels[0].figure {
        Figure::Availability(figure) => figure,
        other => panic!("expected availability, got {other:?}"),
    }
}

/// What the world held, if both agree about it; else what they do not agree about.
pub(crate) fn check(world: &World) -> Result<u128, String> {
    let report = report(world);
    let naive = Naive::new(world);
    let answer = naive.answer();
    let mut told = Differences::default();
    sums(&mut told, &report, &answer);
    verdicts(&mut told, &report, &answer);
    days(&mut told, &report, &answer);
    shares(&mut told, &report, &answer);
    desk(&mut told, &report.levels, &answer);
    let json = serde_json::to_string(&report).unwrap();
    let back: Report = serde_json::from_str(&json).unwrap();
    told.same("round trip", serde_json::to_string(&back).unwrap(), json);
    if told.0.is_empty() { Ok(naive.saw()) } else { Err(told.0.join("\n")) }
}

fn sums(told: &mut Differences, report: &Report, answer: &Answer) {
    let figure = availability(report);
    for (name, got, expect) in [
        ("from", report.period.from.0, answer.from),
        ("to", report.period.to.0, answer.to),
        ("S", figure.service_s.0, answer.s),
        ("X", figure.excluded_s.0, answer.x),
        ("D", figure.down_s.0, answer.d),
        ("U", figure.unknown_s.0, answer.u),
        ("degraded", figure.degraded_s.0, answer.degraded),
    ] {
        told.same(name, got, expect);
    }
    told.same("blips", figure.blips, answer.blips);
    let outages: Vec<(i64, i64, i64, i64)> =
        figure.outages.iter().map(|o| (o.from.0, o.to.0, o.at_least_s.0, o.at_most_s.0)).collect();
    told.same("outages", &outages, &answer.outages);
    for outage in &figure.outages {
        told.same("still open", outage.still_open, outage.to == report.as_of);
        told.same("length", outage.down_s.0, outage.to.0 - outage.from.0);
    }
    let refused = figure.rejected_exclusions.iter();
    let mut rejected: Vec<(String, String)> =
        refused.map(|refused| (refused.id.clone(), refused.reason.clone())).collect();
    rejected.sort();
    let expect = answer.rejected.iter();
    let expect: Vec<(String, String)> =
        expect.map(|(id, reason)| (format!("MW-{id:02}"), (*reason).to_owned())).collect();
    told.same("rejected", rejected, expect);
}

fn verdicts(told: &mut Differences, report: &Report, answer: &Answer) {
    let (figure, judged) = (availability(report), &answer.verdicts);
    told.near("availability", figure.availability_pct, judged.availability);
    told.near("low", figure.low_pct, judged.low);
    told.near("high", figure.high_pct, judged.high);
    told.near("coverage", figure.coverage_pct, judged.coverage);
    told.same("met", report.levels[0].met, judged.met);
    told.same("provable", figure.provable, judged.provable);
    told.same("budget", figure.budget_s.0, judged.budget);
    told.same("budget left", figure.budget_left_s.0, judged.budget - judged.bad);
    match judged.availability {
        None => told.same("shown", figure.availability_shown.as_str(), "n/a"),
        Some(pct) => {
            let shown: f64 = figure.availability_shown.parse().unwrap();
            let cut_off = shown <= pct + 1e-9 && pct - shown < 0.001 + 1e-9;
            told.same("cut off", (cut_off, shown), (true, shown));
        }
    }
}

fn days(told: &mut Differences, report: &Report, answer: &Answer) {
    let days = &report.components[0].days;
    told.same("days", days.len(), answer.days.len());
    for day in days {
        let parts =
            [day.up_s, day.degraded_s, day.down_s, day.excluded_s, day.unknown_s, day.outside_s];
        told.same(&day.date.to_string(), parts.map(|ms| ms.0), answer.days[&day.date]);
    }
}

fn shares(told: &mut Differences, report: &Report, answer: &Answer) {
    let counted = answer.desk.counted;
    for (i, expect) in [(1, answer.success), (2, answer.response), (6, counted)] {
        let level = &report.levels[i];
        let (Figure::Success(share) | Figure::ResponseTime(share) | Figure::Ratio(share)) =
            &level.figure
        else {
            panic!("expected a share, got {level:?}")
        };
        told.same(&level.id, (share.good, share.total), expect);
        let (good, total) = expect;
        let pct = (total > 0).then(|| good as f64 / total as f64 * 100.0);
        told.near(&level.id, share.ratio_pct, pct);
        let (whole, places) =
            share.target_pct.split_once('.').unwrap_or((share.target_pct.as_str(), ""));
        let target: u128 = format!("{whole}{places:0<8}").parse().unwrap();
        let met = pct.map(|_| u128::from(good) * 10_000_000_000 >= u128::from(total) * target);
        told.same(&level.id, level.met, met);
    }
    let Figure::Listing(time) = &report.levels[3].figure else {
        panic!("expected listing, got {:?}", report.levels[3])
    };
    let listing = (time.exposed_s.0, time.list_s.0);
    told.same("listing", listing, (answer.exposed, answer.listed));
    told.same("listing met", report.levels[3].met, Some(answer.exposed <= 36_000_000));
}

fn desk(told: &mut Differences, levels: &[LevelFigure], answer: &Answer) {
    let desk = &answer.desk;
    let Figure::DeliveryTime(mail) = &levels[4].figure else {
        panic!("expected delivery, got {:?}", levels[4])
    };
    told.same("sent", (mail.sent, mail.delivered), (desk.sent, desk.delivered));
    told.same("lost", mail.lost, desk.sent - desk.delivered);
    let ranks = [mail.p50_s, mail.p90_s, mail.p95_s, mail.p99_s];
    told.same("percentiles", ranks.map(|ms| ms.map(|ms| ms.0)), desk.ranks);
    let pct = |good: u64, all: u64| (all > 0).then(|| good as f64 / all as f64 * 100.0);
    told.near("in time", mail.within_pct, pct(desk.in_time, desk.sent));
    let Figure::Resolution(resolution) = &levels[5].figure else {
        panic!("expected resolution, got {:?}", levels[5])
    };
    let plain = |ticket: &TicketFigure| {
        let id: usize = ticket.id.trim_start_matches("INC").parse().unwrap();
        let (due, used, paused) = (ticket.due.map(|at| at.0), ticket.used_s.0, ticket.paused_s.0);
        (id, due, used, paused, ticket.met, ticket.ignored.len())
    };
    for (name, got, expect) in
        [("tickets", &resolution.tickets, &desk.tickets), ("open", &resolution.open, &desk.open)]
    {
        let got: Vec<_> = got.iter().map(plain).collect();
        let expect: Vec<_> =
            expect.iter().map(|t| (t.id, t.due, t.used, t.paused, t.met, t.ignored)).collect();
        told.same(name, got, expect);
    }
    let good = desk.tickets.iter().filter(|t| t.met == Some(true)).count() as u64;
    told.near("resolved", resolution.within_pct, pct(good, desk.tickets.len() as u64));
}

/// Worlds that once failed, and the smallest worlds that tell each slip.
pub(crate) fn kept() -> Vec<(String, World)> {
    let directory = kept_directory();
    let mut kept: Vec<(String, World)> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| {
            let path = entry.unwrap().path();
            // names in a world live as long as the test
            let text: &'static str = std::fs::read_to_string(&path).unwrap().leak();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let world = serde_json::from_str(text).unwrap_or_else(|e| panic!("{name}: {e}"));
            (name, world)
        })
        .collect();
    kept.sort_by(|a, b| a.0.cmp(&b.0));
    kept
}

pub(crate) fn keep(name: &str, world: &World) {
    let text = serde_json::to_string(world).unwrap() + "\n";
    std::fs::write(kept_directory().join(format!("{name}.json")), text).unwrap();
}

fn kept_directory() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/figures/kept"))
}

#[test]
fn kept_worlds_agree() {
    let kept = kept();
    assert!(kept.len() > 20, "only {} worlds are kept", kept.len());
    for (name, world) in kept {
        if let Err(told) = check(&world) {
            panic!("{name}: {told}\n{world:#?}");
        }
    }
}

/// Seeds are drawn in order, so that a run can be repeated; the drawing is only worth its name
/// if everything hard comes up, so that is counted as well.
#[test]
fn random_worlds_agree_and_hold_every_branch() {
    let wanted = std::env::var("MAILWARD_WORLDS").ok().and_then(|n| n.parse().ok()).unwrap_or(600);
    let first = std::env::var("MAILWARD_FIRST_WORLD").ok().and_then(|n| n.parse().ok());
    let first: u64 = first.unwrap_or(0);
    let mut seen = vec![0u64; Branch::ALL.len()];
    for seed in first..first + wanted {
        let world = draw::world(seed);
        match check(&world) {
            Ok(mask) => {
                for (i, count) in seen.iter_mut().enumerate() {
                    *count += u64::try_from(mask >> i & 1).unwrap();
                }
            }
            Err(_) => fail(seed, &world),
        }
    }
    let table: Vec<String> = Branch::ALL
        .iter()
        .zip(&seen)
        .map(|((_, text), count)| {
            format!("{:6.1} %  {text}", *count as f64 * 100.0 / wanted as f64)
        })
        .collect();
    let table = table.join("\n");
    println!("{wanted} months agree; of them held\n{table}");
    let rare = seen.iter().filter(|count| **count * 100 < wanted).count();
    assert_eq!(rare, 0, "{rare} branches in less than 1 % of {wanted} months:\n{table}");
}

/// Makes a world that failed small, keeps it, and says what is wrong with it.
fn fail(seed: u64, world: &World) -> ! {
    let small = shrink::smallest(world, &|world| check(world).is_err());
    keep(&format!("seed-{seed}"), &small);
    let told = check(&small).unwrap_err();
    panic!("seed {seed}, kept in kept/seed-{seed}.json: {told}\n{small:#?}");
}
