//! An edition keeps the language it was published in: drawn again it is the same, and it holds.

use super::*;
use crate::publish::verify::check;
use crate::render::{mail, performance};

/// [`DEFINITION`] with German texts in it.
fn german_definition() -> String {
    let german = crate::language::tests::GERMAN;
    let tables = german.lines().map(|line| match line.strip_prefix('[') {
        Some(name) => format!("[report.language.{name}"),
        None => line.to_owned(),
    });
    format!("{DEFINITION}{}", tables.collect::<Vec<_>>().join("\n"))
}

#[test]
fn an_edition_keeps_its_language() {
    let (_dir, store) = october_store(clock_at(NOW));
    let parsed = mailward_catalogue::parse("probes.toml", &german_definition());
    let german = parsed.catalogue.unwrap_or_else(|| panic!("{:?}", parsed.faults));
    assert_eq!(Language::faults(&german), []);
    let publisher = Publisher { definition: &parsed.normal, ..publisher(&store, &german) };
    let edition = publisher.publish(october(), CALENDAR, None, ms(NOW)).unwrap();
    let kept = store.edition("2026-10", None).unwrap().unwrap();

    // what is drawn again from the edition alone is what was published, in German
    let own = recompute::language(&kept.definition_toml);
    assert_eq!(own.tag(), "de-DE");
    assert!(kept.pdf == pdf::render(&edition.report, &own).unwrap());
    assert!(kept.pdf != pdf::render(&edition.report, english()).unwrap());
    let html = performance::render(&edition.report, &edition.digest, &own).unwrap();
    for expected in [
        "Die eine Zusage ist nicht beweisbar.",
        "niemandem; veröffentlicht von dem Kalender",
        "99,597\u{a0}%",
        "rechtzeitig kam keine Antwort",
        "alle 1 Std.",
    ] {
        assert!(html.contains(expected), "lacks {expected:?}:\n{html}");
    }
    let letter = mail::edition(&edition.report, "{service}: {month}", &own).unwrap();
    assert_eq!(letter.subject, "Post: Oktober 2026");
    assert!(
        letter.text.contains("99,597\u{a0}% (Ziel 99,5\u{a0}%): Nicht beweisbar ("),
        "{}",
        letter.text
    );

    // whoever verifies needs no file of texts
    let found = check(&sealed::files_of(&kept), Some(key().public()), true);
    assert!(found.holds(), "{:?}", found.checks);

    // programs read the same as of an English edition
    let (_other_dir, other) = october_store(clock_at(NOW));
    let english_terms = catalogue();
    let publisher = super::publisher(&other, &english_terms);
    publisher.publish(october(), CALENDAR, None, ms(NOW)).unwrap();
    let plain = other.edition("2026-10", None).unwrap().unwrap();
    assert_eq!(plain.report_json, kept.report_json);
    assert_eq!((plain.outages_csv, plain.daily_csv), (kept.outages_csv, kept.daily_csv));

    // a later definition in another language leaves it as it is
    assert_eq!(recompute::language(&plain.definition_toml).tag(), "en-GB");
    assert_eq!(recompute::language("not a definition").tag(), "en-GB");
}
