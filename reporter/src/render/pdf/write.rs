//! From drawn pages to the bytes of a PDF: glyph subsets, content streams whose marks say whose
//! they are, structure, links, outline and archival metadata, and nothing that differs between
//! two runs.

mod archive;
mod colours;
mod index;
mod logo;
mod outline;
mod tags;

use std::collections::{BTreeMap, BTreeSet};

use lopdf::{Object, ObjectId, SaveOptions, StringFormat};
use printpdf::{
    Color, DictItem, FontId, Line, LinePoint, Mm, Op, PaintMode, PdfDocument, PdfFontHandle,
    PdfPage, PdfSaveOptions, Point, Polygon, PolygonRing, Pt, Rect, Rgb, TextItem, TextMatrix,
    WindingOrder, XObjectTransform,
};

use super::PdfError;
use super::font::Weight;
use super::sheet::{Mark, Owner, Page, Sheet, points};
use super::structure::Tree;
use super::style::{Colour, PAGE_HEIGHT, PAGE_WIDTH};

/// What the file says about itself.
#[derive(Clone, Debug)]
pub(super) struct Imprint {
    /// The tag of the language it is in.
    pub(super) language: String,
    pub(super) title: String,
    pub(super) author: String,
    pub(super) publisher: String,
    pub(super) subject: String,
    pub(super) producer: String,
    /// `2026-11-05T06:00:00Z`
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
    if let Some((logo, frame)) = sheet.logo.zip(frame_of_logo(&sheet.pages)) {
        pdf.resources.xobjects.map.insert(logo::id(), logo::form(logo, frame));
    }
    let numbers = Numbers::new(&sheet.tree);
    pdf.pages = sheet.pages.iter().map(|drawn| page(drawn, &numbers, &sheet.tree)).collect();
    let mut warnings = Vec::new();
    let options = PdfSaveOptions { image_optimization: None, ..PdfSaveOptions::default() };
    let mut document = printpdf::to_lopdf_doc(&pdf, &options, &mut warnings);
    let pages: Vec<ObjectId> = document.get_pages().into_values().collect();
    archive::describe(&mut document, imprint)?;
    tags::tag(&mut document, sheet, &pages, &numbers);
    outline::outline(&mut document, &sheet.headings, &pages);
    document.compress();
    let mut out = Vec::new();
    // thousands of small objects, which share a stream, stay small
    let options = SaveOptions::builder()
        .use_object_streams(true)
        .use_xref_streams(true)
        .max_objects_per_stream(5000)
        .compression_level(9)
        .build();
    document.save_with_options(&mut out, options).map_err(PdfError::Write)?;
    Ok(index::packed(out))
}

/// The number of each run among those of its page, by which marks and structure find each other.
pub(super) struct Numbers {
    of_run: Vec<i64>,
    /// The nodes of each page's runs, in order.
    nodes: BTreeMap<usize, Vec<usize>>,
}

impl Numbers {
    fn new(tree: &Tree) -> Self {
        let mut nodes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let number = |run: &super::structure::Run| {
            let own = nodes.entry(run.page).or_default();
            own.push(run.node);
            i64::try_from(own.len() - 1).unwrap_or(i64::MAX)
        };
        Self { of_run: tree.runs.iter().map(number).collect(), nodes }
    }

    fn of(&self, run: usize) -> i64 {
        self.of_run.get(run).copied().unwrap_or_default()
    }
}

/// Where the logo is drawn: once in a document.
fn frame_of_logo(pages: &[Page]) -> Option<[f32; 4]> {
    let marks = pages.iter().flat_map(|page| &page.marks);
    marks
        .filter_map(|(mark, _)| if let Mark::Logo { frame } = mark { Some(*frame) } else { None })
        .next()
}

fn characters(pages: &[Page], wanted: Weight) -> BTreeSet<char> {
    let mut used = BTreeSet::new();
    for (mark, _) in pages.iter().flat_map(|page| &page.marks) {
        if let Mark::Text { style, text, .. } = mark
            && style.weight == wanted
        {
            used.extend(text.chars());
        }
    }
    used
}

fn page(page: &Page, numbers: &Numbers, tree: &Tree) -> PdfPage {
    let mut pen = Pen::default();
    for marks in page.marks.chunk_by(|one, next| one.1 == next.1) {
        if let Some((_, owner)) = marks.first() {
            pen.ops.push(opening(*owner, numbers, tree));
        }
        for (mark, _) in marks {
            pen.mark(mark);
        }
        pen.ops.push(Op::EndMarkedContent);
    }
    PdfPage::new(Mm(PAGE_WIDTH), Mm(PAGE_HEIGHT), pen.ops)
}

/// Says whose the marks are that follow.
fn opening(owner: Owner, numbers: &Numbers, tree: &Tree) -> Op {
    let name = |word: &str| DictItem::Name(word.as_bytes().to_vec());
    let artifact = |entries: &[(&str, &str)]| Op::BeginMarkedContentWithProperties {
        tag: "Artifact".to_owned(),
        properties: DictItem::Dict {
            map: entries.iter().map(|(key, word)| ((*key).to_owned(), name(word))).collect(),
        },
    };
    match owner {
        Owner::Run(run) => {
            let node = tree.runs.get(run).and_then(|run| tree.nodes.get(run.node));
            let number = DictItem::Int(numbers.of(run));
            Op::BeginMarkedContentWithProperties {
                tag: node.map_or("P", |node| tags::name(&node.role)).to_owned(),
                properties: DictItem::Dict { map: [("MCID".to_owned(), number)].into() },
            }
        }
        Owner::Layout => artifact(&[("Type", "Layout")]),
        Owner::Foot => artifact(&[("Type", "Pagination"), ("Subtype", "Footer")]),
        Owner::Repeated => artifact(&[("Type", "Pagination")]),
    }
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
            Mark::Circle { centre, radius, width_pt, colour } => {
                self.stroke(*colour, *width_pt);
                self.circle(*centre, *radius);
            }
            // the form says itself where on the page it is
            Mark::Logo { .. } => {
                let transform =
                    XObjectTransform { no_auto_scale: true, ..XObjectTransform::default() };
                self.ops.push(Op::UseXobject { id: logo::id(), transform });
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

    fn circle(&mut self, (cx, cy): (f32, f32), radius: f32) {
        let at = |x: f32, y: f32, bezier: bool| {
            let p = point((cx + x * radius, cy + y * radius));
            LinePoint { p, bezier }
        };
        let mut points = vec![at(0.0, -1.0, false)];
        // the ends of four quarters, clockwise from the top
        let ends = [(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0)];
        for pair in ends.windows(2) {
            let ((x, y), (to_x, to_y)) = (pair[0], pair[1]);
            points.push(at(x + to_x * QUARTER, y + to_y * QUARTER, true));
            points.push(at(to_x + x * QUARTER, to_y + y * QUARTER, true));
            points.push(at(to_x, to_y, false));
        }
        let polygon = Polygon {
            rings: vec![PolygonRing { points }],
            mode: PaintMode::Stroke,
            winding_order: WindingOrder::NonZero,
        };
        self.ops.push(Op::DrawPolygon { polygon });
    }

    fn polygon(&mut self, points: &[(f32, f32)], mode: PaintMode) {
        if let [one, two, three, four] = points
            && (one.1, two.0, three.1, four.0) == (two.1, three.0, four.1, one.0)
        {
            let (from, to) = (point(*four), point(*two));
            let rectangle = Rect {
                x: from.x,
                y: from.y,
                width: hundredths(to.x.0 - from.x.0),
                height: hundredths(to.y.0 - from.y.0),
                mode: Some(mode),
                winding_order: Some(WindingOrder::NonZero),
            };
            self.ops.push(Op::DrawRectangle { rectangle });
            return;
        }
        let points = points.iter().copied().map(line_point).collect();
        let polygon = Polygon {
            rings: vec![PolygonRing { points }],
            mode,
            winding_order: WindingOrder::NonZero,
        };
        self.ops.push(Op::DrawPolygon { polygon });
    }
}

/// How far a quarter of a circle is drawn towards its corner, of the radius: the usual cubic
/// curve, which no eye tells from a circle.
const QUARTER: f32 = 0.552_284_8;

fn point((x, y): (f32, f32)) -> Point {
    Point { x: Pt(points(x)), y: Pt(points(PAGE_HEIGHT - y)) }
}

fn hundredths(pt: f32) -> Pt {
    Pt((pt * 100.0).round() / 100.0)
}

fn line_point(at: (f32, f32)) -> LinePoint {
    LinePoint { p: point(at), bezier: false }
}

fn ink(colour: Colour) -> Color {
    // three places tell all 256 steps apart
    let part = |value: u8| (f32::from(value) / 255.0 * 1000.0).round() / 1000.0;
    Color::Rgb(Rgb::new(part(colour.0), part(colour.1), part(colour.2), None))
}

/// A rectangle in the file's terms, from left, top, right and bottom in millimetres.
fn rectangle([left, top, right, bottom]: [f32; 4]) -> Object {
    let corners = [left, PAGE_HEIGHT - bottom, right, PAGE_HEIGHT - top];
    Object::Array(corners.iter().map(|mm| Object::Real(points(*mm))).collect())
}

/// The text without what neither metadata nor a reader can hold: controls become blanks.
fn readable(text: &str) -> String {
    let text = text.chars().filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}'));
    text.map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A text string (ISO 32000-1, 7.9.2.2): as it is where it is ASCII, else UTF-16 with its mark.
fn unicode(text: &str) -> Object {
    let text = &readable(text);
    if text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
        return Object::string_literal(text.as_str());
    }
    let mut bytes = vec![0xfe, 0xff];
    bytes.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    Object::String(bytes, StringFormat::Hexadecimal)
}
