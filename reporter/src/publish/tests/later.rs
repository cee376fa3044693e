//! Evidence that arrives after an edition flags it and changes nothing of it; the next edition
//! says what changed, and shows both figures.

use super::*;
use crate::publish::{differs, figures};

fn line(text: &str) -> Record {
    mailward_evidence::wire::decode_line(text.as_bytes()).unwrap()
}

/// An agent at another site that saw the service down for longer.
fn late_agent() -> Vec<Record> {
    let hours = 0..6;
    let down: Vec<String> = hours.map(|h| format!("2026-10-14T0{h}:00:00Z")).collect();
    let down: Vec<&str> = down.iter().map(String::as_str).collect();
    let records = evidence("2026-09-30T23:00:00Z", "2026-11-01T01:00:00Z", &down);
    let text = records.iter().map(|record| {
        let mut text = Vec::new();
        mailward_evidence::wire::encode_line(record, &mut text);
        String::from_utf8(text).unwrap().replace("leeds", "york").replace("internet", "hscn")
    });
    text.map(|text| line(text.trim_end())).collect()
}

/// What is flagged of the latest edition, as sentences.
fn flagged(store: &Store, now: &str) -> Vec<String> {
    let head = store.editions(Some("2026-10")).unwrap().pop().unwrap();
    let levels = differs::since(store, &head, ms(now)).unwrap();
    levels.iter().map(|level| figures::sentence(level, english())).collect()
}

#[test]
fn late_evidence_flags_an_edition_and_leaves_it_alone() {
    let (_dir, store) = october_store(clock_at(NOW));
    let catalogue = catalogue();
    let publisher = publisher(&store, &catalogue);
    publisher.publish(october(), "A", None, ms(NOW)).unwrap();
    let first = store.edition("2026-10", Some(1)).unwrap();
    assert_eq!(flagged(&store, NOW), [""; 0]);

    // a record alone is no difference: this exclusion is refused, this agent saw the same
    let refused = r#"{"v":1,"kind":"exclusion","id":"MW-9","class":"maintenance","components":["owa"],"from":"2026-10-20T08:00:00Z","to":"2026-10-20T12:00:00Z"}"#;
    store.ingest(vec![line(refused)], Source::Import).unwrap();
    assert_eq!(flagged(&store, NOW), [""; 0]);
    // evidence of another month is none of this one's
    let november = evidence("2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z", &[]);
    store.ingest(november, Source::Import).unwrap();
    assert_eq!(flagged(&store, NOW), [""; 0]);

    store.ingest(late_agent(), Source::Import).unwrap();
    insta::assert_snapshot!(flagged(&store, NOW).join("\n"), @"Outlook Web Access: Availability: 99.194 % (Missed), was 99.597 % (Not provable either way)");
    assert_eq!(flagged(&store, NOW).len(), 1);
    assert_eq!(store.edition("2026-10", Some(1)).unwrap(), first);

    publisher.publish(october(), "B", Some("york was away"), ms(NOW) + 1).unwrap();
    assert_eq!(flagged(&store, NOW), [""; 0]);
    assert_eq!(store.edition("2026-10", Some(1)).unwrap(), first);
}

#[test]
fn a_later_edition_says_what_changed_and_shows_both_figures() {
    let clock = clock_at("2026-10-20T00:00:00Z");
    let (_dir, store) = october_store(clock.clone());
    let before = catalogue();
    store.note_definition(DEFINITION).unwrap();
    let stricter = DEFINITION.replace("99.5%", "99.9%").replace("confirm = 1", "confirm = 3");
    clock.advance(std::time::Duration::from_secs((17 * 24 + 9) * 3600));
    let publisher = Publisher {
        store: &store,
        catalogue: &before,
        definition: DEFINITION,
        demo: false,
        key: key(),
    };
    publisher.publish(october(), "A", None, ms(NOW)).unwrap();

    let mut late = late_agent();
    late.push(line(
        r#"{"v":1,"kind":"exclusion","id":"TP-1","class":"third-party","components":["owa"],"from":"2026-10-14T00:00:00Z","to":"2026-10-14T01:00:00Z","approved":"2026-11-06T08:00:00Z","by":"A. Manager"}"#,
    ));
    late.push(line(
        r#"{"v":1,"kind":"ticket","id":"INC1","severity":"2","opened":"2026-10-14T00:10:00Z"}"#,
    ));
    store.ingest(late, Source::Import).unwrap();
    let parsed = mailward_catalogue::parse("probes.toml", &stricter);
    let after = parsed.catalogue.unwrap();
    let publisher = Publisher {
        store: &store,
        catalogue: &after,
        definition: &stricter,
        demo: false,
        key: key(),
    };
    let edition = publisher.publish(october(), "B", Some("york was away"), ms(NOW) + 1).unwrap();
    let changes = edition.report.changes.clone().unwrap();
    assert_eq!(changes.since, 1);
    let sentences = changes.levels.iter().map(|level| figures::sentence(level, english()));
    let all: Vec<String> = sentences.chain(changes.definition).chain(changes.evidence).collect();
    insta::assert_snapshot!(all.join("\n"), @"
    Outlook Web Access: Availability: 99.327 % (Missed), was 99.597 % (Not provable either way)
    The check owa-page: confirm is 3; it was 1.
    The level owa-availability: target is 99.9 %; it was 99.5 %.
    Outcomes of the check owa-page came or were superseded, of one agent, between Thu 1 Oct, 00:00 BST and Sun 1 Nov, 00:00 GMT.
    Which checks agents were due to run is stated differently.
    The exclusion TP-1 came.
    The ticket INC1 came.
    ");
    let within: Vec<_> = edition.report.definition_changes.iter().map(|c| c.what.len()).collect();
    assert_eq!(within, [2]);
    let kept = store.edition("2026-10", None).unwrap().unwrap();
    assert!(!kept.report_json.contains("york\""), "no agent is named");
    assert_eq!(serde_json::from_str::<Report>(&kept.report_json).unwrap(), edition.report);
}
