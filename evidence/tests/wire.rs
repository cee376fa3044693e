//! The wire form: what is read is written back the same, what cannot be meant is refused with
//! a sentence, and no bytes make it panic.

use mailward_evidence::wire::{self, decode_line, decode_lines, encode_line};
use mailward_evidence::{Identity, Instant, Record, Verdict};
use proptest::prelude::*;

const OUTCOME: &str = r#"{"v":1,"kind":"outcome","agent":"leeds-1","probe":"owa-logon","due":"2019-02-01T00:00:00Z","attempt":0,"next_due_s":60,"took_ms":183.2,"verdict":"up","reason":null,"phases":{"connect":3.4,"dns":1.2},"facts":{"http_status":"200"}}"#;

fn read(line: &str) -> Record {
    decode_line(line.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{line}"))
}

fn written(record: &Record) -> String {
    let mut out = Vec::new();
    encode_line(record, &mut out);
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[track_caller]
fn refused(line: &str, expected: &str) {
    match decode_line(line.as_bytes()) {
        Ok(record) => panic!("accepted {record:?}"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(expected), "expected {expected:?} in {text:?}");
        }
    }
}

#[test]
fn documented_examples_come_back_as_they_were() {
    let examples = [
        OUTCOME,
        r#"{"v":1,"kind":"roster","agent":"leeds-1","site":"internet","at":"2019-02-01T00:00:00Z","probes":[{"id":"owa-logon","every_s":60}]}"#,
        r#"{"v":1,"kind":"outcome","agent":"leeds-1","probe":"mail-in","due":"2019-02-01T00:00:00Z","attempt":0,"revision":1,"next_due_s":300,"took_ms":41000.0,"verdict":"up","reason":null,"delivery_s":41.0,"phases":{},"facts":{}}"#,
        r#"{"v":1,"kind":"outcome","agent":"leeds-1","probe":"rbl","due":"2019-02-03T08:00:00Z","attempt":0,"next_due_s":600,"took_ms":80.0,"verdict":"down","reason":"listed","listings":[{"address":"192.0.2.10","list":"bl.example.org","code":"127.0.0.2"}],"phases":{},"facts":{}}"#,
        r#"{"v":1,"kind":"exclusion","id":"MW-7","class":"maintenance","components":["owa"],"from":"2019-02-10T01:00:00Z","to":"2019-02-10T03:00:00Z","announced":"2019-02-01T09:00:00Z","approved":"2019-02-02T09:00:00Z","by":"service manager","reason":"monthly patching"}"#,
        r#"{"v":1,"kind":"ticket","id":"INC9588056","severity":"2","component":"owa","opened":"2019-02-14T21:30:00Z","events":[{"at":"2019-02-15T08:00:00Z","what":"paused"},{"at":"2019-02-15T09:00:00Z","what":"resumed"},{"at":"2019-02-16T10:00:00Z","what":"resolved"},{"at":"2019-02-17T10:00:00Z","what":"reopened"}]}"#,
        r#"{"v":1,"kind":"count","series":"helpdesk-calls","from":"2019-02-01T00:00:00Z","to":"2019-02-02T00:00:00Z","good":950,"total":980}"#,
    ];
    for line in examples {
        assert_eq!(written(&read(line)).trim_end(), line);
    }
}

#[test]
fn a_failed_run_keeps_an_exhibit() {
    let exhibit = r#""exhibit":{"status":"HTTP/1.1 503 Oh","headers":["Server: x"],"text":"no\n","replies":["451 4.3.0 no"],"certificates":[{"subject":"CN=a","issuer":"CN=b","names":["a"],"not_before":"2026-01-01T00:00:00Z","not_after":"2026-02-01T00:00:00Z","sha256":"ab"}],"cut":true,"newer":1}"#;
    let with = |verdict: &str, exhibit: &str| {
        let facts = r#""facts":{"http_status":"200"}"#;
        let line = OUTCOME.replace("\"up\"", &format!("\"{verdict}\""));
        line.replace(facts, &format!("{facts},{exhibit}"))
    };
    let line = with("down", exhibit);
    assert_eq!(written(&read(&line)).trim_end(), line);
    assert_ne!(read(&line), read(&line.replace("503", "502")), "it is part of the record");
    assert_eq!(
        read(&with("down", "\"exhibit\":null")),
        read(&OUTCOME.replace("\"up\"", "\"down\""))
    );
    refused(&with("up", exhibit), "up has none");
    refused(&with("down", &exhibit.replace("no\\n", "no\\u001b[2J")), "escaped");
    refused(&with("down", &exhibit.replace("HTTP", &"x".repeat(9000))), "at most 8192");
    refused(
        &with(
            "down",
            &exhibit.replace("\"newer\":1", &format!("\"newer\":{:?}", "x".repeat(9000))),
        ),
        "at most 8192",
    );
    let many = vec!["\"a\""; 40].join(",");
    refused(&with("down", &exhibit.replace("\"Server: x\"", &many)), "at most 32");
    refused(&with("down", "\"exhibit\":[1]"), "struct Exhibit");
}

#[test]
fn a_newer_field_is_kept_and_a_newer_version_refused() {
    let newer = OUTCOME.replace("\"attempt\":0", "\"attempt\":0,\"weather\":{\"rain\":[1,2]}");
    let record = read(&newer);
    assert!(written(&record).contains(r#""weather":{"rain":[1,2]}"#));
    assert_ne!(record, read(OUTCOME), "an unknown field is part of the record");
    refused(&OUTCOME.replace("\"v\":1", "\"v\":2"), "v = 2");
    refused(&OUTCOME.replace("\"v\":1,", ""), "`v`");
    refused(&OUTCOME.replace("\"outcome\"", "\"sighting\""), "sighting");
    refused(&OUTCOME.replace("\"kind\":\"outcome\",", ""), "`kind`");
}

#[test]
fn spellings_of_one_record_are_one_record() {
    let same = [
        OUTCOME.replace("00:00:00Z", "00:00:00+00:00"),
        OUTCOME.replace("00:00:00Z", "00:00:00.000Z"),
        OUTCOME.replace("2019-02-01T00:00:00Z", "2019-02-01T01:00:00+01:00"),
        OUTCOME.replace("\"reason\":null,", ""),
        OUTCOME.replace("\"attempt\":0", "\"attempt\":0,\"revision\":0"),
        OUTCOME.replace(r#""connect":3.4,"dns":1.2"#, r#""dns":1.2,"connect":3.4"#),
        OUTCOME.replace("\"next_due_s\":60", "\"next_due_s\":60.0"),
        OUTCOME.replacen("{\"v\":1,\"kind\":\"outcome\",", "{\"kind\":\"outcome\",\"v\":1,", 1),
        OUTCOME.replace(",\"facts\"", " , \"\\u0066acts\""),
    ];
    for line in same {
        assert_eq!(read(&line), read(OUTCOME), "{line}");
        assert_eq!(read(&line).identity(), read(OUTCOME).identity());
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    refused(&OUTCOME.replace("\"up\"", "\"fine\""), "fine");
    refused(&OUTCOME.replace("\"next_due_s\":60", "\"next_due_s\":0"), "next_due_s");
    refused(&OUTCOME.replace("\"next_due_s\":60", "\"next_due_s\":-1"), "next_due_s");
    refused(&OUTCOME.replace("\"next_due_s\":60", "\"next_due_s\":1e300"), "next_due_s");
    refused(&OUTCOME.replace("\"next_due_s\":60,", ""), "next_due_s");
    refused(&OUTCOME.replace("183.2", "-1"), "took_ms");
    refused(&OUTCOME.replace("\"attempt\":0", "\"attempt\":-1"), "invalid value");
    refused(&OUTCOME.replace("leeds-1", ""), "must not be empty");
    refused(&OUTCOME.replace("leeds-1", "a\\u0000b"), "control characters");
    refused(&OUTCOME.replace("2019-02-01T00:00:00Z", "2019-02-01T00:00:00"), "an instant as");
    refused(&OUTCOME.replace("2019-02-01T00:00:00Z", "2019-02-30T00:00:00Z"), "an instant as");
    refused(&OUTCOME.replace("2019-02-01T00:00:00Z", "1500-02-01T00:00:00Z"), "between 1678");
    refused(&OUTCOME[..60], "EOF");
    refused("[]", "expected");
    refused(
        r#"{"v":1,"kind":"exclusion","id":"X","class":"maintenance","components":["c"],"from":"2019-02-02T00:00:00Z","to":"2019-02-01T00:00:00Z"}"#,
        "exclusion X",
    );
    refused(
        r#"{"v":1,"kind":"ticket","id":"T","severity":"2","opened":"2019-02-02T00:00:00Z","events":[{"at":"2019-02-01T00:00:00Z","what":"resolved"}]}"#,
        "ticket T",
    );
    refused(
        r#"{"v":1,"kind":"roster","agent":"a","site":"","at":"2019-02-02T00:00:00Z","probes":[{"id":"p","every_s":1},{"id":"p","every_s":2}]}"#,
        "stands twice",
    );
}

#[test]
fn limits_hold() {
    let long = format!("{}{}", OUTCOME, " ".repeat(wire::MAX_LINE_BYTES));
    refused(&long, "at most");
    let facts: Vec<String> = (0..200).map(|i| format!("\"f{i}\":\"x\"")).collect();
    let many = OUTCOME.replace("\"http_status\":\"200\"", &facts.join(","));
    refused(&many, "at most 128");
    let deep = format!("{}{}{}", OUTCOME.replace("{}}", ""), ",\"x\":", "[".repeat(5000));
    assert!(decode_line(deep.as_bytes()).is_err());
    let bomb = wire::pack_zstd(&vec![0; 40 << 20]).expect("pack");
    assert!(matches!(
        wire::unpack_zstd(&bomb, wire::MAX_BODY_BYTES),
        Err(wire::UnpackError::TooLarge(_))
    ));
    assert!(matches!(wire::unpack_zstd(b"zzzz", 10), Err(wire::UnpackError::Damaged(_))));
}

#[test]
fn a_body_tells_the_line_that_is_wrong() {
    let body = format!("{OUTCOME}\n\n{OUTCOME}\r\n{}\n", &OUTCOME[..50]);
    let fault = decode_lines(body.as_bytes()).expect_err("the last line is cut");
    assert_eq!(fault.line, 4);
    let whole = format!("{OUTCOME}\n\n{OUTCOME}\r\n");
    assert_eq!(decode_lines(whole.as_bytes()).expect("whole").len(), 2);
}

#[test]
fn finer_instants_are_cut_and_not_rounded() {
    let cut = |text: &str| Instant::parse(text).expect("an instant").ms();
    assert_eq!(cut("1970-01-01T00:00:00.0019999Z"), 1);
    assert_eq!(cut("1969-12-31T23:59:59.9999Z"), -1);
    assert_eq!(mailward_evidence::outcome::seconds_to_ms(1.005), 1005);
    assert_eq!(mailward_evidence::outcome::seconds_to_ms(0.29), 290);
    assert_eq!(mailward_evidence::outcome::seconds_to_ms(0.0019), 1);
    let first = read(&OUTCOME.replace("00:00:00Z", "00:00:00.0001Z"));
    let second = read(&OUTCOME.replace("00:00:00Z", "00:00:00.0002Z"));
    assert_ne!(first.identity(), second.identity(), "identity is the instant, not its millisecond");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = decode_lines(&bytes);
        let _ = wire::unpack_zstd(&bytes, 1000);
    }

    #[test]
    fn no_damaged_record_makes_it_panic(at in 0..OUTCOME.len(), byte in any::<u8>()) {
        let mut line = OUTCOME.as_bytes().to_vec();
        line[at] = byte;
        if let Ok(record) = decode_line(&line) {
            let again = decode_line(written(&record).trim_end().as_bytes()).expect("own writing");
            prop_assert_eq!(again, record);
        }
    }

    #[test]
    fn outcomes_survive_the_wire(
        due_ns in any::<i64>(),
        attempt in any::<u32>(),
        revision in any::<u32>(),
        next_due_ms in 1_u64..315_000_000_000,
        took in prop::option::of(0.0..1e9_f64),
        delivery in prop::option::of(0.0..1e6_f64),
        facts in prop::collection::btree_map("[a-z_]{1,12}", "\\PC{0,40}", 0..6),
        verdict in 0..4_usize,
        reason in prop::option::of("[a-z_]{1,20}"),
    ) {
        let Record::Outcome(mut outcome) = read(OUTCOME) else { unreachable!() };
        outcome.due = Instant::from_ns(due_ns);
        (outcome.attempt, outcome.revision) = (attempt, revision);
        outcome.next_due_ms = next_due_ms;
        (outcome.took_ms, outcome.delivery_s) = (took, delivery);
        outcome.verdict = Verdict::ALL[verdict];
        outcome.reason = reason.as_deref().map(mailward_evidence::Reason::parse);
        for (key, value) in &facts {
            outcome.facts.set(key, value.as_str().into());
        }
        let record = Record::Outcome(outcome);
        let line = written(&record);
        prop_assert_eq!(decode_line(line.trim_end().as_bytes()).expect("own writing"), record.clone());
        let Identity::Outcome(_, _, due, _) = record.identity() else { unreachable!() };
        prop_assert_eq!(due.ns(), due_ns);
    }
}
