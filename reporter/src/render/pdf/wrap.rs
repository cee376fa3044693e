//! Where lines break: between words, never within `1 h 30 min` or `14 Oct`, and within a word
//! only where it is wider than its line. Widths come from the face; what is drawn is not known.

use super::font::{Face, Faces};
use super::style::Style;

/// Holds two words together; it is drawn as a blank.
const HOLD: char = '\u{a0}';

/// Units that stay with their number.
const UNITS: [&str; 6] = ["%", "h", "min", "s", "ms", "d"];

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The text with blanks that must not break made unbreakable.
pub(super) fn held(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut out = String::with_capacity(text.len());
    for (i, word) in words.iter().enumerate() {
        out.push_str(word);
        if let Some(next) = words.get(i + 1) {
            let after = words.get(i + 2).copied().unwrap_or_default();
            out.push(if hold(word, next, after) { HOLD } else { ' ' });
        }
    }
    out
}

fn hold(word: &str, next: &str, after: &str) -> bool {
    let bare = |word: &str| word.trim_end_matches([',', '.', ';', ':', ')']).to_owned();
    let unit = |word: &str| UNITS.contains(&bare(word).as_str());
    if is_number(word) {
        return unit(next) || MONTHS.contains(&bare(next).as_str());
    }
    // `1 h 4 min`
    let whole_unit = UNITS.contains(&word) && word != "%";
    whole_unit && is_number(next) && unit(after)
        || word == "≤"
        || is_clock(word) && is_zone(&bare(next))
}

fn is_number(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '−', '-', '+', '≤']);
    word.starts_with(|c: char| c.is_ascii_digit())
        && word.ends_with(|c: char| c.is_ascii_digit())
        && word.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.'))
}

fn is_clock(word: &str) -> bool {
    let parts = || word.split(':');
    (2..=3).contains(&parts().count())
        && parts().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_zone(word: &str) -> bool {
    (2..=5).contains(&word.len())
        && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || "+-".contains(c))
}

/// Breaks a text into lines no wider than `width_mm`; words wider than that are broken. A line
/// that goes on after a blank ends with it, so that who reads it aloud keeps the words apart.
pub(super) fn lines(faces: &Faces, style: Style, text: &str, width_mm: f32) -> Vec<String> {
    let face = faces.face(style.weight);
    let text = held(&face.drawable(text));
    let blank = face.width_mm(" ", style.size_pt);
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0.0);
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let wide = face.width_mm(word, style.size_pt);
        if !line.is_empty() && used + blank + wide <= width_mm {
            line.push(' ');
            line.push_str(word);
            used += blank + wide;
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
            lines.push(std::mem::take(&mut line));
        }
        let (broken, rest) = broken(face, style, word, width_mm);
        lines.extend(broken);
        used = face.width_mm(&rest, style.size_pt);
        line = rest;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    for line in &mut lines {
        *line = line.replace(HOLD, " ");
    }
    lines
}

/// The full lines of a word that is wider than a line, and what is left of it.
fn broken(face: &Face, style: Style, word: &str, width_mm: f32) -> (Vec<String>, String) {
    let mut full = Vec::new();
    let (mut line, mut used) = (String::new(), 0.0);
    for c in word.chars() {
        let wide = face.width_of(c, style.size_pt);
        if used + wide > width_mm && !line.is_empty() {
            // better after a sign that joins than within a syllable
            let joint = line
                .rfind(['/', '-', '.', '_', '@', HOLD])
                .map(|at| at + line[at..].chars().next().map_or(0, char::len_utf8));
            let at = joint.filter(|at| *at < line.len() && 2 * at >= line.len());
            let rest = line.split_off(at.unwrap_or(line.len()));
            full.push(std::mem::replace(&mut line, rest));
            used = face.width_mm(&line, style.size_pt);
        }
        line.push(c);
        used += wide;
    }
    (full, line)
}

/// The width of the widest part of a text that does not break.
pub(super) fn widest_word(faces: &Faces, style: Style, text: &str) -> f32 {
    let face = faces.face(style.weight);
    let text = held(&face.drawable(text));
    text.split(' ').map(|word| face.width_mm(word, style.size_pt)).fold(0.0, f32::max)
}

/// The width of a text on one line.
pub(super) fn width(faces: &Faces, style: Style, text: &str) -> f32 {
    let face = faces.face(style.weight);
    face.width_mm(face.drawable(text).trim_end(), style.size_pt)
}

/// A text shortened with an ellipsis where it is wider than `width_mm`.
pub(super) fn shortened(faces: &Faces, style: Style, text: &str, width_mm: f32) -> String {
    let face = faces.face(style.weight);
    let text = face.drawable(text);
    if face.width_mm(&text, style.size_pt) <= width_mm {
        return text;
    }
    let mut room = width_mm - face.width_of('…', style.size_pt);
    let fits = text.chars().take_while(|c| {
        room -= face.width_of(*c, style.size_pt);
        room >= 0.0
    });
    format!("{}…", fits.collect::<String>().trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_dates_do_not_break() {
        let check = |text: &str, expect: &str| {
            assert_eq!(held(text).replace(HOLD, "_"), expect, "{text:?}");
        };
        check("it lasted 1 h 30 min 11 s.", "it lasted 1_h_30_min_11_s.");
        check("on Wed 14 Oct, 01:10 BST and", "on Wed 14_Oct, 01:10_BST and");
        check("99.9 % of 40,210 checks", "99.9_% of 40,210 checks");
        check("95 % within 4 s", "95_% within 4_s");
        check("≤ 0 s", "≤_0_s");
        check("−16 min 30 s, or less", "−16_min_30_s, or less");
        check("2 of 14 May", "2 of 14_May");
        check("level 3 and 4", "level 3 and 4");
    }

    #[test]
    fn lines_break_between_words_and_keep_their_blank() {
        let faces = Faces::shipped().unwrap();
        let all = lines(faces, Style::BODY, "no answer came within 1 h 30 min", 30.0);
        assert_eq!(all, ["no answer came ", "within 1 h 30 min"]);
        let address = lines(faces, Style::BODY, "https://check.example.org/a-long-way", 30.0);
        assert_eq!(address.concat(), "https://check.example.org/a-long-way");
        assert!(address.len() > 1 && address[0].ends_with(['/', '.', '-']), "{address:?}");
    }
}
