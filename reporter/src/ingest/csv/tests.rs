//! Exports as desks write them, and as they should not be.

use mailward_catalogue::Catalogue;
use proptest::prelude::*;

use super::*;

fn catalogue(sections: &str) -> Catalogue {
    let head =
        "[service]\nname = \"Mail\"\nzone = \"Europe/London\"\n[[component]]\nid = \"owa\"\n";
    let parsed = mailward_catalogue::parse("probes.toml", &format!("{head}{sections}"));
    parsed.catalogue.unwrap_or_else(|| panic!("{:#?}", parsed.faults))
}

/// The records as lines, then the notes; or the error.
fn lines(sections: &str, file: &[u8], rows: Option<Rows>) -> String {
    match read(file, &catalogue(sections), rows) {
        Ok(exported) => {
            let mut text = Vec::new();
            exported.records.iter().for_each(|record| wire::encode_line(record, &mut text));
            let mut text = String::from_utf8(text).unwrap();
            for note in exported.notes {
                text.push_str(&format!("line {}: {}\n", note.line, note.text));
            }
            if exported.left_out > 0 {
                text.push_str(&format!("{} left out\n", exported.left_out));
            }
            text
        }
        Err(error) => format!("{error}\n"),
    }
}

/// A row a ticket, as a desk's list of incidents is exported.
const LIST: &str = r#"
[tickets.csv]
id = "number"
severity = "priority"
component = "cmdb_ci"
opened = "opened_at"
paused = ["held_at", "held_again_at"]
resumed = ["unheld_at"]
resolved = "resolved_at"
reopened = "reopened_at"
state = "state"
states = { Canceled = "cancelled", "In Progress" = "", Resolved = "", Closed = "" }
severities = { "1 - Critical" = "1", "2 - High" = "2", "5 - Planning" = "" }
components = { "Outlook on the web" = "owa", Printer = "" }
date_format = "%d/%m/%Y %H:%M:%S"
"#;

const LIST_HEADER: &str = "number,short_description,priority,state,cmdb_ci,opened_at,held_at,\
                           unheld_at,held_again_at,resolved_at,reopened_at\r\n";

fn list(rows: &str) -> String {
    lines(LIST, format!("{LIST_HEADER}{rows}").as_bytes(), None)
}

#[test]
fn a_row_a_ticket() {
    insta::assert_snapshot!(list(
        "INC1,\"Logon, slow\nfor all\",2 - High,Closed,Outlook on the web,14/02/2019 21:30:00,\
         15/02/2019 08:00:00,15/02/2019 09:00:00,,16/02/2019 10:00:00,17/02/2019 10:00:00\r\n\
         INC2,x,1 - Critical,In Progress,,01/07/2019 08:00:00,,,01/07/2019 09:00:00,,\r\n\
         INC3,x,5 - Planning,Closed,Printer,01/07/2019 08:00:00,,,,,\r\n\
         ,,,,,,,,,,\r\n\
         INC4,x,2 - High,Canceled,Printer,01/07/2019 08:00:00,,,,,\r\n\
         INC2,x,1 - Critical,In Progress,,01/07/2019 08:00:00,,,01/07/2019 09:00:00,,\r\n"
    ), @r#"
    {"v":1,"kind":"ticket","id":"INC1","severity":"2","component":"owa","opened":"2019-02-14T21:30:00Z","events":[{"at":"2019-02-15T08:00:00Z","what":"paused"},{"at":"2019-02-15T09:00:00Z","what":"resumed"},{"at":"2019-02-16T10:00:00Z","what":"resolved"},{"at":"2019-02-17T10:00:00Z","what":"reopened"}]}
    {"v":1,"kind":"ticket","id":"INC2","severity":"1","opened":"2019-07-01T07:00:00Z","events":[{"at":"2019-07-01T08:00:00Z","what":"paused"}]}
    {"v":1,"kind":"ticket","id":"INC4","severity":"2","opened":"2019-07-01T07:00:00Z","events":[],"cancelled":true}
    1 left out
    "#);
}

#[test]
fn times_that_a_clock_change_doubles_or_skips_are_said() {
    insta::assert_snapshot!(list(
        "INC1,x,2 - High,Closed,,27/10/2019 01:30:00,,,,27/10/2019 02:30:00,\n\
         INC2,x,2 - High,Closed,,31/03/2019 01:30:00,,,,31/03/2019 02:30:00,\n"
    ), @r#"
    {"v":1,"kind":"ticket","id":"INC1","severity":"2","opened":"2019-10-27T00:30:00Z","events":[{"at":"2019-10-27T02:30:00Z","what":"resolved"}]}
    {"v":1,"kind":"ticket","id":"INC2","severity":"2","opened":"2019-03-31T01:30:00Z","events":[{"at":"2019-03-31T01:30:00Z","what":"resolved"}]}
    line 2: opened_at: "27/10/2019 01:30:00" is there twice, as clocks go back; read as the first
    line 3: opened_at: "31/03/2019 01:30:00" is not there, as clocks go forward; read as the same distance after the change
    "#);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let check = |row: &str, expect: &str| {
        let fine = "INC0,x,2 - High,Closed,,01/07/2019 08:00:00,,,,01/07/2019 09:00:00,\n";
        assert_eq!(list(&format!("{fine}{row}\n{fine}")), format!("line 3: {expect}\n"), "{row}");
    };
    check(
        "INC1,x,3 - Moderate,Closed,,01/07/2019 08:00:00,,,,,",
        "priority: \"3 - Moderate\" is not among the \"severities\"",
    );
    check("INC1,x,,Closed,,01/07/2019 08:00:00,,,,,", "expected \"priority\", got nothing");
    check(",x,2 - High,Closed,,01/07/2019 08:00:00,,,,,", "expected \"number\", got nothing");
    check("INC1,x,2 - High,Closed,,,,,,,", "expected \"opened_at\", got nothing");
    check(
        "INC1,x,2 - High,Closed,Fax,01/07/2019 08:00:00,,,,,",
        "cmdb_ci: \"Fax\" is no component; say under \"components\" which it is, or \"\" for none",
    );
    check(
        "INC1,x,2 - High,Cancelled,,01/07/2019 08:00:00,,,,,",
        "the state \"Cancelled\" is not among the \"states\"",
    );
    check(
        "INC1,x,2 - High,Closed,,2019-07-01 08:00:00,,,,,",
        "opened_at: expected a time as \"%d/%m/%Y %H:%M:%S\", got \"2019-07-01 08:00:00\"",
    );
    check(
        "INC1,x,2 - High,Closed,,31/02/2019 08:00:00,,,,,",
        "opened_at: expected a time as \"%d/%m/%Y %H:%M:%S\", got \"31/02/2019 08:00:00\"",
    );
    check("INC1,x,2 - High", "expected 11 fields as in the first line, got 3");
    check(
        "INC1,x,2 - High,Closed,,01/07/2019 08:00:00,,,,01/07/2019 07:00:00,",
        "ticket INC1: the event at 2019-07-01T06:00:00Z lies before it was opened at \
         2019-07-01T07:00:00Z",
    );
    check(
        "INC0,x,2 - High,Closed,,01/07/2019 08:00:00,,,,01/07/2019 09:00:01,",
        "ticket INC0 stands on line 2 as well, and differs",
    );
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let check = |before: &str, line: u64| {
        let file = format!("{LIST_HEADER}{before}INC1,x\n");
        let told = lines(LIST, file.as_bytes(), None);
        let expect = format!("line {line}: expected 11 fields as in the first line, got 2\n");
        assert_eq!(told, expect, "{before:?}");
    };
    let row = |text: &str| format!("INC0,{text},2 - High,Closed,,01/07/2019 08:00:00,,,,,");
    check("", 2);
    check("\r\n\n\r\n", 5);
    check(&format!("{}\r\n{}\n", row("x"), row("x")), 4);
    check(&format!("{}\r\n", row("\"a\r\nb\nc\"")), 5);
    check(&format!("{}\n,,,,,,,,,,\n", row("\"a\nb\"")), 5);
}

#[test]
fn what_is_no_such_file_is_said() {
    let check = |file: &[u8], expect: &str| {
        assert_eq!(lines(LIST, file, None), format!("{expect}\n"));
    };
    check(b"", "line 1: expected a line with names of columns");
    check(b"id;opened\n1;2\n", "line 1: expected a column \"number\", got \"id;opened\"");
    check(b"number,number\n", "line 1: expected one column \"number\", got two");
    check(
        b"number,x\nINC1,caf\xe9\n",
        "line 2: expected UTF-8, got the byte 0xe9 (Latin-1 or Windows-1252?); save the file as \
         CSV in UTF-8",
    );
    check(b"\xff\xfen\0u\0", "line 1: expected UTF-8, got UTF-16; save the file as CSV in UTF-8");
    let open_quote = format!("{LIST_HEADER}INC1,\"{}", "x".repeat(MAX_FIELD_BYTES + 1));
    check(
        open_quote.as_bytes(),
        "line 2: expected fields of at most 65536 bytes, got 65537; is a quote not closed?",
    );
    let wide = ",".repeat(MAX_COLUMNS);
    check(wide.as_bytes(), "line 1: expected at most 1024 fields, got 1025");
    assert_eq!(
        lines("", b"a,b\n", None),
        "expected [tickets.csv] or [counts.csv] in the definition, which says what the columns \
         are\n"
    );
}

#[test]
fn a_mark_before_the_text_and_another_delimiter_change_nothing() {
    let section =
        "[tickets.csv]\nid = \"n\"\nseverity = \"s\"\nopened = \"o\"\ndelimiter = \";\"\n";
    let plain = lines(section, b"n;s;o\nI;2;2019-07-01T08:00:00\n", None);
    assert_eq!(
        plain,
        "{\"v\":1,\"kind\":\"ticket\",\"id\":\"I\",\"severity\":\"2\",\
         \"opened\":\"2019-07-01T07:00:00Z\",\"events\":[]}\n"
    );
    for file in [
        "\u{feff}n;s;o\r\nI;2;2019-07-01 08:00:00\r\n",
        "n;s;o\n\nI; 2 ;\"2019-07-01T07:00:00Z\"",
        "s;n;o\n2;I;2019-07-01T09:00:00+02:00\n;;\n",
    ] {
        assert_eq!(lines(section, file.as_bytes(), None), plain, "{file}");
    }
}

/// A row a change of state, as a desk's audit or its metric of states is exported.
const AUDIT: &str = r#"
[tickets.csv]
id = "id"
severity = "priority"
at = "start"
state = "value"
states = { New = "opened", "In Progress" = "resumed", "On Hold" = "paused", Resolved = "resolved", Closed = "resolved", Canceled = "cancelled", Noted = "" }
"#;

fn audit(rows: &str) -> String {
    lines(AUDIT, format!("id,priority,start,value\n{rows}").as_bytes(), None)
}

#[test]
fn a_row_a_change_of_state() {
    insta::assert_snapshot!(audit(
        "INC1,3,2019-02-14T21:30:00Z,New\n\
         INC1,3,2019-02-14T21:35:00Z,In Progress\n\
         INC2,2,2019-02-14T21:31:00Z,New\n\
         INC1,2,2019-02-15T08:00:00Z,On Hold\n\
         INC1,2,2019-02-15T08:30:00Z,Noted\n\
         INC1,2,2019-02-15T09:00:00Z,In Progress\n\
         INC1,2,2019-02-16T10:00:00Z,Resolved\n\
         INC1,2,2019-02-17T10:00:00Z,In Progress\n\
         INC1,2,2019-02-17T11:00:00Z,Resolved\n\
         INC1,2,2019-02-20T11:00:00Z,Closed\n\
         INC2,2,2019-02-14T21:40:00Z,Canceled\n"
    ), @r#"
    {"v":1,"kind":"ticket","id":"INC1","severity":"2","opened":"2019-02-14T21:30:00Z","events":[{"at":"2019-02-15T08:00:00Z","what":"paused"},{"at":"2019-02-15T09:00:00Z","what":"resumed"},{"at":"2019-02-16T10:00:00Z","what":"resolved"},{"at":"2019-02-17T10:00:00Z","what":"reopened"},{"at":"2019-02-17T11:00:00Z","what":"resolved"}]}
    {"v":1,"kind":"ticket","id":"INC2","severity":"2","opened":"2019-02-14T21:31:00Z","events":[{"at":"2019-02-14T21:40:00Z","what":"resolved"}],"cancelled":true}
    "#);
}

#[test]
fn the_newest_row_may_come_first() {
    let rows = [
        "INC1,2,2019-02-14T21:30:00Z,New",
        "INC1,2,2019-02-14T22:30:00Z,On Hold",
        "INC1,2,2019-02-14T22:30:00Z,Resolved",
        "INC1,2,2019-02-14T22:30:00Z,On Hold",
    ];
    let forwards = rows.join("\n");
    let backwards = rows.iter().rev().copied().collect::<Vec<_>>().join("\n");
    assert_eq!(audit(&forwards), audit(&backwards));
    assert!(audit(&forwards).contains("reopened"), "{}", audit(&forwards));
}

#[test]
fn a_ticket_whose_beginning_is_not_in_the_file_is_refused() {
    assert_eq!(
        audit("INC1,2,2019-02-15T08:00:00Z,On Hold\nINC1,2,2019-02-16T08:00:00Z,Resolved\n"),
        "line 2: ticket INC1: expected a row that says when it was opened before this one; export \
         from further back, or map a column \"opened\"\n"
    );
    let opened = AUDIT.replace("at = ", "opened = \"opened\"\nat = ");
    let file = "id,priority,start,value,opened\n\
                INC1,2,2019-02-15T08:00:00Z,On Hold,2019-02-14T08:00:00Z\n";
    assert!(lines(&opened, file.as_bytes(), None).contains("\"opened\":\"2019-02-14T08:00:00Z\""));
}

const CALLS: &str = r#"
[counts.csv]
series = "queue"
names = { "Service desk" = "helpdesk-calls", "Night line" = "" }
day = "date"
good = "answered in time"
total = "offered"
date_format = "%d.%m.%Y"
"#;

#[test]
fn counts_of_a_day() {
    let file = |rows: &str| {
        let text = format!("date,queue,offered,answered in time\n{rows}");
        lines(CALLS, text.as_bytes(), None)
    };
    insta::assert_snapshot!(file(
        "31.03.2019,Service desk,980,950\n31.03.2019,Night line,10,1\n\
         27.10.2019,Service desk,0,0\n31.03.2019,Service desk,980,950\n"
    ), @r#"
    {"v":1,"kind":"count","series":"helpdesk-calls","from":"2019-03-31T00:00:00Z","to":"2019-03-31T23:00:00Z","good":950,"total":980}
    {"v":1,"kind":"count","series":"helpdesk-calls","from":"2019-10-26T23:00:00Z","to":"2019-10-28T00:00:00Z","good":0,"total":0}
    1 left out
    "#);
    let check = |row: &str, expect: &str| {
        assert_eq!(
            file(&format!("01.07.2019,Service desk,980,950\n{row}\n")),
            format!("{expect}\n")
        );
    };
    check(
        "02.07.2019,Service desk,9,10",
        "line 3: count helpdesk-calls from 2019-07-01T23:00:00Z: expected good at most total, got \
         10 of 9",
    );
    check("02.07.2019,Desk,9,1", "line 3: queue: \"Desk\" is not among the \"names\"");
    check("02.07.2019,Service desk,9.5,1", "line 3: offered: expected a whole number, got \"9.5\"");
    check("02.07.2019,Service desk,-9,1", "line 3: offered: expected a whole number, got \"-9\"");
    check(
        "01.07.2019,Service desk,980,951",
        "line 3: the counts of \"helpdesk-calls\" from 2019-06-30T23:00:00Z stand on line 2 as \
         well, and differ",
    );
}

#[test]
fn the_first_line_tells_what_rows_are() {
    let counts = "[counts.csv]\nfixed_series = \"calls\"\nfrom = \"opened\"\nto = \"until\"\n\
                  good = \"id\"\ntotal = \"severity\"\n";
    let tickets = "[tickets.csv]\nid = \"id\"\nseverity = \"severity\"\nopened = \"opened\"\n";
    let both = format!("{counts}{tickets}");
    let row = "1,2,2019-07-01T08:00:00Z,2019-07-01T09:00:00Z\n";
    let check = |header: &str, rows, expect: &str| {
        let file = format!("{header}\n{row}");
        let read = lines(&both, file.as_bytes(), rows);
        assert!(read.contains(expect), "{read}");
    };
    check("id,severity,opened,x", None, "\"kind\":\"ticket\"");
    check(
        "id,severity,opened,until",
        None,
        "the columns fit [tickets.csv] and [counts.csv]; say which with --as",
    );
    check("id,severity,opened,until", Some(Rows::Tickets), "\"kind\":\"ticket\"");
    check("id,severity,opened,until", Some(Rows::Counts), "\"kind\":\"count\"");
    check(
        "id,severity,a,b",
        None,
        "line 1: by [tickets.csv]: expected a column \"opened\", got \"id\", \"severity\", \"a\", \
         \"b\"; by [counts.csv]: expected a column \"opened\"",
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn whatever_is_in_a_file_nothing_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..400),
        rows in prop::collection::vec(prop_oneof![
            "[ -~]{0,30}", Just("INC1".to_owned()), Just("2 - High".to_owned()),
            Just("14/02/2019 21:30:00".to_owned()), Just("\"".to_owned()), Just("\n".to_owned()),
            Just("99/99/99999 25:61:61".to_owned()), Just("31.12.9999".to_owned()),
            Just("01.01.-9999".to_owned()), Just("Service desk".to_owned()), any::<String>(),
        ], 0..40),
    ) {
        let (list, calls) = (catalogue(LIST), catalogue(CALLS));
        let (mut tickets, mut counts) = (LIST_HEADER.to_owned(), "date,queue,offered,answered in time\n".to_owned());
        tickets.push_str(&rows.join(","));
        counts.push_str(&rows.join(","));
        for catalogue in [&list, &calls] {
            for file in [&bytes[..], tickets.as_bytes(), counts.as_bytes()] {
                for rows in [None, Some(Rows::Tickets), Some(Rows::Counts)] {
                    let _ = read(file, catalogue, rows);
                }
            }
        }
    }

    #[test]
    fn order_of_rows_does_not_matter_where_times_differ(order in Just((0..6).collect::<Vec<usize>>()).prop_shuffle()) {
        let rows = [
            "INC1,2,2019-02-14T21:30:00Z,New", "INC1,2,2019-02-14T22:00:00Z,In Progress",
            "INC1,2,2019-02-15T08:00:00Z,On Hold", "INC1,2,2019-02-15T09:00:00Z,In Progress",
            "INC1,2,2019-02-16T10:00:00Z,Resolved", "INC1,2,2019-02-17T10:00:00Z,On Hold",
        ];
        let shuffled = order.iter().map(|i| rows[*i]).collect::<Vec<_>>().join("\n");
        prop_assert_eq!(audit(&shuffled), audit(&rows.join("\n")));
    }
}
