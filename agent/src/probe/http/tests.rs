//! Fetches from servers that misbehave, each in one way.

use std::time::Duration;

use mailward_lab::{Certificate, Fault, Part};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::probe::trial::{
    Table, answers, fact, lab, plain_net, run, run_for, says, server, until_closed, word,
};

async fn get(url: &str, more: &str) -> crate::probe::Seen {
    let keys = format!("kind = \"http\"\nurl = \"{url}\"\n{more}");
    run(&plain_net(), &Table::default(), &keys).await
}

#[tokio::test]
async fn a_page_over_tls_has_phases_and_facts() {
    let (lab, net) = lab().await;
    let url = format!("https://{}/", lab.addresses().portal);
    let keys = format!("kind = \"http\"\nurl = \"{url}\"");
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    let phases: Vec<&str> = seen.phases.iter().map(|(phase, _)| phase).collect();
    assert_eq!(phases, ["body", "connect", "request", "tls"]);
    assert_eq!(fact(&seen, "http_status"), "200");
    assert_eq!(fact(&seen, "tls_version"), "TLS 1.3");
    assert_eq!(fact(&seen, "cert_subject"), "CN=mail.example.test");
    assert_eq!(fact(&seen, "cert_issuer"), "CN=Mailward lab authority");
    assert_eq!(fact(&seen, "cert_not_after"), "2200-01-01T00:00:00Z");
    assert_eq!(fact(&seen, "cert_names"), "6");
    assert_eq!(fact(&seen, "address"), lab.addresses().portal.to_string());
}

#[tokio::test]
async fn every_fault_of_a_server_has_its_reason() {
    let (lab, net) = lab().await;
    let url = format!("https://{}/", lab.addresses().portal);
    let cases = [
        (Fault::Refuse, "down connect_refused"),
        (Fault::Close, "down connection_lost"),
        (Fault::Rubbish, "down tls_handshake"),
        (Fault::Status(503), "down service_unavailable"),
        (Fault::Status(500), "down server_error"),
        (Fault::Status(404), "down http_status"),
        (Fault::Certificate(Certificate::Expired), "down cert_expired"),
        (Fault::Certificate(Certificate::NotYetValid), "down cert_not_yet_valid"),
        (Fault::Certificate(Certificate::WrongName), "down cert_wrong_name"),
        (Fault::Certificate(Certificate::SelfSigned), "down cert_untrusted"),
    ];
    for (fault, expect) in cases {
        lab.set(Part::Portal, fault.clone()).await.unwrap();
        let keys = format!("kind = \"http\"\nurl = \"{url}\"");
        let seen = run(&net, &Table::default(), &keys).await;
        assert_eq!(word(&seen), expect, "{fault:?}: {seen:?}");
    }
    let hangs = [Fault::Hang, Fault::Mute, Fault::Drip(Duration::from_millis(50))];
    for fault in hangs {
        lab.set(Part::Portal, fault.clone()).await.unwrap();
        let keys = format!("kind = \"http\"\nurl = \"{url}\"");
        let timeout = Duration::from_millis(300);
        let seen = run_for(timeout, &net, &Table::default(), &keys).await;
        assert_eq!(word(&seen), "down timeout", "{fault:?}: {seen:?}");
    }
}

#[tokio::test]
async fn a_refused_certificate_is_still_described() {
    let (lab, net) = lab().await;
    let fault = Fault::Certificate(Certificate::Expired);
    lab.set(Part::Portal, fault).await.unwrap();
    let url = format!("https://{}/", lab.addresses().portal);
    let keys = format!("kind = \"http\"\nurl = \"{url}\"");
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(fact(&seen, "cert_not_after"), "2019-02-18T00:00:00Z");
    assert!(fact(&seen, "cert_refused").contains("expired"), "{seen:?}");
}

#[tokio::test]
async fn statuses_and_bodies_are_compared() {
    let check = async |answer: &str, more: &str, expect: &str| {
        let address = answers(answer.as_bytes()).await;
        let seen = get(&format!("http://{address}/"), more).await;
        assert_eq!(word(&seen), expect, "{answer:?} {more}");
    };
    let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    check(ok, "", "up").await;
    check(ok, "expect_body = 'h.l+o$'", "up").await;
    check(ok, "expect_body = 'goodbye'", "down wrong_content").await;
    check(ok, "expect_status = 204", "down http_status").await;
    check(ok, "expect_status = [\"4xx\", 200]", "up").await;
    let gone = "HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n";
    check(gone, "", "down http_status").await;
    check(gone, "expect_status = \"4xx\"", "up").await;
    let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n";
    check(busy, "", "down service_unavailable").await;
    check("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", "", "down connection_lost").await;
    check("220 mx ESMTP\r\n", "", "down protocol_error").await;
    check("", "", "down connection_lost").await;
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(80 << 10));
    check(&long, "", "down answer_too_large").await;
}

#[tokio::test]
async fn a_long_body_is_cut_and_not_held_against_it() {
    let length = 3 << 20;
    let mut answer =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nfirst").into_bytes();
    answer.resize(answer.len() + length - 5, b'x');
    answer.truncate(answer.len() - 4);
    answer.extend_from_slice(b"last");
    let address = answers(answer).await;
    let url = format!("http://{address}/");
    assert_eq!(word(&get(&url, "expect_body = 'first'").await), "up");
    assert_eq!(word(&get(&url, "expect_body = 'last'").await), "down wrong_content");
}

#[tokio::test]
async fn redirects_are_followed_within_limits() {
    let target = answers(&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..]).await;
    let moved =
        |to: String| format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
    let to_target = answers(moved(format!("http://{target}/x?secret=1")).into_bytes()).await;
    let seen = get(&format!("http://{to_target}/"), "").await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    assert_eq!(fact(&seen, "redirects"), "1");
    assert_eq!(fact(&seen, "landed"), format!("http://{target}/x"));
    let seen = get(&format!("http://{to_target}/"), "follow = false").await;
    assert_eq!(word(&seen), "down http_status");
    let round = answers(moved("/again".to_owned()).into_bytes()).await;
    assert_eq!(word(&get(&format!("http://{round}/"), "").await), "down redirect_loop");
    let away = answers(moved("gopher://example.org/".to_owned()).into_bytes()).await;
    assert_eq!(word(&get(&format!("http://{away}/"), "").await), "down redirect_refused");
}

/// A server that answers with what it was sent.
async fn echo() -> std::net::SocketAddr {
    server(|mut stream| async move {
        let mut request = vec![0; 8192];
        let count = stream.read(&mut request).await.unwrap_or(0);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {count}\r\n\r\n");
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&request[..count]).await;
        until_closed(&mut stream).await;
    })
    .await
}

#[tokio::test]
async fn declared_headers_stay_with_their_origin() {
    let echo = echo().await;
    let headers = "headers = { X-Key = \"hush\" }\n";
    let seen = get(&format!("http://{echo}/"), &format!("{headers}expect_body = 'hush'")).await;
    assert_eq!(word(&seen), "up");
    let away =
        format!("HTTP/1.1 307 Away\r\nLocation: http://{echo}/\r\nContent-Length: 0\r\n\r\n");
    let away = answers(away.into_bytes()).await;
    let url = format!("http://{away}/");
    let seen = get(&url, &format!("{headers}expect_body = 'hush'")).await;
    assert_eq!(word(&seen), "down wrong_content");
    let agent = "expect_body = '(?i)user-agent: mailward/'";
    assert_eq!(word(&get(&url, &format!("{headers}{agent}")).await), "up");
}

#[tokio::test]
async fn rubbish_and_silence() {
    let rubbish = says(b"\x00\x01\x02\xff\xfe rubbish\r\n\r\n", true).await;
    assert_eq!(word(&get(&format!("http://{rubbish}/"), "").await), "down protocol_error");
    let silent = says(b"", true).await;
    let keys = format!("kind = \"http\"\nurl = \"http://{silent}/\"");
    let timeout = Duration::from_millis(200);
    let seen = run_for(timeout, &plain_net(), &Table::default(), &keys).await;
    assert_eq!(word(&seen), "down timeout");
}
