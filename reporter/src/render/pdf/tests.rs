//! The PDF holds what it should, stays inside its margins, flows over pages, and is the same
//! every time.

use proptest::prelude::*;

use super::*;
use crate::render::fixture::{self, HOUR, MINUTE};
use crate::report::model::Ms;
use sheet::{Mark, PAGE_HEIGHT, PAGE_WIDTH};

#[test]
fn writes_samples_to_look_at() {
    let Ok(dir) = std::env::var("MAILWARD_PDF_SAMPLES") else { return };
    std::fs::write(format!("{dir}/october.pdf"), render(&fixture::october()).unwrap()).unwrap();
}
