//! A process is suspended (SIGSTOP) with runs and requests under way, and goes on later as if
//! nothing had been (SIGCONT), as a laptop's lid or a hypervisor does it.

use std::process::Command;
use std::time::Duration;

use super::judge::{judge, stored};
use super::ledger::{Told, downs};
use super::scene::{Agent, Reporter, answering_server, definition, pondering_server};
use super::support::{http, scratch, wait_for};
use super::times;

const PROBES: usize = 10;

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status().expect("run kill");
    assert!(sent.success(), "kill {name} {pid}");
}

/// Suspends a process; it stands still when this returns.
pub(crate) fn freeze(pid: u32) {
    signal(pid, "-STOP");
    wait_for("a process to stand still", || {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit(") ").next()?.starts_with('T').then_some(())
    });
}

/// Lets it go on.
pub(crate) fn thaw(pid: u32) {
    signal(pid, "-CONT");
}

/// Longer than any timeout and retry of these tests' probes.
fn pause() -> Duration {
    Duration::from_secs(times(5, 60))
}

/// How often each side is suspended.
fn often() -> u64 {
    times(2, 10)
}

#[test]
fn a_suspended_agent_owns_up_to_what_it_missed_and_blames_nobody() {
    let scratch = scratch();
    // slow enough that most runs are under way when time stops
    let text = definition(PROBES, pondering_server(Duration::from_millis(300)));
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "lid", &text, &reporter);
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    let pid = agent.process().pid();
    for _ in 0..often() {
        agent.wait_outcomes(2.0 * PROBES as f64);
        let missed = Told::by(&agent).missed();
        freeze(pid);
        std::thread::park_timeout(pause());
        thaw(pid);
        wait_for("the missed runs to be told", || {
            (Told::by(&agent).missed() > missed).then_some(())
        });
    }
    agent.wait_outcomes(2.0 * PROBES as f64);
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let stored = stored(&reporter.data);
    assert_eq!(downs(&reporter.data, "lid"), 0, "the service answered all the time");
    let mut verdict = judge(often(), &reporter.config, &reporter.data, []);
    verdict.lost += told.vanished(&agent, &stored) + told.unexplained(&agent, &stored);
    verdict.pass("agent suspended");
}

#[test]
fn a_suspended_reporter_misses_nothing() {
    let scratch = scratch();
    let text = definition(PROBES, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "patient", &text, &reporter);
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    let pid = reporter.running.as_ref().expect("a reporter that runs").pid();
    for _ in 0..often() {
        agent.wait_outcomes(2.0 * PROBES as f64);
        freeze(pid);
        std::thread::park_timeout(pause());
        assert!(agent.metric("mailward_outbox_records").is_some_and(|records| records > 0.0));
        thaw(pid);
        let status = reporter.url("/api/v1/status");
        wait_for("the page", || http("GET", &status, &[], Vec::new()).filter(|a| a.0 == 200));
    }
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let stored = stored(&reporter.data);
    let mut verdict = judge(often(), &reporter.config, &reporter.data, []);
    verdict.lost += told.vanished(&agent, &stored) + told.unexplained(&agent, &stored);
    verdict.pass("reporter suspended");
}
