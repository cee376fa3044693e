//! The file read back: every text with its place, by the operators and widths that stand in it
//! and not by what drew them. Nothing lies over anything else, nothing leaves the page.

use std::collections::BTreeMap;

use lopdf::content::Content;
use lopdf::{Dictionary, Document, Object, ObjectId};
use proptest::prelude::*;

use super::*;

/// A text in a file: its box in points, and the letters it stands for.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) frame: [f32; 4],
    pub(super) text: String,
}

struct Embedded {
    widths: BTreeMap<u16, f32>,
    letters: BTreeMap<u16, String>,
}

/// The texts of each page.
pub(super) fn placed(document: &Document) -> Vec<Vec<Placed>> {
    document.get_pages().into_values().map(|page| page_texts(document, page)).collect()
}

fn number(object: &Object) -> f32 {
    object.as_float().unwrap()
}

fn dictionary<'d>(document: &'d Document, from: &'d Dictionary, key: &[u8]) -> &'d Dictionary {
    document.dereference(from.get(key).unwrap()).unwrap().1.as_dict().unwrap()
}

fn page_texts(document: &Document, page: ObjectId) -> Vec<Placed> {
    let resources = dictionary(document, document.get_dictionary(page).unwrap(), b"Resources");
    let fonts: BTreeMap<Vec<u8>, Embedded> = dictionary(document, resources, b"Font")
        .iter()
        .map(|(name, font)| {
            let font = document.dereference(font).unwrap().1.as_dict().unwrap();
            (name.clone(), embedded(document, font))
        })
        .collect();
    let content = Content::decode(&document.get_page_content(page)).unwrap();
    let (mut font, mut size, mut at) = (Vec::new(), 0.0, (0.0, 0.0));
    let mut all = Vec::new();
    for operation in content.operations {
        let operands = &operation.operands;
        match operation.operator.as_str() {
            "Tf" => {
                font = operands[0].as_name().unwrap().to_vec();
                size = number(&operands[1]);
            }
            "BT" => at = (0.0, 0.0),
            "Tm" => at = (number(&operands[4]), number(&operands[5])),
            "Td" => at = (at.0 + number(&operands[0]), at.1 + number(&operands[1])),
            "Tj" => all.push(shown(&fonts[&font], size, at, &[operands[0].clone()])),
            "TJ" => all.push(shown(&fonts[&font], size, at, operands[0].as_array().unwrap())),
            "'" | "\"" | "T*" | "cm" => panic!("an operator that this reader does not know"),
            _ => {}
        }
    }
    all
}

fn shown(font: &Embedded, size: f32, (x, y): (f32, f32), parts: &[Object]) -> Placed {
    let (mut width, mut seen, mut text) = (0.0, 0.0, String::new());
    for part in parts {
        let Ok(bytes) = part.as_str() else {
            width -= number(part);
            continue;
        };
        for pair in bytes.chunks(2) {
            let code = u16::from_be_bytes([pair[0], pair[1]]);
            width += font.widths[&code];
            text.push_str(&font.letters[&code]);
            // a blank at the end is not seen
            if font.letters[&code] != " " {
                seen = width;
            }
        }
    }
    let frame = [x, y - 0.2 * size, x + seen / 1000.0 * size, y + 0.72 * size];
    Placed { frame, text }
}

fn embedded(document: &Document, font: &Dictionary) -> Embedded {
    let below = font.get(b"DescendantFonts").unwrap().as_array().unwrap();
    let below = document.dereference(&below[0]).unwrap().1.as_dict().unwrap();
    let mut widths = BTreeMap::new();
    let list = document.dereference(below.get(b"W").unwrap()).unwrap().1.as_array().unwrap();
    let mut rest = list.iter();
    while let Some(first) = rest.next() {
        let first = u16::try_from(first.as_i64().unwrap()).unwrap();
        match rest.next().unwrap() {
            Object::Array(own) => {
                for (i, width) in own.iter().enumerate() {
                    widths.insert(first + u16::try_from(i).unwrap(), number(width));
                }
            }
            last => {
                let last = u16::try_from(last.as_i64().unwrap()).unwrap();
                let width = number(rest.next().unwrap());
                widths.extend((first..=last).map(|code| (code, width)));
            }
        }
    }
    let map = document.dereference(font.get(b"ToUnicode").unwrap()).unwrap().1;
    let map = map.as_stream().unwrap();
    let map = map.decompressed_content().unwrap_or_else(|_| map.content.clone());
    Embedded { widths, letters: letters(&String::from_utf8(map).unwrap()) }
}

/// The letters of each code, by the map's `bfchar` and `bfrange` lines.
fn letters(map: &str) -> BTreeMap<u16, String> {
    let hex = |token: &str| token.trim_matches(['<', '>', '[', ']']).to_owned();
    let code = |token: &str| u16::from_str_radix(&hex(token), 16).unwrap();
    let text = |token: &str| {
        let digits = hex(token);
        let units: Vec<u16> = (0..digits.len())
            .step_by(4)
            .map(|at| u16::from_str_radix(&digits[at..digits.len().min(at + 4)], 16).unwrap())
            .collect();
        String::from_utf16(&units).unwrap()
    };
    let mut all = BTreeMap::new();
    for line in map.lines().filter(|line| line.starts_with('<')) {
        let tokens: Vec<&str> = line.split_whitespace().collect();
        match tokens[..] {
            [one, letter] => {
                all.insert(code(one), text(letter));
            }
            [from, to, first] => {
                let start = text(first).chars().next().unwrap() as u32;
                for (i, code) in (code(from)..=code(to)).enumerate() {
                    let c = char::from_u32(start + u32::try_from(i).unwrap()).unwrap();
                    all.insert(code, c.to_string());
                }
            }
            _ => {}
        }
    }
    all
}

/// Nothing leaves the margins, and no text lies over another.
pub(super) fn assert_legible(document: &Document) {
    for (number, texts) in placed(document).iter().enumerate() {
        let (margin, slack) = (MARGIN * PT_PER_MM, 0.6);
        for (i, one) in texts.iter().enumerate() {
            let [left, bottom, right, top] = one.frame;
            let inside = left >= margin - slack
                && bottom >= margin - slack
                && right <= PAGE_WIDTH * PT_PER_MM - margin + slack
                && top <= PAGE_HEIGHT * PT_PER_MM - margin + slack;
            assert!(inside, "page {}: {one:?} leaves the margins", number + 1);
            for other in &texts[i + 1..] {
                let wide = one.frame[2].min(other.frame[2]) - one.frame[0].max(other.frame[0]);
                let high = one.frame[3].min(other.frame[3]) - one.frame[1].max(other.frame[1]);
                let apart = wide < 0.3 || high < 0.9;
                assert!(apart, "page {}: {one:?} lies over {other:?}", number + 1);
            }
        }
    }
}

#[test]
fn what_is_read_back_is_what_was_drawn() {
    let report = fixture::october();
    let document = Document::load_mem(&render(&report, english()).unwrap()).unwrap();
    let read: Vec<String> = placed(&document).concat().into_iter().map(|text| text.text).collect();
    let drawn: Vec<String> = draw(&report, &digest_of(&report), english())
        .unwrap()
        .pages
        .iter()
        .flat_map(|page| &page.marks)
        .filter_map(|(mark, _)| match mark {
            Mark::Text { text, .. } => Some(text.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(read, drawn);
    assert_legible(&document);
}

fn digest_of(report: &Report) -> String {
    crate::render::json::digest(&crate::render::json::render(report).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn nothing_lies_over_anything_in_any_month(
        name in words(),
        outages in 0usize..=50,
        components in 0usize..=40,
        levels in 0usize..=40,
        days in 0usize..=31,
    ) {
        let mut report = crowded(outages, components, &name, levels);
        for row in &mut report.components {
            row.days.truncate(days);
        }
        report.service = name;
        let bytes = render(&report, english()).unwrap();
        assert_legible(&Document::load_mem(&bytes).unwrap());
    }
}
