//! The units and their sandbox, as far as can be told without systemd in charge: the files are
//! sound, they expose little, and the program does what it does within the calls they allow.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::support::{Running, free_port, get, mailward, wait_for};

/// Checks that fail are as good as any here.
const DEFINITION: &str = "[service]\nname = \"A\"\nzone = \"Europe/London\"\n\
    [[component]]\nid = \"c\"\n\
    [[level]]\nid = \"a\"\ncomponent = \"c\"\nmeasure = \"availability\"\ntarget = \"99%\"\n\
    [[probe]]\nid = \"page\"\ncomponent = \"c\"\nkind = \"http\"\n\
    url = \"https://localhost:1/\"\nevery = \"1s\"\ntimeout = \"1s\"\n";

fn units() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/systemd")
}

/// systemd-analyze, which Debian's package `systemd` brings (tests/peers/install.sh deploy).
fn analyze(arguments: &[&str], path: &Path) -> String {
    let ran = Command::new("systemd-analyze").args(arguments).arg(path).output();
    let ran = ran.unwrap_or_else(|error| panic!("systemd-analyze: {error}"));
    let said = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    assert!(ran.status.success(), "{}: {said}", path.display());
    said
}

/// The units in a directory of their own, with the built binary in place of the installed one.
fn placed() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a directory");
    for entry in std::fs::read_dir(units()).expect("the units") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a text");
        let text = text.replace("/usr/bin/mailward", env!("CARGO_BIN_EXE_mailward"));
        let name = path.file_name().expect("a name");
        std::fs::write(place.path().join(name), text).expect("write");
    }
    place
}

#[test]
fn the_units_are_sound() {
    let place = placed();
    for entry in std::fs::read_dir(place.path()).expect("the units") {
        let path = entry.expect("an entry").path();
        let kind = path.extension().and_then(|kind| kind.to_str()).unwrap_or_default();
        if ["service", "timer", "socket"].contains(&kind) {
            let said = analyze(&["verify", "--man=no", "--recursive-errors=no"], &path);
            assert_eq!(said.trim(), "", "{}", path.display());
        }
    }
}

#[test]
fn the_units_expose_little() {
    let check = |unit: &str, most: &str| {
        let threshold = format!("--threshold={most}");
        let place = units().join(unit);
        let said = analyze(&["security", "--offline=true", "--no-pager", &threshold], &place);
        println!("{}", said.lines().last().unwrap_or_default());
    };
    check("mailward-agent.service", "15");
    check("mailward-reporter.service", "20");
    // with the drop-in that an agent needs which takes mail on port 25
    let place = placed();
    let drop_ins = place.path().join("mailward-agent.service.d");
    std::fs::create_dir(&drop_ins).expect("make a directory");
    std::fs::rename(
        place.path().join("mailward-agent-port-25.conf"),
        drop_ins.join("port-25.conf"),
    )
    .expect("place the drop-in");
    let agent = place.path().join("mailward-agent.service");
    let said = analyze(&["security", "--offline=true", "--no-pager", "--threshold=20"], &agent);
    println!("with port 25: {}", said.lines().last().unwrap_or_default());
}

/// The names in a set of system calls, those of the sets within it included.
fn calls_of(set: &str) -> BTreeSet<String> {
    let ran = Command::new("systemd-analyze").args(["syscall-filter", set]).output();
    let said = String::from_utf8(ran.expect("systemd-analyze").stdout).expect("a list");
    let mut calls = BTreeSet::new();
    for line in said.lines().skip(1).map(str::trim).filter(|line| !line.starts_with('#')) {
        match line.strip_prefix('@') {
            Some(_) => calls.extend(calls_of(line)),
            None if !line.is_empty() => {
                calls.insert(line.to_owned());
            }
            None => {}
        }
    }
    calls
}

/// What both units say: SystemCallFilter=@system-service, without @privileged and @resources.
fn allowed() -> BTreeSet<String> {
    for unit in ["mailward-agent.service", "mailward-reporter.service"] {
        let text = std::fs::read_to_string(units().join(unit)).expect("a unit");
        let filters: Vec<&str> =
            text.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")).collect();
        assert_eq!(filters, ["@system-service", "~@privileged @resources"], "{unit}");
    }
    let mut allowed = calls_of("@system-service");
    for set in ["@privileged", "@resources"] {
        for call in calls_of(set) {
            allowed.remove(&call);
        }
    }
    allowed
}

/// Agent and reporter under load, with a program that a probe runs: what they ask of the system
/// is what the sandbox allows. What comes before the program itself is not theirs.
#[test]
fn agent_and_reporter_keep_within_the_calls_that_are_allowed() {
    let scratch = tempfile::tempdir().expect("a directory");
    let program = "\n[[probe]]\nid = \"program\"\ncomponent = \"c\"\nkind = \"command\"\n\
                   argv = [\"/bin/true\"]\nevery = \"1s\"\ntimeout = \"1s\"\n\
                   [[probe]]\nid = \"ping\"\ncomponent = \"c\"\nkind = \"icmp\"\n\
                   host = \"127.0.0.1\"\nevery = \"1s\"\ntimeout = \"1s\"\n\
                   [[probe]]\nid = \"name\"\ncomponent = \"c\"\nkind = \"dns\"\n\
                   name = \"localhost\"\ntype = \"A\"\nevery = \"1s\"\ntimeout = \"1s\"\n";
    let config = scratch.path().join("probes.toml");
    std::fs::write(&config, DEFINITION.to_owned() + program).expect("write");
    let (calls, listen) = (scratch.path().join("calls"), free_port());
    let plain = mailward();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&calls).arg(plain.get_program());
    command.arg("up").arg("--config").arg(&config);
    command.arg("--data").arg(scratch.path().join("data"));
    command.args(["--listen", &listen.to_string(), "-q"]);
    let up = Running::of(command);
    let runs = || {
        let (_, text) = get(&format!("http://{listen}/metrics"));
        text.lines().find_map(|line| {
            let figure = line.strip_prefix("mailward_evidence_records_total{")?;
            figure.contains("outcome").then(|| figure.rsplit(' ').next()?.parse::<f64>().ok())?
        })
    };
    wait_for("the reporter", || std::net::TcpStream::connect(listen).ok());
    wait_for("evidence", || runs().filter(|runs| *runs >= 20.0));
    for path in ["/", "/readyz", "/performance", "/feed.atom"] {
        assert_eq!(get(&format!("http://{listen}{path}")).0, 200, "{path}");
    }
    // strace passes the signal on to nobody: the program itself is asked
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", up.pid()));
    let child = children.expect("the traced program");
    let child = child.split_whitespace().next().expect("a child").to_owned();
    let asked = |name: &str| {
        let sent = Command::new("kill").args([name, &child]).status().expect("run kill");
        assert!(sent.success());
    };
    asked("-HUP");
    wait_for("evidence after the reading", || runs().filter(|runs| *runs >= 30.0));
    asked("-TERM");
    let mut up = up;
    assert!(up.ended().success(), "{}", up.said());

    let mut allowed = allowed();
    // SQLite gives new files to the owner of the first one, and only where it runs as root
    allowed.insert("fchown".to_owned());
    let text = std::fs::read_to_string(&calls).expect("what was traced");
    let mut beyond: BTreeSet<&str> = BTreeSet::new();
    for line in text.lines() {
        // PID NAME(…, or PID <... NAME resumed>…, or PID +++ exited …, --- SIG…
        let rest = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        let Some((name, _)) = rest.split_once('(') else { continue };
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && !name.is_empty() && !allowed.contains(name) {
            beyond.insert(name);
        }
    }
    assert!(text.lines().count() > 1_000);
    assert_eq!(beyond, BTreeSet::new(), "system calls that the units forbid");
}
