//! docs/reliability.md has a row for every fault, and every row has its test.

use std::collections::BTreeSet;
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(path).expect("a file of the project")
}

/// The faults that the tests print, from their sources: what stands in `.pass("…")`.
fn tested() -> BTreeSet<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults");
    let files = std::fs::read_dir(directory).expect("the tests").flatten();
    let sources = files
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "rs") && !path.ends_with("table.rs"));
    let text: String = sources.map(|path| std::fs::read_to_string(path).expect("a test")).collect();
    let said = text
        .split(".pass(")
        .skip(1)
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
    said.map(str::to_owned).collect()
}

/// The rows of the table: fault, lost, doubled, false outages.
fn rows() -> Vec<[String; 4]> {
    let text = read("docs/reliability.md");
    let table = text.lines().skip_while(|line| !line.starts_with("| fault |")).skip(2);
    let rows = table.take_while(|line| line.starts_with('|')).map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        assert_eq!(cells.len(), 7, "{line}");
        [cells[0], cells[3], cells[4], cells[5]].map(str::to_owned)
    });
    rows.collect()
}

#[test]
fn every_fault_has_its_row_and_every_row_its_test() {
    let rows = rows();
    let documented: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented.len(), rows.len(), "a fault has two rows");
    assert_eq!(documented, tested());
    for [fault, lost, doubled, false_outages] in rows {
        assert_eq!([&*lost, &*doubled, &*false_outages], ["0", "0", "0"], "{fault}");
    }
}
