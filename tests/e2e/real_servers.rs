//! `mailward up` against Postfix with STARTTLS, nginx with TLS and rbldnsd: up while they run,
//! a confirmed and backdated outage with the right reason when one stops, and its end.

use std::path::Path;

use serde_json::Value;

use super::probed::{Peers, open_up};
use super::support::{Running, free_port, get_json, run_ok, scratch, wait_for, write};

fn definition(trust: &Path) -> String {
    format!(
        r#"
[service]
name = "Real"
zone = "Europe/London"

[agent]
name = "here"
site = "internet"
trust = "{trust}"

[[component]]
id = "mail"
name = "Incoming mail"

[[component]]
id = "web"
name = "Webmail"

[[component]]
id = "reputation"
name = "Reputation"

[[probe]]
id = "smtp"
component = "mail"
kind = "smtp"
host = "localhost"
port = 22025
tls = "starttls"
upto = "tls"
every = "2s"
retry_every = "1s"
confirm = 2

[[probe]]
id = "https"
component = "web"
kind = "http"
url = "https://localhost:22443/owa/healthcheck.htm"
expect_body = "200 OK"
every = "2s"
retry_every = "1s"
confirm = 2

[[probe]]
id = "lists"
component = "reputation"
kind = "dnsbl"
addresses = ["192.0.2.200"]
lists = ["zen.peers.test"]
resolver = "127.0.0.1:22053"
every = "2s"
timeout = "2s"
effect = "availability"
"#,
        trust = trust.display()
    )
}

/// The live state of a component, as the public API tells it.
fn state(status: &str, component: &str) -> Option<String> {
    let status = get_json(status)?;
    let rows = status["components"].as_array()?;
    let row = rows.iter().find(|row| row["id"] == component)?;
    row["state"].as_str().map(str::to_owned)
}

#[test]
fn real_servers_come_and_go() {
    let scratch = scratch();
    // Postfix drops privileges: every directory above its own must be open to it
    let directory = scratch.path().join("peers");
    std::fs::create_dir_all(&directory).expect("make a directory");
    open_up(scratch.path());
    let peers = Peers::up(22_000, &["mail", "web", "dnsbl"], &directory);
    let trust = directory.join("tls/ca.pem");
    let config = write(scratch.path(), "probes.toml", &definition(&trust));
    let data = scratch.path().join("data");
    let address = free_port().to_string();
    let mut up = Running::start([
        "up".as_ref(),
        "--config".as_ref(),
        config.as_os_str(),
        "--data".as_ref(),
        data.as_os_str(),
        "--listen".as_ref(),
        address.as_ref(),
    ]);
    up.wait_line("The page is at");
    let status = format!("http://{address}/api/v1/status");
    let wait_state = |component: &str, wanted: &str| {
        wait_for(&format!("{component} to be {wanted}"), || {
            state(&status, component).filter(|s| s == wanted)
        });
    };
    for component in ["mail", "web", "reputation"] {
        wait_state(component, "working");
    }
    for (group, component) in [("web", "web"), ("mail", "mail")] {
        peers.stop(group);
        wait_state(component, "not_working");
        peers.start(group);
        wait_state(component, "working");
        assert_outage(&data, component, "connect_refused");
    }
    let zone = directory.join("dnsbl/zen4");
    let before = std::fs::read_to_string(&zone).expect("the list's zone");
    let listed = format!("{before}:127.0.0.2:listed for the test\n192.0.2.200\n");
    std::fs::write(&zone, listed).expect("list an address");
    wait_state("reputation", "not_working");
    std::fs::write(&zone, before).expect("delist it");
    wait_state("reputation", "working");
    // a list that does not answer says nothing about the address, neither good nor bad
    peers.stop("dnsbl");
    wait_state("reputation", "no_data");
    assert!(up.stop().success());
}

/// The outcomes of the outage: at least two failures in a row with the reason, re-probes in
/// between numbered as attempts, and an up outcome that ends them.
fn assert_outage(data: &Path, component: &str, reason: &str) {
    let probe = if component == "web" { "https" } else { "smtp" };
    let text = run_ok([Path::new("export"), Path::new("--data"), data]);
    let mut outcomes: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("a record"))
        .filter(|r| r["kind"] == "outcome" && r["probe"] == probe)
        .collect();
    outcomes.sort_by_key(|r| {
        (r["due"].as_str().map(str::to_owned), r["attempt"].as_u64().unwrap_or_default())
    });
    let down: Vec<usize> =
        (0..outcomes.len()).filter(|i| outcomes[*i]["verdict"] == "down").collect();
    assert!(down.len() >= 2, "{component}: {} down outcomes", down.len());
    assert_eq!(outcomes[down[0]]["attempt"], 0, "the first failure is a scheduled run");
    assert!(
        down.iter().any(|i| outcomes[*i]["reason"] == reason),
        "{component}: no outcome with {reason}: {}",
        outcomes[down[0]]
    );
    assert!(
        down.iter().any(|i| outcomes[*i]["attempt"].as_u64().is_some_and(|a| a > 0)),
        "{component}: no re-probe between scheduled runs"
    );
    let due_ms = |i: usize| {
        let due = outcomes[i]["due"].as_str().expect("a due");
        due.parse::<jiff::Timestamp>().expect("an instant").as_millisecond()
    };
    let confirmed_ms = due_ms(down[1]) - due_ms(down[0]);
    // retry_every x confirm, and one interval
    assert!(confirmed_ms <= 2 * 1000 + 2000, "{component}: confirmed after {confirmed_ms} ms");
    let last = down[down.len() - 1];
    assert!(outcomes[last + 1..].iter().any(|o| o["verdict"] == "up"), "{component} came back");
}
