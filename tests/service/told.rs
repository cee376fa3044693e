//! What the service manager is told: when all is ready, that it goes on, that it does not, and
//! that it ends. The stand-in waits; nothing here acts on what it hears.

use std::os::unix::fs::FileTypeExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::manager::Manager;
use super::scene::{Agent, Reporter, answering_server, definition};
use super::support::{Running, free_port, http, mailward, scratch, wait_for, write};

/// What the watchdog allows: a sign of life comes every second.
const WATCHDOG: Duration = Duration::from_secs(2);

/// Asks a process to read its definition again.
pub(crate) fn hang_up(running: &Running) {
    signal(running, "HUP");
}

pub(crate) fn signal(running: &Running, name: &str) {
    let pid = running.pid().to_string();
    let sent = Command::new("kill").arg(format!("-{name}")).arg(pid).status().expect("run kill");
    assert!(sent.success());
}

#[test]
fn an_agent_is_ready_when_its_schedule_stands_and_says_so_after_each_reading() {
    let scratch = scratch();
    let manager = Manager::at_path(scratch.path());
    let target = answering_server();
    let mut reporter = Reporter::new(scratch.path(), &definition(3, target));
    reporter.start();
    reporter.wait_ready();
    let mut agent = Agent::new(scratch.path(), "told", &definition(3, target), &reporter);
    agent.around.environment = manager.environment(WATCHDOG);
    agent.start();
    assert!(manager.wait_text("READY=1").contains("STATUS=3 probes; "));
    manager.wait_count("WATCHDOG=1", 3);
    let running = agent.running.as_ref().expect("an agent that runs");
    hang_up(running);
    manager.wait_count("READY=1", 2);
    assert!(manager.wait_text("MONOTONIC_USEC=").starts_with("RELOADING=1\n"));

    let good = std::fs::read_to_string(&agent.config).expect("the definition");
    write(
        &scratch.path().join("told"),
        "probes.toml",
        &good.replace("every = \"1s\"", "every = 1"),
    );
    hang_up(running);
    manager.wait_count("READY=1", 3);
    let said = manager.wait_text("definition refused: ");
    assert!(said.contains("probes.toml:") && said.contains("(and 2 more)"), "{said}");
    assert_eq!(agent.metric("mailward_definition_reload_successful"), Some(0.0));
    let before = agent.metric("mailward_definition_reload_timestamp_seconds");
    wait_for("every fault in the log", || {
        (running.said().matches("probes.toml:").count() >= 3).then_some(())
    });
    write(&scratch.path().join("told"), "probes.toml", &good.replace("1s", "2s"));
    hang_up(running);
    manager.wait_count("READY=1", 4);
    assert_eq!(agent.metric("mailward_definition_reload_successful"), Some(1.0));
    assert!(agent.metric("mailward_definition_reload_timestamp_seconds") > before);

    assert!(agent.stop().success());
    let reading = ["RELOADING", "MONOTONIC_USEC", "READY"];
    let order = manager.order();
    assert_eq!(order, [&["READY"][..], &reading, &reading, &reading, &["STOPPING"]].concat());
    assert!(reporter.stop().success());
}

#[test]
fn an_agent_that_hangs_gives_no_sign_of_life_until_it_goes_on() {
    let scratch = scratch();
    let manager = Manager::at_name();
    let target = answering_server();
    let reporter = Reporter::new(scratch.path(), &definition(1, target));
    let account = "\n[[credential]]\nid = \"a\"\nusername = \"a\"\n\
                   password = { file = \"password\" }\n\
                   [[probe]]\nid = \"account\"\ncomponent = \"c\"\nkind = \"command\"\n\
                   argv = [\"/bin/true\"]\ncredential = \"a\"\n\
                   every = \"1s\"\ntimeout = \"1s\"\n";
    let password = write(&scratch.path().join("hangs"), "password", "secret\n");
    let text = definition(1, target) + account;
    let mut agent = Agent::new(scratch.path(), "hangs", &text, &reporter);
    agent.around.environment = manager.environment(WATCHDOG);
    agent.start();
    manager.wait_count("WATCHDOG=1", 2);
    // a file that nobody answers for holds up whoever opens it: a file system that is gone
    std::fs::remove_file(&password).expect("remove the password");
    let made = Command::new("mkfifo").arg(&password).status().expect("run mkfifo");
    assert!(made.success());
    manager.wait_silence(2 * WATCHDOG);
    let beats = manager.count("WATCHDOG=1");
    let is_pipe = std::fs::metadata(&password).expect("the pipe").file_type().is_fifo();
    assert!(is_pipe);
    // each run that waits is answered, and from then on the file is there again
    let fresh = write(&scratch.path().join("hangs"), "fresh", "secret\n");
    let mut answer = Command::new("sh")
        .args(["-c", "exec >\"$0\"; mv \"$1\" \"$0\"; echo secret"])
        .args([&password, &fresh])
        .stdin(Stdio::null())
        .spawn()
        .expect("answer");
    manager.wait_count("WATCHDOG=1", beats + 2);
    assert!(agent.stop().success());
    assert!(answer.wait().expect("wait").success());
}

#[test]
fn a_reporter_answers_once_it_is_ready_and_is_silent_while_its_store_is_held() {
    let scratch = scratch();
    let manager = Manager::at_name();
    let mut reporter = Reporter::new(scratch.path(), &definition(1, free_port()));
    reporter.around.environment = manager.environment(WATCHDOG);
    reporter.start();
    let ready = manager.wait_text("READY=1");
    assert!(ready.contains("STATUS=0 of 0 agents heard from in the last 15 minutes"), "{ready}");
    let answer = http("GET", &reporter.url("/healthz"), &[], Vec::new());
    assert_eq!(answer.map(|(status, _)| status), Some(200), "ready means that it answers");
    manager.wait_count("WATCHDOG=1", 3);

    let hold = "import sqlite3, sys\n\
                held = sqlite3.connect(sys.argv[1], isolation_level=None)\n\
                held.execute('begin immediate')\n\
                sys.stdin.read()\n";
    let store = reporter.data.join("mailward.sqlite");
    assert!(store.is_file());
    let mut holder = Command::new("python3")
        .args(["-c", hold])
        .arg(&store)
        .stdin(Stdio::piped())
        .spawn()
        .expect("run python3");
    manager.wait_silence(2 * WATCHDOG);
    let said = manager.wait_text("STATUS=in trouble: the store");
    assert!(said.contains("cannot be written") || said.contains("has not answered"), "{said}");
    let beats = manager.count("WATCHDOG=1");
    drop(holder.stdin.take());
    assert!(holder.wait().expect("wait").success());
    manager.wait_count("WATCHDOG=1", beats + 2);

    hang_up(reporter.running.as_ref().expect("a reporter that runs"));
    manager.wait_count("READY=1", 2);
    assert!(reporter.stop().success());
    let reading = ["RELOADING", "MONOTONIC_USEC", "READY"];
    assert_eq!(manager.order(), [&["READY"][..], &reading, &["STOPPING"]].concat());
}

#[test]
fn both_in_one_process_are_ready_when_both_are() {
    let scratch = scratch();
    let manager = Manager::at_path(scratch.path());
    let config = write(scratch.path(), "probes.toml", &definition(2, answering_server()));
    let listen = free_port().to_string();
    let mut command = mailward();
    let data = scratch.path().join("data");
    command.arg("up").arg("--config").arg(&config).arg("--data").arg(data);
    command.args(["--listen", &listen, "-q"]).envs(manager.environment(WATCHDOG));
    let up = Running::of(command);
    let ready = manager.wait_text("READY=1");
    assert!(ready.contains("2 probes") && ready.contains("agents heard from"), "{ready}");
    manager.wait_count("WATCHDOG=1", 2);
    hang_up(&up);
    manager.wait_count("READY=1", 2);
    assert!(up.stop().success());
    assert_eq!(manager.order().last().map(String::as_str), Some("STOPPING"));
}

#[test]
fn programs_that_probes_run_know_nothing_of_the_manager() {
    let scratch = scratch();
    let text = "[service]\nname = \"A\"\nzone = \"UTC\"\n[[component]]\nid = \"c\"\n[[probe]]\n\
                id = \"p\"\ncomponent = \"c\"\nkind = \"command\"\n\
                every = \"60s\"\nargv = [\"/bin/sh\", \"-c\", \"test -z \\\"$NOTIFY_SOCKET$WATCHDOG_USEC\\\"\"]\n";
    let config = write(scratch.path(), "probes.toml", text);
    let mut command = mailward();
    command.arg("probe").arg("--config").arg(config);
    command.env("NOTIFY_SOCKET", "@nobody").env("WATCHDOG_USEC", "1000000");
    let ran = command.output().expect("run mailward");
    let said = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&said));
}
