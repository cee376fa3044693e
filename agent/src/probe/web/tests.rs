//! What no server may do to a check that speaks HTTP: every kind of it goes through the same
//! client, so `http` stands for all. Each ends in bounded time and memory, with its reason.

use std::time::Duration;

use mailward_lab::{Fault, Part};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::probe::Seen;
use crate::probe::trial::{
    Table, answers, fact, lab, plain_net, run, run_for, server, until_closed, word,
};

async fn get(address: std::net::SocketAddr, more: &str) -> Seen {
    let keys = format!("kind = \"http\"\nurl = \"http://{address}/\"\n{more}");
    run(&plain_net(), &Table::default(), &keys).await
}

/// Writes `block` until it was written `times` times or the check hangs up; tells how often.
async fn pour(stream: &mut TcpStream, block: &[u8], times: u64) -> u64 {
    for done in 0..times {
        if stream.write_all(block).await.is_err() {
            return done;
        }
    }
    times
}

#[tokio::test]
async fn a_body_of_a_gigabyte_is_read_as_far_as_it_is_looked_into() {
    const BLOCK: usize = 64 << 10;
    const BLOCKS: u64 = (1 << 30) / BLOCK as u64;
    let (told, mut poured) = tokio::sync::mpsc::channel(4);
    let endless = server(move |mut stream| {
        let told = told.clone();
        async move {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", 1_u64 << 30);
            let _ = stream.write_all(head.as_bytes()).await;
            let blocks = pour(&mut stream, &[b'a'; BLOCK], BLOCKS).await;
            let _ = told.send(blocks).await;
        }
    })
    .await;
    assert_eq!(word(&get(endless, "expect_body = 'b'").await), "down wrong_content");
    let blocks = poured.recv().await.unwrap();
    // what was looked into, and what kernels hold on the way
    assert!(blocks * BLOCK as u64 <= 32 << 20, "{blocks} blocks were taken");
    assert_eq!(word(&get(endless, "expect_body = 'a'").await), "up");
}

#[tokio::test]
async fn the_labs_endless_page_is_cut() {
    let (lab, net) = lab().await;
    lab.set(Part::Portal, Fault::Flood).await.unwrap();
    let keys = format!("kind = \"http\"\nurl = \"https://{}/\"", lab.addresses().portal);
    let keys = format!("{keys}\nexpect_body = 'Portal'");
    let seen = run(&net, &Table::default(), &keys).await;
    assert_eq!(word(&seen), "down wrong_content", "{seen:?}");
}

#[tokio::test]
async fn nothing_packed_is_unpacked() {
    // a gzip bomb's first member: what it would become is nowhere in what is looked into
    let packed: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03hello there";
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    answer.extend_from_slice(packed);
    let address = answers(answer).await;
    let seen = get(address, "expect_body = '^hello'").await;
    assert_eq!(word(&seen), "down wrong_content");
    assert_eq!(fact(&seen, "content_encoding"), "gzip");
    assert_eq!(word(&get(address, "expect_body = 'hello there$'").await), "up");
}

#[tokio::test]
async fn heads_without_end_are_refused() {
    let long = "y".repeat(1 << 20);
    let many: String = (0..1000).map(|n| format!("X-{n}: 1\r\n")).collect();
    for lines in [
        format!("X: {long}\r\n"),
        format!("Set-Cookie: c={long}\r\n"),
        format!("Location: http://example.org/{long}\r\n"),
        many,
    ] {
        let address = answers(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").into_bytes()).await;
        let seen = get(address, "").await;
        assert_eq!(word(&seen), "down answer_too_large", "{}", &lines[..20]);
    }
    let lines = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").await;
        pour(&mut stream, &[b'y'; 16 << 10], 1 << 16).await;
    })
    .await;
    assert_eq!(word(&get(lines, "").await), "down answer_too_large");
}

#[tokio::test]
async fn cookies_that_are_too_many_are_left() {
    let cookies: String =
        (0..60).map(|n| format!("Set-Cookie: c{n}={}; path=/\r\n", "v".repeat(900))).collect();
    let head = format!("HTTP/1.1 302 Found\r\n{cookies}Location: /\r\nContent-Length: 0\r\n\r\n");
    let address = answers(head.into_bytes()).await;
    // it leads to itself: every round sends the cookies back, and a line of theirs stays bounded
    assert_eq!(word(&get(address, "").await), "down redirect_loop");
}

#[tokio::test]
async fn drips_and_endless_promises_end_at_the_deadline() {
    let body = server(|mut stream| async move {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        while stream.write_all(b"a").await.is_ok() {
            beat.tick().await;
        }
    })
    .await;
    let head = server(|mut stream| async move {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        for byte in b"HTTP/1.1 200 OK\r\nX: ".iter().chain(std::iter::repeat(&b'y')) {
            if stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            beat.tick().await;
        }
    })
    .await;
    let promises = server(|mut stream| async move {
        pour(&mut stream, b"HTTP/1.1 100 Continue\r\n\r\n", u64::MAX).await;
    })
    .await;
    let mute = server(|mut stream| async move { until_closed(&mut stream).await }).await;
    for address in [body, head, promises, mute] {
        let keys = format!("kind = \"http\"\nurl = \"http://{address}/\"");
        let timeout = Duration::from_millis(300);
        let seen = run_for(timeout, &plain_net(), &Table::default(), &keys).await;
        assert_eq!(word(&seen), "down timeout", "{seen:?}");
    }
}

#[tokio::test]
async fn redirects_out_of_the_web_and_inwards_are_not_followed() {
    let places = [
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/_HELO",
        "javascript:alert(1)",
        "data:text/html,ok",
        "https://user:word@example.org/",
        // from this machine not to its link, nor into a private network
        "http://169.254.169.254/latest/meta-data/",
        "http://[fe80::1]/",
        "http://10.0.0.1/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://2852039166/",
    ];
    for place in places {
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n");
        let address = answers(head.into_bytes()).await;
        let seen = get(address, "").await;
        assert_eq!(word(&seen), "down redirect_refused", "{place}: {seen:?}");
    }
}
