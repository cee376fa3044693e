//! A badge for other pages: a row's name and state as a small SVG that needs no fonts.

use askama::Template;

use crate::language::Language;
use crate::status::{Row, State};

#[derive(Template)]
#[template(path = "badge.svg", escape = "html")]
struct Badge<'a> {
    name: &'a str,
    state: &'a str,
    fill: &'static str,
    ink: &'static str,
    name_width: usize,
    state_width: usize,
    width: usize,
    name_text: usize,
    state_text: usize,
}

/// The badge of a row.
///
/// # Errors
/// When the template cannot be written.
pub fn badge(row: &Row, say: &Language) -> askama::Result<String> {
    let name: String = row.name.chars().take(64).collect();
    let state = say.state(row.now.state);
    let (fill, ink) = colours(row.now.state);
    // a sans at 11 px is about 6.5 px a character; textLength makes it exactly so everywhere
    let text = |words: &str| words.chars().count() * 13 / 2;
    let (name_text, state_text) = (text(&name), text(state));
    let (name_width, state_width) = (name_text + 12, state_text + 12);
    Badge {
        name: &name,
        state,
        fill,
        ink,
        name_width,
        state_width,
        width: name_width + state_width,
        name_text,
        state_text,
    }
    .render()
}

const fn colours(state: State) -> (&'static str, &'static str) {
    match state {
        State::Working => ("#00703c", "#fff"),
        State::Slow | State::Partly => ("#b58840", "#0b0c0c"),
        State::NotWorking => ("#d4351c", "#fff"),
        State::Maintenance => ("#5694ca", "#0b0c0c"),
        State::NoData => ("#b1b4b6", "#0b0c0c"),
    }
}
