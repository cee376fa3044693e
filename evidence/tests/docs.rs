//! The reference of evidence is true: its examples are records, and every reason is told.

use mailward_evidence::Reason;
use mailward_evidence::wire::decode_line;

const REFERENCE: &str = include_str!("../../docs/evidence.md");

#[test]
fn every_example_is_a_record() {
    let examples: Vec<&str> = REFERENCE.lines().filter(|line| line.starts_with('{')).collect();
    assert_eq!(examples.len(), 7);
    for example in examples {
        decode_line(example.as_bytes()).unwrap();
    }
}

#[test]
fn every_reason_is_told() {
    for reason in Reason::KNOWN {
        let row = format!("| `{reason}` | {} |", reason.plain());
        assert!(REFERENCE.contains(&row), "docs/evidence.md has no row {row}");
    }
}
