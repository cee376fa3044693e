//! Rotating, revoking and retiring an agent that delivers all the while: what it saw arrives,
//! nothing of it is lost, and whoever is refused says so and keeps what it has.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Running, free_port, http, run_ok, scratch, wait_for, write};

/// An agent with three checks a second of a port that is open, and the reporter it delivers to.
struct Pair {
    scratch: tempfile::TempDir,
    agent: Running,
    /// The agent's own face.
    face: SocketAddr,
    _reporter: Running,
}

impl Pair {
    fn start() -> Self {
        let scratch = scratch();
        let (listen, face) = (free_port(), free_port());
        let checks = ["a", "b", "c"].map(|id| {
            format!(
                "[[probe]]\nid = \"{id}\"\ncomponent = \"door\"\nkind = \"tcp\"\n\
                 host = \"127.0.0.1\"\nport = {}\nevery = \"1s\"\ntimeout = \"1s\"\n",
                listen.port()
            )
        });
        let definition = format!(
            "[service]\nname = \"Tokens\"\nzone = \"UTC\"\n[[component]]\nid = \"door\"\n\
             [agent]\nname = \"leeds-1\"\nsite = \"internet\"\ntoken = {{ file = \"token\" }}\n{}",
            checks.concat()
        );
        let config = write(scratch.path(), "probes.toml", &definition);
        let config = config.display().to_string();
        let data = scratch.path().join("reporter").display().to_string();
        let token = run_ok(["agents", "add", "leeds-1", "--site", "internet", "--data", &data]);
        write(scratch.path(), "token", &token);
        let reporter = Running::start([
            "reporter",
            "--config",
            &config,
            "--data",
            &data,
            "--listen",
            &listen.to_string(),
        ]);
        let own = scratch.path().join("agent").display().to_string();
        let agent = Running::start([
            "agent",
            "--config",
            &config,
            "--data",
            &own,
            "--listen",
            &face.to_string(),
            "--reporter",
            &format!("http://{listen}"),
        ]);
        Self { scratch, agent, face, _reporter: reporter }
    }

    fn data(&self) -> PathBuf {
        self.scratch.path().join("reporter")
    }

    fn agents(&self, command: &str, more: &[&str]) -> String {
        let data = self.data().display().to_string();
        run_ok([&["agents", command], more, &["--data", &data]].concat())
    }

    /// Gives the agent a new token, half of the time in two steps, as an editor might.
    fn hand_over(&self, token: &str, is_torn: bool) {
        if is_torn {
            write(self.scratch.path(), "token", &token[..token.len() / 2]);
        }
        write(self.scratch.path(), "token", token);
    }

    fn state(&self) -> String {
        let list = self.agents("list", &[]);
        list.lines().find(|line| line.starts_with("leeds-1")).expect("the agent").to_owned()
    }

    /// How many outcomes the agent has seen, by its own metrics.
    fn seen(&self) -> u64 {
        let url = format!("http://{}/metrics", self.face);
        let (_, text) = wait_for("the agent's metrics", || http("GET", &url, &[], Vec::new()));
        let lines = text.lines().filter(|l| l.starts_with("mailward_probe_outcomes_total"));
        lines.filter_map(|l| l.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// What the reporter has of it.
    fn kept(&self) -> Vec<Value> {
        outcomes(&self.data())
    }

    fn wait_kept(&self, at_least: usize) {
        wait_for(&format!("{at_least} outcomes"), || (self.kept().len() >= at_least).then_some(()));
    }

    /// Stops the agent, and checks that all it saw is at the reporter, once.
    fn settle(mut self) {
        let seen = self.seen();
        let data = self.data();
        // asked twice it would go at once, with what is left in its outbox
        let pid = self.agent.pid().to_string();
        let asked = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        assert!(asked.expect("run kill").success());
        self.agent.ended();
        let said = self.agent.said();
        assert!(!said.contains("set aside"), "{said}");
        let kept = outcomes(&data);
        assert!(kept.len() as u64 >= seen, "{} of {seen} arrived\n{said}", kept.len());
        let mut keys: Vec<String> =
            kept.iter().map(|o| format!("{} {} {}", o["probe"], o["due"], o["attempt"])).collect();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), kept.len(), "none of them twice");
    }
}

fn outcomes(data: &Path) -> Vec<Value> {
    let text = run_ok([Path::new("export"), Path::new("--data"), data]);
    let records = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    records.filter(|record| record["kind"] == "outcome").collect()
}

#[test]
fn a_rotated_token_leaves_no_gap() {
    let pair = Pair::start();
    pair.wait_kept(3);
    for round in 0..3 {
        let token = pair.agents("rotate", &["leeds-1"]);
        assert!(pair.state().contains("new token unused"), "{}", pair.state());
        // the old one goes on until the new one is there
        let before = pair.kept().len();
        pair.wait_kept(before + 3);
        pair.hand_over(&token, round % 2 == 1);
        wait_for("the new token to be used", || {
            (!pair.state().contains("new token unused")).then_some(())
        });
    }
    let said = pair.agent.said();
    assert!(!said.contains(" (403)"), "{said}");
    pair.settle();
}

#[test]
fn a_revoked_agent_is_refused_at_once_says_so_and_keeps_what_it_saw() {
    let mut pair = Pair::start();
    pair.wait_kept(3);
    pair.agents("revoke", &["leeds-1"]);
    pair.agent.wait_line("does not let this agent in (401)");
    let kept = pair.kept().len();
    let seen = pair.seen();
    wait_for("the agent to see more", || (pair.seen() >= seen + 6).then_some(()));
    assert_eq!(pair.kept().len(), kept, "what was there stays, and nothing more comes");
    assert!(pair.state().contains("revoked"));
    // a new token is taken up by itself, and what was kept comes after
    let token = pair.agents("rotate", &["leeds-1"]);
    pair.hand_over(&token, false);
    pair.wait_kept(kept + 6);
    pair.settle();
}

#[test]
fn a_retired_agent_has_an_empty_roster_and_delivers_no_more() {
    let mut pair = Pair::start();
    pair.wait_kept(3);
    pair.agents("retire", &["leeds-1"]);
    pair.agent.wait_line("does not let this agent in (403)");
    let text = run_ok([Path::new("export"), Path::new("--data"), &pair.data()]);
    let rosters = text.lines().filter(|line| line.contains("\"kind\":\"roster\""));
    let last = rosters.map(|line| serde_json::from_str::<Value>(line).expect("a record"));
    let last = last.max_by_key(|roster| roster["at"].as_str().map(str::to_owned));
    let last = last.expect("a roster");
    assert_eq!(last["probes"], Value::Array(Vec::new()), "{last}");
    let retired = last["at"].as_str().expect("an instant");
    for outcome in pair.kept() {
        assert!(outcome["due"].as_str().expect("an instant") < retired, "{outcome}");
    }
    let status = pair.agent.stop();
    assert!(status.success(), "{status}");
}
