//! A text with holes: `{name}` is filled in. Which holes a text has is fixed by the program, so
//! that a text with another is refused when it is read.

use std::fmt::{Display, Write as _};

/// A text with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    /// A hole, by its place among those that the program fills.
    Hole(usize),
}

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// A brace that opens or closes nothing.
    Brace,
    /// A hole that the program does not fill.
    Unknown(String),
    /// A hole that is not there, by its place.
    Missing(usize),
}

impl Template {
    /// Reads a text; `needed` says which holes must be there.
    pub(super) fn read(
        text: &str,
        holes: &[&str],
        needed: impl Fn(usize) -> bool,
    ) -> Result<Self, Misfit> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            let inside = brace.strip_prefix('{').ok_or(Misfit::Brace)?;
            let (name, after) = inside.split_once('}').ok_or(Misfit::Brace)?;
            let known = holes.iter().position(|hole| *hole == name);
            let hole = known.ok_or_else(|| Misfit::Unknown(name.to_owned()))?;
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            pieces.push(Piece::Hole(hole));
            rest = after;
        }
        if !rest.is_empty() || pieces.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        let missing = (0..holes.len()).find(|&i| needed(i) && !pieces.contains(&Piece::Hole(i)));
        match missing {
            Some(hole) => Err(Misfit::Missing(hole)),
            None => Ok(Self { pieces }),
        }
    }

    /// A text that says nothing.
    pub(super) const fn empty() -> Self {
        Self { pieces: Vec::new() }
    }

    /// The text of one without holes.
    pub(crate) fn plain(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    /// The text with its holes filled.
    pub(crate) fn fill(&self, values: &[&dyn Display]) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::Hole(hole) => {
                    if let Some(value) = values.get(*hole) {
                        let _ = write!(text, "{value}");
                    }
                }
            }
        }
        text
    }

    /// What its holes were filled with, where `text` was made of it; by their places.
    pub(super) fn filled_with(&self, text: &str, holes: usize) -> Option<Vec<String>> {
        let mut values = vec![None; holes];
        let mut rest = text;
        let mut open: Option<usize> = None;
        let mut settle = |hole: usize, value: &str| -> Option<()> {
            let known = values.get_mut(hole)?;
            let agrees = known.as_deref().is_none_or(|known: &str| known == value);
            *known = Some(value.to_owned());
            (agrees && !value.is_empty()).then_some(())
        };
        for (i, piece) in self.pieces.iter().enumerate() {
            match piece {
                Piece::Hole(hole) => open = Some(*hole),
                Piece::Text(piece) => {
                    // the last one stands at the end, and so may what fills the hole before it
                    let at = match i + 1 == self.pieces.len() {
                        true => rest.strip_suffix(piece.as_str())?.len(),
                        false => rest.find(piece.as_str())?,
                    };
                    match open.take() {
                        Some(hole) => settle(hole, &rest[..at])?,
                        None if at > 0 => return None,
                        None => {}
                    }
                    rest = &rest[at + piece.len()..];
                }
            }
        }
        match open {
            Some(hole) => settle(hole, rest)?,
            None if !rest.is_empty() => return None,
            None => {}
        }
        Some(values.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// How many characters its own text has.
    pub(super) fn len(&self) -> usize {
        let texts = self.pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.chars().count(),
            Piece::Hole(_) => 0,
        });
        texts.sum()
    }
}
