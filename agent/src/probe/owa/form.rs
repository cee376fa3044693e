//! Forms of a web page, as far as signing in needs them: where they go and what they hold. A
//! scanner, no HTML parser: bounded, linear, and untroubled by whatever it is given.

use crate::net::escapes::without_references;

/// The most forms that are kept of a page.
const MAX_FORMS: usize = 16;
/// The most fields that are kept of a form.
const MAX_FIELDS: usize = 100;
/// The longest name, action or value that is kept, in bytes; SAML requests are the longest.
const MAX_TEXT_BYTES: usize = 32 << 10;
/// The most attributes of a tag that are looked at.
const MAX_ATTRIBUTES: usize = 64;

/// A form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    /// Where it goes; empty for the page it stands on.
    pub(crate) action: String,
    /// Whether its fields travel in a body and not in the address.
    pub(crate) is_post: bool,
    /// Its fields that have a name, in order.
    pub(crate) fields: Vec<Field>,
}

/// A field of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) kind: FieldKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FieldKind {
    /// Not shown, and sent as it is.
    Hidden,
    /// Somebody writes into it.
    Text,
    /// Somebody writes a password into it.
    Password,
    /// A ticked box.
    Ticked,
}

impl Form {
    /// The field a password is written into.
    pub(crate) fn password(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.kind == FieldKind::Password)
    }

    /// The field a name is written into: the one called so, or the last before the password.
    pub(crate) fn username(&self) -> Option<&Field> {
        let is_text = |field: &&Field| field.kind == FieldKind::Text;
        let named = |field: &&Field| field.name.eq_ignore_ascii_case("username");
        let before = self.fields.iter().take_while(|field| field.kind != FieldKind::Password);
        let named = self.fields.iter().filter(is_text).find(named);
        named.or_else(|| before.filter(is_text).last())
    }

    /// Whether it holds a field of this name, whatever its case.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name.eq_ignore_ascii_case(name))
    }

    /// The value of a field, if it is there.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name));
        field.map(|field| field.value.as_str())
    }
}

/// The forms of a page. Fields outside any form make one of their own, which goes nowhere: pages
/// that send by script have such.
pub(crate) fn forms(page: &str) -> Vec<Form> {
    let mut done: Vec<Form> = Vec::new();
    let mut open: Option<Form> = None;
    let mut loose = Form::default();
    let mut tags = Tags { rest: page };
    while let Some(tag) = tags.next_tag() {
        match tag.name {
            Name::Form => {
                done.extend(open.take());
                if done.len() == MAX_FORMS {
                    break;
                }
                open = Some(Form {
                    action: tag.text("action").trim().to_owned(),
                    is_post: tag.text("method").trim().eq_ignore_ascii_case("post"),
                    fields: Vec::new(),
                });
            }
            Name::FormEnd => done.extend(open.take()),
            Name::Input => {
                let form = open.as_mut().unwrap_or(&mut loose);
                if form.fields.len() < MAX_FIELDS {
                    form.fields.extend(field(&tag));
                }
            }
        }
    }
    done.extend(open);
    if !loose.fields.is_empty() {
        done.push(loose);
    }
    done
}

fn field(tag: &Tag<'_>) -> Option<Field> {
    let name = tag.text("name");
    let kind = match tag.text("type").trim().to_ascii_lowercase().as_str() {
        "hidden" => FieldKind::Hidden,
        "password" => FieldKind::Password,
        "submit" | "button" | "image" | "reset" | "file" => return None,
        "checkbox" | "radio" if tag.has("checked") => FieldKind::Ticked,
        "checkbox" | "radio" => return None,
        _ => FieldKind::Text,
    };
    let value = match (tag.text("value"), kind) {
        (value, FieldKind::Ticked) if value.is_empty() => "on".to_owned(),
        (value, _) => value,
    };
    (!name.is_empty()).then_some(Field { name, value, kind })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Name {
    Form,
    FormEnd,
    Input,
}

/// A tag that matters here, with its attributes as they stand in the page.
struct Tag<'a> {
    name: Name,
    attributes: Vec<(&'a str, &'a str)>,
}

impl Tag<'_> {
    fn has(&self, name: &str) -> bool {
        self.attributes.iter().any(|(key, _)| key.eq_ignore_ascii_case(name))
    }

    /// An attribute's value, cut to what is kept; empty where it is absent.
    fn text(&self, name: &str) -> String {
        let found = self.attributes.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        let value = found.map_or("", |(_, value)| *value);
        let end =
            (0..=value.len().min(MAX_TEXT_BYTES)).rev().find(|at| value.is_char_boundary(*at));
        without_references(&value[..end.unwrap_or(0)])
    }
}

struct Tags<'a> {
    rest: &'a str,
}

impl<'a> Tags<'a> {
    /// The next tag that matters. Comments, and what scripts and the like hold, are no tags.
    fn next_tag(&mut self) -> Option<Tag<'a>> {
        loop {
            let at = self.rest.find('<')?;
            self.rest = &self.rest[at + 1..];
            if let Some(comment) = self.rest.strip_prefix("!--") {
                self.rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            let end = self.rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '/'));
            let (word, after) = self.rest.split_at(end.unwrap_or(self.rest.len()));
            let name = match word.to_ascii_lowercase().as_str() {
                "form" => Some(Name::Form),
                "/form" => Some(Name::FormEnd),
                "input" => Some(Name::Input),
                raw @ ("script" | "style" | "textarea" | "title" | "noscript" | "template") => {
                    self.rest = past(after, &format!("</{raw}"));
                    None
                }
                _ => None,
            };
            let Some(name) = name else { continue };
            let (attributes, rest) = attributes(after);
            self.rest = rest;
            return Some(Tag { name, attributes });
        }
    }
}

/// What follows `end`, whatever its case; nothing where it does not come.
fn past<'a>(text: &'a str, end: &str) -> &'a str {
    let bytes = text.as_bytes();
    let found = bytes.windows(end.len()).position(|w| w.eq_ignore_ascii_case(end.as_bytes()));
    found.map_or("", |at| &text[at + end.len()..])
}

/// The attributes of a tag, and what follows it.
fn attributes(text: &str) -> (Vec<(&str, &str)>, &str) {
    let mut attributes = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (attributes, after);
        }
        if rest.is_empty() {
            return (attributes, rest);
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))
            .unwrap_or(rest.len());
        // a lone `=` is a name of its own, as browsers have it
        let end = if end == 0 { 1 } else { end };
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.trim_start().strip_prefix('=') {
            Some(after) => value(after.trim_start()),
            None => ("", after),
        };
        rest = after;
        if attributes.len() < MAX_ATTRIBUTES {
            attributes.push((name, value));
        }
    }
}

fn value(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    let end = text.find(|c: char| c.is_ascii_whitespace() || c == '>').unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(page: &str) -> String {
        let field = |f: &Field| format!("{}={:?} {:?}", f.name, f.value, f.kind);
        let form = |f: &Form| {
            let fields: Vec<String> = f.fields.iter().map(field).collect();
            let method = if f.is_post { "post" } else { "get" };
            format!("{method} {:?} [{}]", f.action, fields.join(", "))
        };
        forms(page).iter().map(form).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_a_form_holds() {
        let check = |page: &str, expect: &str| assert_eq!(told(page), expect, "{page}");
        check("", "");
        check("<p>no form", "");
        check(
            "<FORM Action='/owa/auth.owa' METHOD = POST><input name=a value=1 type=hidden>\
             <input name=\"u\"><INPUT TYPE='password' NAME='p'/></form><input name=x>",
            "post \"/owa/auth.owa\" [a=\"1\" Hidden, u=\"\" Text, p=\"\" Password]\n\
             get \"\" [x=\"\" Text]",
        );
        check(
            "<form action=\"/a?b=1&amp;c=2&#38;d&x;\"><input type=submit name=s value=Go>\
             <input type=checkbox name=c checked><input type=radio name=r value=2>",
            "get \"/a?b=1&c=2&d&x;\" [c=\"on\" Ticked]",
        );
        check("<!-- <form><input name=a> --><form><input name=b>", "get \"\" [b=\"\" Text]");
        check("<script>'<form><input name=a>'</SCRIPT><input name=b>", "get \"\" [b=\"\" Text]");
        check(
            "<form><input name='a>b' value=\"c'd\"><inputs name=z>",
            "get \"\" [a>b=\"c'd\" Text]",
        );
        check("<form =x><input = name=a", "get \"\" [a=\"\" Text]");
        check("<form><input name=a value='never ends><input name=b>", {
            "get \"\" [a=\"never ends><input name=b>\" Text]"
        });
        check("<form action=/a><form action=/b></form></form>", "get \"/a\" []\nget \"/b\" []");
    }

    #[test]
    fn which_field_is_for_the_name() {
        let check = |page: &str, expect: Option<&str>| {
            let form = &forms(page)[0];
            assert_eq!(form.username().map(|f| f.name.as_str()), expect, "{page}");
        };
        let password = "<input type=password name=p>";
        check(&format!("<form><input name=a><input name=b>{password}<input name=c>"), Some("b"));
        check(
            &format!("<form><input name=UserName><input name=domain>{password}"),
            Some("UserName"),
        );
        check(&format!("<form><input type=hidden name=h>{password}"), None);
        check(&format!("<form><input type=email name=mail>{password}"), Some("mail"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let forms_without_end = "<form>".repeat(1000);
        assert_eq!(forms(&forms_without_end).len(), MAX_FORMS);
        let fields = format!("<form>{}", "<input name=a>".repeat(1000));
        assert_eq!(forms(&fields)[0].fields.len(), MAX_FIELDS);
        let long = format!("<input name=a value='{}'>", "ä".repeat(MAX_TEXT_BYTES));
        assert_eq!(forms(&long)[0].fields[0].value.len(), MAX_TEXT_BYTES);
        let attributes = format!("<input {} name=a>", "b=1 ".repeat(1000));
        assert!(forms(&attributes).is_empty());
        // each opens what never ends: looked through once, not once for each
        for piece in ["<script>", "<!--", "<form action='", "<input a=\"", "<title", "&#", "<"] {
            forms(&piece.repeat(200_000));
        }
    }

    proptest! {
        #[test]
        fn no_page_upsets_it(page in "(<|</|form|input|script|[ -~]|name=|type=|['\"=>&#;é]){0,80}") {
            for form in forms(&page) {
                prop_assert!(form.fields.len() <= MAX_FIELDS);
                prop_assert!(form.fields.iter().all(|field| !field.name.is_empty()));
            }
        }

        #[test]
        fn a_value_comes_back(value in "[ -~é]{0,40}") {
            let escaped = value.replace('&', "&amp;").replace('"', "&quot;");
            let page = format!("<form><input name=a value=\"{escaped}\"></form>");
            let forms = forms(&page);
            prop_assert_eq!(forms[0].value("a"), Some(value.as_str()));
        }
    }
}
