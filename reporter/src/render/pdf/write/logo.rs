//! A logo as a form of the file (ISO 32000-1, 8.10): shapes as paths, pixels as an image, in the
//! logo's own units, placed on the page by its matrix.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use printpdf::{DictItem, ExternalStream, ExternalXObject, XObject, XObjectId};

use super::{hundredths, ink};
use crate::brand::{Logo, Pixels, Step, Vector};
use crate::render::pdf::sheet::points;
use crate::render::pdf::style::{Colour, PAGE_HEIGHT};

/// What the form is called on the page.
pub(super) fn id() -> XObjectId {
    XObjectId("Logo".to_owned())
}

/// The form, in a frame of the page: left, top, right and bottom in millimetres.
pub(super) fn form(logo: &Logo, frame: [f32; 4]) -> XObject {
    let (content, resources) = match logo {
        Logo::Vector(vector) => shapes(vector),
        Logo::Pixels(pixels) => image(pixels),
    };
    let (width, height) = logo.size();
    let [left, top, right, bottom] = frame.map(points);
    // right and down in units becomes right and up in points
    let (across, down) = (scale(right - left, width), scale(bottom - top, height));
    let page_height = points(PAGE_HEIGHT);
    let matrix = [across, 0.0, 0.0, -down, left, hundredths(page_height - top).0];
    let numbers = |all: &[f32]| DictItem::Array(all.iter().copied().map(DictItem::Real).collect());
    let whole = |side: u32| DictItem::Int(i64::from(side));
    let dict = [
        ("Type", name("XObject")),
        ("Subtype", name("Form")),
        ("BBox", DictItem::Array(vec![whole(0), whole(0), whole(width), whole(height)])),
        ("Matrix", numbers(&matrix)),
        ("Resources", DictItem::Dict { map: resources }),
    ];
    XObject::External(ExternalXObject {
        stream: stream(dict, content),
        width: None,
        height: None,
        dpi: None,
    })
}

#[allow(clippy::cast_precision_loss, reason = "sides are far below 2^24")]
fn scale(points: f32, units: u32) -> f32 {
    points / units.max(1) as f32
}

fn name(word: &str) -> DictItem {
    DictItem::Name(word.as_bytes().to_vec())
}

fn stream<const N: usize>(dict: [(&str, DictItem); N], content: Vec<u8>) -> ExternalStream {
    let dict = dict.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    ExternalStream { dict, content, compress: true }
}

type Resources = BTreeMap<String, DictItem>;

fn shapes(vector: &Vector) -> (Vec<u8>, Resources) {
    let mut content = String::new();
    let opacities: BTreeSet<u8> = vector.shapes.iter().map(|shape| shape.opacity).collect();
    let is_solid = opacities.iter().all(|opacity| *opacity == 255);
    for shape in &vector.shapes {
        let colour = shape.colour.0;
        if !is_solid {
            let _ = write!(content, "/G{} gs ", shape.opacity);
        }
        if let printpdf::Color::Rgb(ink) = ink(Colour(colour.red, colour.green, colour.blue)) {
            let _ = writeln!(content, "{} {} {} rg", ink.r, ink.g, ink.b);
        }
        for step in &shape.outline.0 {
            let _ = match step {
                Step::Move((x, y)) => writeln!(content, "{x} {y} m"),
                Step::Line((x, y)) => writeln!(content, "{x} {y} l"),
                Step::Curve((a, b), (c, d), (x, y)) => {
                    writeln!(content, "{a} {b} {c} {d} {x} {y} c")
                }
                Step::Close => writeln!(content, "h"),
            };
        }
        content.push_str(if shape.even_odd { "f*\n" } else { "f\n" });
    }
    let mut resources = Resources::new();
    if !is_solid {
        let state = |opacity: &u8| {
            let seen = DictItem::Real((f32::from(*opacity) / 255.0 * 1000.0).round() / 1000.0);
            let map = [("Type".to_owned(), name("ExtGState")), ("ca".to_owned(), seen)].into();
            (format!("G{opacity}"), DictItem::Dict { map })
        };
        let map = opacities.iter().map(state).collect();
        resources.insert("ExtGState".to_owned(), DictItem::Dict { map });
    }
    (content.into_bytes(), resources)
}

fn image(pixels: &Pixels) -> (Vec<u8>, Resources) {
    let (width, height) = (pixels.width, pixels.height);
    // one that cannot be read leaves its place white
    let Some(rgb) = pixels.rgb() else { return (Vec::new(), Resources::new()) };
    let dict = [
        ("Type", name("XObject")),
        ("Subtype", name("Image")),
        ("Width", DictItem::Int(i64::from(width))),
        ("Height", DictItem::Int(i64::from(height))),
        ("ColorSpace", name("DeviceRGB")),
        ("BitsPerComponent", DictItem::Int(8)),
    ];
    let image = DictItem::Stream { stream: stream(dict, rgb) };
    let images = DictItem::Dict { map: [("I".to_owned(), image)].into() };
    let content = format!("q {width} 0 0 -{height} 0 {height} cm /I Do Q\n");
    (content.into_bytes(), [("XObject".to_owned(), images)].into())
}
