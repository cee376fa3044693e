//! Servers that keep to the letter less than the lab does, or not at all.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::devices::{Devices, Place};
use crate::probe::Seen;
use crate::probe::trial::{good_accounts, plain_net, run_with, server, word};
use crate::wbxml::tag::{
    COLLECTION, COLLECTIONS, FOLDER_ADD, FOLDER_CHANGES, FOLDER_ID, FOLDER_KEY, FOLDER_STATUS,
    FOLDER_SYNC, FOLDER_TYPE, SYNC, SYNC_KEY, SYNC_STATUS,
};
use crate::wbxml::{Element, write};

/// What was asked, head and body as they came.
type Heard = Arc<Mutex<Vec<String>>>;

/// Gives `answers` in turn, whatever is asked, over as many connections as there are.
async fn says_in_turn(answers: Vec<Vec<u8>>) -> (SocketAddr, Heard) {
    let answers = Arc::new(Mutex::new(VecDeque::from(answers)));
    let heard = Heard::default();
    let hear = heard.clone();
    let address = server(move |mut stream| {
        let (answers, heard) = (answers.clone(), hear.clone());
        async move {
            while let Some(request) = request(&mut stream).await {
                heard.lock().unwrap().push(request);
                let Some(answer) = answers.lock().unwrap().pop_front() else { return };
                if stream.write_all(&answer).await.is_err() {
                    return;
                }
            }
        }
    })
    .await;
    (address, heard)
}

async fn request(stream: &mut tokio::net::TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.map_or(0, |length| length.trim().parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some(text);
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn versions() -> Vec<u8> {
    answer("200 OK\r\nms-asprotocolversions: 12.1 , 14.1", b"")
}

fn ok(element: &Element) -> Vec<u8> {
    answer("200 OK", &write(element))
}

fn listed(key: &str, status: Option<&str>) -> Element {
    let inbox = [Element::text(FOLDER_ID, "in"), Element::text(FOLDER_TYPE, "2")];
    let changes = Element::with(FOLDER_CHANGES, [Element::with(FOLDER_ADD, inbox)]);
    let status = status.map(|status| Element::text(FOLDER_STATUS, status));
    let rest = [Element::text(FOLDER_KEY, key), changes];
    Element::with(FOLDER_SYNC, status.into_iter().chain(rest))
}

fn synced(key: &str, status: Option<&str>) -> Element {
    let status = status.map(|status| Element::text(SYNC_STATUS, status));
    let inside = status.into_iter().chain([Element::text(SYNC_KEY, key)]);
    let collection = Element::with(COLLECTION, inside);
    Element::with(SYNC, [Element::with(COLLECTIONS, [collection])])
}

async fn run(answers: Vec<Vec<u8>>, depth: &str, known: Place) -> (Seen, Vec<String>, Vec<String>) {
    let (address, heard) = says_in_turn(answers).await;
    let url = format!("http://{address}/Microsoft-Server-ActiveSync");
    let devices = Devices::new("odd", None);
    devices.keep("probe@example.test", &url.parse().unwrap(), &Place::default(), &known);
    let keys = format!("kind = \"eas\"\nurl = \"{url}\"\ncredential = \"a\"\ndepth = \"{depth}\"");
    let accounts = good_accounts();
    let time = Duration::from_secs(5);
    let seen = run_with(&devices, time, &plain_net(), &accounts, &keys).await;
    let heard = heard.lock().unwrap().clone();
    (seen, heard, accounts.told())
}

fn with_key() -> Place {
    Place {
        version: "14.1".into(),
        folder_key: Some("1".into()),
        inbox: Some("in".into()),
        inbox_key: Some("5".into()),
        ..Place::default()
    }
}

#[tokio::test]
async fn what_is_left_out_is_not_missed() {
    let check = async |answers: Vec<Vec<u8>>, depth: &str, known: Place, expect: &str| {
        let (seen, heard, _) = run(answers, depth, known).await;
        assert_eq!(word(&seen), expect, "{seen:?} {heard:?}");
    };
    let new = Place::default;
    check(vec![versions(), ok(&listed("1", None))], "folders", new(), "up").await;
    // nothing has changed, said by nothing at all
    let nothing = || answer("200 OK", b"");
    check(vec![versions(), nothing()], "folders", with_key(), "up").await;
    check(vec![versions(), nothing(), nothing()], "inbox", with_key(), "up").await;
    let whole = || vec![versions(), ok(&listed("1", None)), ok(&synced("2", None)), nothing()];
    check(whole(), "inbox", new(), "up").await;
    // a key that is not there is no key
    check(vec![versions(), nothing()], "folders", new(), "down protocol_error").await;
    let mut dumb = vec![versions(), ok(&listed("1", None)), nothing()];
    check(dumb.clone(), "inbox", new(), "down protocol_error").await;
    dumb.truncate(1);
    check(dumb, "folders", new(), "down connection_lost").await;
    // SOGo stumbles over a key of the inbox that it does not know
    let stumbles = vec![
        versions(),
        nothing(),
        answer("501 Request Failed", b""),
        ok(&synced("7", Some("1"))),
        ok(&synced("8", Some("1"))),
    ];
    check(stumbles, "inbox", with_key(), "up").await;
    let changed = vec![
        versions(),
        nothing(),
        ok(&Element::with(SYNC, [Element::text(SYNC_STATUS, "12")])),
        ok(&listed("9", Some("1"))),
        ok(&synced("7", Some("1"))),
        nothing(),
    ];
    check(changed, "inbox", with_key(), "up").await;
}

#[tokio::test]
async fn what_is_no_activesync_is_told() {
    let check = async |answers: Vec<Vec<u8>>, expect: &str, told: &[&str]| {
        let (seen, heard, accounts) = run(answers, "folders", Place::default()).await;
        assert_eq!(word(&seen), expect, "{seen:?} {heard:?}");
        assert_eq!(accounts, told, "{seen:?}");
    };
    let page = answer("200 OK", b"\r\n<html>Please log on</html>");
    check(vec![versions(), page], "down wrong_content", &[]).await;
    let garbage = answer("200 OK", b"\x03\x01\x6a\x00\xff\xff\xff");
    check(vec![versions(), garbage], "down protocol_error", &[]).await;
    let other = ok(&synced("1", None));
    check(vec![versions(), other], "down wrong_content", &["+a"]).await;
    let no_inbox = Element::with(FOLDER_SYNC, [Element::text(FOLDER_KEY, "1")]);
    check(vec![versions(), ok(&no_inbox)], "down wrong_content", &["+a"]).await;
    let long = ok(&listed(&"k".repeat(5000), None));
    check(vec![versions(), long], "down protocol_error", &["+a"]).await;
    let old = answer("200 OK\r\nMS-ASProtocolVersions: 2.5,12.0", b"");
    check(vec![old], "down not_offered", &[]).await;
    // a server that answers OPTIONS to anybody refuses the account at the first command
    let refused = answer("401 no\r\nWWW-Authenticate: Basic realm=\"x\"", b"");
    check(vec![versions(), refused], "unknown credential", &["-a"]).await;
    for (head, expect) in [
        ("403 no", "unknown account_disabled"),
        ("404 no", "down not_offered"),
        ("400 no", "down http_status"),
        ("429 slowly", "unknown too_often"),
        ("456 blocked", "unknown account_disabled"),
        ("457 expired", "unknown credential_expired"),
        ("500 no", "down server_error"),
        ("507 full", "unknown mailbox_full"),
    ] {
        check(vec![versions(), answer(head, b"")], expect, &[]).await;
    }
}

#[tokio::test]
async fn requests_are_those_of_one_device() {
    let cookie = answer("200 OK\r\nMS-ASProtocolVersions: 14.1\r\nSet-Cookie: lb=7; path=/", b"");
    let moved = answer("307 there\r\nLocation: /eas/?x=1", b"");
    let (seen, heard, _) =
        run(vec![cookie, moved, ok(&listed("1", Some("1")))], "folders", Place::default()).await;
    assert_eq!(word(&seen), "up", "{seen:?}");
    let lines: Vec<&str> = heard.iter().map(|request| request.lines().next().unwrap()).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    OPTIONS /Microsoft-Server-ActiveSync HTTP/1.1
    POST /Microsoft-Server-ActiveSync?Cmd=FolderSync&User=probe%40example.test&DeviceId=MW9DF903F74BA469B6049F9B863B51C8&DeviceType=Mailward HTTP/1.1
    POST /eas/?Cmd=FolderSync&User=probe%40example.test&DeviceId=MW9DF903F74BA469B6049F9B863B51C8&DeviceType=Mailward HTTP/1.1
    ");
    assert!(heard[1].contains("ms-asprotocolversion: 14.1\r\n"), "{heard:?}");
    assert!(heard[1].contains("content-type: application/vnd.ms-sync.wbxml\r\n"));
    assert!(heard[1].contains("cookie: lb=7\r\n") && heard[2].contains("cookie: lb=7\r\n"));
    assert!(!heard[1].contains("x-ms-policykey"));
    let known = Place { policy_key: Some("123".into()), ..with_key() };
    let (_, heard, _) = run(vec![versions(), answer("200 OK", b"")], "folders", known).await;
    assert!(heard[1].contains("x-ms-policykey: 123\r\n"), "{heard:?}");
}

#[tokio::test]
async fn no_end_of_moves() {
    let round = answer("451 go\r\nX-MS-Location: /again", b"");
    let (seen, heard, told) = run(vec![round; 20], "inbox", Place::default()).await;
    assert_eq!(word(&seen), "down redirect_loop", "{seen:?}");
    assert_eq!((heard.len(), told.len()), (5, 0));
}
