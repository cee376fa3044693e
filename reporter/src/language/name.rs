//! Whether a language's tag is one (BCP 47), and whether its texts can be drawn.

use crate::render::pdf;

/// A language, perhaps a script, perhaps a region: `en`, `en-GB`, `sr-Latn-RS`.
pub(super) fn is_tag(text: &str) -> bool {
    let mut parts = text.split('-');
    let letters = |part: &str| part.bytes().all(|b| b.is_ascii_alphabetic());
    let language = parts.next().is_some_and(|p| matches!(p.len(), 2 | 3) && letters(p));
    let mut parts = parts.peekable();
    parts.next_if(|part| part.len() == 4 && letters(part));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    parts.next_if(|p| (p.len() == 2 && letters(p)) || (p.len() == 3 && digits(p)));
    language && parts.next().is_none()
}

/// The first character that the report's faces cannot draw, or not in its order.
pub(super) fn undrawable(text: &str) -> Option<char> {
    text.chars().find(|&c| !pdf::draws(c) || is_right_to_left(c))
}

/// Whether a character belongs to a script that is written from the right, which the PDF is not.
const fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{feff}')
}
