//! The JSON Schema of probes.toml, from the same tables that reading uses. It says what an
//! editor can check; rules that span keys are left to `mailward check`.

use serde_json::{Map, Value as Json, json};

use crate::key::{Key, Shape};
use crate::probe::{Wants, kinds};
use crate::section::{self, DAYS, Form, MEASURES, SECTIONS, Section};

/// The JSON Schema (draft 2020-12) of probes.toml.
#[must_use]
pub fn schema() -> Json {
    let properties = SECTIONS.iter().map(|section| (section.name.to_owned(), of_section(section)));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Mailward probes.toml",
        "description": "What is watched, and what was promised.",
        "type": "object",
        "required": ["service"],
        "additionalProperties": false,
        "properties": properties.collect::<Map<_, _>>(),
    })
}

fn of_section(section: &'static Section) -> Json {
    let one = match section.name {
        "probe" => json!({ "oneOf": probes() }),
        "level" => json!({ "oneOf": levels() }),
        "hours" => of_hours(),
        _ => table(section.keys.iter(), &[]),
    };
    let mut whole = match section.form {
        Form::Table => one,
        Form::List => json!({ "type": "array", "items": one }),
        Form::Named => json!({ "type": "object", "additionalProperties": one }),
        Form::Below(below) => json!({
            "type": "object",
            "additionalProperties": false,
            "properties": { below: one },
        }),
    };
    whole["description"] = json!(section.about);
    whole
}

fn probes() -> Vec<Json> {
    let of_kind = kinds::KINDS.iter().map(|kind| {
        let takes = |key: &&Key| key.name != "credential" || kind.credential != Wants::Never;
        let keys = section::PROBE.keys.iter().filter(takes).chain(kind.keys);
        let mut one = table(keys, &[("kind", kind.name, kind.about)]);
        one["title"] = json!(kind.name);
        one["description"] = json!(kind.about);
        one["oneOf"] = json!([{ "required": ["every"] }, { "required": ["cron"] }]);
        if kind.credential == Wants::Required
            && let Some(required) = one["required"].as_array_mut()
        {
            required.push(json!("credential"));
        }
        one
    });
    of_kind.collect()
}

fn levels() -> Vec<Json> {
    let of_measure = MEASURES.iter().map(|measure| {
        let keys = section::LEVEL.keys.iter().chain(measure.keys);
        let mut one = table(keys, &[("measure", measure.name, measure.about)]);
        one["title"] = json!(measure.name);
        one["description"] = json!(measure.about);
        if measure.keys.iter().any(|key| key.name == "over") {
            one["oneOf"] = json!([{ "required": ["component"] }, { "required": ["over"] }]);
        }
        one
    });
    of_measure.collect()
}

fn of_hours() -> Json {
    let mut one = table(section::HOURS.keys.iter(), &[]);
    let days = DAYS.join("|");
    let run_of_days = format!("^({days})-({days})$");
    let mut spans = of_shape(Shape::Spans);
    spans["description"] = json!("hours that start on these days");
    one["patternProperties"] = json!({ run_of_days: spans });
    one
}

/// A table with these keys, of which some stand for one word only.
fn table<'k>(keys: impl Iterator<Item = &'k Key>, fixed: &[(&str, &str, &str)]) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for key in keys {
        let mut of_key = match fixed.iter().find(|(name, _, _)| *name == key.name) {
            Some((_, word, about)) => json!({ "const": word, "description": about }),
            None => {
                let mut of_key = of_shape(key.shape);
                of_key["description"] = json!(key.about);
                of_key
            }
        };
        if let Some(default) = key.default.and_then(default_as_json) {
            of_key["default"] = default;
        }
        if key.required {
            required.push(key.name);
        }
        properties.insert(key.name.to_owned(), of_key);
    }
    json!({
        "type": "object",
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}

/// Defaults are written alike in TOML and JSON: texts, numbers, booleans and lists of them.
fn default_as_json(written: &str) -> Option<Json> {
    serde_json::from_str(written).ok()
}

fn of_shape(shape: Shape) -> Json {
    let text = || json!({ "type": "string", "minLength": 1 });
    let list = |of: Json| json!({ "type": "array", "items": of, "maxItems": 1000 });
    let one_or_list = |of: Json| json!({ "anyOf": [of.clone(), list(of)] });
    let matching = |pattern: &str| json!({ "type": "string", "pattern": pattern });
    let whole = |from: i64, to: i64| json!({ "type": "integer", "minimum": from, "maximum": to });
    match shape {
        Shape::Text
        | Shape::Host
        | Shape::Name
        | Shape::Pattern
        | Shape::Resolver
        | Shape::Mailbox
        | Shape::Zone
        | Shape::Listen
        | Shape::Path => text(),
        Shape::Language => json!({ "anyOf": [text(), { "type": "object" }] }),
        Shape::Line(most) => json!({ "type": "string", "minLength": 1, "maxLength": most }),
        Shape::Colour => matching("^#[0-9A-Fa-f]{6}$"),
        Shape::Sender => json!({ "type": "string" }),
        Shape::Url => matching("^https?://"),
        Shape::UrlOrSecret => {
            json!({ "anyOf": [of_shape(Shape::Url), of_shape(Shape::Secret)] })
        }
        Shape::Port => whole(1, 65_535),
        Shape::Integer(from, to) => whole(from, to),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Duration | Shape::Period => matching(r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?(\d+ms)?$"),
        Shape::Seconds => matching(r"^(\d+d)?(\d+h)?(\d+m)?(\d+s)?$"),
        Shape::Texts | Shape::Labels | Shape::Networks | Shape::Targets => list(text()),
        Shape::Addresses | Shape::Names | Shape::Mailboxes => {
            let some =
                |of: Json| json!({ "type": "array", "items": of, "minItems": 1, "maxItems": 1000 });
            json!({ "anyOf": [text(), some(text())] })
        }
        Shape::Pool => {
            let members =
                json!({ "type": "array", "items": text(), "minItems": 1, "maxItems": 16 });
            json!({ "anyOf": [{ "enum": ["any", "each"] }, text(), members] })
        }
        Shape::Words(words) => one_or_list(json!({ "enum": words })),
        Shape::Statuses => {
            let status = matching(r"^([1-5]xx|[1-5]\d\d(-[1-5]\d\d)?)$");
            one_or_list(json!({ "anyOf": [whole(100, 599), status] }))
        }
        Shape::Group(keys) => table(keys.iter(), &[]),
        Shape::Groups(inner) => {
            let items = table(inner.keys.iter(), &[]);
            json!({ "type": "array", "items": items, "minItems": 1, "maxItems": 1000 })
        }
        Shape::NamedGroups(inner) => {
            let of_names = table(inner.keys.iter(), &[]);
            json!({ "type": "object", "additionalProperties": of_names })
        }
        Shape::HeaderPatterns => {
            let of_names = json!({ "type": "object", "additionalProperties": text() });
            json!({ "anyOf": [of_names, text(), list(text())] })
        }
        Shape::Table | Shape::Headers => {
            json!({ "type": "object", "additionalProperties": { "type": "string" } })
        }
        Shape::WordTable(words) => {
            let word = json!({ "enum": words.iter().chain(&[""]).collect::<Vec<_>>() });
            json!({ "type": "object", "additionalProperties": word })
        }
        Shape::OneOrTexts => one_or_list(text()),
        Shape::Id => matching("^[A-Za-z0-9._-]{1,128}$"),
        Shape::Ids => {
            let id = matching("^[A-Za-z0-9._-]{1,128}$");
            let two = json!({ "type": "array", "items": id, "minItems": 1, "maxItems": 2 });
            json!({ "anyOf": [id, two] })
        }
        Shape::Label => text(),
        Shape::Secret => {
            let place = |name: &str| {
                json!({
                    "type": "object",
                    "required": [name],
                    "additionalProperties": false,
                    "properties": { name: text() },
                })
            };
            json!({ "oneOf": [place("file"), place("env"), place("systemd")] })
        }
        Shape::Percent => matching(r"^\d{1,3}(\.\d+)? ?%$"),
        Shape::Credits => json!({
            "type": "array",
            "minItems": 1,
            "maxItems": 1000,
            "items": {
                "type": "object",
                "required": ["below", "credit"],
                "additionalProperties": false,
                "properties": {
                    "below": of_shape(Shape::Percent),
                    "credit": of_shape(Shape::Percent),
                },
            },
        }),
        Shape::Clock => matching(r"^([01]\d|2[0-3]):[0-5]\d$"),
        Shape::Date => matching(r"^\d{4}-\d\d-\d\d$"),
        Shape::Dates => list(matching(r"^\d{4}-\d\d-\d\d$")),
        Shape::Need(words) => {
            json!({ "anyOf": [{ "enum": words }, { "type": "integer", "minimum": 1 }] })
        }
        Shape::Spans => one_or_list(matching(r"^\d\d:\d\d-\d\d:\d\d$")),
        Shape::Size => {
            let sizes = matching(r"^\d+ *(B|[kK]B|MB|GB|KiB|MiB|GiB|TiB)$");
            json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, sizes] })
        }
        Shape::Hours => matching(r"^(24x7|(not +)?[A-Za-z0-9._-]+)$"),
        Shape::Cron => matching(r"^\S+( +\S+){4,6}$"),
    }
}
