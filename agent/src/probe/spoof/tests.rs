//! A mail server and its mailbox made for the test: what is let in where, and when nothing is
//! offered at all.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::offer::HEADER;
use crate::probe::Seen;
use crate::probe::trial::{fact, good_accounts, plain_net, run_for, server, word};

/// What the server does with a message.
#[derive(Clone, Copy, PartialEq)]
enum Does {
    Inbox,
    Junk,
    Refuses,
    PutsOff,
    Drops,
}

/// What lies in the mailbox: folder, id, whether it is marked as deleted.
type Mailbox = Arc<Mutex<Vec<(&'static str, String, bool)>>>;

async fn say(stream: &mut BufReader<TcpStream>, text: &str) {
    let _ = stream.get_mut().write_all(format!("{text}\r\n").as_bytes()).await;
}

async fn hear(stream: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    match stream.read_line(&mut line).await {
        Ok(count) if count > 0 => Some(line.trim_end().to_owned()),
        _ => None,
    }
}

/// The mail server: `forged` for what comes from example.test, `control` for the rest.
async fn mail_server(mailbox: Mailbox, control: Does, forged: Does) -> SocketAddr {
    server(move |stream| {
        let mailbox = mailbox.clone();
        async move {
            let mut stream = BufReader::new(stream);
            say(&mut stream, "220 mx.example.test").await;
            while let Some(line) = hear(&mut stream).await {
                match line.split([' ', ':']).next().unwrap_or_default() {
                    "DATA" => {}
                    "QUIT" => return say(&mut stream, "221 bye").await,
                    _ => {
                        say(&mut stream, "250 ok").await;
                        continue;
                    }
                }
                say(&mut stream, "354 go on").await;
                let (mut id, mut does) = (String::new(), control);
                while let Some(line) = hear(&mut stream).await {
                    if line == "." {
                        break;
                    }
                    if let Some(told) = line.strip_prefix(&format!("{HEADER}: ")) {
                        told.clone_into(&mut id);
                    }
                    if line.starts_with("From: ") && line.ends_with("@example.test>") {
                        does = forged;
                    }
                }
                match does {
                    Does::Inbox => mailbox.lock().unwrap().push(("INBOX", id, false)),
                    Does::Junk => mailbox.lock().unwrap().push(("Junk", id, false)),
                    _ => {}
                }
                let answer = match does {
                    Does::Refuses => "550 5.7.1 not from there",
                    Does::PutsOff => "451 4.7.1 later",
                    _ => "250 ok",
                };
                say(&mut stream, answer).await;
            }
        }
    })
    .await
}

/// The mailbox over IMAP.
async fn imap(mailbox: Mailbox) -> SocketAddr {
    server(move |stream| {
        let mailbox = mailbox.clone();
        async move {
            let mut stream = BufReader::new(stream);
            let mut folder = "";
            say(&mut stream, "* OK [CAPABILITY IMAP4rev1 UIDPLUS] here").await;
            while let Some(line) = hear(&mut stream).await {
                let (tag, command) = line.split_once(' ').unwrap_or((&line, ""));
                let words: Vec<&str> = command.split(' ').collect();
                let mut untagged = Vec::new();
                match words.as_slice() {
                    ["CAPABILITY"] => untagged.push("CAPABILITY IMAP4rev1 UIDPLUS".to_owned()),
                    ["LIST", ..] => {
                        untagged.push("LIST () \"/\" INBOX".to_owned());
                        untagged.push("LIST (\\Junk) \"/\" Junk".to_owned());
                    }
                    ["SELECT", "INBOX"] => folder = "INBOX",
                    ["SELECT", "Junk"] => folder = "Junk",
                    ["UID", "SEARCH", "HEADER", HEADER, id] => {
                        let id = id.trim_matches('"');
                        let kept = mailbox.lock().unwrap();
                        let found = kept.iter().position(|m| m.0 == folder && m.1 == id);
                        let uid = found.map_or(String::new(), |at| format!(" {}", at + 1));
                        untagged.push(format!("SEARCH{uid}"));
                    }
                    ["UID", "STORE", uid, "+FLAGS.SILENT", "(\\Deleted)"] => {
                        let at: usize = uid.parse().unwrap();
                        mailbox.lock().unwrap()[at - 1].2 = true;
                    }
                    ["UID", "EXPUNGE", uid] => {
                        let at: usize = uid.parse().unwrap();
                        assert!(mailbox.lock().unwrap()[at - 1].2, "only what was marked");
                    }
                    ["EXPUNGE"] | ["CLOSE"] => panic!("this would take others' messages along"),
                    _ => {}
                }
                for line in untagged {
                    say(&mut stream, &format!("* {line}")).await;
                }
                say(&mut stream, &format!("{tag} OK done")).await;
                if command == "LOGOUT" {
                    return;
                }
            }
        }
    })
    .await
}

struct Trial {
    mailbox: Mailbox,
    seen: Seen,
}

async fn trial(control: Does, forged: Does, keys: &str) -> Trial {
    let mailbox: Mailbox = Arc::default();
    mailbox.lock().unwrap().push(("INBOX", "somebody else's".to_owned(), false));
    let mx = mail_server(mailbox.clone(), control, forged).await;
    let imap = imap(mailbox.clone()).await;
    let zone = crate::net::testing::zone(&[
        ("example.test. TXT", "v=spf1 ip4:192.0.2.1 -all"),
        ("open.test. TXT", "v=spf1 ip4:127.0.0.0/8 -all"),
    ])
    .await;
    let keys = format!(
        "kind = \"spoof\"\nevery = \"1d\"\nrcpt_to = \"probe@example.test\"\n\
         control_from = \"probe@probe.test\"\nmx = \"127.0.0.1\"\nmx_port = {}\n\
         host = \"127.0.0.1\"\nport = {}\ntls = \"none\"\ncredential = \"a\"\n\
         resolver = \"{zone}\"\n{keys}",
        mx.port(),
        imap.port(),
    );
    let span = Duration::from_secs(4);
    let seen = run_for(span, &plain_net(), &good_accounts(), &keys).await;
    Trial { mailbox, seen }
}

const ALLOWED: &str = "authorised_by = \"somebody\"\nuntil = \"2099-12-31\"\n\
                       domain = \"example.test\"\n";

#[tokio::test]
async fn where_it_lands_is_compared_with_what_is_expected() {
    let check = async |expect: &str, control: Does, forged: Does, told: &str| {
        let keys = format!("{ALLOWED}expect = \"{expect}\"");
        let trial = trial(control, forged, &keys).await;
        assert_eq!(word(&trial.seen), told, "{expect}: {:?}", trial.seen);
        let kept = trial.mailbox.lock().unwrap();
        for (folder, id, deleted) in kept.iter() {
            assert_eq!(*deleted, id != "somebody else's", "{folder} {id}");
        }
    };
    check("refused", Does::Inbox, Does::Refuses, "up").await;
    check("refused", Does::Inbox, Does::Drops, "up").await;
    check("refused", Does::Inbox, Does::Junk, "down spoof_accepted").await;
    check("refused", Does::Inbox, Does::Inbox, "down spoof_accepted").await;
    check("junk", Does::Inbox, Does::Junk, "up").await;
    check("junk", Does::Inbox, Does::Inbox, "down spoof_accepted").await;
    check("junk", Does::Inbox, Does::Refuses, "degraded spoof_refused").await;
    check("inbox", Does::Inbox, Does::Inbox, "up").await;
    check("refused", Does::Inbox, Does::PutsOff, "unknown smtp_temporary").await;
    // without the harmless one in the inbox, nothing is proved
    check("refused", Does::Refuses, Does::Refuses, "unknown spoof_control_lost").await;
    check("refused", Does::Junk, Does::Junk, "unknown spoof_control_lost").await;
    check("refused", Does::Drops, Does::Refuses, "unknown spoof_control_lost").await;
}

#[tokio::test]
async fn it_is_off_unless_it_is_allowed() {
    let check = async |keys: &str, told: &str| {
        let trial = trial(Does::Inbox, Does::Inbox, keys).await;
        assert_eq!(word(&trial.seen), told, "{keys}: {:?}", trial.seen);
        let kept = trial.mailbox.lock().unwrap();
        assert!(kept.iter().all(|m| m.0 == "INBOX" && m.1.len() != 32 || m.2), "nothing is left");
        trial.seen
    };
    let domain = "domain = \"example.test\"\n";
    check(domain, "unknown not_authorised").await;
    let by = format!("{domain}authorised_by = \"somebody\"\n");
    check(&by, "unknown not_authorised").await;
    check(&format!("{by}until = \"2020-01-01\""), "unknown not_authorised").await;
    // an address that may send for the domain forges nothing
    let open = "authorised_by = \"x\"\nuntil = \"2099-12-31\"\ndomain = \"open.test\"";
    let seen = check(open, "unknown probe_fault").await;
    assert_eq!(fact(&seen, "forged"), "", "it was not offered");
}
