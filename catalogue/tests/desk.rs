//! `[tickets.csv]` and `[counts.csv]`: what they read as, and what a reader is told of mistakes.

use mailward_catalogue::desk::{CountPeriod, CountSeries};
use mailward_catalogue::{TicketLayout, TicketState, parse};

const HEAD: &str = "[service]\nname = \"Mail\"\nzone = \"Europe/London\"\n\
                    [[component]]\nid = \"owa\"\n[[probe]]\nid = \"p\"\ncomponent = \"owa\"\n\
                    kind = \"http\"\nurl = \"https://example.org/\"\nevery = \"60s\"\n";

/// What is told, with lines counted from the section on.
fn told(section: &str) -> String {
    let parsed = parse("x", &format!("{HEAD}{section}"));
    let above = HEAD.lines().count();
    let line = |fault: &mailward_catalogue::Fault| {
        format!("{}:{}: {}", fault.line - above, fault.column, fault.message)
    };
    parsed.faults.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_mistake_is_told_in_its_place() {
    insta::assert_snapshot!(told(r#"
[tickets]
csv = 1
[counts.cvs]
good = "g"
"#), @r#"
    3:7: unknown "csv" in [tickets]; expected [tickets.csv]
    4:1: unknown "cvs" in [counts]; expected [counts.csv]
    "#);
    insta::assert_snapshot!(told(r#"
[tickets.csv]
id = "number"
severity = "priority"
paused = []
states = { "On Hold" = "pause", New = "" }
components = { "Web mail" = "ova" }
date_format = "%d/%m/%Y"
delimiter = ":"
zone = "Europe/Londn"
"#), @r#"
    2:1: [tickets.csv] needs the key "opened" where a row is a ticket, or "at" and "state" where a row is a change of state
    5:10: paused: expected at least one text
    6:10: states: expected the key "state" beside it
    6:12: states: expected "opened", "paused", "resumed", "resolved", "reopened" or "cancelled", or "" for nothing, got "pause"; did you mean "paused"?
    7:14: components: "Web mail" leads to unknown component "ova"; did you mean "owa"?
    7:14: components: expected the key "component" beside it
    8:15: date_format: "%d/%m/%Y" does not tell a time
    9:13: delimiter: expected ",", ";", "	" or "|", got ":"; did you mean ","?
    10:8: zone: expected a time zone such as "Europe/London"; got "Europe/Londn"; did you mean "Europe/London"?
    "#);
    insta::assert_snapshot!(told(r#"
[tickets.csv]
id = "number"
severity = "priority"
at = "when"
paused = "hold"
date_format = "%Q"
[counts.csv]
good = "g"
total = "t"
series = "s"
fixed_series = "calls"
day = "d"
to = "t"
date_format = "%H"
"#), @r#"
    2:1: [tickets.csv] with "at" needs the key "state"
    6:10: paused belongs to a row that is a ticket; with "at" a row is a change of state
    7:15: date_format: "%Q" does not tell a date
    12:16: expected "fixed_series" or "series", not both
    13:7: expected "day", or "from" and "to", not both
    15:15: date_format: "%H" does not tell a date
    "#);
    insta::assert_snapshot!(told(r#"[counts.csv]
good = "g"
total = "t"
names = { a = "b" }
"#), @r#"
    1:1: [counts.csv] needs the key "day", or "from" and "to"
    1:1: [counts.csv] needs the key "series" (a column) or "fixed_series" (a name)
    4:9: names: expected the key "series" beside it
    "#);
}

#[test]
fn what_is_written_is_what_is_meant() {
    let section = r#"
[tickets.csv]
id = "number"
severity = "priority"
opened = "opened"
paused = ["hold 1", "hold 2"]
resolved = "resolved"
delimiter = "	"
[counts.csv]
series = "queue"
names = { "Service desk" = "helpdesk-calls" }
from = "a"
to = "b"
good = "g"
total = "t"
"#;
    let catalogue = parse("x", &format!("{HEAD}{section}")).catalogue.unwrap();
    let tickets = catalogue.tickets_csv.unwrap();
    let paused = |n: u8| (format!("hold {n}"), TicketState::Paused);
    let times = vec![paused(1), paused(2), ("resolved".to_owned(), TicketState::Resolved)];
    let layout = TicketLayout::Ticket { opened: "opened".to_owned(), times, state: None };
    assert_eq!((tickets.layout, tickets.form.delimiter), (layout, b'\t'));
    let counts = catalogue.counts_csv.unwrap();
    let names = [("Service desk".to_owned(), "helpdesk-calls".to_owned())].into();
    assert_eq!(counts.series, CountSeries::Column { column: "queue".to_owned(), names });
    let period = CountPeriod::Between { from: "a".to_owned(), to: "b".to_owned() };
    assert_eq!((counts.period, counts.form.delimiter), (period, b','));
}
