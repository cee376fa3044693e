//! The table of other readings as a reader sees it.

use super::*;
use crate::render::fixture::at;

fn cell(level: &str, shown: &str, met: Option<bool>, provable: Option<bool>) -> Judged {
    let (level, pct) = (level.to_owned(), shown.parse().ok());
    Judged { level, pct, shown: shown.to_owned(), met, provable }
}

fn tried() -> WhatIf {
    let reading = |id: &str, words: &str, as_defined, owa: Judged, success: Judged| Tried {
        id: id.to_owned(),
        words: words.to_owned(),
        as_defined,
        cells: vec![owa, success],
    };
    let owa = |shown: &str, met, provable| cell("owa-availability", shown, met, Some(provable));
    let success = || cell("owa-success", "99.800", Some(true), None);
    WhatIf {
        service: "NHSmail".to_owned(),
        month: "2026-10".to_owned(),
        zone: "Europe/London".to_owned(),
        as_of: at("2026-11-05T00:00:00Z"),
        to_date: false,
        levels: vec![
            Tested {
                id: "owa-availability".to_owned(),
                measure: "availability".to_owned(),
                target_pct: "99.9".to_owned(),
                met: Some(true),
                survives: false,
                differs_in: vec!["confirm-1".to_owned(), "unknown-down".to_owned()],
            },
            Tested {
                id: "owa-success".to_owned(),
                measure: "success".to_owned(),
                target_pct: "99.5".to_owned(),
                met: Some(true),
                survives: true,
                differs_in: Vec::new(),
            },
        ],
        readings: vec![
            reading("as-defined", "as defined", true, owa("99.903", Some(true), false), success()),
            reading("confirm-1", "confirm 1", false, owa("99.890", Some(false), true), success()),
            reading("confirm-2", "confirm 2", true, owa("99.903", Some(true), false), success()),
            reading("unknown-down", "unknown down", false, owa("9.1", None, false), success()),
            reading(
                "without-MW-7",
                "without MW-7\u{1b}[2J",
                false,
                owa("99.901", Some(true), true),
                cell("owa-success", "n/a", None, None),
            ),
        ],
        unaffected: vec!["reputation".to_owned(), "calls-answered".to_owned()],
        untried_exclusions: 0,
    }
}

#[test]
fn readings_are_rows_and_levels_are_columns() {
    insta::assert_snapshot!(table(&tried(), false, 100), @r#"
    NHSmail · October 2026 (Europe/London) · the same evidence under other rules, one change at a time

    reading                 owa-availability  owa-success
    target                          99.9 %       99.5 %
    as defined                     99.903 ✓±    99.800 ✓
    confirm 1                      99.890 ✗     99.800 ✓
    confirm 2 (as defined)         99.903 ✓±    99.800 ✓
    unknown down                      9.1 ?     99.800 ✓
    without MW-7 [2J               99.901 ✓        n/a –
    same in every reading?      no, 2 differ     yes, met

    ✓ met  ✗ missed  ± not provable either way  ? not enough evidence  – nothing to measure
    reputation and calls-answered rest on none of these rules.
    1 of 2 verdicts are the same in every reading; owa-availability would be another under confirm 1 and unknown down.
    "#);
}

#[test]
fn on_a_narrow_terminal_each_level_is_a_list() {
    insta::assert_snapshot!(table(&tried(), false, 40), @r#"
    NHSmail · October 2026 (Europe/London) · the same evidence under other rules, one change at a time

    owa-availability · target 99.9 %
      as defined                 99.903 ✓±
      confirm 1                  99.890 ✗
      confirm 2 (as defined)     99.903 ✓±
      unknown down                  9.1 ?
      without MW-7 [2J           99.901 ✓
      same in every reading?  no, 2 differ

    owa-success · target 99.5 %
      as defined              99.800 ✓
      confirm 1               99.800 ✓
      confirm 2 (as defined)  99.800 ✓
      unknown down            99.800 ✓
      without MW-7 [2J           n/a –
      same in every reading?   yes, met


    ✓ met  ✗ missed  ± not provable either way  ? not enough evidence  – nothing to measure
    reputation and calls-answered rest on none of these rules.
    1 of 2 verdicts are the same in every reading; owa-availability would be another under confirm 1 and unknown down.
    "#);
}

#[test]
fn nothing_speaks_to_the_terminal_and_colour_is_only_colour() {
    assert!(!table(&tried(), false, 100).contains('\u{1b}'));
    let coloured = table(&tried(), true, 100);
    assert!(coloured.contains("\u{1b}[1;31m99.890 ✗ \u{1b}[0m"), "{coloured}");
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    let trimmed = |text: &str| text.lines().map(|l| l.trim_end().to_owned()).collect::<Vec<_>>();
    assert_eq!(trimmed(&plain), trimmed(&table(&tried(), false, 100)));
}
