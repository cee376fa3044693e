//! ActiveSync of a real server, SOGo: every depth, a wrong password, a back end that is gone, and
//! that a mailbox knows one device however often, and by whichever command, it was looked into.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::probed::{self, Peers, open_up};
use super::support::{Running, free_port, scratch, wait_for, write};

/// The ports are this plus an offset, apart from those of other tests.
const PORT_BASE: u16 = 27_000;
const GROUPS: &[&str] = &["mailbox", "sogo"];

fn definition(directory: &Path) -> String {
    let trust = directory.join("tls/ca.pem");
    let right = write(directory, "right", "secret-1\n");
    let wrong = write(directory, "wrong", "secret-2\n");
    let mut text = format!(
        "[service]\nname = \"Real\"\nzone = \"UTC\"\n[agent]\nname = \"here\"\ntrust = \"{}\"\n\
         [[component]]\nid = \"c\"\n",
        trust.display()
    );
    for (id, path) in [("right", &right), ("wrong", &wrong)] {
        text.push_str(&format!(
            "[[credential]]\nid = \"{id}\"\nusername = \"probe@peers.test\"\n\
             password = {{ file = \"{}\" }}\n",
            path.display()
        ));
    }
    let url = format!("https://localhost:{}/Microsoft-Server-ActiveSync", PORT_BASE + 449);
    let mut probe = |id: &str, keys: &str| {
        text.push_str(&format!(
            "[[probe]]\nid = \"{id}\"\ncomponent = \"c\"\nkind = \"eas\"\nevery = \"1s\"\n\
             timeout = \"20s\"\nurl = \"{url}\"\n{keys}\n"
        ));
    };
    for depth in ["options", "provision", "folders", "inbox"] {
        probe(depth, &format!("credential = \"right\"\ndepth = \"{depth}\""));
    }
    probe("wrong", "credential = \"wrong\"\ndepth = \"inbox\"");
    probe("nobody", "");
    text
}

/// The devices that the server knows.
fn devices(peers: &Peers<'_>) -> Vec<String> {
    let output = peers.script("sogo", "devices.sh").output().expect("ask for the devices");
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("output is UTF-8");
    text.lines().map(str::to_owned).collect()
}

/// Verdict, reason and the rest of what a probe saw.
fn probe(config: &Path, id: &str) -> (String, Value) {
    probed::probe(config, id, &["secret-", "hello"])
}

#[test]
fn a_phone_at_a_real_server() {
    let scratch = scratch();
    // servers drop privileges: every directory above their own must be open to them
    let directory = scratch.path().join("peers");
    std::fs::create_dir_all(&directory).expect("make a directory");
    open_up(scratch.path());
    let peers = Peers::up(PORT_BASE, GROUPS, &directory);
    let config = write(scratch.path(), "probes.toml", &definition(&directory));
    let check = |id: &str, expect: &str, depth: &str| {
        let (word, outcome) = probe(&config, id);
        assert_eq!(word, expect, "{id}: {outcome}");
        assert_eq!(outcome["facts"]["depth"].as_str().unwrap_or_default(), depth, "{outcome}");
        outcome
    };
    check("nobody", "up", "to the request for a password");
    check("options", "up", "to the logon");
    assert_eq!(devices(&peers), [""; 0], "OPTIONS makes no device");
    let seen = check("provision", "up", "to the device's policy");
    assert_eq!(seen["facts"]["policy"], "none");
    check("folders", "up", "to the list of folders");
    let seen = check("inbox", "up", "to the inbox");
    assert_eq!(seen["facts"]["eas_version"], "14.1");
    for phase in ["options", "folders", "inbox", "estimate"] {
        assert!(seen["phases"][phase].is_number(), "{phase}: {seen}");
    }
    check("wrong", "unknown credential", "");
    let device = seen["facts"]["device"].as_str().expect("a device").to_owned();

    let runs = if std::env::var_os("MAILWARD_LONG").is_some() { 1000 } else { 20 };
    for number in 0..runs {
        check(["inbox", "folders", "provision"][number % 3], "up", {
            ["to the inbox", "to the list of folders", "to the device's policy"][number % 3]
        });
    }
    an_agent_that_keeps_its_keys(scratch.path(), &config);
    assert_eq!(devices(&peers), [device], "after {runs} runs and an agent's");

    let stopped = peers.script("sogo", "stop-sogod.sh").stdout(Stdio::null()).status();
    assert!(stopped.expect("run the script").success());
    let (word, outcome) = probe(&config, "inbox");
    assert_eq!(word, "down server_error", "nginx has nothing behind it: {outcome}");
    assert_eq!(outcome["facts"]["http_status"], "502");
    peers.stop("sogo");
    assert_eq!(probe(&config, "inbox").0, "down connect_refused");
}

/// The same probes by an agent, which keeps what it was given; then by one that finds it broken.
fn an_agent_that_keeps_its_keys(scratch: &Path, config: &Path) {
    let data = scratch.join("data");
    for _ in 0..2 {
        let listen = free_port().to_string();
        let mut up = Running::start([
            "up".as_ref(),
            "--config".as_ref(),
            config.as_os_str(),
            "--data".as_ref(),
            data.as_os_str(),
            "--listen".as_ref(),
            listen.as_ref(),
        ]);
        up.wait_line("probe=inbox verdict=\"up\"");
        let path = wait_for("the key of the inbox on disk", || {
            let path = kept(&data)?;
            let text = std::fs::read_to_string(&path).ok()?;
            text.contains("\"inbox_key\":\"").then_some(path)
        });
        assert!(up.stop().success());
        std::fs::write(path, "{\"id\":\"").expect("break the file");
    }
}

/// The file in which the agent wrote down what its device knows.
fn kept(data: &Path) -> Option<PathBuf> {
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.parent().is_some_and(|parent| parent.ends_with("devices")) {
                return Some(path);
            }
        }
    }
    None
}
