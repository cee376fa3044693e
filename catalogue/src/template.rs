//! Texts with names in braces, as the steps of an `http` probe have them: `{token}` stands for
//! what was captured under that name. How a value is escaped is left to whoever fills it in.

/// The longest name, in bytes.
const MAX_NAME_BYTES: usize = 64;

/// A text with names in it. `{NAME}` is a name of ASCII letters, digits and `_` that does not
/// begin with a digit; `{{NAME}}` is the text `{NAME}`; every other brace is itself, so that
/// JSON can be written as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(String),
}

impl Template {
    /// Reads a text; every text is one.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('{') {
            plain.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(name) = name_at(rest, "{{", "}}") {
                plain.push_str(&rest[1..name.len() + 3]);
                rest = &rest[name.len() + 4..];
            } else if let Some(name) = name_at(rest, "{", "}") {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(Part::Name(name.to_owned()));
                rest = &rest[name.len() + 2..];
            } else {
                plain.push('{');
                rest = &rest[1..];
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Self(parts)
    }

    /// The names in it, in their order; one that stands twice is there twice.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Name(name) => Some(name.as_str()),
            Part::Text(_) => None,
        })
    }

    /// The name, where it is nothing else.
    #[must_use]
    pub fn only_name(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Name(name)] => Some(name),
            _ => None,
        }
    }

    /// What stands before the first name.
    #[must_use]
    pub fn head(&self) -> &str {
        match self.0.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// The text with every name replaced by what `value` gives for it.
    ///
    /// # Errors
    /// The first that `value` gives.
    pub fn fill<E>(&self, mut value: impl FnMut(&str) -> Result<String, E>) -> Result<String, E> {
        let mut filled = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Name(name) => filled.push_str(&value(name)?),
            }
        }
        Ok(filled)
    }
}

/// Whether a text can be a name.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let first = text.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && text.len() <= MAX_NAME_BYTES
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The name that `text` begins with, between `open` and `close`.
fn name_at<'t>(text: &'t str, open: &str, close: &str) -> Option<&'t str> {
    let rest = text.strip_prefix(open)?;
    let name = &rest[..rest.find('}')?];
    (is_name(name) && rest[name.len()..].starts_with(close)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str) -> String {
        let value = |name: &str| Ok::<_, ()>(format!("<{name}>"));
        Template::parse(text).fill(value).unwrap()
    }

    #[test]
    fn names_are_filled_in_and_other_braces_stay() {
        let check = |text: &str, expect: &str| assert_eq!(filled(text), expect, "{text}");
        check("", "");
        check("plain", "plain");
        check("/a/{id}?t={token_2}", "/a/<id>?t=<token_2>");
        check("{{id}} {id}", "{id} <id>");
        check("{{id} {id}}", "{<id> <id>}");
        check(r#"{"a":{"b":"{id}"}}"#, r#"{"a":{"b":"<id>"}}"#);
        check("{} { id } {2a} {a-b} {ä} {", "{} { id } {2a} {a-b} {ä} {");
        check("{a}{b}", "<a><b>");
        assert_eq!(Template::parse("{next}").only_name(), Some("next"));
        assert_eq!(Template::parse("{next}/x").only_name(), None);
        assert_eq!(Template::parse("https://x/{next}").head(), "https://x/");
        assert_eq!(Template::parse("{a} {b} {a}").names().collect::<Vec<_>>(), ["a", "b", "a"]);
    }

    proptest! {
        #[test]
        fn every_text_is_one(text in "[{}a-c_0-9 \"ä]{0,40}") {
            let template = Template::parse(&text);
            let back = template.fill(|name| Ok::<_, ()>(format!("{{{name}}}"))).unwrap();
            // doubled braces are the only thing that is taken away
            prop_assert!(back == text || (text.contains("{{") && back.len() < text.len()));
        }
    }
}
