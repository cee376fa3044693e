//! `http`: its keys, for one request or, with `[[probe.step]]`, for a transaction of several.

mod steps;

use super::{ADDRESSES, BASE, error, warning};
use crate::key::{Key, Settings, Shape, Value};
use crate::probe::{Advice, Declared, Kind, Probe, Wants};

pub use steps::STEP;

/// `http`
pub static HTTP: Kind = Kind {
    name: "http",
    about: "fetches a URL over a fresh connection (with https: a full TLS handshake each time), \
            or goes through a transaction of several steps",
    credential: Wants::Optional,
    keys: &[
        Key::optional(
            "url",
            Shape::Url,
            "what is fetched; with steps, what their URLs start from. It must be there unless \
            the first step has a whole URL",
        ),
        Key::optional("method", Shape::Word(METHODS), "the method of the request").or("\"GET\""),
        Key::optional("headers", Shape::Headers, "further headers of every request; no secrets"),
        Key::optional("expect_status", Shape::Statuses, "statuses that are up").or("\"2xx\""),
        Key::optional("expect_body", Shape::Pattern, "what the body must hold, in its first 2 MiB"),
        Key::optional("follow", Shape::Bool, "whether redirects are followed, 10 at most")
            .or("true"),
        ADDRESSES,
        Key::optional("step", Shape::Groups(&STEP), "requests one after the other: a transaction"),
    ],
    depth,
    settle,
    ..BASE
};

fn depth(probe: &Probe) -> &'static str {
    match (probe.settings.group_list("step").is_empty(), probe.credentials.is_empty()) {
        (true, _) => "to the page",
        (false, true) => "through several pages",
        (false, false) => "through signing in and what follows",
    }
}

const METHODS: &[&str] =
    &["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "REPORT"];

fn settle(settings: &mut Settings, declared: &Declared) -> Vec<Advice> {
    if !settings.group_list("step").is_empty() {
        return settle_steps(settings, declared);
    }
    let mut advice = Vec::new();
    if settings.text("url").is_none() {
        advice.push(error("url", "kind http needs the key \"url\": what is fetched"));
    }
    if settings.text("method") == Some("HEAD") && settings.text("expect_body").is_some() {
        advice.push(error("expect_body", "an answer to HEAD has no body to look into"));
    }
    if declared.credential {
        let message = "nothing shows it: give [[probe.step]] that use {username} and {password}";
        advice.push(error("credential", message));
    }
    advice
}

fn settle_steps(settings: &mut Settings, declared: &Declared) -> Vec<Advice> {
    let mut advice = Vec::new();
    if settings.text("url").is_none() {
        let first = settings.group_list("step").first();
        let first = first.and_then(steps::fixed_url);
        match first {
            Some(url) => {
                settings.0.insert("url", Value::Text(url));
            }
            None => advice.push(error(
                "url",
                "kind http needs the key \"url\", or a whole URL without names in its first step",
            )),
        }
    }
    for key in ["method", "expect_status", "expect_body"] {
        let default = match key {
            "method" => settings.text(key) == Some("GET"),
            "expect_status" => settings.statuses(key) == [(200, 299)],
            _ => settings.text(key).is_none(),
        };
        if !default {
            advice.push(error(key, &format!("with steps, {key} belongs into each of them")));
        }
    }
    let base = settings.text("url").unwrap_or_default();
    let steps = settings.group_list("step");
    let shows = |step: &&Settings| steps::shows_account(step);
    match (declared.credential, steps.iter().find(shows)) {
        (true, None) => {
            advice.push(error("credential", "no step shows {username} or {password}"));
        }
        (false, Some(step)) => {
            let name = steps::called(steps, step);
            let message = format!("step {name:?} shows an account: the probe needs a credential");
            advice.push(error("step", &message));
        }
        _ => {}
    }
    for step in steps.iter().filter(shows) {
        if !steps::is_encrypted(step, base) {
            let name = steps::called(steps, step);
            let message = format!("step {name:?} shows an account: expected an https:// URL");
            advice.push(error("step", &message));
        }
    }
    let judged = steps.iter().any(|step| step.group("rejected_by").is_some());
    if steps.iter().any(|step| shows(&step)) && !judged {
        advice.push(warning(
            "step",
            "no step says by rejected_by what a refused account looks like: from the step that \
             shows it on, every answer below 500 that is not as expected counts as a refusal",
        ));
    }
    advice
}
