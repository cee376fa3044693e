//! Writing TOML that people will read and change: values, keys in their order, and comments.
//! What came from outside is escaped in values, and cannot leave its line in comments.

use std::fmt::Write;

/// The longest piece of foreign text in a comment, in characters.
const MAX_SHOWN: usize = 300;

/// A value of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Whole(u32),
    List(Vec<String>),
}

impl Value {
    /// As TOML has it, on one line.
    pub(crate) fn written(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Whole(number) => number.to_string(),
            Self::List(list) => {
                let list: Vec<String> = list.iter().map(|text| quoted(text)).collect();
                format!("[{}]", list.join(", "))
            }
        }
    }
}

/// A basic string (TOML 1.0, "String").
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || is_unseen(c) => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Foreign text as it may stand in a comment or on a terminal: one line, nothing that steers,
/// and not too long.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (at, c) in text.chars().enumerate() {
        if at == MAX_SHOWN {
            out.push('…');
            break;
        }
        out.push(if c.is_control() || is_unseen(c) { '\u{fffd}' } else { c });
    }
    out
}

/// Characters that change how others are shown, or are not shown at all.
fn is_unseen(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped() {
        let check = |text: &str, expect: &str| assert_eq!(quoted(text), expect, "{text:?}");
        check("plain é", "\"plain é\"");
        check("a\"b\\c\nd", r#""a\"b\\c\U0000000Ad""#);
        check("\u{1b}[2J\u{202e}", r#""\U0000001B[2J\U0000202E""#);
        assert_eq!(Value::List(vec!["a".into(), "\"".into()]).written(), r#"["a", "\""]"#);
    }

    #[test]
    fn comments_stay_on_their_line() {
        assert_eq!(
            shown("v=spf1\r\n[agent]\u{1b}\u{2028}x"),
            "v=spf1\u{fffd}\u{fffd}[agent]\u{fffd}\u{fffd}x"
        );
        assert_eq!(shown(&"x".repeat(1000)).chars().count(), MAX_SHOWN + 1);
    }
}
