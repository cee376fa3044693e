//! OPTIONS to the lab's SIP server, and to servers that answer late, oddly or not at all.

use std::net::SocketAddr;

use mailward_lab::{Certificate, Fault as Trouble, Part};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::probe::trial::{Table, fact, lab, plain_net, run, run_for, server, word};

fn keys(address: SocketAddr, transport: &str, more: &str) -> String {
    format!(
        "kind = \"sip\"\nhost = \"{}\"\nport = {}\ntransport = \"{transport}\"\n{more}",
        address.ip(),
        address.port()
    )
}

#[tokio::test]
async fn the_edge_of_the_lab() {
    let (lab, net) = lab().await;
    let addresses = lab.addresses();
    for (address, transport) in [(addresses.sips, "tls"), (addresses.sip, "tcp")] {
        let seen = run(&net, &Table::default(), &keys(address, transport, "")).await;
        assert_eq!(word(&seen), "up", "{seen:?}");
        assert_eq!((fact(&seen, "sip_status"), fact(&seen, "interim")), ("200", "100"));
        assert!(fact(&seen, "allow").contains("OPTIONS"), "{seen:?}");
        assert!(seen.phases.get("request").is_some() && seen.phases.get("final").is_some());
    }
    let check = async |fault: Trouble, expect: &str| {
        lab.set(Part::Sip, fault.clone()).await.unwrap();
        // where the deadline decides, it comes soon
        let timeout = std::time::Duration::from_secs(if expect == "down timeout" { 1 } else { 10 });
        let keys = keys(lab.addresses().sips, "tls", "");
        let seen = run_for(timeout, &net, &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
        seen
    };
    let seen = check(Trouble::Status(503), "down service_unavailable").await;
    assert_eq!(fact(&seen, "retry_after"), "120 (maintenance)");
    let kept = seen.exhibit.unwrap();
    assert_eq!(kept.status.as_deref(), Some("SIP/2.0 503 Service Unavailable"));
    assert!(kept.headers.iter().any(|line| **line == *"Server: mailward-lab"), "{kept:?}");
    check(Trouble::Status(500), "down server_error").await;
    check(Trouble::Status(408), "down timeout").await;
    check(Trouble::Status(404), "up").await;
    check(Trouble::Status(407), "up").await;
    check(Trouble::Status(603), "degraded sip_status").await;
    check(Trouble::Refuse, "down connect_refused").await;
    check(Trouble::Mute, "down timeout").await;
    check(Trouble::Hang, "down timeout").await;
    check(Trouble::Close, "down connection_lost").await;
    check(Trouble::Rubbish, "down tls_handshake").await;
    check(Trouble::Flood, "down answer_too_large").await;
    check(Trouble::Certificate(Certificate::WrongName), "down cert_wrong_name").await;
}

/// A server that reads the request and answers with `answer`, in which VIA and CSEQ stand for
/// those of the request.
async fn answering(answer: &'static str) -> SocketAddr {
    server(move |mut stream| async move {
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..read]).into_owned();
        let line = |name: &str| {
            let found = request.lines().find(|line| line.starts_with(name));
            found.unwrap_or_default().to_owned()
        };
        let answer = answer.replace("VIA", &line("Via:")).replace("CSEQ", &line("CSeq:"));
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await
}

#[tokio::test]
async fn only_an_answer_to_us_counts() {
    let check = async |answer: &'static str, more: &str, expect: &str| {
        let keys = keys(answering(answer).await, "tcp", more);
        let seen = run(&plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{answer}: {seen:?}");
    };
    let ok = "SIP/2.0 200 OK\r\nVIA\r\nCSEQ\r\nl: 0\r\n\r\n";
    check(ok, "", "up").await;
    check(ok, "expect_status = 404", "down sip_status").await;
    let foreign = "SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP x;branch=z9hG4bKother\r\nCSEQ\r\n\r\n";
    check(foreign, "", "down connection_lost").await;
    let other = "SIP/2.0 200 OK\r\nVIA\r\nCSeq: 1 INVITE\r\n\r\n";
    check(other, "", "down connection_lost").await;
    let asked = "\r\n\r\nNOTIFY sip:mailward@x SIP/2.0\r\nl: 2\r\n\r\nabSIP/2.0 405 Not Allowed\r\n\
                 VIA\r\nCSEQ\r\n\r\n";
    check(asked, "", "up").await;
    check(asked, "expect_status = \"2xx\"", "down sip_status").await;
    check(
        "SIP/2.0 503 Busy\r\nVIA\r\nCSEQ\r\n\r\n",
        "expect_status = \"2xx\"",
        "down service_unavailable",
    )
    .await;
    check("HTTP/1.1 400 Bad Request\r\n\r\n", "", "down protocol_error").await;
}

#[test]
fn the_request_has_what_the_rfc_asks_for() {
    let probe = Sip {
        net: plain_net(),
        access: Access {
            host: "sip.example.org".to_owned(),
            port: 5061,
            security: Security::Implicit,
        },
        uri: "sip:sip.example.org".to_owned(),
        from: "sip:mailward@sip.example.org".to_owned(),
        expect: Vec::new(),
    };
    let transaction = Transaction {
        branch: "z9hG4bK1".to_owned(),
        tag: "2".to_owned(),
        call_id: "3@mailward".to_owned(),
    };
    let local = "[2001:db8::1]:40000".parse().unwrap();
    let request = probe.request(&transaction, local).replace(AGENT, "AGENT");
    insta::assert_snapshot!(request.replace('\r', ""), @r"
    OPTIONS sip:sip.example.org SIP/2.0
    Via: SIP/2.0/TLS [2001:db8::1]:40000;branch=z9hG4bK1;rport
    Max-Forwards: 70
    From: <sip:mailward@sip.example.org>;tag=2
    To: <sip:sip.example.org>
    Call-ID: 3@mailward
    CSeq: 1 OPTIONS
    Contact: <sip:mailward@[2001:db8::1]:40000;transport=tls>
    Accept: application/sdp
    User-Agent: AGENT
    Content-Length: 0
    ");
    assert!(request.ends_with("\r\n\r\n"));
}
