//! `init` against real servers: a domain that Knot signs and Unbound validates, Postfix, Dovecot
//! and nginx behind it. What is written holds, is found up, and watches.

use std::path::Path;
use std::process::Output;

use super::probed::Peers;
use super::support::{Running, free_port, get_json, run, run_ok, scratch, wait_for, write};

/// Ports of their own, beside those of the other tests that start real servers.
const PORT_BASE: u16 = 29_000;
const GROUPS: &[&str] = &["mail", "mailbox", "dns"];

fn init(directory: &Path, domain: &str, out: &Path) -> Output {
    let text = |path: &str| directory.join(path).display().to_string();
    run([
        "init".to_owned(),
        domain.to_owned(),
        "--out".to_owned(),
        out.display().to_string(),
        "--resolver".to_owned(),
        format!("127.0.0.1:{}", PORT_BASE + 55),
        "--trust".to_owned(),
        text("tls/ca.pem"),
        "--trust-anchors".to_owned(),
        text("dns/keys.txt"),
        "--mx-port".to_owned(),
        (PORT_BASE + 25).to_string(),
        "--https-port".to_owned(),
        (PORT_BASE + 447).to_string(),
        "--zone".to_owned(),
        "Europe/London".to_owned(),
    ])
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("output is UTF-8")
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("output is UTF-8")
}

#[test]
fn a_signed_domain_is_found_written_down_and_watched() {
    let scratch = scratch();
    let directory = scratch.path();
    let _peers = Peers::up(PORT_BASE, GROUPS, directory);
    let file = directory.join("probes.toml");
    let made = init(directory, "Pat@Peers.Test", &file);
    let said = out(&made);
    assert_eq!(made.status.code(), Some(0), "{said}{}", err(&made));
    assert!(err(&made).contains("taking peers.test out of the mail address"), "{}", err(&made));
    for found in [
        "mail servers    mail.peers.test",
        "SPF             v=spf1 mx -all",
        "DKIM selectors  selector1",
        "DMARC           v=DMARC1; p=reject",
        "DNSSEC          proved by the resolver",
        "5 components, 7 checks",
        "blocklists left out (dead): ",
        "next: mailward up --config",
    ] {
        assert!(said.contains(found), "{found:?} in {said}");
    }
    assert_eq!(said.lines().last(), Some("7 probes: 7 up, 0 degraded, 0 down, 0 unknown"));

    let config = file.display().to_string();
    let checked = run_ok(["check", "--config", &config]);
    assert!(checked.contains("7 probes, 0 levels; no errors, 0 warnings"), "{checked}");
    let probed = run_ok(["probe", "--config", &config]);
    for id in ["mx", "submission", "submission-starttls", "webmail", "imap", "pop3", "domain"] {
        let is_up = |line: &str| {
            let mut words = line.split_whitespace();
            words.next() == Some(id) && words.next() == Some("up")
        };
        assert!(probed.lines().any(is_up), "{id} in {probed}");
    }
    let text = std::fs::read_to_string(&file).expect("read the file");
    let require = "\"spf\", \"dkim\", \"dmarc\", \"mta-sts\", \"tls-rpt\", \"dane\", \"dnssec\"";
    assert!(text.contains(&format!("require = [{require}]")), "{text}");

    // a file that is there stays as it is
    let again = init(directory, "peers.test", &file);
    assert_eq!(again.status.code(), Some(64), "{}", err(&again));
    assert!(err(&again).contains("is there already and is not overwritten"), "{}", err(&again));
    assert_eq!(std::fs::read_to_string(&file).expect("read the file"), text);

    refused(directory);
    a_page_is_gone_through(directory);

    let address = free_port();
    let data = directory.join("data").display().to_string();
    let listen = address.to_string();
    // the first run of a check comes within its interval
    let often = text.replace("every = \"60s\"", "every = \"2s\"");
    let often = write(directory, "often.toml", &often).display().to_string();
    let mut up = Running::start(["up", "--config", &often, "--data", &data, "--listen", &listen]);
    up.wait_line(&listen);
    let state = |component: &str| {
        let status = get_json(&format!("http://{address}/api/v1/status"))?;
        let rows = status["components"].as_array()?;
        let row = rows.iter().find(|row| row["id"] == component)?;
        (row["state"] == "working").then_some(())
    };
    for component in ["incoming-internet", "sending", "webmail", "mail-clients"] {
        wait_for(component, || state(component));
    }
    assert!(up.stop().success());
}

/// What is no domain with mail is said, and nothing is written.
fn refused(directory: &Path) {
    let check = |domain: &str, code: i32, expect: &str| {
        let file = directory.join("never.toml");
        let refused = init(directory, domain, &file);
        assert_eq!(refused.status.code(), Some(code), "{domain}: {}", err(&refused));
        assert!(err(&refused).contains(expect), "{domain}: {}", err(&refused));
        assert!(!file.exists(), "{domain}");
    };
    check("", 64, "expected a domain such as example.org, got nothing");
    check("192.0.2.1", 64, "expected a domain such as example.org, got the address");
    check("no-such-name.sign.test", 64, "there is no domain no-such-name.sign.test in the DNS");
    check("nomail.sign.test", 64, "says that it takes no mail (a null MX, RFC 7505)");
    check("spf-neutral.sign.test", 64, "has neither an MX record nor an address");
    let silent = run([
        "init",
        "example.org",
        "--resolver",
        "127.0.0.1:9",
        "--out",
        &directory.join("never.toml").display().to_string(),
    ]);
    assert_eq!(silent.status.code(), Some(74), "{}", err(&silent));
    assert!(err(&silent).contains("--resolver"), "{}", err(&silent));
}

/// nginx: a value of its page, escaped, is what its next page is asked for.
fn a_page_is_gone_through(directory: &Path) {
    let text = format!(
        "[service]\nname = \"x\"\nzone = \"UTC\"\n[agent]\nname = \"here\"\ntrust = {:?}\n\
         resolver = \"127.0.0.1:{}\"\n[[component]]\nid = \"portal\"\n[[probe]]\nid = \"p\"\n\
         component = \"portal\"\nkind = \"http\"\nevery = \"60s\"\n\
         url = \"https://webmail.peers.test:{}/\"\n[[probe.step]]\n\
         capture = {{ csrf = {{ regex = 'name=\"csrf\" value=\"([^\"]+)\"' }} }}\n\
         [[probe.step]]\nname = \"said\"\nurl = \"said?t={{csrf}}\"\n\
         expect_body = '^you said a%26b%2Fc%20d$'\n",
        directory.join("tls/ca.pem").display().to_string(),
        PORT_BASE + 55,
        PORT_BASE + 447,
    );
    let config = write(directory, "portal.toml", &text).display().to_string();
    let told = run_ok(["probe", "--json", "--config", &config]);
    let outcome: serde_json::Value = serde_json::from_str(told.trim()).expect("an outcome");
    let phases = outcome["phases"].as_object().expect("phases");
    assert!(phases.contains_key("step1") && phases.contains_key("said"), "{told}");
}
