//! An edition is judged again from nothing but itself, whatever became of the store: every
//! measure, after raw outcomes are gone and the evidence has changed.

use super::*;
use crate::publish::recompute::{Parts, recompute, unfounded};

/// A level of every measure.
const EVERY_MEASURE: &str = r#"
[service]
name = "Post"
zone = "Europe/London"

[hours.core]
mon-fri = "07:00-19:00"

[[component]]
id = "owa"

[[component]]
id = "mail"

[[component]]
id = "reputation"

[[probe]]
id = "owa-page"
component = "owa"
kind = "http"
url = "https://mail.example.org/owa/"
every = "1h"
confirm = 1

[[probe]]
id = "mail-in"
component = "mail"
kind = "mail"
direction = "incoming"
send = { mx_of = "example.org", mail_from = "a@example.net", rcpt_to = "b@example.org" }
receive = { sink = "sink-1" }
every = "1h"

[[sink]]
id = "sink-1"
listen = "127.0.0.1:2525"
hostname = "probe.example.net"

[[probe]]
id = "rbl"
component = "reputation"
kind = "dnsbl"
addresses = ["192.0.2.10"]
lists = ["bl.example.org"]
every = "1h"

[[level]]
id = "availability"
component = "owa"
measure = "availability"
target = "99.5%"
hours = "core"

[[level]]
id = "success"
component = "owa"
measure = "success"
target = "99.5%"
hours = "core"

[[level]]
id = "response"
component = "owa"
measure = "response_time"
target = "95%"
within = "100ms"

[[level]]
id = "delivery"
component = "mail"
measure = "delivery_time"
target = "95%"
within = "60s"

[[level]]
id = "resolution"
measure = "resolution"
severity = "2"
target = "100%"
within = "8h"
hours = "core"

[[level]]
id = "listing"
component = "reputation"
measure = "listing"
target = "0s"

[[level]]
id = "calls"
measure = "ratio"
series = "helpdesk-calls"
target = "97%"

[maintenance]
notice = "5d"
"#;

fn line(text: &str) -> Record {
    mailward_evidence::wire::decode_line(text.as_bytes()).unwrap()
}

fn outcome(probe: &str, due: &str, rest: &str) -> Record {
    line(&format!(
        r#"{{"v":1,"kind":"outcome","agent":"leeds","probe":"{probe}","due":"{due}","attempt":0,"next_due_s":3600,"phases":{{}},"facts":{{}},{rest}}}"#
    ))
}

/// October 2026 with something of everything.
fn october_of_everything() -> Vec<Record> {
    let mut records = vec![
        line(
            r#"{"v":1,"kind":"roster","agent":"leeds","site":"internet","at":"2026-09-30T23:00:00Z","probes":[{"id":"owa-page","every_s":3600},{"id":"mail-in","every_s":3600},{"id":"rbl","every_s":3600}]}"#,
        ),
        line(
            r#"{"v":1,"kind":"exclusion","id":"MW-1","class":"maintenance","components":["owa"],"from":"2026-10-20T08:00:00Z","to":"2026-10-20T12:00:00Z","announced":"2026-10-01T00:00:00Z","approved":"2026-10-02T00:00:00Z","by":"service manager"}"#,
        ),
        line(
            r#"{"v":1,"kind":"ticket","id":"INC1","severity":"2","opened":"2026-10-05T08:00:00Z","events":[{"at":"2026-10-05T10:00:00Z","what":"paused"},{"at":"2026-10-05T11:00:00Z","what":"resumed"},{"at":"2026-10-06T08:00:00Z","what":"resolved"}]}"#,
        ),
        line(
            r#"{"v":1,"kind":"count","series":"helpdesk-calls","from":"2026-10-01T00:00:00Z","to":"2026-10-02T00:00:00Z","good":95,"total":98}"#,
        ),
    ];
    let mut due_ms = ms("2026-09-30T23:00:00Z");
    for n in 0.. {
        if due_ms >= ms("2026-11-01T03:00:00Z") {
            break;
        }
        let due = mailward_evidence::Instant::from_ms(due_ms).unwrap().to_string();
        let page = match n % 97 {
            40..43 => r#""took_ms":5,"verdict":"down","reason":"timeout""#.to_owned(),
            60 => r#""took_ms":5,"verdict":"unknown","reason":"isolated""#.to_owned(),
            n => format!(r#""took_ms":{},"verdict":"up","reason":null"#, 20 + n),
        };
        records.push(outcome("owa-page", &due, &page));
        let mail = match n % 50 {
            7 => r#""took_ms":5,"verdict":"down","reason":"timeout""#.to_owned(),
            n => format!(r#""took_ms":5,"verdict":"up","reason":null,"delivery_s":{}.5"#, 10 + n),
        };
        records.push(outcome("mail-in", &due, &mail));
        let listed = match n % 200 {
            90..95 => {
                r#""took_ms":5,"verdict":"down","reason":"listed","listings":[{"address":"192.0.2.10","list":"bl.example.org"}]"#
            }
            _ => r#""took_ms":5,"verdict":"up","reason":null"#,
        };
        records.push(outcome("rbl", &due, listed));
        due_ms += 3_600_000;
    }
    records
}

#[test]
fn every_figure_follows_from_the_edition_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), clock_at(NOW)).unwrap();
    store.ingest(october_of_everything(), Source::Import).unwrap();
    let parsed = mailward_catalogue::parse("probes.toml", EVERY_MEASURE);
    let catalogue = parsed.catalogue.unwrap_or_else(|| panic!("{:#?}", parsed.faults));
    let publisher = Publisher {
        store: &store,
        catalogue: &catalogue,
        definition: &parsed.normal,
        demo: false,
        key: key(),
    };
    publisher.publish(october(), "A. Manager", None, ms(NOW)).unwrap();

    // what the store holds goes away, and what it says changes
    store.settle().unwrap();
    store.forget_raw(ms("2026-10-25T00:00:00Z"), 0).unwrap();
    let later = [
        line(
            r#"{"v":1,"kind":"exclusion","id":"MW-1","class":"maintenance","components":["owa"],"from":"2026-10-20T08:00:00Z","to":"2026-10-20T12:00:00Z","cancelled":true}"#,
        ),
        line(
            r#"{"v":1,"kind":"ticket","id":"INC1","severity":"3","opened":"2026-10-05T08:00:00Z"}"#,
        ),
        line(
            r#"{"v":1,"kind":"count","series":"helpdesk-calls","from":"2026-10-01T00:00:00Z","to":"2026-10-02T00:00:00Z","good":1,"total":98}"#,
        ),
        line(
            r#"{"v":1,"kind":"roster","agent":"leeds","site":"hscn","at":"2026-10-10T00:00:00Z","probes":[]}"#,
        ),
    ];
    store.ingest(later.to_vec(), Source::Import).unwrap();

    let edition = store.edition("2026-10", None).unwrap().unwrap();
    let published: Report = serde_json::from_str(&edition.report_json).unwrap();
    let again = recompute(&edition).unwrap();
    assert_eq!(again.levels.len(), 7);
    for (level, again) in published.levels.iter().zip(&again.levels) {
        assert_eq!((&level.id, &level.met), (&again.id, &again.met));
        assert!(
            figures::differing(
                &published,
                &Report { levels: vec![again.clone()], ..published.clone() }
            )
            .iter()
            .all(|change| change.id != level.id || change.after.is_none()),
            "{}",
            level.id
        );
    }
    assert_eq!(unfounded(&edition).unwrap(), []);
    assert_eq!((again.components, again.exclusions), (published.components, published.exclusions));
    // the store itself says otherwise by now, so that agreement is no accident
    let moved = Parts::of(&edition).unwrap();
    let late = store.evidence(moved.report.period.from.0, moved.report.period.to.0, ms(NOW));
    assert_ne!(late.unwrap(), moved.evidence);
}

#[test]
fn an_edition_that_was_altered_does_not_follow() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    publisher.publish(october(), "A", None, ms(NOW)).unwrap();
    let edition = store.edition("2026-10", None).unwrap().unwrap();
    let altered = NewEdition {
        report_json: edition.report_json.replace("\"down_s\": 10800", "\"down_s\": 1080"),
        ..edition.clone()
    };
    assert_ne!(altered, edition);
    let unfounded_levels = unfounded(&altered).unwrap();
    assert_eq!(unfounded_levels.len(), 1, "{unfounded_levels:?}");
    let broken = NewEdition { definition_toml: "[service]".to_owned(), ..edition.clone() };
    assert!(unfounded(&broken).unwrap_err().to_string().contains("definition"));
    let broken = NewEdition { segments: b"rubbish".to_vec(), ..edition };
    assert_eq!(unfounded(&broken).unwrap_err().to_string(), "read the edition's evidence");
}
