//! Walks through servers made for the test: what each step says, and what is never done.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::probe::Seen;
use crate::probe::trial::{
    Table, fact, good_accounts, plain_net, run, run_for, says, server, until_closed, word,
};

/// Rules: what a command begins with, and the answer; `TAG` in it is the command's tag. The
/// first is the greeting. What no rule covers is answered with BAD.
type Rules = &'static [(&'static str, &'static str)];

/// A server that goes by rules, and the commands it was given.
async fn scripted(rules: Rules) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = heard.clone();
    let address = server(move |stream| {
        let ears = ears.clone();
        async move {
            let mut stream = BufReader::new(stream);
            let mut answer = rules[0].1.to_owned();
            let mut line = String::new();
            loop {
                let bytes = format!("{}\r\n", answer.replace('\n', "\r\n"));
                if stream.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
                loop {
                    line.clear();
                    if !matches!(stream.read_line(&mut line).await, Ok(count) if count > 0) {
                        return;
                    }
                    let (tag, command) =
                        line.trim_end().split_once(' ').unwrap_or(("", line.trim_end()));
                    ears.lock().unwrap().push(command.to_owned());
                    if command == "LOGOUT" {
                        let bye = format!("* BYE\r\n{tag} OK bye\r\n");
                        let _ = stream.write_all(bye.as_bytes()).await;
                        return;
                    }
                    let rule = rules[1..].iter().find(|(start, _)| command.starts_with(start));
                    let found = rule.map_or("TAG BAD what", |(_, answer)| *answer);
                    if found == "(nothing)" {
                        continue;
                    }
                    if found == "(closes)" {
                        return;
                    }
                    answer = found.replace("TAG", tag);
                    break;
                }
            }
        }
    })
    .await;
    (address, heard)
}

fn keys(address: SocketAddr, more: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!("kind = \"imap\"\nhost = \"{ip}\"\nport = {port}\ntls = \"none\"\n{more}")
}

async fn speak(rules: Rules, accounts: &Table, more: &str) -> Seen {
    let (address, _) = scripted(rules).await;
    run(&plain_net(), accounts, &keys(address, more)).await
}

const GREETING: (&str, &str) = ("", "* OK [CAPABILITY IMAP4rev1] hi");
const LOGIN: (&str, &str) = ("LOGIN", "TAG OK in");
const EXAMINE: (&str, &str) = ("EXAMINE INBOX", "* 100000 EXISTS\n* OK [ALERT] tidy up\nTAG OK");
const ACCOUNT: &str = "credential = \"a\"";

#[tokio::test]
async fn a_mailbox_is_opened_and_left_as_it_was() {
    let rules: Rules = &[
        ("", "* OK hi"),
        ("CAPABILITY", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\nTAG OK done"),
        ("AUTHENTICATE PLAIN", "+"),
        // \0probe@example.test\0correct horse
        ("AHByb2JlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl", "M2 OK in"),
        EXAMINE,
        ("NOOP", "TAG OK"),
    ];
    let (address, heard) = scripted(rules).await;
    let accounts = good_accounts();
    let seen = run(&plain_net(), &accounts, &keys(address, ACCOUNT)).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(accounts.told(), ["+a"]);
    let phases: Vec<&str> = seen.phases.iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases.join(" "), "auth capabilities connect greeting logout noop select");
    let found = ["messages", "alert", "auth", "offers"].map(|name| fact(&seen, name));
    assert_eq!(found, ["100000", "tidy up", "PLAIN", "IMAP4REV1 AUTH=PLAIN"]);
    assert!(!format!("{seen:?}").contains("AHByb2Jl"), "{seen:?}");
    let heard = heard.lock().unwrap().clone();
    assert_eq!(heard.last().map(String::as_str), Some("LOGOUT"));
    let harmless = ["CAPABILITY", "AUTHENTICATE", "EXAMINE", "NOOP", "LOGOUT", "AHBy", ""];
    let fine = |line: &&String| harmless.iter().any(|verb| line.starts_with(verb));
    assert_eq!(heard.iter().filter(fine).count(), heard.len(), "{heard:?}");
}

#[tokio::test]
async fn steps_end_where_they_are_declared() {
    let rules: Rules = &[GREETING, LOGIN];
    assert_eq!(word(&speak(rules, &Table::default(), "").await), "up");
    let seen = speak(rules, &good_accounts(), "credential = \"a\"\nupto = \"auth\"").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "auth"), "LOGIN");
    assert!(seen.phases.get("select").is_none());
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let check = async |rules: Rules, more: &str, expect: &str| {
        let seen = speak(rules, &good_accounts(), more).await;
        assert_eq!(word(&seen), expect, "{rules:?}: {seen:?}");
    };
    check(&[("", "* BYE [UNAVAILABLE] back end gone")], "", "down service_unavailable").await;
    check(&[("", "* PREAUTH welcome"), ("CAPABILITY", "* CAPABILITY IMAP4rev1\nTAG OK")], "", "up")
        .await;
    let strangers: Rules =
        &[("", "* PREAUTH in"), ("CAPABILITY", "* CAPABILITY IMAP4rev1\nTAG OK")];
    check(strangers, ACCOUNT, "down protocol_error").await;
    check(&[("", "220 mail ESMTP")], "", "down protocol_error").await;
    check(&[("", "* OK hi"), ("CAPABILITY", "TAG BAD what")], "", "down protocol_error").await;
    let privacy: Rules = &[("", "* OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hi")];
    check(privacy, ACCOUNT, "unknown probe_fault").await;
    let expired: Rules = &[GREETING, ("LOGIN", "TAG NO [EXPIRED] change it")];
    check(expired, ACCOUNT, "unknown credential_expired").await;
    let busy: Rules = &[GREETING, ("LOGIN", "TAG NO [UNAVAILABLE] directory")];
    check(busy, ACCOUNT, "down service_unavailable").await;
    let closes: Rules = &[GREETING, ("LOGIN", "(closes)")];
    check(closes, ACCOUNT, "down connection_lost").await;
    let away: Rules = &[GREETING, LOGIN, ("EXAMINE", "TAG BAD authenticated but not connected")];
    check(away, ACCOUNT, "down logon_failed").await;
    let full: Rules = &[GREETING, LOGIN, ("EXAMINE", "TAG NO [OVERQUOTA] full")];
    check(full, ACCOUNT, "unknown mailbox_full").await;
    let dies: Rules = &[GREETING, LOGIN, EXAMINE, ("NOOP", "* BYE [UNAVAILABLE] restart")];
    check(dies, "credential = \"a\"\nupto = \"auth\"", "up").await;
}

#[tokio::test]
async fn a_refused_account_is_tried_once() {
    let rules: Rules = &[GREETING, ("LOGIN", "TAG NO [AUTHENTICATIONFAILED] probe@example.test?")];
    let (address, heard) = scripted(rules).await;
    let accounts = good_accounts();
    let seen = run(&plain_net(), &accounts, &keys(address, ACCOUNT)).await;
    assert_eq!(word(&seen), "unknown credential", "{seen:?}");
    assert_eq!(accounts.told(), ["-a"]);
    assert_eq!(fact(&seen, "imap_code"), "AUTHENTICATIONFAILED");
    assert_eq!(fact(&seen, "answer"), "", "an answer to a password is not kept");
    let tries = heard.lock().unwrap().iter().filter(|line| line.starts_with("LOGIN")).count();
    assert_eq!(tries, 1);
    let mut two = good_accounts();
    two.proven = vec!["a".to_owned(), "b".to_owned()];
    let seen = run(&plain_net(), &two, &keys(address, "credential = [\"a\", \"b\"]")).await;
    assert_eq!(word(&seen), "down auth_rejected");
    assert_eq!(two.told(), ["-a", "-b"]);
}

#[tokio::test]
async fn starttls_and_what_comes_before_the_handshake() {
    let over_tls =
        |address: SocketAddr| keys(address, "").replace("tls = \"none\"", "tls = \"starttls\"");
    let check = async |rules: Rules, expect: &str| {
        let (address, _) = scripted(rules).await;
        let seen = run(&plain_net(), &Table::default(), &over_tls(address)).await;
        assert_eq!(word(&seen), expect, "{rules:?}: {seen:?}");
        seen
    };
    let offers = ("", "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi");
    check(&[GREETING], "down tls_not_offered").await;
    check(&[("", "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] in")], "down tls_not_offered").await;
    const OFFERS: (&str, &str) = ("", "* OK [CAPABILITY IMAP4rev1 STARTTLS] hi");
    assert_eq!(offers, OFFERS);
    check(&[OFFERS, ("STARTTLS", "TAG NO not now")], "down tls_not_offered").await;
    let injected: Rules = &[OFFERS, ("STARTTLS", "TAG OK go\n* CAPABILITY IMAP4rev1 AUTH=PLAIN")];
    let seen = check(injected, "down protocol_error").await;
    assert!(!fact(&seen, "injection").is_empty());
    let tagged: Rules = &[OFFERS, ("STARTTLS", "TAG OK go\nM2 OK in")];
    check(tagged, "down protocol_error").await;
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let silent = server(|mut stream| async move { until_closed(&mut stream).await }).await;
    let half = says(b"* OK half a gree", true).await;
    for address in [silent, half] {
        let timeout = Duration::from_millis(300);
        let seen = run_for(timeout, &plain_net(), &Table::default(), &keys(address, "")).await;
        assert_eq!(word(&seen), "down timeout", "{seen:?}");
        assert!(seen.phases.get("greeting").is_some(), "the phase it failed in is told");
    }
}
