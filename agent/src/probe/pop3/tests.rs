//! Walks through servers made for the test: what each step says, and what is never done.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::probe::Seen;
use crate::probe::trial::{
    Table, fact, good_accounts, plain_net, run, run_for, server, until_closed, word,
};

/// Rules: what a command begins with, and the answer. The first is the greeting. What no rule
/// covers is answered with -ERR.
type Rules = &'static [(&'static str, &'static str)];

/// A server that goes by rules, and the commands it was given.
async fn scripted(rules: Rules) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let heard: Arc<Mutex<Vec<String>>> = Arc::default();
    let ears = heard.clone();
    let address = server(move |stream| {
        let ears = ears.clone();
        async move {
            let mut stream = BufReader::new(stream);
            let mut answer = rules[0].1;
            let mut line = String::new();
            loop {
                let bytes = format!("{}\r\n", answer.replace('\n', "\r\n"));
                if answer == "(closes)" || stream.write_all(bytes.as_bytes()).await.is_err() {
                    return;
                }
                line.clear();
                if !matches!(stream.read_line(&mut line).await, Ok(count) if count > 0) {
                    return;
                }
                let command = line.trim_end();
                ears.lock().unwrap().push(command.to_owned());
                let rule = rules[1..].iter().find(|(start, _)| command.starts_with(start));
                answer = rule.map_or("-ERR what", |(_, answer)| *answer);
            }
        }
    })
    .await;
    (address, heard)
}

fn keys(address: SocketAddr, more: &str) -> String {
    let (ip, port) = (address.ip(), address.port());
    format!("kind = \"pop3\"\nhost = \"{ip}\"\nport = {port}\ntls = \"none\"\n{more}")
}

async fn speak(rules: Rules, accounts: &Table, more: &str) -> Seen {
    let (address, _) = scripted(rules).await;
    run(&plain_net(), accounts, &keys(address, more)).await
}

const GREETING: (&str, &str) = ("", "+OK ready");
const CAPA: (&str, &str) = ("CAPA", "+OK\nUSER\nSTLS\nRESP-CODES\n.");
const USER: (&str, &str) = ("USER", "+OK");
const PASS: (&str, &str) = ("PASS correct horse", "+OK in");
const STAT: (&str, &str) = ("STAT", "+OK 100000 2000000 more");
const NOOP: (&str, &str) = ("NOOP", "+OK");
const ACCOUNT: &str = "credential = \"a\"";

#[tokio::test]
async fn a_maildrop_is_counted_and_left_as_it_was() {
    let (address, heard) =
        scripted(&[GREETING, CAPA, USER, PASS, STAT, NOOP, ("QUIT", "+OK bye")]).await;
    let accounts = good_accounts();
    let seen = run(&plain_net(), &accounts, &keys(address, ACCOUNT)).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(accounts.told(), ["+a"]);
    let phases: Vec<&str> = seen.phases.iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases.join(" "), "auth capabilities connect greeting noop quit stat");
    let found = ["messages", "octets", "auth", "offers"].map(|name| fact(&seen, name));
    assert_eq!(found, ["100000", "2000000", "USER", "USER, STLS, RESP-CODES"]);
    let told = format!("{seen:?}");
    assert!(!told.contains("correct horse"), "{told}");
    let heard = heard.lock().unwrap().clone();
    let expect = ["CAPA", "USER probe@example.test", "PASS correct horse", "STAT", "NOOP", "QUIT"];
    assert_eq!(heard, expect);
}

#[tokio::test]
async fn plain_where_it_is_offered() {
    let rules: Rules = &[
        GREETING,
        ("CAPA", "+OK\nUSER\nSASL PLAIN LOGIN\n."),
        ("AUTH PLAIN", "+ "),
        // \0probe@example.test\0correct horse
        ("AHByb2JlQGV4YW1wbGUudGVzdABjb3JyZWN0IGhvcnNl", "+OK in"),
    ];
    let seen = speak(rules, &good_accounts(), "credential = \"a\"\nupto = \"auth\"").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "auth"), "PLAIN");
}

#[tokio::test]
async fn faults_and_what_they_say() {
    let check = async |rules: Rules, more: &str, expect: &str| {
        let accounts = good_accounts();
        let seen = speak(rules, &accounts, more).await;
        assert_eq!(word(&seen), expect, "{rules:?}: {seen:?}");
        accounts.told()
    };
    check(&[("", "-ERR [SYS/TEMP] later")], "", "down service_unavailable").await;
    check(&[("", "220 mail")], "", "down protocol_error").await;
    let old: Rules = &[GREETING, USER, PASS, STAT, NOOP];
    assert_eq!(check(old, ACCOUNT, "up").await, ["+a"], "a server without CAPA has USER");
    let none: Rules = &[GREETING, ("CAPA", "+OK\nSTLS\n.")];
    check(none, ACCOUNT, "unknown probe_fault").await;
    let none: Rules = &[GREETING, ("CAPA", "+OK\nTOP\n.")];
    check(none, ACCOUNT, "down not_offered").await;
    let in_use: Rules = &[GREETING, CAPA, USER, ("PASS", "-ERR [IN-USE] locked")];
    assert_eq!(check(in_use, ACCOUNT, "unknown in_use").await, ["+a"], "the password was right");
    let slowly: Rules = &[GREETING, CAPA, USER, ("PASS", "-ERR [LOGIN-DELAY] slowly")];
    assert!(check(slowly, ACCOUNT, "unknown too_often").await.is_empty());
    let wrong: Rules = &[GREETING, CAPA, USER, ("PASS", "-ERR [AUTH] no")];
    assert_eq!(check(wrong, ACCOUNT, "unknown credential").await, ["-a"]);
    let broken: Rules = &[GREETING, CAPA, USER, ("PASS", "-ERR [SYS/PERM] no directory")];
    assert!(check(broken, ACCOUNT, "down server_error").await.is_empty());
    let odd: Rules = &[GREETING, CAPA, USER, PASS, ("STAT", "+OK many")];
    check(odd, ACCOUNT, "down protocol_error").await;
    let lost: Rules = &[GREETING, CAPA, USER, PASS, ("STAT", "(closes)")];
    check(lost, ACCOUNT, "down connection_lost").await;
    let endless: Rules = &[GREETING, ("CAPA", "+OK\nX")];
    let (address, _) = scripted(endless).await;
    let timeout = Duration::from_millis(300);
    let seen = run_for(timeout, &plain_net(), &Table::default(), &keys(address, "")).await;
    assert_eq!(word(&seen), "down timeout");
}

#[tokio::test]
async fn starttls_and_what_comes_before_the_handshake() {
    let check = async |rules: Rules, expect: &str| {
        let (address, _) = scripted(rules).await;
        let keys = keys(address, "").replace("tls = \"none\"", "tls = \"starttls\"");
        let seen = run(&plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{rules:?}: {seen:?}");
        seen
    };
    check(&[GREETING, ("CAPA", "+OK\nUSER\n.")], "down tls_not_offered").await;
    check(&[GREETING, CAPA, ("STLS", "-ERR not now")], "down tls_not_offered").await;
    let injected: Rules = &[GREETING, CAPA, ("STLS", "+OK go\n+OK injected")];
    let seen = check(injected, "down protocol_error").await;
    assert!(!fact(&seen, "injection").is_empty());
}

#[tokio::test]
async fn a_password_cannot_be_a_command() {
    let accounts = Table::with(&[("a", "probe@example.test", "secret\r\nDELE 1")]);
    let (address, heard) = scripted(&[GREETING, CAPA, USER, PASS]).await;
    let seen = run(&plain_net(), &accounts, &keys(address, ACCOUNT)).await;
    assert_eq!(word(&seen), "unknown probe_fault", "{seen:?}");
    assert!(!heard.lock().unwrap().iter().any(|line| line.contains("DELE")));
}

#[tokio::test]
async fn silence_ends_with_the_deadline() {
    let silent = server(|mut stream| async move { until_closed(&mut stream).await }).await;
    let timeout = Duration::from_millis(300);
    let seen = run_for(timeout, &plain_net(), &Table::default(), &keys(silent, "")).await;
    assert_eq!(word(&seen), "down timeout", "{seen:?}");
}
