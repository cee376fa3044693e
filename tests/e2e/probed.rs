//! What the tests against real servers share: the servers, started in order and ended whatever
//! becomes of the test, and what probes that are run by hand say of them.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::support::{peer_at, run};

/// Groups of servers under `tests/peers/`, at ports of one test's own.
pub(crate) struct Peers<'a> {
    port_base: u16,
    groups: &'static [&'static str],
    directory: &'a Path,
}

impl<'a> Peers<'a> {
    /// Starts them in this order.
    pub(crate) fn up(port_base: u16, groups: &'static [&'static str], directory: &'a Path) -> Self {
        let peers = Self { port_base, groups, directory };
        groups.iter().for_each(|group| peers.start(group));
        peers
    }

    pub(crate) fn start(&self, group: &str) {
        peer_at(self.port_base, group, "up", self.directory);
    }

    pub(crate) fn stop(&self, group: &str) {
        peer_at(self.port_base, group, "down", self.directory);
    }

    /// One of a group's scripts.
    pub(crate) fn script(&self, group: &str, name: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers").join(group);
        let mut command = Command::new("bash");
        command
            .arg(script.join(name))
            .env("PEERS_DIR", self.directory)
            .env("PEERS_PORT_BASE", self.port_base.to_string())
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

impl Drop for Peers<'_> {
    fn drop(&mut self) {
        for group in self.groups.iter().rev() {
            let _ = self.script(group, "down.sh").stdout(Stdio::null()).status();
        }
    }
}

/// Lets every user of the machine into a directory: servers give their rights up.
pub(crate) fn open_up(directory: &Path) {
    use std::os::unix::fs::PermissionsExt;
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory, open).expect("open the directory");
}

/// What every probe of a definition saw in one run.
pub(crate) fn probe_all(config: &Path) -> BTreeMap<String, Value> {
    outcomes(&run(["probe".as_ref(), "--json".as_ref(), "--config".as_ref(), config.as_os_str()]))
}

/// What each probe saw, of a run of `mailward probe --json`.
pub(crate) fn outcomes(ran: &Output) -> BTreeMap<String, Value> {
    let text = String::from_utf8_lossy(&ran.stdout);
    let outcomes = text.lines().map(|line| {
        let outcome: Value = serde_json::from_str(line).expect("a record");
        (outcome["probe"].as_str().expect("a probe").to_owned(), outcome)
    });
    let outcomes: BTreeMap<String, Value> = outcomes.collect();
    assert!(!outcomes.is_empty(), "{}", String::from_utf8_lossy(&ran.stderr));
    outcomes
}

/// Verdict and reason of one probe, and the rest; nothing of it holds these secrets.
pub(crate) fn probe(config: &Path, id: &str, secrets: &[&str]) -> (String, Value) {
    let args = ["probe".as_ref(), id.as_ref(), "--json".as_ref(), "--config".as_ref()];
    let ran = run(args.into_iter().chain([config.as_os_str()]));
    let text = String::from_utf8_lossy(&ran.stdout);
    assert!(!secrets.iter().any(|secret| text.contains(secret)), "{text}");
    let outcome = outcomes(&ran).remove(id).unwrap_or_else(|| panic!("no {id}: {text}"));
    (word(&outcome), outcome)
}

/// Verdict and reason as words.
pub(crate) fn word(outcome: &Value) -> String {
    let verdict = outcome["verdict"].as_str().expect("a verdict");
    match outcome["reason"].as_str() {
        Some(reason) => format!("{verdict} {reason}"),
        None => verdict.to_owned(),
    }
}
