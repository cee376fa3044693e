//! Messages whole, in pieces, folded, compact, too long, and anything at all.

use proptest::prelude::*;

use super::*;

fn read(bytes: &[u8]) -> Result<Option<Message>, MessageError> {
    let mut reader = MessageReader::default();
    reader.push(bytes);
    reader.next_message()
}

fn response(bytes: &str) -> Response {
    match read(bytes.as_bytes()) {
        Ok(Some(Message::Response(response))) => response,
        other => panic!("{other:?}"),
    }
}

const WHOLE: &str = "SIP/2.0 200 OK\r\n\
    Via: SIP/2.0/TLS 192.0.2.1:5061;rport=5061;branch=z9hG4bK1, SIP/2.0/TLS x;branch=z9hG4bK0\r\n\
    From: <sip:a@x>;tag=1\r\nTo: <sip:x>;tag=2\r\nCall-ID: 1@x\r\nCSeq: 1 OPTIONS\r\n\
    Server: edge\r\n /1.0\r\nAllow: INVITE,\r\n\tOPTIONS\r\nContent-Length: 4\r\n\r\nv=0\n";

#[test]
fn a_response_is_read() {
    let whole = response(WHOLE);
    assert_eq!((whole.status, &*whole.reason), (200, "OK"));
    assert_eq!(whole.branch(), "z9hG4bK1");
    assert_eq!((whole.method(), whole.header("server")), ("OPTIONS", "edge /1.0"));
    assert_eq!(whole.header("Allow"), "INVITE, OPTIONS");
    let compact = response("SIP/2.0 503 \nv: SIP/2.0/TCP x;Branch=b\nCSeq: 1 OPTIONS\nl:0\n\n");
    assert_eq!((compact.status, compact.branch()), (503, "b"));
}

#[test]
fn what_is_no_message_is_refused() {
    let check = |bytes: &str, expect: &str| {
        let told = match read(bytes.as_bytes()) {
            Err(error) => error.to_string(),
            Ok(None) => "more".to_owned(),
            Ok(Some(_)) => "message".to_owned(),
        };
        assert!(told.starts_with(expect), "{bytes:?}: {told}");
    };
    check("", "more");
    check("\r\n\r\n", "more");
    check("SIP/2.0 200 OK\r\nVia: x\r\n", "more");
    check("SIP/2.0 200 OK\r\n\r\n", "message");
    check("\r\n\r\nSIP/2.0 200 OK\r\n\r\n", "message");
    check("OPTIONS sip:x SIP/2.0\r\nl: 0\r\n\r\n", "message");
    check("SIP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nab", "more");
    check("HTTP/1.1 200 OK\r\n\r\n", "expected SIP/2.0 and a status");
    check("SIP/2.0 99 OK\r\n\r\n", "expected SIP/2.0 and a status");
    check("SIP/2.0 2000 OK\r\n\r\n", "expected SIP/2.0 and a status");
    check("\x16\x03\x01\x02", "expected SIP/2.0 and a status");
    check("SIP/2.0 200 OK\r\nno header\r\n\r\n", "expected a header line");
    check("SIP/2.0 200 OK\r\n folded\r\n\r\n", "expected a header line");
    check("SIP/2.0 200 OK\r\nl: 1\r\nContent-Length: 2\r\n\r\n", "expected one length");
    check("SIP/2.0 200 OK\r\nl: -1\r\n\r\n", "expected one length");
    check("SIP/2.0 200 OK\r\nl: 99999999999999999999\r\n\r\n", "expected a body of at most");
    check(&format!("SIP/2.0 200 {}", "a".repeat(17 << 10)), "expected a head of at most");
    let lines = "x: y\r\n".repeat(200);
    check(&format!("SIP/2.0 200 OK\r\n{lines}\r\n"), "expected at most 128 header lines");
}

proptest! {
    #[test]
    fn pieces_make_the_same_messages(cuts in prop::collection::vec(1_usize..40, 1..40)) {
        let two = format!("{WHOLE}OPTIONS sip:x SIP/2.0\r\nl: 2\r\n\r\nabSIP/2.0 100 Trying\r\n\r\n");
        let mut reader = MessageReader::default();
        let (mut rest, mut found) = (two.as_bytes(), Vec::new());
        for cut in cuts.iter().cycle() {
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            reader.push(piece);
            while let Some(message) = reader.next_message().unwrap() {
                found.push(message);
            }
            rest = more;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found.len(), 3);
        prop_assert_eq!(&found[0], &Message::Response(response(WHOLE)));
        prop_assert_eq!(&found[1], &Message::Request);
    }

    #[test]
    fn anything_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes);
    }

    #[test]
    fn anything_like_a_response_is_read_or_refused(
        head in "(SIP/2\\.0 [0-9]{2,4} ?[a-z]{0,5}\r?\n)((Via|v|l|CSeq|X)? ?:? ?[a-z0-9;=,]{0,9}\r?\n ?){0,6}\r?\n",
        body in "[a-z]{0,9}",
    ) {
        let mut reader = MessageReader::default();
        reader.push(head.as_bytes());
        reader.push(body.as_bytes());
        while let Ok(Some(_)) = reader.next_message() {}
    }
}
