//! The shipped texts are whole; a language of one's own is judged text by text, and reads as it
//! says.

use mailward_catalogue::{Phrase, Wording, Written};
use mailward_evidence::Reason;

use super::plural::{Form, Rule};
use super::*;
use crate::report::model::{At, Ms};

/// German, for the most part.
pub(crate) const GERMAN: &str = include_str!("../../tests/languages/de.toml");

fn read(file: &str, text: &str) -> (Language, Vec<String>) {
    let (wording, faults) = mailward_catalogue::read::wording(file, text);
    let (language, more) = Language::read(&wording, Some(english()));
    let told = faults.iter().chain(&more).map(ToString::to_string).collect();
    (language, told)
}

/// German as the tests have it.
pub(crate) fn german() -> Language {
    let (language, faults) = read("de.toml", GERMAN);
    assert_eq!(faults, Vec::<String>::new());
    language
}

#[test]
fn english_is_whole_and_has_nothing_that_nobody_reads() {
    let (wording, faults) = mailward_catalogue::read::wording("en.toml", ENGLISH);
    let (_, more) = Language::read(&wording, None);
    let told: Vec<String> = faults.iter().chain(&more).map(ToString::to_string).collect();
    assert_eq!(told, Vec::<String>::new());
    assert!(wording.texts.len() > 600, "{} texts", wording.texts.len());
    // read over itself it is itself, so that the file may be taken as it is and changed
    assert_eq!(read("en.toml", ENGLISH).1, Vec::<String>::new());
}

#[test]
fn english_that_lacks_a_text_is_told() {
    let (wording, _) = mailward_catalogue::read::wording("en.toml", ENGLISH);
    for key in ["verdict.none_agreed", "level.tickets.other", "date.months", "reason.slow"] {
        let texts: Vec<Phrase> =
            wording.texts.iter().filter(|phrase| phrase.key != key).cloned().collect();
        assert!(texts.len() < wording.texts.len(), "{key}");
        let (_, faults) = Language::read(&Wording { texts }, None);
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let wanted = key.trim_end_matches(".other");
        assert!(told.iter().any(|fault| fault.contains(wanted)), "{key}: {told:?}");
    }
}

#[test]
fn reasons_read_as_the_records_have_them() {
    for reason in Reason::KNOWN {
        assert_eq!(english().reason(reason.label()), reason.plain(), "{}", reason.label());
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let check = |text: &str, expect: &[&str]| {
        let (_, faults) = read("cy.toml", &format!("[language]\ntag = \"cy\"\n{text}"));
        assert_eq!(faults, expect, "{text}");
    };
    check("[scorecard]\n", &[]);
    check(
        "[reprot]\nscorecard = \"x\"",
        &["cy.toml:4:13: unknown key reprot.scorecard; the nearest is report.scorecard"],
    );
    check(
        "[report]\nseverity = \"difrifoldeb {n}\"",
        &["cy.toml:4:12: report.severity: expected {severity}; got {n}"],
    );
    check(
        "[report]\nseverity = \"difrifoldeb\"",
        &["cy.toml:4:12: report.severity: expected {severity} in it"],
    );
    check(
        "[report]\nseverity = \"difrifoldeb {severity\"",
        &["cy.toml:4:12: report.severity: expected each { and } around a name"],
    );
    check(
        "[report]\nscorecard = \"Sgoriau {x}\"",
        &["cy.toml:4:13: report.scorecard: expected no name in braces; got {x}"],
    );
    check(
        "[report]\nscorecard = \" \"",
        &["cy.toml:4:13: report.scorecard: expected a text, got nothing"],
    );
    check(
        "[report]\nscorecard = \"a\\tb\"",
        &["cy.toml:4:13: report.scorecard: expected no control character, got U+0009"],
    );
    check(
        "[report]\nscorecard = \"成績\"",
        &["cy.toml:4:13: report.scorecard: the faces of the PDF cannot draw '成' (U+6210)"],
    );
    check(
        "[report]\nscorecard = \"ציון\"",
        &["cy.toml:4:13: report.scorecard: the faces of the PDF cannot draw 'צ' (U+05E6)"],
    );
    let long = format!("[report]\nscorecard = \"{}\"", "x".repeat(52));
    check(
        &long,
        &["cy.toml:4:13: report.scorecard: expected at most 51 characters of text, got 52"],
    );
    check(
        "[date]\nmonths = [\"Ionawr\"]",
        &["cy.toml:4:10: date.months: expected a list of 12 texts, got 1"],
    );
    check(
        "[date]\nday_short = \"{day} {hour}\"",
        &["cy.toml:4:13: date.day_short: expected {year}, {month}, {month_short}, \
           {month_number}, {day}, {day_two}, {weekday}, {weekday_short}; got {hour}"],
    );
    check(
        "[level]\ntickets = { one = \"{n} tocyn\" }",
        &["cy.toml:4:19: level.tickets.one: expected the form `other` beside it"],
    );
    check(
        "[level]\ntickets = { one = \"tocyn\", other = \"tocynnau\" }",
        &["cy.toml:4:36: level.tickets.other: expected {n} in it"],
    );
    check(
        "[reason]\nslwo = \"araf\"",
        &["cy.toml:4:8: unknown key reason.slwo; the nearest is reason.slow"],
    );
    check(
        "[language.x]\ny = true",
        &["cy.toml:4:5: unknown key language.x.y; the nearest is language.tag"],
    );
    let (_, faults) = read("cy.toml", "[report]\nscorecard = \"Sgoriau\"\n");
    assert_eq!(faults, ["cy.toml:2:13: expected language.tag, a tag such as \"cy-GB\""]);
    let (_, faults) = read("cy.toml", "[language]\ntag = \"Welsh!\"\nplural = \"two\"\n");
    assert_eq!(
        faults,
        [
            "cy.toml:2:7: language.tag: expected a tag such as \"cy-GB\"",
            "cy.toml:3:10: language.plural: expected one of same, one, zero-one, czech, polish, \
             russian, welsh, irish, gaelic",
        ]
    );
}

#[test]
fn what_a_language_leaves_out_is_english() {
    let (own, faults) =
        read("cy.toml", "[language]\ntag = \"cy\"\n[report]\nscorecard = \"Sgoriau\"");
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!((own.tag(), own.report.scorecard()), ("cy", "Sgoriau"));
    assert_eq!(own.report.days(), "The month day by day");
    assert_eq!(own.level.tickets(1_234), "1,234 tickets");
}

#[test]
fn numbers_and_lengths_read_as_the_language_has_them() {
    let (en, de) = (english(), german());
    let check = |ms: i64, expect: [&str; 2]| {
        assert_eq!([en.length(Ms(ms)), de.length(Ms(ms))], expect, "{ms} ms");
    };
    check(0, ["0 s", "0 s"]);
    check(250, ["0.25 s", "0,25 s"]);
    check(30_000, ["30 s", "30 s"]);
    check(3_840_000, ["1 h 4 min", "1 Std. 4 Min."]);
    check(3_870_500, ["1 h 4 min 30.5 s", "1 Std. 4 Min. 30,5 s"]);
    check(-1_180_800, ["−19 min 40.8 s", "−19 Min. 40,8 s"]);
    check(7_200_000_000, ["2,000 h", "2.000 Std."]);
    assert_eq!(en.length_cut(Ms(2_681_999)), "44 min 41 s");
    assert_eq!(en.length_cut(Ms(-1_180_800)), "−19 min 41 s");
    assert_eq!([en.count(1_200_000), de.count(1_200_000)], ["1,200,000", "1.200.000"]);
    assert_eq!([en.percent("99.9"), de.percent("99.9")], ["99.9 %", "99,9\u{a0}%"]);
    assert_eq!([en.figure("-0.536"), de.figure("+0.012")], ["−0.536", "+0,012"]);
    assert_eq!([en.share("n/a"), de.share("n/a")], ["n/a", "entfällt"]);
    assert_eq!([en.level.tickets(1), de.level.tickets(2)], ["1 ticket", "2 Tickets"]);
    assert_eq!(de.verdict.missed(2), "2 wurden verfehlt");
}

#[test]
fn lengths_in_two_units_are_cut_off() {
    for (ms, expect) in [
        (0, "0 s"),
        (59_999, "59 s"),
        (150_000, "2 min 30 s"),
        (600_000, "10 min"),
        (779_000, "12 min"),
        (3_600_000, "1 h"),
        (3_899_999, "1 h 4 min"),
        (86_400_000, "1 d"),
        (3 * 86_400_000 + 7_300_000, "3 d 2 h"),
    ] {
        assert_eq!(english().about(ms), expect, "{ms}");
    }
}

#[test]
fn times_name_their_zone_on_both_sides_of_a_clock_change() {
    let (en, de) = (english(), german());
    let check = |ms: i64, expect: [&str; 2]| {
        let told = [&**en, &de].map(|say| Local::new(say, "Europe/London").short(At(ms)));
        assert_eq!(told, expect);
    };
    check(1_792_886_400_000, ["Sun 25 Oct, 01:00 BST", "So., 25. Okt., 01:00 Uhr BST"]);
    check(1_792_890_000_000, ["Sun 25 Oct, 01:00 GMT", "So., 25. Okt., 01:00 Uhr GMT"]);
    check(1_792_890_005_250, ["Sun 25 Oct, 01:00:05 GMT", "So., 25. Okt., 01:00:05 Uhr GMT"]);
    assert_eq!([en.month_name("2026-10"), de.month_name("2026-03")], ["October 2026", "März 2026"]);
}

#[test]
fn moments_say_the_date_only_where_it_differs() {
    let ms = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let zone = jiff::tz::TimeZone::get("Europe/London").unwrap();
    let now = ms("2026-11-22T09:29:00Z");
    let say = english();
    for (at, expect) in [
        ("2026-11-22T09:05:00Z", "09:05 GMT"),
        ("2026-10-05T08:05:00Z", "5 October at 09:05 BST"),
        ("2025-12-31T23:59:00Z", "31 December 2025 at 23:59 GMT"),
    ] {
        assert_eq!(say.moment(ms(at), now, &zone), expect);
    }
    for (from, to, expect) in [
        ("2026-11-22T01:00:00Z", "2026-11-22T02:00:00Z", "Today, 01:00 to 02:00 GMT"),
        ("2026-10-05T01:00:00Z", "2026-10-05T02:00:00Z", "5 October, 02:00 to 03:00 BST"),
        (
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "From 25 October at 01:30 BST to 25 October at 01:30 GMT",
        ),
    ] {
        assert_eq!(say.range(ms(from), ms(to), now, &zone), expect);
    }
    assert_eq!(say.ago(ms("2026-11-22T09:05:00Z"), now), "24 minutes ago");
    assert_eq!(say.ago(ms("2026-11-22T08:05:00Z"), now), "1 hour ago");
    assert_eq!(say.ago(now, now), "less than a minute ago");
}

#[test]
fn lists_and_intervals_read_as_sentences() {
    let (en, de) = (english(), german());
    assert_eq!(en.and_list(&["A", "B", "C"]), "A, B and C");
    assert_eq!(de.and_list(&["A", "B", "C"]), "A, B und C");
    assert_eq!(en.and_list(&["A"]), "A");
    for (seconds, expect) in
        [(60, "minute"), (90, "90 seconds"), (300, "5 minutes"), (3600, "hour"), (1, "second")]
    {
        assert_eq!(en.interval(seconds), expect);
    }
    assert_eq!(
        [en.within("Availability"), de.within("Verfügbarkeit")],
        ["availability", "Verfügbarkeit"]
    );
}

#[test]
fn what_was_kept_in_english_is_said_again() {
    let de = german();
    let check = |told: String, expect: &str| assert_eq!(told, expect);
    check(de.rule("every 60 s"), "alle 60 s");
    check(de.rule("2 agents"), "2 Agenten");
    check(
        de.rule(
            "Planned work does not count, up to 4 h a month for each component, if it was \
             approved by the time it starts and announced at least 5 d before it starts.",
        ),
        "Geplante Arbeiten zählen nicht, bis zu 4 Std. im Monat je Bestandteil, wenn sie bis zu \
         ihrem Beginn genehmigt und mindestens 5 Tage davor angekündigt wurden.",
    );
    check(
        de.change("The level portal: target is 99.5 %; it was 99.9 %."),
        "Die Zusage portal: target ist 99,5\u{a0}%; vorher 99,9\u{a0}%.",
    );
    check(de.depth("to the page and to the inbox"), "bis zur Seite und bis zum Posteingang");
    check(
        de.why("it answers, but slower than it should").to_owned(),
        "er antwortet, aber langsamer als er sollte",
    );
    // what nobody knows stays as it is
    check(de.change("Something else happened."), "Something else happened.");
    check(english().change("The check owa is new."), "The check owa is new.");
}

/// What the clock of tickets says of events it ignores is among the texts.
#[test]
fn ignored_events_are_known() {
    for what in ["paused", "resumed", "resolved", "reopened"] {
        for why in ["its clock was running", "its clock was paused", "it was resolved"] {
            let text = format!("{what} at 2026-10-02T09:00:00Z: {why}");
            assert_ne!(german_ignored(&text), text);
        }
    }
    let late = "reopened at 2026-10-02T09:00:00Z: too late after its resolution";
    assert_ne!(german_ignored(late), late);
}

fn german_ignored(text: &str) -> String {
    german().ignored(text)
}

#[test]
fn forms_follow_the_rules_of_cldr() {
    let check = |rule: Rule, expect: &[(u64, Form)]| {
        for (n, form) in expect {
            assert_eq!(rule.form(*n), *form, "{rule:?} {n}");
        }
    };
    use Form::{Few, Many, One, Other, Two, Zero};
    check(Rule::Same, &[(0, Other), (1, Other)]);
    check(Rule::One, &[(0, Other), (1, One), (2, Other), (21, Other)]);
    check(Rule::ZeroOne, &[(0, One), (1, One), (2, Other)]);
    check(Rule::Czech, &[(0, Other), (1, One), (2, Few), (4, Few), (5, Other), (22, Other)]);
    check(Rule::Polish, &[(1, One), (2, Few), (5, Many), (12, Many), (22, Few), (21, Many)]);
    check(Rule::Russian, &[(1, One), (21, One), (11, Many), (3, Few), (13, Many), (0, Many)]);
    check(Rule::Welsh, &[(0, Zero), (1, One), (2, Two), (3, Few), (4, Other), (6, Many)]);
    check(Rule::Irish, &[(1, One), (2, Two), (6, Few), (7, Many), (11, Other)]);
    check(Rule::Gaelic, &[(1, One), (11, One), (12, Two), (3, Few), (19, Few), (20, Other)]);
}

#[test]
fn only_texts_have_a_language() {
    let wording = Wording {
        texts: vec![Phrase {
            key: "language.lower_within".to_owned(),
            written: Written::Text("yes".to_owned()),
            file: "x.toml".to_owned(),
            line: 1,
            column: 1,
        }],
    };
    let (_, faults) = Language::read(&wording, Some(english()));
    assert!(faults.iter().any(|f| f.message.contains("expected true or false")), "{faults:?}");
}

mod foreign {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_a_file_holds_a_language_comes_of_it(text in "[\\PC\n]{0,300}") {
            let (language, _) = super::read("x.toml", &text);
            prop_assert!(!language.report.scorecard().is_empty());
        }

        #[test]
        fn whatever_a_text_holds_it_is_taken_or_refused(
            key in prop::sample::select(vec![
                "report.severity", "level.tickets", "level.tickets.one", "date.full", "reason.slow",
                "language.tag", "number.group",
            ]),
            text in "[\\PC{}]{0,80}",
        ) {
            let quoted = serde_json::to_string(&text).unwrap();
            let (section, name) = key.split_once('.').unwrap();
            let (language, faults) = super::read("x.toml", &format!("[{section}]\n{name} = {quoted}\n"));
            let filled = language.report.severity("2");
            prop_assert!(filled.contains('2') && !filled.contains(['{', '}']), "{} {:?}", filled, faults);
        }
    }
}
