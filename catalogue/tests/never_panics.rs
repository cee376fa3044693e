//! Reading is bounded and never panics, whatever it is given: arbitrary text, and definitions
//! that somebody garbled.

use mailward_catalogue::{Gravity, parse};
use proptest::prelude::*;

const SOUND: &str = include_str!("../../probes.toml");

/// Reads the text, and holds what is promised of any reading.
fn read(text: &str) {
    let parsed = parse("probes.toml", text);
    let errors = parsed.faults.iter().filter(|f| f.gravity == Gravity::Error).count();
    assert_eq!(parsed.catalogue.is_none(), errors > 0, "{:?}", parsed.faults);
    let lines = text.split('\n').count();
    for fault in &parsed.faults {
        assert!((1..=lines).contains(&fault.line) && fault.column >= 1, "{fault}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() })]

    #[test]
    fn arbitrary_text(text in any::<String>()) {
        read(&text);
    }

    #[test]
    fn toml_like_text(pieces in prop::collection::vec(prop_oneof![
        Just("[service]\n"), Just("[[probe]]\n"), Just("[[probe"), Just("[hours.core]\n"),
        Just("[probe.headers]\n"), Just("["), Just("]"), Just("{"), Just("}"), Just("="),
        Just("\n"), Just("\""), Just("\"\"\""), Just("'"), Just(","), Just("."), Just("id"),
        Just("kind"), Just(" = \"http\"\n"), Just("every = \"60s\"\n"), Just("é"), Just("#"),
        Just("mon-fri"), Just("2019-02-15"), Just("1.5"), Just("\\u"), Just("hours = "),
    ], 0..60)) {
        read(&pieces.concat());
    }

    #[test]
    fn garbled_definitions(
        cuts in prop::collection::vec((0..SOUND.len(), 0usize..40, ".{0,8}"), 1..6),
    ) {
        let mut text = SOUND.to_owned();
        for (at, length, instead) in cuts {
            let at = (0..=at.min(text.len())).rev().find(|i| text.is_char_boundary(*i)).unwrap();
            let end = (at + length).min(text.len());
            let end = (end..=text.len()).find(|i| text.is_char_boundary(*i)).unwrap();
            text.replace_range(at..end, &instead);
        }
        read(&text);
    }

    #[test]
    fn any_value_for_any_key(key in 0usize..200, value in prop_oneof![
        ".{0,20}".prop_map(|t| format!("{t:?}")),
        any::<i64>().prop_map(|n| n.to_string()),
        Just("[]".to_owned()), Just("{}".to_owned()), Just("1e999".to_owned()),
        Just("[[\"x\"], 1, {}]".to_owned()), Just("1979-05-27T07:32:00Z".to_owned()),
        Just("{ file = \"\" }".to_owned()), Just("0xffffffffffffffffffff".to_owned()),
    ]) {
        let assignments: Vec<usize> = SOUND
            .lines()
            .enumerate()
            .filter(|(_, line)| line.contains(" = "))
            .map(|(number, _)| number)
            .collect();
        let chosen = assignments[key % assignments.len()];
        let replaced = SOUND.lines().enumerate().map(|(number, line)| match line.split_once(" = ") {
            Some((name, _)) if number == chosen => format!("{name} = {value}\n"),
            _ => format!("{line}\n"),
        });
        read(&replaced.collect::<String>());
    }
}

#[test]
fn depth_and_width_are_bounded() {
    let deep = |open: &str, n: usize| format!("x = {}", open.repeat(n));
    for text in [
        format!("{} = 1", vec!["a"; 300_000].join(".")),
        format!("[{}]\n", vec!["a"; 300_000].join(".")),
        format!("x = {{ {} = 1 }}", vec!["a"; 300_000].join(" . ")),
        deep("[", 300_000),
        deep("{a=", 200_000),
        "[service]\n".repeat(50_000),
        "[[probe]]\n".repeat(50_000),
        "a\n".repeat(100_000),
        format!("[hours.x]\n{}", (0..50_000).map(|n| format!("k{n} = 1\n")).collect::<String>()),
    ] {
        read(&text);
        assert!(parse("probes.toml", &text).faults.len() <= 1001);
    }
}
