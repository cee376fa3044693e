//! Version 2 of the service: one GET that anybody may send, answered with JSON. What it answers
//! was read off Microsoft's own client for it; there is no specification.

use hyper::StatusCode;
use serde_json::Value;
use url::Url;

use super::pox::way;
use crate::net::Trace;
use crate::net::http::follow::{MAX_REDIRECTS, next_hop};
use crate::net::http::{Ask, Client, Phases};

/// The longest word of an error that is kept, in bytes.
const MAX_WORD_BYTES: usize = 60;

/// Asks the host of `near` for the place of a protocol. Phase `json`.
///
/// # Errors
/// What it said instead, for a fact.
pub(super) async fn ask(
    client: &mut Client<'_>,
    near: &Url,
    email: &str,
    protocol: &str,
    trace: &mut Trace,
) -> Result<Url, String> {
    let mut url = near.clone();
    url.set_path("/autodiscover/autodiscover.json");
    url.query_pairs_mut()
        .clear()
        .append_pair("Email", email)
        .append_pair("Protocol", protocol)
        .append_pair("RedirectCount", "1");
    client.identify(&url, None);
    for _ in 0..=MAX_REDIRECTS {
        let sent = client.send(&Ask::get(url.clone()), Phases::Whole("json"), trace).await;
        let answer = sent.map_err(|fault| fault.reason.to_string())?;
        if answer.is_redirect() {
            url = next_hop(&url, &answer).map_err(|fault| fault.reason.to_string())?;
            continue;
        }
        let told = read(&answer.body);
        return match (answer.status, told) {
            (StatusCode::OK, Ok(url)) => Ok(url),
            (status, Err(word)) if !word.is_empty() => Err(format!("{} {word}", status.as_u16())),
            (status, _) => Err(status.as_u16().to_string()),
        };
    }
    Err(format!("still redirected after {MAX_REDIRECTS} redirects"))
}

/// The place an answer names, or the word of its error; nothing where it is neither.
pub(crate) fn read(body: &[u8]) -> Result<Url, String> {
    let json = serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
    let text = |name: &str| {
        let object = json.as_object()?;
        object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))?.1.as_str()
    };
    if let Some(url) = text("Url").and_then(way) {
        return Ok(url);
    }
    let word = text("ErrorCode").unwrap_or_default();
    let is_word = word.len() <= MAX_WORD_BYTES && word.bytes().all(|b| b.is_ascii_alphanumeric());
    Err(if is_word { word.to_owned() } else { String::new() })
}
