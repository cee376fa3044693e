//! Limits that the system sets: no more files may be opened, no more memory may be had. Either
//! side says so, loses nothing it has acknowledged or kept, and goes on once there is room.
//! Limits are put on the running process by prlimit, so that everything but the fault is usual.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use mailward_evidence::Stopwatch;

use super::away::keep_minutes;
use super::judge::{judge, stored};
use super::ledger::{Told, downs, outcomes};
use super::scene::{Agent, Driver, Reporter, answering_server, body_of, definition};
use super::support::{Running, free_port, http, scratch, wait_for};
use super::times;

const PROBES: usize = 10;
/// After this long an agent without memory that neither ends nor delivers is ended.
const STUCK: Duration = Duration::from_secs(3);
/// More than any of these tests needs.
const MANY_FILES: u64 = 4096;

/// Puts a soft limit (`nofile`, or `data` in bytes) on a process; the hard one stays.
fn limit(pid: u32, what: &str, to: &str) {
    let mut command = Command::new("prlimit");
    command.args(["--pid", &pid.to_string(), &format!("--{what}={to}:")]);
    assert!(command.status().expect("run prlimit").success(), "{what}={to}");
}

fn open_files(pid: u32) -> u64 {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("list open files").count() as u64
}

/// How much memory of its own it has.
fn own_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its sizes");
    let line = status.lines().find_map(|line| line.strip_prefix("VmData:"));
    let kb = line.and_then(|rest| rest.trim().split(' ').next()?.parse::<u64>().ok());
    kb.expect("a size in kB") * 1024
}

/// Whether it has ended, and nobody has looked at how.
fn is_gone(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_none_or(|rest| rest.is_empty() || rest.starts_with('Z'))
}

/// A process that has ended for want of memory said so: for itself, or for a thread's stack.
fn last_words(of: &Running) {
    let words = ["memory allocation of", "Resource temporarily unavailable"];
    wait_for("its last words", || {
        let said = of.said();
        words.iter().any(|word| said.contains(word)).then_some(())
    });
}

#[test]
fn a_reporter_without_files_refuses_and_recovers() {
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    reporter.start();
    reporter.wait_ready();
    let driver = Driver::start(&reporter.url(""), "driver", &token);
    let pid = reporter.running.as_ref().expect("a reporter that runs").pid();
    let rounds = times(3, 50);
    for _ in 0..rounds {
        driver.wait_more();
        limit(pid, "nofile", &(open_files(pid) + 3).to_string());
        let idle: Vec<TcpStream> = (0..20)
            .map(|_| TcpStream::connect(reporter.address).expect("the backlog takes it"))
            .collect();
        wait_for("all files to be in use", || {
            let most = open_files(pid);
            // what the system would give next is above the limit
            TcpStream::connect(reporter.address).ok()?;
            (open_files(pid) == most).then_some(())
        });
        let running = reporter.running.as_mut().expect("a reporter that runs");
        running.wait_line("accept");
        drop(idle);
        driver.wait_more();
        limit(pid, "nofile", &MANY_FILES.to_string());
    }
    let safe = driver.stop().acknowledged;
    assert!(reporter.stop().success());
    judge(rounds, &reporter.config, &reporter.data, &safe).pass("reporter out of files");
}

#[test]
fn an_agent_without_files_blames_itself() {
    let scratch = scratch();
    let text = definition(PROBES, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "bare", &text, &reporter);
    reporter.start();
    reporter.wait_ready();
    agent.start();
    agent.wait_alive();
    let pid = agent.process().pid();
    let rounds = times(2, 30);
    for _ in 0..rounds {
        agent.wait_outcomes(PROBES as f64);
        let said = |agent: &mut Agent| agent.process().said().matches("probe_fault").count();
        let before = said(&mut agent);
        // a probe that has its connection keeps it; the next one gets none
        limit(pid, "nofile", "4");
        wait_for("probes to say that the fault is the agent's", || {
            (said(&mut agent) >= before + PROBES).then_some(())
        });
        limit(pid, "nofile", &MANY_FILES.to_string());
        agent.wait_alive();
    }
    agent.wait_outcomes(2.0 * PROBES as f64);
    agent.wait_drained(5.0 * PROBES as f64);
    let told = Told::by(&agent);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let told_so = outcomes(&reporter.data, "bare");
    let told_so = told_so.iter().filter(|outcome| outcome["reason"] == "probe_fault").count();
    assert!(told_so as u64 >= rounds * PROBES as u64, "{told_so}");
    assert_eq!(downs(&reporter.data, "bare"), 0, "the service answered all the time");
    let stored = stored(&reporter.data);
    let mut verdict = judge(rounds, &reporter.config, &reporter.data, []);
    verdict.lost += told.vanished(&agent, &stored) + told.unexplained(&agent, &stored);
    verdict.pass("agent out of files");
}

#[test]
fn a_reporter_without_memory_keeps_what_it_acknowledged() {
    let scratch = scratch();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    let token = reporter.enrol("driver");
    let heavy = reporter.enrol("heavy");
    let bearer = format!("Bearer {heavy}");
    reporter.start();
    reporter.wait_ready();
    let driver = Driver::start(&reporter.url(""), "driver", &token);
    // 40,000 outcomes: some 9 MB as they come, and more as records
    let large: Vec<u8> = (0..200).flat_map(|number| body_of("heavy", number).0).collect();
    let url = reporter.url("/api/v1/evidence");
    let rounds = times(2, 30);
    let mut died = 0;
    for _ in 0..rounds {
        driver.wait_more();
        let pid = reporter.running.as_ref().expect("a reporter that runs").pid();
        limit(pid, "data", &(own_bytes(pid) + (1 << 20)).to_string());
        let refused = wait_for("a refusal, or the end", || {
            let answer = http("POST", &url, &[("authorization", &bearer)], large.clone());
            if is_gone(pid) {
                return Some(None);
            }
            answer.filter(|(status, _)| *status != 200).map(Some)
        });
        match refused {
            Some((status, text)) => {
                assert!((500..600).contains(&status), "{status}: {text}");
                limit(pid, "data", "unlimited");
            }
            None => {
                died += 1;
                last_words(reporter.running.as_ref().expect("it was started"));
                // as systemd would
                reporter.kill();
                reporter.start();
                reporter.wait_ready();
            }
        }
        driver.wait_more();
    }
    println!("of {rounds} reporters without memory {died} ended and were started again");
    assert!(died > 0, "the limit was never felt");
    let safe = driver.stop().acknowledged;
    assert!(reporter.stop().success());
    judge(rounds, &reporter.config, &reporter.data, &safe).pass("reporter out of memory");
}

#[test]
fn an_agent_without_memory_keeps_its_outbox() {
    let scratch = scratch();
    let text = definition(PROBES, answering_server());
    let mut reporter = Reporter::new(scratch.path(), &text);
    let mut agent = Agent::new(scratch.path(), "tight", &text, &reporter);
    reporter.start();
    reporter.wait_ready();
    // what it needs without a backlog
    agent.start();
    agent.wait_alive();
    agent.wait_outcomes(2.0 * PROBES as f64);
    agent.wait_drained(5.0 * PROBES as f64);
    let enough = own_bytes(agent.process().pid());
    assert!(agent.stop().success());
    let mut safe = keep_minutes(&agent, PROBES, 480);
    let rounds = times(2, 30);
    let mut died = 0;
    let mut bytes = enough;
    while died < rounds {
        agent.around.before = vec!["prlimit".into(), format!("--data={bytes}:").into()];
        agent.start();
        let pid = agent.process().pid();
        let delivered = || agent.metric("mailward_delivered_records_total").unwrap_or_default();
        let watch = Stopwatch::start();
        wait_for("the end, or a delivery all the same", || {
            let settled = is_gone(pid) || delivered() > 0.0 || watch.elapsed() > STUCK;
            settled.then_some(())
        });
        if is_gone(pid) || watch.elapsed() > STUCK {
            // dead, or neither alive nor dead: what systemd's watchdog ends is ended here
            died += 1;
        } else {
            // it did with that; what it can do with less is nearer to its end
            bytes -= 512 << 10;
        }
        agent.kill();
        safe.extend(agent.in_outbox());
    }
    agent.around.before.clear();
    agent.start();
    agent.wait_alive();
    agent.wait_drained(5.0 * PROBES as f64);
    assert!(agent.stop().success());
    assert!(reporter.stop().success());
    let left = agent.in_outbox();
    let safe = safe.iter().filter(|key| !left.contains(key));
    judge(rounds, &reporter.config, &reporter.data, safe).pass("agent out of memory");
}
