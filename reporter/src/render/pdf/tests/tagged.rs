//! What the file says to those who do not see it, and to those who open it in fifty years: every
//! mark is in the structure or beside it, tables are even, drawings have words and a place.

use std::collections::BTreeMap;

use lopdf::content::Content;
use lopdf::{Dictionary, Document, Object, ObjectId};

use super::*;

fn resolved<'d>(document: &'d Document, object: &'d Object) -> &'d Object {
    document.dereference(object).unwrap().1
}

fn entry<'d>(document: &'d Document, of: &'d Dictionary, key: &str) -> Option<&'d Object> {
    of.get(key.as_bytes()).ok().map(|object| resolved(document, object))
}

fn kids(document: &Document, element: &Dictionary) -> Vec<Object> {
    match entry(document, element, "K") {
        None => Vec::new(),
        Some(Object::Array(kids)) => kids.clone(),
        Some(_) => vec![element.get(b"K").unwrap().clone()],
    }
}

/// An element: its name, its dictionary, and what is below it.
struct Element {
    name: String,
    own: Dictionary,
    below: Vec<Element>,
    /// Page and number of its marks.
    marks: Vec<(ObjectId, i64)>,
    links: usize,
}

fn element(document: &Document, own: &Dictionary) -> Element {
    let name = own.get(b"S").unwrap().as_name().unwrap();
    let mut all = Element {
        name: String::from_utf8(name.to_vec()).unwrap(),
        own: own.clone(),
        below: Vec::new(),
        marks: Vec::new(),
        links: 0,
    };
    let page = own.get(b"Pg").and_then(Object::as_reference);
    for kid in kids(document, own) {
        match resolved(document, &kid) {
            Object::Integer(number) => all.marks.push((*page.as_ref().unwrap(), *number)),
            Object::Dictionary(kid) if kid.has(b"MCID") => {
                let page = kid.get(b"Pg").unwrap().as_reference().unwrap();
                all.marks.push((page, kid.get(b"MCID").unwrap().as_i64().unwrap()));
            }
            Object::Dictionary(kid) if kid.has(b"Obj") => all.links += 1,
            Object::Dictionary(kid) => all.below.push(element(document, kid)),
            other => panic!("expected a kid, got {other:?}"),
        }
    }
    all
}

fn tree(document: &Document) -> Element {
    let root = entry(document, document.catalog().unwrap(), "StructTreeRoot").unwrap();
    let top = entry(document, root.as_dict().unwrap(), "K").unwrap();
    element(document, top.as_dict().unwrap())
}

fn walk<'e>(element: &'e Element, visit: &mut dyn FnMut(&'e Element)) {
    visit(element);
    for below in &element.below {
        walk(below, visit);
    }
}

fn month() -> Document {
    Document::load_mem(&render(&fixture::october(), english()).unwrap()).unwrap()
}

#[test]
fn every_mark_is_in_the_structure_or_beside_it() {
    let document = month();
    let mut owned: BTreeMap<(ObjectId, i64), usize> = BTreeMap::new();
    walk(&tree(&document), &mut |element| {
        for mark in &element.marks {
            *owned.entry(*mark).or_default() += 1;
        }
    });
    let mut found = 0;
    for page in document.get_pages().into_values() {
        let content = Content::decode(&document.get_page_content(page)).unwrap();
        let mut inside = false;
        for operation in content.operations {
            match operation.operator.as_str() {
                "BDC" => {
                    assert!(!inside, "marks inside marks");
                    inside = true;
                    let says = operation.operands[1].as_dict().unwrap();
                    if let Ok(number) = says.get(b"MCID") {
                        found += 1;
                        let mark = (page, number.as_i64().unwrap());
                        assert_eq!(owned.get(&mark), Some(&1), "who owns {mark:?}?");
                    } else {
                        assert_eq!(operation.operands[0].as_name().unwrap(), b"Artifact");
                    }
                }
                "EMC" => inside = false,
                "Tj" | "TJ" | "S" | "f" | "s" | "b" | "B" | "f*" => {
                    assert!(inside, "{} outside the structure", operation.operator);
                }
                _ => {}
            }
        }
    }
    assert_eq!(found, owned.len());
    assert!(found > 300, "only {found} marks");
}

#[test]
fn tables_are_even_and_their_heads_say_whose_they_are() {
    let document = month();
    let mut tables = 0;
    walk(&tree(&document), &mut |table| {
        if table.name != "Table" {
            return;
        }
        tables += 1;
        let (columns, rows) = (table.below[0].below.len(), table.below.len() - 1);
        for (i, row) in table.below.iter().enumerate() {
            assert_eq!((row.name.as_str(), row.below.len()), ("TR", columns));
            for (column, cell) in row.below.iter().enumerate() {
                let named = column == 0 && rows + columns < rows * columns - rows + 1;
                let expected = if i == 0 || named { "TH" } else { "TD" };
                assert_eq!(cell.name, expected);
                if expected == "TH" {
                    let says = cell.own.get(b"A").unwrap().as_dict().unwrap();
                    let scope = says.get(b"Scope").unwrap().as_name().unwrap();
                    assert_eq!(scope, if i == 0 { &b"Column"[..] } else { b"Row" });
                }
            }
        }
    });
    assert!(tables >= 8, "only {tables} tables");
}

#[test]
fn drawings_have_words_and_a_place_and_headings_do_not_skip() {
    let document = month();
    let (mut figures, mut headings) = (Vec::new(), Vec::new());
    walk(&tree(&document), &mut |element| match element.name.as_str() {
        "Figure" => {
            let alt = element.own.get(b"Alt").unwrap();
            figures.push(lopdf::decode_text_string(alt).unwrap());
            let layout = element.own.get(b"A").unwrap().as_dict().unwrap();
            assert_eq!(layout.get(b"BBox").unwrap().as_array().unwrap().len(), 4);
            assert!(!element.marks.is_empty());
        }
        "H1" | "H2" => headings.push(element.name.clone()),
        _ => {}
    });
    assert_eq!(headings.iter().filter(|name| *name == "H1").count(), 1);
    assert_eq!(headings.first().map(String::as_str), Some("H1"));
    let told = |text: &str| figures.iter().any(|alt| alt.contains(text));
    for expected in [
        "Portal: not working on 14 Oct 4 h; else working.",
        "Incoming Internet Email: working on every day.",
        "no data on 28 Oct 9 h and 29 Oct 24 h",
        "Outlook Web Access, Availability, month by month: Feb 2026",
        "Sep 2026 99.981 %; Oct 2026 99.831 %, missed. 4 months without a figure. The target is 99.9 %.",
        "Working is a low bar",
    ] {
        assert!(told(expected), "no drawing says {expected:?}: {figures:#?}");
    }
}

#[test]
fn links_can_be_followed_and_say_where_they_lead() {
    let document = month();
    let mut links = 0;
    walk(&tree(&document), &mut |element| {
        if element.name == "Link" {
            assert!(element.links > 0 && !element.marks.is_empty());
            links += element.links;
        }
    });
    let mut annotations = 0;
    for page in document.get_pages().into_values() {
        let page = document.get_dictionary(page).unwrap();
        assert_eq!(page.get(b"Tabs").unwrap().as_name().unwrap(), b"S");
        let Some(Object::Array(own)) = entry(&document, page, "Annots") else { continue };
        for annotation in own {
            let annotation = resolved(&document, annotation).as_dict().unwrap();
            annotations += 1;
            assert!(!annotation.get(b"Contents").unwrap().as_str().unwrap().is_empty());
            assert_eq!(annotation.get(b"F").unwrap().as_i64().unwrap(), 4);
            assert!(annotation.has(b"StructParent"));
            assert!(annotation.has(b"Dest") || annotation.has(b"A"));
        }
    }
    assert_eq!(annotations, links);
    assert!(links >= 8, "only {links} links");
}

#[test]
fn controls_in_names_are_blanks_in_both_titles() {
    let mut report = fixture::october();
    report.service = "Post\u{7}<&> Пошта".to_owned();
    let document = Document::load_mem(&render(&report, english()).unwrap()).unwrap();
    let info = entry(&document, &document.trailer, "Info").unwrap().as_dict().unwrap();
    let title = lopdf::decode_text_string(info.get(b"Title").unwrap()).unwrap();
    assert_eq!(title, "Post <&> Пошта: Performance Summary, October 2026");
    let metadata = entry(&document, document.catalog().unwrap(), "Metadata").unwrap();
    let xmp = String::from_utf8(metadata.as_stream().unwrap().content.clone()).unwrap();
    assert!(xmp.contains("Post &lt;&amp;&gt; Пошта: Performance Summary, October 2026"), "{xmp}");
}

#[test]
fn the_file_says_what_it_is() {
    let document = month();
    let catalog = document.catalog().unwrap();
    let metadata = entry(&document, catalog, "Metadata").unwrap().as_stream().unwrap();
    assert!(!metadata.dict.has(b"Filter"), "metadata must not be compressed");
    let xmp = String::from_utf8(metadata.content.clone()).unwrap();
    for expected in [
        "<pdfuaid:part>1</pdfuaid:part>",
        "<pdfaid:part>2</pdfaid:part>",
        "<pdfaid:conformance>A</pdfaid:conformance>",
        "NHSmail: Performance Summary, October 2026",
        "<xmp:CreateDate>2026-11-06T09:30:00Z</xmp:CreateDate>",
        "<rdf:li>Service Management</rdf:li>",
    ] {
        assert!(xmp.contains(expected), "no {expected:?} in {xmp}");
    }
    let marked = entry(&document, catalog, "MarkInfo").unwrap().as_dict().unwrap();
    assert!(marked.get(b"Marked").unwrap().as_bool().unwrap());
    assert_eq!(catalog.get(b"Lang").unwrap().as_str().unwrap(), b"en-GB");
    let intent = entry(&document, catalog, "OutputIntents").unwrap().as_array().unwrap();
    let intent = resolved(&document, &intent[0]).as_dict().unwrap();
    let profile = entry(&document, intent, "DestOutputProfile").unwrap().as_stream().unwrap();
    let profile = profile.decompressed_content().unwrap_or_else(|_| profile.content.clone());
    assert_eq!(
        profile.len(),
        usize::try_from(u32::from_be_bytes(profile[..4].try_into().unwrap())).unwrap()
    );
    assert_eq!(&profile[36..40], b"acsp");
    let ids = document.trailer.get(b"ID").unwrap().as_array().unwrap();
    assert_eq!(ids[0], ids[1]);
    let report = fixture::october();
    let json = crate::render::json::render(&report).unwrap();
    let digest = crate::render::json::digest(&json);
    assert_eq!(ids[0].as_str().unwrap(), &digest.as_bytes()[..32]);
}
