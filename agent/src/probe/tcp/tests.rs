//! Ports that say something, nothing, too much or something else.

use std::net::SocketAddr;
use std::time::Duration;

use mailward_lab::{Certificate, Fault, Part};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::probe::trial::{Table, fact, lab, plain_net, run, run_for, says, server, word};

fn keys(address: SocketAddr, more: &str) -> String {
    format!("kind = \"tcp\"\nhost = \"{}\"\nport = {}\n{more}", address.ip(), address.port())
}

#[tokio::test]
async fn what_is_said_is_compared() {
    let check = async |bytes: &'static [u8], hold: bool, more: &str, expect: &str| {
        let address = says(bytes, hold).await;
        // where the deadline decides, it comes soon
        let timeout = Duration::from_secs(if hold && expect.starts_with("down") { 1 } else { 10 });
        let seen = run_for(timeout, &plain_net(), &Table::default(), &keys(address, more)).await;
        assert_eq!(word(&seen), expect, "{more}: {seen:?}");
        seen
    };
    check(b"", true, "", "up").await;
    let seen = check(b"SSH-2.0-x\r\n", true, "expect = \"^SSH-2\"", "up").await;
    assert_eq!(fact(&seen, "answer"), "SSH-2.0-x");
    assert!(seen.phases.get("answer").is_some());
    check(b"220 mail\r\n", true, "expect = \"^SSH-2\"", "down wrong_content").await;
    check(b"220 mail\r\n", false, "expect = \"^SSH-2\"", "down wrong_content").await;
    check(b"", false, "expect = \"x\"", "down connection_lost").await;
    check(b"", true, "expect = \"x\"", "down timeout").await;
}

#[tokio::test]
async fn a_flood_ends_at_its_limit() {
    let address = server(|mut stream| async move {
        let block = [b'a'; 16 << 10];
        while stream.write_all(&block).await.is_ok() {}
    })
    .await;
    let seen = run(&plain_net(), &Table::default(), &keys(address, "expect = \"b\"")).await;
    assert_eq!(word(&seen), "down wrong_content", "{seen:?}");
    assert_eq!(fact(&seen, "answer").len(), 200);
}

#[tokio::test]
async fn what_is_sent_is_answered() {
    let address = server(|mut stream| async move {
        let mut asked = [0; 64];
        let read = stream.read(&mut asked).await.unwrap_or(0);
        let _ = stream.write_all(b"you said ").await;
        let _ = stream.write_all(&asked[..read]).await;
    })
    .await;
    let more = "send = \"ping\\r\\n\"\nexpect = \"said ping\"";
    let seen = run(&plain_net(), &Table::default(), &keys(address, more)).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
}

#[tokio::test]
async fn over_tls() {
    let (lab, net) = lab().await;
    let more = "tls = \"implicit\"\nexpect = \"^220 \"";
    let seen = run(&net, &Table::default(), &keys(lab.addresses().smtps, more)).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    let fault = Fault::Certificate(Certificate::Expired);
    lab.set(Part::Submission, fault).await.unwrap();
    let seen = run(&net, &Table::default(), &keys(lab.addresses().smtps, more)).await;
    assert_eq!(word(&seen), "down cert_expired", "{seen:?}");
}
