//! The monthly PDF before checkers that are not ours: qpdf, pdfua, poppler, and the clauses of
//! PDF/A-2a read by pikepdf. Also the order in which a screen reader comes upon things.

use std::path::Path;
use std::process::Command;

use mailward_reporter::language::english;
use mailward_reporter::render::pdf;
use mailward_reporter::report::model::Report;

use super::support::scratch;

/// The reference month, as its report.json.
pub(crate) fn reference() -> Report {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("reporter/benches/pdf/reference.json");
    let json = std::fs::read_to_string(path).expect("the reference month");
    serde_json::from_str(&json).expect("the reference is a report")
}

/// The reference, and what is hard to lay out.
fn months() -> Vec<(&'static str, Report)> {
    let whole = reference();
    let mut blank = whole.clone();
    blank.levels.clear();
    blank.components.clear();
    blank.exclusions.clear();
    blank.incidents.clear();
    let mut odd = whole.clone();
    odd.service = "Ηλεκτρονικό ταχυδρομείο · Пошта <b>&amp; 日本語 📧\u{202e}\u{7}".to_owned();
    odd.edition = None;
    odd.to_date = true;
    odd.demo = true;
    for row in &mut odd.components {
        row.name = format!("{} {}", row.name, "unbreakable".repeat(45));
        row.days.truncate(1);
    }
    let mut many = whole.clone();
    let rows = whole.components.iter().cycle().take(200).enumerate();
    many.components = rows
        .map(|(i, row)| {
            let mut row = row.clone();
            row.name = format!("{} {i}", row.name);
            row
        })
        .collect();
    many.levels = whole.levels.iter().cycle().take(200).cloned().collect();
    vec![("reference", whole), ("blank", blank), ("odd", odd), ("many", many)]
}

/// Writes these PDFs below `directory` and has others' checkers look at them; they are to find
/// nothing.
pub(crate) fn found_well(directory: &Path, pdfs: impl IntoIterator<Item = (String, Vec<u8>)>) {
    let checker = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkers/pdf.sh");
    let mut check = Command::new("bash");
    check.arg(checker);
    for (name, bytes) in pdfs {
        let path = directory.join(&name);
        std::fs::write(&path, &bytes).expect("write a PDF");
        // to be looked at
        if let Ok(kept) = std::env::var("MAILWARD_PDF_SAMPLES") {
            std::fs::write(Path::new(&kept).join(name), bytes).expect("keep a PDF");
        }
        check.arg(path);
    }
    let checked = check.output().expect("start the checkers");
    assert!(
        checked.status.success(),
        "{}{}",
        String::from_utf8_lossy(&checked.stdout),
        String::from_utf8_lossy(&checked.stderr)
    );
}

#[test]
fn checkers_that_are_not_ours_find_nothing() {
    let pdfs = months().into_iter().map(|(name, report)| {
        let bytes = pdf::render(&report, english()).expect("a PDF");
        assert!(bytes.len() < 300_000, "{name}: {} bytes", bytes.len());
        (format!("{name}.pdf"), bytes)
    });
    found_well(scratch().path(), pdfs);
}

#[test]
fn a_screen_reader_comes_upon_things_in_order() {
    let directory = scratch();
    let path = directory.path().join("report.pdf");
    std::fs::write(&path, pdf::render(&reference(), english()).expect("a PDF"))
        .expect("write a PDF");
    let read = Command::new("pdfinfo").arg("-struct-text").arg(&path).output();
    let read = read.expect("pdfinfo: run tests/checkers/install.sh");
    assert!(read.status.success(), "{read:?}");
    let read = String::from_utf8(read.stdout).expect("UTF-8");
    let mut from = 0;
    for next in [
        "H1 (block)",
        "\"NHSmail\"",
        "\"Performance Summary, October 2026, Europe/London\"",
        "Lbl (block)\n        \"Edition\"",
        "9 of 14 service levels were met",
        "\"Scorecard\"",
        "\"Incoming Internet Email\"",
        "\"99.9 %\"",
        "\"The month day by day\"",
        "Figure:",
        "  TOC\n",
        "\"The months before\"",
        "\"Outages\"",
        "\"High-severity incidents\"",
        "\"Time agreed not to count\"",
        "\"How these figures were made\"",
        "\"Where to get the evidence, and how to verify it\"",
    ] {
        match read.get(from..).and_then(|rest| rest.find(next)) {
            Some(at) => from += at + next.len(),
            None => panic!("{next:?} does not follow:\n{}", &read[from..]),
        }
    }
}
