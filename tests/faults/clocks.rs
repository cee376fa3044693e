//! Clocks that lie: the wall clock of either side is put an hour forth and back while it runs,
//! and both go over the clock changes of Europe/London. libfaketime changes what the built binary
//! reads as the time of day; the monotonic clock is left alone, as the kernel leaves it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use mailward_evidence::{Clock, SystemClock};

use super::judge::{self, Verdict, judge, stored};
use super::ledger::{Told, downs, gaps};
use super::scene::{Agent, Around, Reporter, answering_server, definition};
use super::support::{get_json, scratch, wait_for};
use super::times;

const PROBES: usize = 5;
const HOUR_S: i64 = 3600;

/// A clock that a test puts to another time, for the processes around which it stands.
struct FalseClock {
    file: PathBuf,
}

impl FalseClock {
    fn new(directory: &Path, offset_s: i64) -> Self {
        let clock = Self { file: directory.join("faketime") };
        clock.put(offset_s);
        clock
    }

    /// So far ahead of the machine's clock, from now on.
    fn put(&self, offset_s: i64) {
        let fresh = self.file.with_extension("new");
        std::fs::write(&fresh, format!("{offset_s:+}\n")).expect("write the false time");
        std::fs::rename(&fresh, &self.file).expect("put the false time in place");
    }

    fn around(&self) -> Around {
        let pairs = [
            ("LD_PRELOAD", library().into_os_string()),
            ("FAKETIME_TIMESTAMP_FILE", self.file.clone().into_os_string()),
            ("FAKETIME_NO_CACHE", "1".into()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
            ("DONT_FAKE_MONOTONIC", "1".into()),
            ("FAKETIME_DISABLE_SHM", "1".into()),
            ("NO_FAKE_STAT", "1".into()),
        ];
        let environment = pairs.map(|(name, value)| (OsString::from(name), value)).to_vec();
        Around { before: Vec::new(), environment }
    }
}

/// Debian's libfaketime (tests/peers/install.sh faults).
fn library() -> PathBuf {
    let below = std::fs::read_dir("/usr/lib").expect("read /usr/lib").flatten();
    let found = below.map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"));
    found.into_iter().find(|path| path.is_file()).expect("libfaketime is installed")
}

/// Offsets that a clock is put to in turn; the last one is right again.
fn steps() -> Vec<i64> {
    let round = [HOUR_S, 0, -HOUR_S, 0];
    round.repeat(usize::try_from(times(1, 25)).expect("small"))
}

#[test]
fn an_agent_whose_clock_is_put_forth_and_back_repeats_no_instant() {
    let scratch = scratch();
    let text = definition(PROBES, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "stepping", &text, &reporter);
    let clock = FalseClock::new(scratch.path(), 0);
    agent.around = clock.around();
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    agent.wait_outcomes(2.0 * PROBES as f64);
    for (made, offset_s) in (1..).zip(steps()) {
        clock.put(offset_s);
        wait_for("the step to be seen", || {
            agent.metric("mailward_clock_steps_total").filter(|steps| *steps >= f64::from(made))
        });
        agent.wait_outcomes(2.0 * PROBES as f64);
    }
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    let said = agent.process().said();
    assert!(said.contains("the wall clock was put to another time"), "{said}");
    assert!(!said.contains("other records of the same identity"), "{said}");
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    assert_eq!(downs(&reporter.data, "stepping"), 0, "the service answered all the time");
    let stored = stored(&reporter.data);
    let mut verdict = judge(steps().len() as u64, &reporter.config, &reporter.data, []);
    verdict.lost += told.vanished(&agent, &stored);
    verdict.pass("agent's clock put forth and back an hour");
}

/// What the status page says of the component, and when it says that it holds.
fn shown(reporter: &Reporter) -> Option<(String, i64)> {
    let status = get_json(&reporter.url("/api/v1/status"))?;
    let as_of = status["as_of"].as_str()?.parse::<jiff::Timestamp>().ok()?;
    let state = status["components"][0]["state"].as_str()?.to_owned();
    Some((state, as_of.as_second()))
}

#[test]
fn a_reporter_whose_clock_is_put_forth_and_back_declares_nothing() {
    let scratch = scratch();
    let text = definition(PROBES, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "steady", &text, &reporter);
    let clock = FalseClock::new(scratch.path(), 0);
    reporter.around = clock.around();
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    for offset_s in std::iter::once(0).chain(steps()) {
        clock.put(offset_s);
        let before = agent.metric("mailward_delivered_records_total").unwrap_or_default();
        wait_for("deliveries to go on", || {
            let delivered = agent.metric("mailward_delivered_records_total")?;
            (delivered >= before + 2.0 * PROBES as f64).then_some(())
        });
        let state = wait_for("the page to follow the clock", || {
            let (state, as_of_s) = shown(&reporter)?;
            let ahead_s = as_of_s - SystemClock.now().as_second();
            ((ahead_s - offset_s).abs() < 60).then_some(state)
        });
        assert!(["working", "no_data"].contains(&state.as_str()), "{offset_s}: {state}");
    }
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let stored = stored(&reporter.data);
    let mut verdict = judge(steps().len() as u64, &reporter.config, &reporter.data, []);
    verdict.lost += told.vanished(&agent, &stored) + told.unexplained(&agent, &stored);
    verdict.pass("reporter's clock put forth and back an hour");
}

/// Both go over an instant at which London's clocks change, five seconds before to five after:
/// probes on an interval and on a cron keep their step, and hours of service are what they were.
fn over(change: &str) -> Verdict {
    let change: jiff::Timestamp = change.parse().expect("an instant");
    let cron = "\n[[probe]]\nid = \"cron\"\ncomponent = \"c\"\nkind = \"http\"\nurl = \"http://TARGET/\"\n\
                cron = \"*/2 * * * * *\"\ntimeout = \"1s\"\n\
                \n[hours.night]\ndaily = \"00:00-03:00\"\n\
                \n[[level]]\nid = \"night\"\ncomponent = \"c\"\nmeasure = \"availability\"\n\
                target = \"99.9%\"\nhours = \"night\"\n";
    let scratch = scratch();
    let target = answering_server();
    let text = definition(PROBES, target).replace("\"UTC\"", "\"Europe/London\"")
        + &cron.replace("TARGET", &target.to_string());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "autumn", &text, &reporter);
    let offset_s = change.as_second() - 5 - SystemClock.now().as_second();
    let clock = FalseClock::new(scratch.path(), offset_s);
    reporter.around = clock.around();
    agent.around = clock.around();
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    wait_for("the clocks to have changed", || {
        let now_s = SystemClock.now().as_second() + offset_s;
        (now_s > change.as_second() + 5).then_some(())
    });
    agent.wait_outcomes(PROBES as f64);
    agent.wait_drained(5.0 * PROBES as f64);
    let state = wait_for("the page", || shown(&reporter)).0;
    assert!(["working", "no_data"].contains(&state.as_str()), "{state}");
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());

    let kept = stored(&reporter.data);
    let every = kept.iter().filter(|(key, _)| key.1 != "cron");
    let every = every.map(|(key, times)| (key.clone(), *times)).collect();
    let unexplained = gaps("autumn", &every, i64::MAX).saturating_sub(told.missed());
    let mut by_cron: Vec<i64> = kept
        .keys()
        .filter(|key| key.1 == "cron")
        .map(|key| key.2.parse::<jiff::Timestamp>().expect("an instant").as_second())
        .collect();
    by_cron.sort_unstable();
    assert!(by_cron.first() < Some(&change.as_second()), "{by_cron:?}");
    assert!(by_cron.last() > Some(&change.as_second()), "{by_cron:?}");
    let gaps_of_cron = by_cron.windows(2).filter(|pair| pair[1] - pair[0] != 2).count() as u64;
    let now = (change + jiff::SignedDuration::from_secs(30)).to_string();
    let report = judge::report(&reporter.config, &reporter.data, &now[..7], Some(&now));
    let levels = report["levels"].as_array().expect("levels");
    let declared = |level: &serde_json::Value| level["outages"].as_array().map_or(0, Vec::len);
    Verdict {
        times: 1,
        lost: told.vanished(&agent, &kept)
            + unexplained
            + gaps_of_cron.saturating_sub(told.missed()),
        doubled: kept.values().filter(|times| **times > 1).count() as u64,
        false_outages: levels.iter().map(declared).sum::<usize>() as u64,
    }
}

#[test]
fn both_go_over_the_clock_change_of_autumn() {
    over("2026-10-25T01:00:00Z").pass("clocks go back in autumn");
}

#[test]
fn both_go_over_the_clock_change_of_spring() {
    over("2027-03-28T01:00:00Z").pass("clocks go forward in spring");
}
