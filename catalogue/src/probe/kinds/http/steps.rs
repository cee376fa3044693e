//! `[[probe.step]]`: the keys of a step, and what must hold between the steps of a transaction:
//! names are captured before they are used, and an account is shown over https only.

use std::collections::BTreeSet;

use url::Url;

use super::METHODS;
use crate::key::{Inner, Key, Settings, Shape, Wrong};
use crate::read::nearest;
use crate::template::{Template, is_name};

/// The most steps of a probe.
const MAX_STEPS: usize = 20;
/// The most captures of all steps together.
const MAX_CAPTURES: usize = 64;
/// The longest JSON path, in bytes.
const MAX_PATH_BYTES: usize = 256;
/// Names that stand for the account.
const ACCOUNT: [&str; 2] = ["username", "password"];
/// Phases of every connection, whose names no step can have.
const PHASES: [&str; 5] = ["dns", "connect", "tls", "request", "body"];

/// `[[probe.step]]`
pub static STEP: Inner = Inner {
    keys: &[
        Key::optional("name", Shape::Id, "its name: the phase it is; else step1, step2 …"),
        Key::optional("url", Shape::Text, "what is asked for, whole or from the probe's url on"),
        Key::optional("path", Shape::Text, "the same as a path of the probe's server; this or url"),
        Key::optional(
            "method",
            Shape::Word(METHODS),
            "the method; GET, or POST with body or form, where absent",
        ),
        Key::optional("headers", Shape::Headers, "further headers of this request"),
        Key::optional("body", Shape::Text, "what is sent; this or form"),
        Key::optional("form", Shape::Table, "fields that are sent as a form of a page is"),
        Key::optional("expect_status", Shape::Statuses, "statuses that are as expected")
            .or("\"2xx\""),
        Key::optional("expect_body", Shape::Pattern, "what the body must hold"),
        Key::optional("capture", Shape::NamedGroups(&CAPTURE), "what later steps use, by name"),
        Key::optional(
            "rejected_by",
            Shape::Group(REJECTED_BY),
            "what says that the account is refused; any of its keys will do",
        ),
        Key::optional("follow", Shape::Bool, "whether redirects are followed; else as the probe"),
        Key::optional("slow", Shape::Period, "slower than this is degraded"),
    ],
    example: "{ path = \"/login\" }",
    judge,
};

/// `capture.NAME` of a step.
static CAPTURE: Inner = Inner {
    keys: &[
        Key::optional("regex", Shape::Pattern, "its first group, or all it matches, of the body"),
        Key::optional("json", Shape::Text, "what a JSON path (RFC 9535) finds first in the body"),
        Key::optional("header", Shape::Text, "the value of this header of the answer"),
        Key::optional("show", Shape::Bool, "whether it is shown to operators as a fact")
            .or("false"),
    ],
    example: "{ regex = 'name=\"token\" value=\"([^\"]+)' }",
    judge: judge_capture,
};

/// `rejected_by` of a step.
static REJECTED_BY: &[Key] = &[
    Key::optional("status", Shape::Statuses, "a status of the answer"),
    Key::optional("body", Shape::Pattern, "what its body holds"),
    Key::optional("url", Shape::Pattern, "what the address holds that redirects led to"),
];

/// The name of a step, given or by its place.
pub(super) fn called(steps: &[Settings], step: &Settings) -> String {
    let at = steps.iter().position(|other| std::ptr::eq(other, step)).unwrap_or(0);
    step_name(step, at)
}

fn step_name(step: &Settings, at: usize) -> String {
    step.text("name").map_or_else(|| format!("step{}", at + 1), str::to_owned)
}

/// Texts of a step in which names may stand, with their keys.
fn texts(step: &Settings) -> impl Iterator<Item = (&'static str, &str)> {
    let single = ["url", "path", "body"].into_iter();
    let single = single.filter_map(|key| Some((key, step.text(key)?)));
    let tables = ["headers", "form"].into_iter();
    single.chain(tables.flat_map(|key| step.table(key).map(move |(_, value)| (key, value))))
}

/// Whether a step uses the account's name or password.
pub(super) fn shows_account(step: &Settings) -> bool {
    texts(step).any(|(_, text)| Template::parse(text).names().any(|name| ACCOUNT.contains(&name)))
}

/// The step's URL, where it is whole and has no names in it.
pub(super) fn fixed_url(step: &Settings) -> Option<String> {
    let url = step.text("url")?;
    if Template::parse(url).names().next().is_some() {
        return None;
    }
    let url = Url::parse(url).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

/// Whether a step goes to an https URL that stands in the definition as far as its host.
pub(super) fn is_encrypted(step: &Settings, base: &str) -> bool {
    let Some(url) = step.text("url") else {
        return base.starts_with("https://");
    };
    let template = Template::parse(url);
    let has_names = template.names().next().is_some();
    let head = if has_names { template.head() } else { url };
    let Ok(base) = Url::parse(base) else {
        return false;
    };
    match head.split_once("://") {
        // a name must not stand where it could change the host
        Some((scheme, rest)) => {
            scheme.eq_ignore_ascii_case("https") && (!has_names || rest.contains(['/', '?', '#']))
        }
        None if has_names && (head.is_empty() || head.starts_with("//")) => false,
        None => base.join(head).is_ok_and(|joined| joined.scheme() == "https"),
    }
}

fn judge(steps: &[Settings]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    if steps.len() > MAX_STEPS {
        let message = format!("expected at most {MAX_STEPS} steps, got {}", steps.len());
        wrong.push(Wrong { at: MAX_STEPS, key: "name", message });
    }
    let mut names = BTreeSet::new();
    let mut captured = BTreeSet::new();
    let mut captures = 0;
    let mut shown = false;
    for (at, step) in steps.iter().enumerate() {
        let mut tell = |key, message: String| wrong.push(Wrong { at, key, message });
        let name = step_name(step, at);
        if PHASES.contains(&&*name) {
            tell("name", format!("{name:?} is a phase of every connection; expected another name"));
        }
        if !names.insert(name.clone()) {
            tell("name", format!("{name:?} is the name of an earlier step"));
        }
        one(step, &captured, &mut tell);
        shown |= shows_account(step);
        if step.group("rejected_by").is_some() && !shown {
            tell("rejected_by", "no account has been shown up to this step".to_owned());
        }
        for (name, _) in step.named_groups("capture") {
            captures += 1;
            if ACCOUNT.contains(&name) {
                tell("capture", format!("{name:?} stands for the account; expected another name"));
            } else if !is_name(name) {
                let form = "a name of ASCII letters, digits and _, at most 64";
                tell("capture", format!("expected {form}, got {name:?}"));
            }
            captured.insert(name.to_owned());
        }
        if captures > MAX_CAPTURES {
            tell("capture", format!("expected at most {MAX_CAPTURES} captures in all steps"));
        }
    }
    wrong
}

/// What holds within one step.
fn one(step: &Settings, captured: &BTreeSet<String>, tell: &mut impl FnMut(&'static str, String)) {
    if step.text("url").is_some() && step.text("path").is_some() {
        tell("path", "expected url or path, got both".to_owned());
    }
    if step.text("path").is_some_and(|path| !path.starts_with('/') || path.starts_with("//")) {
        tell("path", "expected a path that begins with one /".to_owned());
    }
    let has_form = step.table("form").next().is_some();
    if step.text("body").is_some() && has_form {
        tell("form", "expected body or form, got both".to_owned());
    }
    let sends = step.text("body").is_some() || has_form;
    if sends && matches!(step.text("method"), Some("GET" | "HEAD")) {
        tell("method", "body and form need a method that sends something".to_owned());
    }
    let looks = step.text("expect_body").is_some();
    if step.text("method") == Some("HEAD") && looks {
        tell("expect_body", "an answer to HEAD has no body to look into".to_owned());
    }
    if step.group("rejected_by").is_some_and(|keys| keys.0.is_empty()) {
        tell("rejected_by", "expected status, body or url, or several of them".to_owned());
    }
    if let Some(url) = step.text("url") {
        // names stand for something that any part of a URL can hold
        let filled = Template::parse(url).fill(|_| Ok::<_, ()>("x".to_owned()));
        let base = Url::parse("https://example.org/");
        let joined = base.and_then(|base| base.join(&filled.unwrap_or_default()));
        match joined {
            Ok(joined) if !matches!(joined.scheme(), "http" | "https") => {
                tell("url", "expected an http or https URL".to_owned());
            }
            Ok(joined) if !joined.username().is_empty() || joined.password().is_some() => {
                tell("url", "expected a URL without user name and password".to_owned());
            }
            Ok(_) => {}
            Err(why) => tell("url", format!("expected a URL: {why}")),
        }
    }
    for (key, text) in texts(step) {
        let template = Template::parse(text);
        for name in template.names() {
            if ACCOUNT.contains(&name) {
                if matches!(key, "url" | "path") {
                    tell(key, format!("{{{name}}} may stand in headers, body and form only"));
                }
            } else if !captured.contains(name) {
                let known = captured.iter().map(String::as_str).chain(ACCOUNT);
                let near = nearest(name, known)
                    .map_or(String::new(), |near| format!("; the nearest is {{{near}}}"));
                tell(key, format!("no earlier step captures {{{name}}}{near}"));
            }
        }
    }
}

fn judge_capture(captures: &[Settings]) -> Vec<Wrong> {
    let mut wrong = Vec::new();
    for (at, capture) in captures.iter().enumerate() {
        let places = ["regex", "json", "header"];
        let given: Vec<&str> =
            places.into_iter().filter(|key| capture.text(key).is_some()).collect();
        if given.len() != 1 {
            let message = format!("expected one of regex, json and header, got {}", given.len());
            wrong.push(Wrong { at, key: "", message });
        }
        if let Some(Err(message)) = capture.text("json").map(json_path) {
            wrong.push(Wrong { at, key: "json", message });
        }
        let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        if capture.text("header").is_some_and(|name| !name.bytes().all(token)) {
            let message = "expected the name of a header".to_owned();
            wrong.push(Wrong { at, key: "header", message });
        }
    }
    wrong
}

fn json_path(path: &str) -> Result<(), String> {
    // each .. goes through all of the body
    if path.len() > MAX_PATH_BYTES || path.matches("..").count() > 1 {
        return Err(format!(
            "expected a JSON path of at most {MAX_PATH_BYTES} bytes with at most one .."
        ));
    }
    match serde_json_path::JsonPath::parse(path) {
        Ok(_) => Ok(()),
        Err(why) => Err(format!("expected a JSON path such as $.token: {why}")),
    }
}
