//! The PDF in another language: its words, numbers and dates, and what it says it is in.

use lopdf::Document;

use super::*;
use crate::language::tests::german;

fn said(report: &Report) -> (Document, String) {
    let document = Document::load_mem(&render(report, &german()).unwrap()).unwrap();
    let pages: Vec<u32> = document.get_pages().keys().copied().collect();
    let text = document.extract_text(&pages).unwrap();
    (document, text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[test]
fn it_speaks_the_language_it_is_asked_for() {
    let (document, text) = said(&fixture::october());
    for expected in [
        "9 von 14 Zusagen wurden erfüllt, 3 wurden verfehlt",
        "Leistungsbericht, Oktober 2026, Europe/London",
        "Gebilligt von",
        "Wertung",
        "99,463 %",
        "−0,536",
        "Zu wenig Belege",
        "Der Monat Tag für Tag",
        "Mi., 14. Okt., 01:10 Uhr BST",
        "371 Std. 52 Min. 15 s",
        "der Server sagt, dass er zurzeit nicht verfügbar ist",
        "1 Agent am Standort hscn und 2 Agenten am Standort internet",
        "Seite 1 von",
        // the file leaves this one out
        "A check looks now and then",
    ] {
        assert!(text.contains(expected), "lacks {expected:?}:\n{text}");
    }
    let catalog = document.catalog().unwrap();
    assert_eq!(catalog.get(b"Lang").unwrap().as_str().unwrap(), b"de-DE");
    assert!(!text.contains("Scorecard") && !text.contains("99.463"), "{text}");
}

#[test]
fn long_words_stay_inside_too() {
    let sheet = draw(&fixture::october(), DIGEST, &german()).unwrap().pages;
    assert_inside(&sheet);
    assert_no_overlap(&sheet);
}
