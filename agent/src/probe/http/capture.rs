//! What a step takes out of an answer for the steps after it: a regular expression's group, what
//! a JSON path finds, or a header line. What it is used for is left to `step`.

use hyper::header::{CONTENT_TYPE, HeaderName};
use mailward_catalogue::{Probe, Settings};
use regex::bytes::Regex;
use serde_json_path::JsonPath;

use super::pattern;
use crate::net::escapes::without_references;
use crate::net::http::Answer;
use crate::probe::BuildError;

/// The longest value, in bytes.
const MAX_VALUE_BYTES: usize = 8 << 10;
/// The largest body that is read as JSON, in bytes.
const MAX_JSON_BYTES: usize = 512 << 10;

/// One capture of a step.
#[derive(Debug)]
pub(super) struct Capture {
    pub(super) name: Box<str>,
    /// Whether it may be shown as a fact.
    pub(super) is_shown: bool,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Regex(Regex),
    Json(JsonPath),
    Header(HeaderName),
}

impl Capture {
    pub(super) fn read(probe: &Probe, name: &str, keys: &Settings) -> Result<Self, BuildError> {
        let wrong = |why: String| BuildError::key(probe, "step", format!("capture {name}: {why}"));
        let texts = (keys.text("regex"), keys.text("json"), keys.text("header"));
        let place = match texts {
            (Some(text), None, None) => Place::Regex(pattern(probe, "step", text)?),
            (None, Some(path), None) => {
                Place::Json(JsonPath::parse(path).map_err(|error| wrong(error.to_string()))?)
            }
            (None, None, Some(header)) => {
                let header = HeaderName::from_bytes(header.as_bytes());
                Place::Header(header.map_err(|error| wrong(error.to_string()))?)
            }
            _ => return Err(wrong("expected one of regex, json and header".to_owned())),
        };
        let is_shown = keys.bool("show").unwrap_or(false);
        Ok(Self { name: name.into(), is_shown, place })
    }

    /// The value in an answer; `None` where there is none, or one that is too long.
    pub(super) fn take(&self, answer: &Answer) -> Option<String> {
        let value = match &self.place {
            Place::Regex(pattern) => {
                let found = pattern.captures(&answer.body)?;
                let bytes = found.get(1).or_else(|| found.get(0))?.as_bytes();
                if bytes.len() > MAX_VALUE_BYTES {
                    return None;
                }
                let text = String::from_utf8_lossy(bytes);
                let is_page = answer.header(CONTENT_TYPE.as_str()).contains("html");
                if is_page { without_references(&text) } else { text.into_owned() }
            }
            Place::Json(path) => in_json(path, &answer.body)?,
            Place::Header(name) => answer.header(name.as_str()).trim().to_owned(),
        };
        (!value.is_empty() && value.len() <= MAX_VALUE_BYTES).then_some(value)
    }
}

/// What a path finds first in a body, where that is a text, a number, true or false.
fn in_json(path: &JsonPath, body: &[u8]) -> Option<String> {
    if body.len() > MAX_JSON_BYTES {
        return None;
    }
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    match path.query(&json).first()? {
        serde_json::Value::String(text) => Some(text.clone()),
        value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_)) => {
            Some(value.to_string())
        }
        _ => None,
    }
}

/// Drives everything here that reads foreign bytes.
pub(crate) fn drive(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    drop(without_references(&text));
    if let Ok(path) = JsonPath::parse("$..token") {
        in_json(&path, bytes);
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;
    use hyper::header::{HeaderMap, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn answer(content_type: &'static str, body: &[u8]) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert("x-request-id", HeaderValue::from_static(" r-17 "));
        Answer { status: StatusCode::OK, headers, body: body.to_vec().into() }
    }

    fn capture(key: &'static str, text: &str) -> Capture {
        let place = match key {
            "regex" => Place::Regex(Regex::new(text).unwrap()),
            "json" => Place::Json(JsonPath::parse(text).unwrap()),
            _ => Place::Header(HeaderName::from_bytes(text.as_bytes()).unwrap()),
        };
        Capture { name: "x".into(), is_shown: false, place }
    }

    #[test]
    fn values_are_taken_out_of_answers() {
        let page = r#"<input name="csrf" value="a&amp;b&#x2F;&#43;&ampc">"#;
        let check = |key, what: &str, content_type, body: &str, expect: Option<&str>| {
            let found = capture(key, what).take(&answer(content_type, body.as_bytes()));
            assert_eq!(found.as_deref(), expect, "{key} {what} of {body}");
        };
        let csrf = r#"name="csrf" value="([^"]+)""#;
        check("regex", csrf, "text/html; charset=utf-8", page, Some("a&b/+&ampc"));
        check("regex", csrf, "text/plain", page, Some("a&amp;b&#x2F;&#43;&ampc"));
        check("regex", "c..f", "text/plain", page, Some("csrf"));
        check("regex", "absent", "text/plain", page, None);
        check("regex", "csrf()", "text/plain", page, None);
        let json = r#"{"a":{"token":"t\"1"},"n":7,"yes":true,"list":["x","y"],"none":null}"#;
        check("json", "$.a.token", "application/json", json, Some("t\"1"));
        check("json", "$..token", "application/json", json, Some("t\"1"));
        check("json", "$.list[-1]", "application/json", json, Some("y"));
        check("json", "$.n", "application/json", json, Some("7"));
        check("json", "$.yes", "application/json", json, Some("true"));
        check("json", "$.none", "application/json", json, None);
        check("json", "$.a", "application/json", json, None);
        check("json", "$.a", "application/json", "no JSON", None);
        check("header", "X-Request-Id", "text/plain", "", Some("r-17"));
        check("header", "X-Other", "text/plain", "", None);
        let long = "x".repeat(MAX_VALUE_BYTES + 1);
        check("regex", "x+", "text/plain", &long, None);
    }

    #[test]
    fn json_that_is_deep_or_large_is_no_value() {
        let deep = "[".repeat(100_000);
        let large = format!("{{\"a\":\"b\",\"c\":\"{}\"}}", "x".repeat(MAX_JSON_BYTES));
        for body in [deep, large] {
            let found = capture("json", "$.a").take(&answer("application/json", body.as_bytes()));
            assert_eq!(found, None);
        }
    }

    proptest! {
        #[test]
        fn pages_never_upset_it(text in "(&(#x?)?[0-9a-z]{0,9};?|\\PC){0,60}") {
            drive(text.as_bytes());
            let plain = without_references(&text);
            prop_assert!(plain.len() <= text.len());
        }

        #[test]
        fn text_without_references_stays(text in "[^&]{0,60}") {
            prop_assert_eq!(without_references(&text), text);
        }
    }
}
