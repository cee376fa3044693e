//! From drawn pages to the bytes of a PDF: glyph subsets, content streams, title and outline,
//! and nothing in the file that differs between two runs.

use std::collections::BTreeSet;

use lopdf::{Dictionary, Document, Object, StringFormat};
use printpdf::{
    Color, FontId, Line, LinePoint, Mm, Op, PaintMode, PdfDocument, PdfFontHandle, PdfPage,
    PdfSaveOptions, Point, Polygon, PolygonRing, Pt, Rgb, TextItem, TextMatrix, WindingOrder,
};

use super::PdfError;
use super::font::{PT_PER_MM, Weight};
use super::sheet::{Colour, MARGIN, Mark, PAGE_HEIGHT, PAGE_WIDTH, Page, Sheet};

/// What the file says about itself.
#[derive(Clone, Debug)]
pub(super) struct Imprint {
    pub(super) title: String,
    pub(super) author: String,
    pub(super) subject: String,
    pub(super) producer: String,
    /// `D:20261105060000Z`
    pub(super) created: String,
    /// Hexadecimal; the file's identity.
    pub(super) digest: String,
}

const WEIGHTS: [Weight; 2] = [Weight::Regular, Weight::Semibold];

fn font_id(weight: Weight) -> FontId {
    FontId(match weight {
        Weight::Regular => "R".to_owned(),
        Weight::Semibold => "S".to_owned(),
    })
}

/// The bytes of the file.
pub(super) fn bytes(sheet: &Sheet<'_>, imprint: &Imprint) -> Result<Vec<u8>, PdfError> {
    let mut pdf = PdfDocument::new(&imprint.title);
    for weight in WEIGHTS {
        let used = characters(&sheet.pages, weight);
        let font = sheet.faces.face(weight).subset(&used)?;
        pdf.resources.fonts.map.insert(font_id(weight), printpdf::PdfFont::new(font));
    }
    pdf.pages = sheet.pages.iter().map(page).collect();
    let mut warnings = Vec::new();
    let options = PdfSaveOptions { image_optimization: None, ..PdfSaveOptions::default() };
    let mut document = printpdf::to_lopdf_doc(&pdf, &options, &mut warnings);
    describe(&mut document, imprint);
    outline(&mut document, &sheet.headings);
    document.compress();
    let mut out = Vec::new();
    document.save_to(&mut out).map_err(PdfError::Write)?;
    Ok(out)
}

fn characters(pages: &[Page], wanted: Weight) -> BTreeSet<char> {
    let mut used = BTreeSet::new();
    for mark in pages.iter().flat_map(|page| &page.marks) {
        if let Mark::Text { style, text, .. } = mark
            && style.weight == wanted
        {
            used.extend(text.chars());
        }
    }
    used
}

fn page(page: &Page) -> PdfPage {
    let mut pen = Pen::default();
    for mark in &page.marks {
        pen.mark(mark);
    }
    PdfPage::new(Mm(PAGE_WIDTH), Mm(PAGE_HEIGHT), pen.ops)
}

/// Writes marks as operators, leaving out what is already set.
#[derive(Default)]
struct Pen {
    ops: Vec<Op>,
    fill: Option<Colour>,
    outline: Option<Colour>,
    width_pt: Option<f32>,
}

impl Pen {
    fn mark(&mut self, mark: &Mark) {
        match mark {
            Mark::Text { x, y, style, text } => {
                self.fill(style.colour);
                let at = point((*x, *y));
                self.ops.extend([
                    Op::StartTextSection,
                    Op::SetFont {
                        font: PdfFontHandle::External(font_id(style.weight)),
                        size: Pt(style.size_pt),
                    },
                    Op::SetTextMatrix { matrix: TextMatrix::Translate(at.x, at.y) },
                    Op::ShowText { items: vec![TextItem::Text(text.clone())] },
                    Op::EndTextSection,
                ]);
            }
            Mark::Stroke { from, to, width_pt, colour } => {
                self.stroke(*colour, *width_pt);
                let points = vec![line_point(*from), line_point(*to)];
                self.ops.push(Op::DrawLine { line: Line { points, is_closed: false } });
            }
            Mark::Fill { points, colour } => {
                self.fill(*colour);
                self.polygon(points, PaintMode::Fill);
            }
            Mark::Outline { points, width_pt, colour } => {
                self.stroke(*colour, *width_pt);
                self.polygon(points, PaintMode::Stroke);
            }
        }
    }

    fn fill(&mut self, colour: Colour) {
        if self.fill.replace(colour) != Some(colour) {
            self.ops.push(Op::SetFillColor { col: ink(colour) });
        }
    }

    fn stroke(&mut self, colour: Colour, width_pt: f32) {
        if self.outline.replace(colour) != Some(colour) {
            self.ops.push(Op::SetOutlineColor { col: ink(colour) });
        }
        if self.width_pt.replace(width_pt) != Some(width_pt) {
            self.ops.push(Op::SetOutlineThickness { pt: Pt(width_pt) });
        }
    }

    fn polygon(&mut self, points: &[(f32, f32)], mode: PaintMode) {
        let points = points.iter().copied().map(line_point).collect();
        let polygon = Polygon {
            rings: vec![PolygonRing { points }],
            mode,
            winding_order: WindingOrder::NonZero,
        };
        self.ops.push(Op::DrawPolygon { polygon });
    }
}

/// Hundredths of a point are finer than any printer, and keep the file small.
fn point((x, y): (f32, f32)) -> Point {
    let pt = |mm: f32| Pt((mm * PT_PER_MM * 100.0).round() / 100.0);
    Point { x: pt(x), y: pt(PAGE_HEIGHT - y) }
}

fn line_point(at: (f32, f32)) -> LinePoint {
    LinePoint { p: point(at), bezier: false }
}

fn ink(colour: Colour) -> Color {
    // three places tell all 256 steps apart
    let part = |value: u8| (f32::from(value) / 255.0 * 1000.0).round() / 1000.0;
    Color::Rgb(Rgb::new(part(colour.0), part(colour.1), part(colour.2), None))
}

/// Title, language, dates and identity, in place of what the library made up.
fn describe(document: &mut Document, imprint: &Imprint) {
    "1.7".clone_into(&mut document.version);
    let mut info = Dictionary::new();
    for (key, value) in [
        ("Title", &imprint.title),
        ("Author", &imprint.author),
        ("Subject", &imprint.subject),
        ("Creator", &imprint.producer),
        ("Producer", &imprint.producer),
    ] {
        info.set(key, unicode(value));
    }
    for key in ["CreationDate", "ModDate"] {
        info.set(key, Object::string_literal(imprint.created.as_str()));
    }
    let info = document.add_object(info);
    if let Ok(Object::Reference(old)) = document.trailer.get(b"Info").cloned() {
        document.objects.remove(&old);
    }
    document.trailer.set("Info", info);
    let id = imprint.digest.get(..32).unwrap_or(&imprint.digest).as_bytes().to_vec();
    let id = Object::String(id, StringFormat::Literal);
    document.trailer.set("ID", Object::Array(vec![id.clone(), id]));
    if let Ok(catalog) = document.catalog_mut() {
        catalog.set("Lang", Object::string_literal("en-GB"));
        let mut preferences = Dictionary::new();
        preferences.set("DisplayDocTitle", true);
        catalog.set("ViewerPreferences", preferences);
    }
}

/// The outline that viewers show beside the pages.
fn outline(document: &mut Document, headings: &[(String, usize)]) {
    let pages = document.get_pages();
    let entries: Vec<_> = headings
        .iter()
        .filter_map(|(text, number)| {
            let page = pages.get(&u32::try_from(*number).ok()?)?;
            Some((text, *page))
        })
        .collect();
    if entries.is_empty() {
        return;
    }
    let root = document.new_object_id();
    let ids: Vec<_> = entries.iter().map(|_| document.new_object_id()).collect();
    for (i, (text, page)) in entries.iter().enumerate() {
        let mut entry = Dictionary::new();
        entry.set("Title", unicode(text));
        entry.set("Parent", root);
        let top = Object::Real((PAGE_HEIGHT - MARGIN) * PT_PER_MM);
        let place = vec![Object::Reference(*page), "XYZ".into(), Object::Null, top, Object::Null];
        entry.set("Dest", Object::Array(place));
        if let Some(previous) = i.checked_sub(1).and_then(|p| ids.get(p)) {
            entry.set("Prev", *previous);
        }
        if let Some(next) = ids.get(i + 1) {
            entry.set("Next", *next);
        }
        document.objects.insert(ids[i], Object::Dictionary(entry));
    }
    let mut top = Dictionary::new();
    top.set("Type", "Outlines");
    top.set("Count", i64::try_from(ids.len()).unwrap_or(0));
    if let (Some(first), Some(last)) = (ids.first(), ids.last()) {
        top.set("First", *first);
        top.set("Last", *last);
    }
    document.objects.insert(root, Object::Dictionary(top));
    if let Ok(catalog) = document.catalog_mut() {
        catalog.set("Outlines", root);
    }
}

/// A text string (ISO 32000-1, 7.9.2.2): UTF-16 with its mark.
fn unicode(text: &str) -> Object {
    let mut bytes = vec![0xfe, 0xff];
    bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    Object::String(bytes, StringFormat::Hexadecimal)
}
