//! `mailward probe` against Dovecot and Postfix: mailboxes by IMAP and POP3, passwords and
//! tokens right and wrong, a maildrop in use, and a server that asks strangers to come back.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::Value;

use super::probed::{self, Peers, open_up};
use super::support::{scratch, write};

/// The ports are this plus an offset, apart from those of other tests.
const PORT_BASE: u16 = 25_000;

fn definition(directory: &Path) -> String {
    let trust = directory.join("tls/ca.pem");
    let secret = |name: &str, text: &str| {
        let path = write(directory, name, text);
        format!("{{ file = \"{}\" }}", path.display())
    };
    let (right, wrong) = (secret("right", "secret-1\n"), secret("wrong", "secret-2\n"));
    let mut text = format!(
        "[service]\nname = \"Real\"\nzone = \"UTC\"\n\
         [agent]\nname = \"here\"\ntrust = \"{}\"\n[[component]]\nid = \"c\"\n",
        trust.display()
    );
    for (id, user, password) in [
        ("right", "probe", &right),
        ("wrong", "probe", &wrong),
        ("huge", "huge", &right),
        ("full", "full", &right),
    ] {
        text.push_str(&format!(
            "[[credential]]\nid = \"{id}\"\nusername = \"{user}@peers.test\"\n\
             password = {password}\n"
        ));
    }
    for id in ["good", "stale", "refused"] {
        text.push_str(&format!(
            "[[credential]]\nid = \"{id}\"\nusername = \"token@peers.test\"\noauth = {{ \
             token_url = \"https://localhost:25448/{id}\", client_id = \"x\", \
             refresh_token = {right} }}\n"
        ));
    }
    let mut probe = |id: &str, keys: &str| {
        text.push_str(&format!(
            "[[probe]]\nid = \"{id}\"\ncomponent = \"c\"\nevery = \"60s\"\n\
             host = \"localhost\"\n{keys}\n"
        ));
    };
    let imaps = "kind = \"imap\"\nport = 25993\n";
    let pop3s = "kind = \"pop3\"\nport = 25995\n";
    for (id, keys) in [("imap", imaps), ("pop3", pop3s)] {
        for account in ["right", "wrong", "good", "stale", "refused"] {
            let keys = format!("{keys}credential = \"{account}\"");
            probe(&format!("{id}-{account}"), &keys);
        }
    }
    // Dovecot waits ten seconds for the lock before it says that there is one
    probe("pop3-patient", &format!("{pop3s}credential = \"right\"\ntimeout = \"40s\""));
    probe("imap-huge", &format!("{imaps}credential = \"huge\"\ntimeout = \"30s\""));
    probe("imap-full", &format!("{imaps}credential = \"full\""));
    probe("imap-bare", "kind = \"imap\"\nport = 25143\ntls = \"starttls\"");
    probe("pop3-bare", "kind = \"pop3\"\nport = 25110\ntls = \"starttls\"");
    probe("tls-imap", "kind = \"tls\"\nport = 25143\nstarttls = \"imap\"");
    probe("tls-pop3", "kind = \"tls\"\nport = 25110\nstarttls = \"pop3\"");
    probe("not-tls", "kind = \"imap\"\nport = 25110");
    let smtp = "kind = \"smtp\"\nport = 25025\nmail_from = \"a@elsewhere.test\"\n";
    probe("smtp-new", &format!("{smtp}rcpt_to = \"newcomer@peers.test\""));
    probe("smtp-grey", &format!("{smtp}rcpt_to = \"grey@peers.test\""));
    text
}

/// Verdict, reason and the rest of what a probe saw.
fn probe(config: &Path, id: &str) -> (String, Value) {
    probed::probe(config, id, &["secret-"])
}

/// How many logons of this way Dovecot's log knows as failed.
fn failures(directory: &Path, service: &str) -> usize {
    let log = std::fs::read_to_string(directory.join("mailbox/dovecot/log")).expect("a log");
    let lines = log.lines().filter(|line| line.contains("Password mismatch"));
    let of = |line: &&str| line.contains("passwd-file(probe@peers.test");
    assert!(!log.contains("Panic") && !log.contains("Fatal"), "{service}: {log}");
    lines.filter(of).count()
}

#[test]
fn mailboxes_of_a_real_server() {
    let scratch = scratch();
    // servers drop privileges: every directory above their own must be open to them
    let directory = scratch.path().join("peers");
    std::fs::create_dir_all(&directory).expect("make a directory");
    open_up(scratch.path());
    let peers = Peers::up(PORT_BASE, &["mailbox", "mail"], &directory);
    let config = write(scratch.path(), "probes.toml", &definition(&directory));
    let check = |id: &str, expect: &str| {
        let (word, outcome) = probe(&config, id);
        assert_eq!(word, expect, "{id}: {outcome}");
        outcome
    };
    let seen = check("imap-right", "up");
    assert_eq!(
        (&seen["facts"]["messages"], &seen["facts"]["auth"]),
        (&"1".into(), &"PLAIN".into())
    );
    let seen = check("pop3-right", "up");
    assert_eq!(seen["facts"]["messages"], "1");
    check("imap-wrong", "unknown credential");
    assert_eq!(failures(&directory, "imap"), 1, "one try, and no other way after it");
    check("pop3-wrong", "unknown credential");
    assert_eq!(failures(&directory, "pop3"), 2);
    for kind in ["imap", "pop3"] {
        let seen = check(&format!("{kind}-good"), "up");
        assert_eq!(seen["facts"]["auth"], "XOAUTH2");
        assert!(seen["phases"]["token"].is_number(), "{seen}");
        check(&format!("{kind}-stale"), "unknown credential");
        let seen = check(&format!("{kind}-refused"), "unknown credential");
        assert_eq!(seen["facts"]["token_detail"], "the token endpoint answered 400 invalid_grant");
    }
    let seen = check("imap-huge", "up");
    assert_eq!(seen["facts"]["messages"], "100000");
    check("imap-full", "up");
    for id in ["imap-bare", "pop3-bare", "tls-imap", "tls-pop3"] {
        let seen = check(id, "up");
        assert!(seen["facts"]["tls_version"].is_string(), "{seen}");
    }
    check("not-tls", "down tls_handshake");
    a_maildrop_in_use(&config);
    let seen = check("smtp-new", "degraded greylisted");
    assert!(seen["phases"]["greylist"].as_f64().expect("a phase") >= 1000.0, "{seen}");
    check("smtp-new", "up");
    check("smtp-grey", "unknown greylisted");

    peers.stop("mailbox");
    for id in ["imap-right", "pop3-right"] {
        check(id, "down connect_refused");
    }
}

/// Somebody else has the maildrop open, which POP3 locks.
fn a_maildrop_in_use(config: &Path) {
    let stream = TcpStream::connect(("127.0.0.1", PORT_BASE + 110)).expect("connect");
    let mut lines = BufReader::new(stream.try_clone().expect("share the connection")).lines();
    let mut say = |text: &str| {
        (&stream).write_all(text.as_bytes()).expect("say something");
        let answer = lines.next().expect("an answer").expect("read the answer");
        assert!(answer.starts_with("+OK"), "{text}: {answer}");
    };
    say("");
    say("USER probe@peers.test\r\n");
    say("PASS secret-1\r\n");
    let (word, outcome) = probe(config, "pop3-patient");
    assert_eq!(word, "unknown in_use", "{outcome}");
    assert_eq!(probe(config, "imap-right").0, "up", "IMAP has no such lock");
    say("QUIT\r\n");
    assert_eq!(probe(config, "pop3-right").0, "up");
}
