//! Programs that keep to the contract, break it, hang, flood, and leave others behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use mailward_evidence::Stopwatch;

use crate::probe::trial::{Table, fact, good_accounts, plain_net, run_for, word};
use crate::probe::{Deadline, Seen};

/// A directory with a program in it that runs `script`.
fn program(script: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("check");
    // renamed into place: a file that another thread's child still has open to write cannot run
    fs::write(path.with_extension("new"), format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(path.with_extension("new"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    directory
}

/// Runs the program by way of the shell's own binary, which nobody is writing.
async fn run_in(directory: &Path, more: &str, accounts: &Table, timeout: Duration) -> Seen {
    let check = directory.join("check");
    let keys = format!(
        "kind = \"command\"\nargv = [\"/bin/sh\", \"{}\", \"one two\", \"$(id)\"]\n\
         directory = \"{}\"\n{more}",
        check.display(),
        directory.display()
    );
    run_for(timeout, &plain_net(), accounts, &keys).await
}

async fn run(script: &str) -> Seen {
    let directory = program(script);
    run_in(directory.path(), "", &Table::default(), Duration::from_secs(20)).await
}

#[tokio::test]
async fn the_exit_code_is_the_verdict() {
    let check = async |script: &str, expect: &str| {
        let seen = run(script).await;
        assert_eq!(word(&seen), expect, "{script}: {seen:?}");
        seen
    };
    let seen = check("echo 'OK - fine | time=0.5s;1;2;0 users=3'", "up").await;
    assert_eq!((fact(&seen, "output"), fact(&seen, "exit_code")), ("OK - fine", "0"));
    assert_eq!((fact(&seen, "perf.time"), fact(&seen, "perf.users")), ("0.5s;1;2;0", "3"));
    assert!(seen.phases.get("run").is_some());
    check("echo WARNING; exit 1", "degraded plugin_warning").await;
    let seen = check("echo CRITICAL; echo more; exit 2", "down plugin_critical").await;
    let kept = seen.exhibit.expect("what the plug-in said");
    assert_eq!(kept.status.as_deref(), Some("exit code 2"));
    assert_eq!(kept.text.as_deref(), Some("CRITICAL\nmore\n"));
    check("echo UNKNOWN; exit 3", "unknown probe_fault").await;
    let seen = check("echo huh >&2; exit 42", "unknown probe_fault").await;
    assert_eq!(fact(&seen, "detail"), "expected an exit code from 0 to 3, got 42");
    assert_eq!(fact(&seen, "stderr"), "huh");
    let seen = check("kill -SEGV $$", "unknown probe_fault").await;
    assert_eq!(fact(&seen, "detail"), "ended by signal 11");
}

#[tokio::test]
async fn nothing_of_the_agent_reaches_it() {
    let script = "echo \"$# $2 in=$(cat) lang=$LANG home=$HOME cargo=$CARGO_MANIFEST_DIR \
                  own=$OWN\"\npwd";
    let directory = program(script);
    let more = "env = { OWN = \"yes\" }";
    let patience = Duration::from_secs(20);
    let seen = run_in(directory.path(), more, &Table::default(), patience).await;
    assert_eq!(fact(&seen, "output"), "2 $(id) in= lang=C home= cargo= own=yes", "{seen:?}");
    let here = directory.path().canonicalize().unwrap();
    assert_eq!(fact(&seen, "long_output"), here.to_str().unwrap());
}

#[tokio::test]
async fn a_program_that_is_not_there() {
    for program in ["/nonexistent/check", "no-such-check-anywhere", "/etc/passwd"] {
        let keys = format!("kind = \"command\"\nargv = [\"{program}\"]");
        let timeout = Duration::from_secs(5);
        let seen = run_for(timeout, &plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), "unknown probe_fault", "{program}: {seen:?}");
        assert!(fact(&seen, "detail").starts_with("while starting "), "{seen:?}");
    }
}

#[tokio::test]
async fn a_flood_is_dropped_beyond_its_limit() {
    let script = "head -c 3000000 /dev/zero | tr '\\0' a\nhead -c 300000 /dev/zero >&2\nexit 1";
    let seen = run(script).await;
    assert_eq!(word(&seen), "degraded plugin_warning", "{seen:?}");
    assert_eq!(fact(&seen, "output").len(), 1000);
    assert_eq!(fact(&seen, "cut"), "2934464 bytes of output were dropped");
}

/// Whether a process of this id runs; one that has ended and waits to be reaped by somebody
/// else does not.
fn runs(id: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

/// The id that a script has written into `file`, once it is there.
async fn written(file: &Path) -> String {
    let deadline = Deadline::after(Duration::from_secs(20));
    loop {
        match fs::read_to_string(file) {
            Ok(id) if id.ends_with('\n') => return id,
            _ => assert!(!deadline.left().is_zero(), "no {}", file.display()),
        }
        tokio::task::yield_now().await;
    }
}

async fn gone(id: &str) {
    let deadline = Deadline::after(Duration::from_secs(20));
    while runs(id) {
        assert!(!deadline.left().is_zero(), "process {id} still runs");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn at_the_deadline_nothing_of_it_is_left() {
    let script = "echo $$ >leader\nsleep 600 &\necho $! >child\n\
                  sh -c 'sleep 600 & echo $! >grandchild; wait' &\nwait";
    let names = ["leader", "child", "grandchild"];
    // a machine that is busy may not have started them all within the first deadline
    for seconds in [2, 8, 32] {
        let directory = program(script);
        let (watch, timeout) = (Stopwatch::start(), Duration::from_secs(seconds));
        let seen = run_in(directory.path(), "", &Table::default(), timeout).await;
        assert_eq!(word(&seen), "unknown timeout", "{seen:?}");
        assert!(watch.elapsed() < timeout + Duration::from_secs(20), "{:?}", watch.elapsed());
        let files = names.map(|name| directory.path().join(name));
        let ids = files.map(|file| fs::read_to_string(file).unwrap_or_default());
        if !ids.iter().all(|id| id.ends_with('\n')) {
            continue;
        }
        for id in ids {
            gone(&id).await;
        }
        return;
    }
    panic!("the program was never under way");
}

#[tokio::test]
async fn who_stays_behind_with_the_pipe_neither_delays_nor_survives() {
    let directory = program("sleep 600 &\necho $! >child\necho fine");
    let watch = Stopwatch::start();
    let patience = Duration::from_secs(60);
    let seen = run_in(directory.path(), "", &Table::default(), patience).await;
    assert_eq!((word(&seen).as_str(), fact(&seen, "output")), ("up", "fine"), "{seen:?}");
    assert!(watch.elapsed() < Duration::from_secs(30), "{:?}", watch.elapsed());
    gone(&written(&directory.path().join("child")).await).await;
}

#[tokio::test]
async fn a_run_that_is_cut_off_leaves_nothing() {
    let directory = program("echo $$ >leader\nsleep 600");
    let leader = directory.path().join("leader");
    let patience = Duration::from_secs(600);
    let none = Table::default();
    let id = {
        let running = std::pin::pin!(run_in(directory.path(), "", &none, patience));
        let cut = std::pin::pin!(written(&leader));
        match futures_util::future::select(running, cut).await {
            futures_util::future::Either::Right((id, _)) => id,
            futures_util::future::Either::Left((seen, _)) => panic!("{seen:?}"),
        }
    };
    gone(&id).await;
}

#[tokio::test]
async fn a_password_is_given_and_never_kept() {
    let script = "echo \"as $MAILWARD_USERNAME with $SECRET | 'of $SECRET'=1\"\nexit $CODE";
    let directory = program(script);
    for code in [0, 2] {
        let more =
            format!("credential = \"a\"\npassword_env = \"SECRET\"\nenv = {{ CODE = \"{code}\" }}");
        let accounts = good_accounts();
        let patience = Duration::from_secs(20);
        let seen = run_in(directory.path(), &more, &accounts, patience).await;
        assert_eq!(fact(&seen, "output"), "as probe@example.test with [removed]");
        assert!(!format!("{seen:?}").contains("correct horse"), "{seen:?}");
        // whether it signed in at all is not known
        assert!(accounts.told().is_empty(), "{code}");
    }
}
