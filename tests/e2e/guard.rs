//! Accounts are never locked: agents of the real binary against the lab, which counts the logons
//! it rejects, over kills and restarts; and what operators see of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use mailward_lab::{Lab, LabAccount, LabSettings};
use serde_json::Value;

use super::support::{Running, free_port, get, mailward, run_ok, scratch, wait_for, write};

const RIGHT: &str = "correct horse";
const WRONG: &str = "battery staple";

/// The lab, with two accounts, and the runtime it lives in.
struct Stage {
    scratch: tempfile::TempDir,
    lab: Lab,
    _runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let account = |name: &str| LabAccount {
            username: format!("{name}@lab.test"),
            password: RIGHT.to_owned(),
        };
        let settings = LabSettings {
            accounts: vec![account("one"), account("two")],
            ..LabSettings::default()
        };
        let lab = runtime.block_on(Lab::start(settings)).expect("start the lab");
        let scratch = scratch();
        write(scratch.path(), "ca.pem", lab.ca_pem());
        Self { scratch, lab, _runtime: runtime }
    }

    fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// Logons the lab has rejected, of both accounts.
    fn rejected(&self) -> u32 {
        let of = |name: &str| self.lab.account(name).map_or(0, |account| account.rejected);
        of("one@lab.test") + of("two@lab.test")
    }

    /// The password in the file that all agents read, replaced as a whole.
    fn give(&self, password: &str) {
        let fresh = write(self.path(), "password.new", password);
        std::fs::rename(fresh, self.path().join("password")).expect("replace the password");
    }

    /// A definition for one agent, and its path.
    fn definition(&self, agent: &str, token: &str, credentials: &str, shared: bool) -> PathBuf {
        let path = |name: &str| self.path().join(name).display().to_string();
        let mut text = format!(
            "[service]\nname = \"Lab\"\nzone = \"UTC\"\n\
             [agent]\nname = \"{agent}\"\ntrust = \"{}\"\n{token}\
             [[component]]\nid = \"c\"\n\
             [[probe]]\nid = \"logon\"\ncomponent = \"c\"\nkind = \"owa\"\n\
             url = \"https://{}/owa/\"\ncredential = {credentials}\nevery = \"1s\"\n\
             retry_every = \"1s\"\ntimeout = \"10s\"\n",
            path("ca.pem"),
            self.lab.addresses().owa,
        );
        for id in ["one", "two"] {
            text.push_str(&format!(
                "[[credential]]\nid = \"{id}\"\nusername = \"{id}@lab.test\"\n\
                 password = {{ file = \"{}\" }}\nshared = {shared}\n",
                path("password")
            ));
        }
        write(self.path(), &format!("{agent}.toml"), &text)
    }
}

fn args<'a>(words: &[&'a str], options: &[(&'a str, &'a Path)]) -> Vec<&'a OsStr> {
    let mut all: Vec<&OsStr> = words.iter().map(|word| OsStr::new(*word)).collect();
    for (name, path) in options {
        all.push(OsStr::new(*name));
        all.push(path.as_os_str());
    }
    all
}

/// The last failed runs, as records.
fn failures(config: &Path, data: &Path) -> Vec<Value> {
    let words = ["failures", "--json", "--last", "5000"];
    let text = run_ok(args(&words, &[("--config", config), ("--data", data)]));
    text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect()
}

fn with_reason(runs: &[Value], reason: &str) -> usize {
    runs.iter().filter(|run| run["reason"] == reason).count()
}

#[test]
fn ten_agents_and_a_wrong_password() {
    let stage = Stage::new();
    stage.give(WRONG);
    let data = stage.path().join("reporter");
    let listen = free_port();
    let mut definitions = Vec::new();
    for n in 0..10 {
        let name = format!("agent-{n}");
        let token = run_ok(args(&["agents", "add", &name], &[("--data", &data)]));
        let token = write(stage.path(), &format!("token-{n}"), token.trim());
        let token = format!("token = {{ file = \"{}\" }}\n", token.display());
        definitions.push(stage.definition(&name, &token, "\"one\"", true));
    }
    let listens = listen.to_string();
    let reporter = || {
        let words = ["reporter", "--listen", &listens];
        let mut running =
            Running::start(args(&words, &[("--config", &definitions[0]), ("--data", &data)]));
        running.wait_line("reporter listens");
        running
    };
    let url = format!("http://{listen}/");
    let agent = |n: usize| {
        let own = stage.path().join(format!("data-{n}"));
        let words = ["agent", "--listen", "127.0.0.1:0", "--reporter", &url];
        Running::start(args(&words, &[("--config", &definitions[n]), ("--data", &own)]))
    };
    let mut reporting = reporter();
    // the first finds out that it is wrong; the others are told
    let mut agents: Vec<Option<Running>> = vec![Some(agent(0))];
    wait_for("a rejected logon", || (stage.rejected() > 0).then_some(()));
    agents.extend((1..10).map(|n| Some(agent(n))));
    let spared = |least: usize| {
        wait_for("agents that spare the account", || {
            let runs = failures(&definitions[0], &data);
            (with_reason(&runs, "credential_held") >= least).then_some(())
        });
    };
    spared(30);
    assert_eq!(stage.rejected(), 1, "of an account that is not proven, one attempt");
    // over restarts of both sides, as a power cut makes them
    for n in [0, 3, 7] {
        if let Some(running) = agents[n].take() {
            running.kill();
        }
        agents[n] = Some(agent(n));
    }
    reporting.kill();
    reporting = reporter();
    spared(100);
    assert!(stage.rejected() <= 3, "{}", stage.rejected());

    let list = run_ok(args(&["credentials", "list"], &[("--data", &data)]));
    assert!(
        list.contains("one") && list.contains("refused") && list.contains("(shared)"),
        "{list}"
    );
    let (_, metrics) = get(&format!("{url}metrics"));
    let sample = "mailward_credential_state{credential=\"one\",state=\"refused\"} 1";
    wait_for("the metric", || get(&format!("{url}metrics")).1.contains(sample).then_some(()));
    assert!(metrics.contains("mailward_credential_state"), "{metrics}");
    let (_, page) = get(&url);
    assert!(!page.contains("one@lab.test") && !page.contains("agent-"), "{page}");

    // mended and cleared, all of them come back; a logon sets the directory's count back
    stage.give(RIGHT);
    run_ok(args(&["credentials", "clear", "one", "--by", "A. Manager"], &[("--data", &data)]));
    wait_for("an accepted account", || {
        let accepted = stage.lab.account("one@lab.test").map_or(0, |account| account.accepted);
        (accepted >= 10).then_some(())
    });
    assert_eq!(stage.rejected(), 0);
    // the password is changed under agents that trust it
    stage.give(WRONG);
    let runs = failures(&definitions[0], &data);
    let held = with_reason(&runs, "credential_held");
    spared(held + 60);
    let more = stage.rejected();
    assert!((1..=3).contains(&more), "{more} rejections after the change");
    drop(agents);
    reporting.stop();
}

#[test]
fn two_accounts_proven_good_and_then_both_refused_are_down() {
    let stage = Stage::new();
    stage.give(RIGHT);
    let config = stage.definition("here", "", "[\"one\", \"two\"]", false);
    let data = stage.path().join("data");
    let listen = free_port().to_string();
    let words = ["up", "--listen", &listen];
    let up = Running::start(args(&words, &[("--config", &config), ("--data", &data)]));
    let accepted = |name: &str| stage.lab.account(name).map_or(0, |account| account.accepted);
    wait_for("a logon", || (accepted("one@lab.test") > 2).then_some(()));
    // the second is only tried when the first is refused: prove it as well
    let credentials = data.join("agent/credentials");
    let first = wait_for("what is remembered of the first", || {
        std::fs::read_to_string(credentials.join("one.json")).ok()
    });
    up.stop();
    let swapped = stage.definition("here", "", "[\"two\", \"one\"]", false);
    let up = Running::start(args(&words, &[("--config", &swapped), ("--data", &data)]));
    wait_for("a logon with the second", || (accepted("two@lab.test") > 2).then_some(()));
    assert!(first.contains("proven_ms"), "{first}");
    stage.give(WRONG);
    let run = wait_for("a run that finds both refused", || {
        let runs = failures(&swapped, &data);
        runs.into_iter().find(|run| run["reason"] == "auth_rejected")
    });
    assert_eq!(run["verdict"], "down");
    wait_for("runs that spare them", || {
        (with_reason(&failures(&swapped, &data), "credential_held") >= 3).then_some(())
    });
    assert_eq!(stage.rejected(), 2, "one each");
    // shown to operators, with what it met and without the password
    let due = run["due"].as_str().expect("an instant");
    let words = ["failures", due];
    let shown = run_ok(args(&words, &[("--config", &swapped), ("--data", &data)]));
    assert!(shown.contains("auth_rejected") && shown.contains(due), "{shown}");
    assert!(!shown.contains(WRONG) && !shown.contains("battery"), "{shown}");
    up.stop();
}

#[test]
fn running_probes_by_hand_locks_nothing() {
    let stage = Stage::new();
    stage.give(WRONG);
    let config = stage.definition("here", "", "\"one\"", false);
    let states = stage.path().join("states");
    let probe = |more: &[(&str, &Path)]| {
        let mut command = mailward();
        command.args(args(&["probe", "--json"], &[("--config", &config)]));
        command.args(args(&[], more)).env("XDG_STATE_HOME", &states);
        let output = command.current_dir(stage.path()).output().expect("run a probe");
        let text = String::from_utf8(output.stdout).expect("output is UTF-8");
        let run: Value = serde_json::from_str(text.trim()).expect("a record");
        run["reason"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(probe(&[]), "credential");
    for _ in 0..3 {
        assert_eq!(probe(&[]), "credential_held");
    }
    assert_eq!(stage.rejected(), 1);
    // beside an agent, its memory counts
    let data = stage.path().join("data");
    assert_eq!(probe(&[("--data", &data)]), "credential");
    assert_eq!(probe(&[("--data", &data)]), "credential_held");
    std::fs::remove_file(data.join("credentials/one.json")).expect("what is remembered");
    assert_eq!(probe(&[("--data", &data)]), "credential", "removing the file clears it");
    assert_eq!(stage.rejected(), 3);
}
