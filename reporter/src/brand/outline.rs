//! The outline of a shape: moves, lines and curves in whole units, written as the path of an SVG
//! is (SVG 1.1, 8.3: absolute M, L, C and Z), so that the same text is the same shape anywhere.

use serde::{Deserialize, Serialize};

/// A point: right and down, in units.
pub type Point = (i32, i32);

/// The furthest that a point may lie from the origin.
pub(super) const FURTHEST: i32 = 1_000_000;

/// A step along an outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Begins somewhere.
    Move(Point),
    /// Straight to a point.
    Line(Point),
    /// To the last of three points, drawn towards the others.
    Curve(Point, Point, Point),
    /// Back to where it began.
    Close,
}

/// The outline of a shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Outline(pub Vec<Step>);

/// A text that is no outline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an outline of M, L, C and Z with whole numbers, got something else at byte {0}")]
pub struct OutlineError(usize);

impl Outline {
    /// Whether it has both width and height, without which nothing of it is filled.
    pub(super) fn has_extent(&self) -> bool {
        let ends = self.0.iter().flat_map(|step| match *step {
            Step::Move(to) | Step::Line(to) => vec![to],
            Step::Curve(one, two, to) => vec![one, two, to],
            Step::Close => Vec::new(),
        });
        let ends: Vec<Point> = ends.collect();
        let differ = |of: fn(&Point) -> i32| {
            let (least, most) = (ends.iter().map(of).min(), ends.iter().map(of).max());
            least != most
        };
        differ(|point| point.0) && differ(|point| point.1)
    }
}

impl From<Outline> for String {
    fn from(outline: Outline) -> Self {
        let mut text = Self::new();
        let mut put = |letter: char, points: &[Point]| {
            text.push(letter);
            for (i, (x, y)) in points.iter().enumerate() {
                let gap = if i > 0 { " " } else { "" };
                text.push_str(&format!("{gap}{x} {y}"));
            }
        };
        for step in outline.0 {
            match step {
                Step::Move(to) => put('M', &[to]),
                Step::Line(to) => put('L', &[to]),
                Step::Curve(one, two, to) => put('C', &[one, two, to]),
                Step::Close => put('Z', &[]),
            }
        }
        text
    }
}

impl TryFrom<String> for Outline {
    type Error = OutlineError;

    fn try_from(text: String) -> Result<Self, OutlineError> {
        let mut steps = Vec::new();
        let mut at = 0;
        while let Some(letter) = text[at..].chars().next() {
            let begins = at;
            at += letter.len_utf8();
            let ends = text[at..].find(|c: char| c.is_ascii_uppercase());
            let ends = ends.map_or(text.len(), |length| at + length);
            let numbers = text[at..ends].split_ascii_whitespace().map(|number| {
                let read = number.parse::<i32>().ok();
                read.filter(|n| (-FURTHEST..=FURTHEST).contains(n)).ok_or(OutlineError(begins))
            });
            let numbers = numbers.collect::<Result<Vec<_>, _>>()?;
            steps.push(match (letter, &numbers[..]) {
                ('M', &[x, y]) => Step::Move((x, y)),
                ('L', &[x, y]) => Step::Line((x, y)),
                ('C', &[a, b, c, d, x, y]) => Step::Curve((a, b), (c, d), (x, y)),
                ('Z', []) => Step::Close,
                _ => return Err(OutlineError(begins)),
            });
            at = ends;
        }
        Ok(Self(steps))
    }
}
