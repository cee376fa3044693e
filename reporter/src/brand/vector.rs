//! A logo of shapes: an SVG from anywhere, read within bounds (`survey`), reduced to filled
//! outlines in whole units, and written anew. Strokes become the outlines they have, gradients
//! their mean colour; what needs more than that is refused by name.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use usvg::tiny_skia_path::{PathSegment, Point as At, Transform};

use super::Tone;
use super::file::Unfit;
use super::outline::{FURTHEST, Outline, Point, Step};
use mailward_catalogue::Colour;

mod survey;

/// The longer side, in units.
const SIDE: f32 = 20_000.0;
/// The longer side over the shorter.
const MAX_RATIO: f32 = 20.0;
/// The most steps of all outlines.
const MAX_STEPS: usize = 20_000;
/// Stack of the thread that reads: nothing that `survey` lets through needs a tenth of it.
const STACK_BYTES: usize = 16 << 20;

/// Shapes, the hindmost first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// In units.
    pub width: u32,
    /// In units.
    pub height: u32,
    /// The shapes; what lies outside width and height is not seen.
    pub shapes: Vec<Shape>,
}

/// A filled shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Shape {
    /// Its outline.
    pub outline: Outline,
    /// Its colour.
    pub colour: Tone,
    /// How much it hides of what is behind it, in 255ths.
    #[serde(default = "full", skip_serializing_if = "is_full")]
    pub opacity: u8,
    /// Whether what is inside is told by crossings (even-odd), and not by turns (non-zero).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub even_odd: bool,
}

const fn full() -> u8 {
    255
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_full(opacity: &u8) -> bool {
    *opacity == full()
}

impl Vector {
    /// The shapes as an SVG: nothing but paths and numbers.
    pub(super) fn svg(&self) -> String {
        let (width, height) = (self.width, self.height);
        let mut svg =
            format!("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\">");
        for shape in &self.shapes {
            let outline = String::from(shape.outline.clone());
            let _ = write!(svg, "<path fill=\"{}\"", shape.colour.0);
            if shape.opacity != full() {
                let _ = write!(svg, " fill-opacity=\"{:.3}\"", f32::from(shape.opacity) / 255.0);
            }
            if shape.even_odd {
                svg.push_str(" fill-rule=\"evenodd\"");
            }
            let _ = write!(svg, " d=\"{outline}\"/>");
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// Reads an SVG.
pub(super) fn read(text: &str) -> Result<Vector, Unfit> {
    let lost = || Unfit::new("an SVG that can be drawn", "one that cannot");
    // in a thread of its own, whose stack is known, and whose end is not the program's
    std::thread::scope(|scope| {
        let reading = std::thread::Builder::new().stack_size(STACK_BYTES);
        let reading = reading.spawn_scoped(scope, || shapes(text)).map_err(|_| lost())?;
        reading.join().map_err(|_| lost())?
    })
}

fn shapes(text: &str) -> Result<Vector, Unfit> {
    let document = survey::document(text)?;
    let tree = usvg::Tree::from_xmltree(&document, &usvg::Options::default()).map_err(|error| {
        Unfit::new("an SVG that can be drawn", format!("one that cannot: {error}"))
    })?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let (longer, shorter) = (width.max(height), width.min(height));
    if longer > MAX_RATIO * shorter || !longer.is_finite() {
        let got = format!("{width} × {height}");
        return Err(Unfit::new("sides of which one is at most 20 times the other", got));
    }
    let by = SIDE / longer;
    let mut drawing = Drawing {
        scale: Transform::from_scale(by, by),
        canvas: (width, height),
        ..Drawing::default()
    };
    drawing.group(tree.root(), 1.0)?;
    if drawing.shapes.is_empty() {
        return Err(Unfit::new("an SVG that draws something", "one that draws nothing"));
    }
    let side = |length: f32| whole(length * by).unwrap_or(1).max(1).unsigned_abs();
    Ok(Vector { width: side(width), height: side(height), shapes: drawing.shapes })
}

/// The nearest whole unit, unless it lies far away.
#[allow(clippy::cast_possible_truncation, reason = "checked against the furthest point")]
#[allow(clippy::cast_precision_loss, reason = "the furthest point is exact")]
fn whole(length: f32) -> Option<i32> {
    (length.abs() <= FURTHEST as f32).then(|| length.round() as i32)
}

#[derive(Default)]
struct Drawing {
    /// From what the SVG says to units.
    scale: Transform,
    /// Its width and height, as it says them.
    canvas: (f32, f32),
    shapes: Vec<Shape>,
    steps: usize,
}

fn only(what: &str) -> Unfit {
    Unfit::new(
        "shapes in plain colours, lines and gradients",
        format!("{what}; turn it into shapes when saving the logo"),
    )
}

impl Drawing {
    fn group(&mut self, group: &usvg::Group, opacity: f32) -> Result<(), Unfit> {
        if group.mask().is_some() {
            return Err(only("a mask"));
        }
        if !group.filters().is_empty() {
            return Err(only("a filter"));
        }
        if group.blend_mode() != usvg::BlendMode::Normal {
            return Err(only("a blend mode"));
        }
        if group.clip_path().is_some_and(|clip| !self.is_idle(group, clip)) {
            return Err(only("a clip path that cuts something off"));
        }
        let opacity = opacity * group.opacity().get();
        for node in group.children() {
            match node {
                usvg::Node::Group(inner) => self.group(inner, opacity)?,
                usvg::Node::Path(path) => self.path(path, opacity)?,
                usvg::Node::Image(_) => return Err(only("an embedded image")),
                usvg::Node::Text(_) => return Err(only("text")),
            }
        }
        Ok(())
    }

    /// Whether a clip path cuts nothing off: it is a rectangle around the group, or the canvas.
    fn is_idle(&self, group: &usvg::Group, clip: &usvg::ClipPath) -> bool {
        let [usvg::Node::Path(path)] = clip.root().children() else { return false };
        if clip.clip_path().is_some() {
            return false;
        }
        let way =
            group.abs_transform().pre_concat(clip.transform()).pre_concat(path.abs_transform());
        let Some(shape) = path.data().clone().transform(way) else { return false };
        let frame = shape.bounds();
        let slack = self.canvas.0.max(self.canvas.1) / 1000.0;
        let on_edge = |at: At| {
            let near = |one: f32, other: f32| (one - other).abs() <= slack;
            let side = near(at.x, frame.left()) || near(at.x, frame.right());
            side && (near(at.y, frame.top()) || near(at.y, frame.bottom()))
        };
        let straight = shape.segments().all(|segment| match segment {
            PathSegment::MoveTo(at) | PathSegment::LineTo(at) => on_edge(at),
            PathSegment::Close => true,
            _ => false,
        });
        let holds = |left: f32, top: f32, right: f32, bottom: f32| {
            frame.left() <= left + slack
                && frame.top() <= top + slack
                && frame.right() >= right - slack
                && frame.bottom() >= bottom - slack
        };
        let inner = group.abs_stroke_bounding_box();
        let around = holds(inner.left(), inner.top(), inner.right(), inner.bottom());
        straight && (around || holds(0.0, 0.0, self.canvas.0, self.canvas.1))
    }

    fn path(&mut self, path: &usvg::Path, opacity: f32) -> Result<(), Unfit> {
        if !path.is_visible() {
            return Ok(());
        }
        let way = path.abs_transform().post_concat(self.scale);
        let fill = |drawing: &mut Self| {
            let Some(fill) = path.fill() else { return Ok(()) };
            let even_odd = fill.rule() == usvg::FillRule::EvenOdd;
            let seen = opacity * fill.opacity().get();
            drawing.shape((path.data(), way), fill.paint(), seen, even_odd)
        };
        let stroke = |drawing: &mut Self| {
            let Some(stroke) = path.stroke() else { return Ok(()) };
            if stroke.dasharray().is_some() {
                return Err(only("a dashed line"));
            }
            // as fine as a unit
            let fine = way.get_scale().0.max(way.get_scale().1);
            let Some(outline) = path.data().stroke(&stroke.to_tiny_skia(), fine) else {
                return Ok(());
            };
            let seen = opacity * stroke.opacity().get();
            drawing.shape((&outline, way), stroke.paint(), seen, false)
        };
        match path.paint_order() {
            usvg::PaintOrder::FillAndStroke => fill(self).and_then(|()| stroke(self)),
            usvg::PaintOrder::StrokeAndFill => stroke(self).and_then(|()| fill(self)),
        }
    }

    fn shape(
        &mut self,
        (data, way): (&usvg::tiny_skia_path::Path, Transform),
        paint: &usvg::Paint,
        opacity: f32,
        even_odd: bool,
    ) -> Result<(), Unfit> {
        let (colour, own) = match paint {
            usvg::Paint::Color(colour) => (*colour, 1.0),
            usvg::Paint::LinearGradient(gradient) => mean(gradient.stops()),
            usvg::Paint::RadialGradient(gradient) => mean(gradient.stops()),
            usvg::Paint::Pattern(_) => return Err(only("a pattern")),
        };
        let opacity = part(opacity * own * 255.0);
        self.steps += data.len();
        if self.steps > MAX_STEPS {
            let expected = format!("outlines of at most {MAX_STEPS} points in all");
            return Err(Unfit::new(expected, "more than that"));
        }
        let outline = self.outline(data, way)?;
        if opacity > 0 && outline.has_extent() {
            let colour = Tone(Colour { red: colour.red, green: colour.green, blue: colour.blue });
            self.shapes.push(Shape { outline, colour, opacity, even_odd });
        }
        Ok(())
    }

    fn outline(&self, data: &usvg::tiny_skia_path::Path, way: Transform) -> Result<Outline, Unfit> {
        let far = || Unfit::new("points near the picture", "one that lies far away from it");
        let place = |mut at: At| -> Result<Point, Unfit> {
            way.map_point(&mut at);
            whole(at.x).zip(whole(at.y)).ok_or_else(far)
        };
        let mut steps = Vec::with_capacity(data.len());
        let mut last = At::zero();
        for segment in data.segments() {
            steps.push(match segment {
                PathSegment::MoveTo(to) => Step::Move(place(to)?),
                PathSegment::LineTo(to) => Step::Line(place(to)?),
                PathSegment::QuadTo(over, to) => {
                    // the same curve with two points to be drawn towards
                    let third = |from: At| {
                        At::from_xy(
                            from.x + (over.x - from.x) * 2.0 / 3.0,
                            from.y + (over.y - from.y) * 2.0 / 3.0,
                        )
                    };
                    Step::Curve(place(third(last))?, place(third(to))?, place(to)?)
                }
                PathSegment::CubicTo(one, two, to) => {
                    Step::Curve(place(one)?, place(two)?, place(to)?)
                }
                PathSegment::Close => Step::Close,
            });
            if let PathSegment::MoveTo(to)
            | PathSegment::LineTo(to)
            | PathSegment::QuadTo(_, to)
            | PathSegment::CubicTo(_, _, to) = segment
            {
                last = to;
            }
        }
        Ok(Outline(steps))
    }
}

/// 0 to 255.
#[allow(clippy::cast_possible_truncation, reason = "clamped")]
#[allow(clippy::cast_sign_loss, reason = "clamped")]
fn part(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// The colour and the opacity that a gradient has in the mean, along its way.
fn mean(stops: &[usvg::Stop]) -> (usvg::Color, f32) {
    let of = |stop: &usvg::Stop| {
        let colour = stop.color();
        let parts = [colour.red, colour.green, colour.blue].map(f32::from);
        [parts[0], parts[1], parts[2], stop.opacity().get()]
    };
    let mut sum = [0.0f32; 4];
    let mut add = |one: [f32; 4], other: [f32; 4], length: f32| {
        for (sum, (one, other)) in sum.iter_mut().zip(one.iter().zip(other)) {
            *sum += (one + other) / 2.0 * length;
        }
    };
    if let (Some(first), Some(last)) = (stops.first(), stops.last()) {
        add(of(first), of(first), first.offset().get());
        for pair in stops.windows(2) {
            let length = pair[1].offset().get() - pair[0].offset().get();
            add(of(&pair[0]), of(&pair[1]), length.max(0.0));
        }
        add(of(last), of(last), 1.0 - last.offset().get());
    }
    (usvg::Color::new_rgb(part(sum[0]), part(sum[1]), part(sum[2])), sum[3])
}
