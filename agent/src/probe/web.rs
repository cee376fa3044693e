//! What the probes that speak HTTP have in common: reading `url`, and what a status means.

use hyper::StatusCode;
use hyper::header::{CONTENT_ENCODING, RETRY_AFTER};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::sign_in::Logon;
use super::{BuildError, Seen};
use crate::net::Trace;
use crate::net::http::Answer;
use crate::net::http::authorize::Offers;
use crate::net::sasl::Login;
use crate::net::xml::{Element, XmlError, read};

/// The probe's `url`.
pub(super) fn web_address(probe: &Probe) -> Result<Url, BuildError> {
    let wrong = |why: &str| BuildError::key(probe, "url", why);
    let text = probe.settings.text("url");
    let text = text.ok_or_else(|| wrong("expected an http or https URL, got none"))?;
    let mut url = Url::parse(text).map_err(|error| wrong(&format!("{text:?}: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong("expected an http or https URL with a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("expected no name and password in it; use a credential"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// What a status that was not expected means.
pub(super) fn status_reason(status: StatusCode) -> Reason {
    match status.as_u16() {
        503 => Reason::ServiceUnavailable,
        500..=599 => Reason::ServerError,
        _ => Reason::HttpStatus,
    }
}

/// Notes the status, and what the server says about coming back.
pub(super) fn note_status(answer: &Answer, trace: &mut Trace) {
    trace.fact("http_status", answer.status.as_str());
    let later = answer.header(RETRY_AFTER.as_str());
    if !later.is_empty() {
        trace.fact("retry_after", later);
    }
    // none was asked for and none is undone: what was looked into is the packed body
    let packed = answer.header(CONTENT_ENCODING.as_str());
    if !packed.is_empty() && !packed.eq_ignore_ascii_case("identity") {
        trace.fact("content_encoding", packed);
    }
}

/// Notes what header lines say, each as the fact beside it; those that are not there are not.
pub(super) fn note_headers(answer: &Answer, named: &[(&str, &str)], trace: &mut Trace) {
    for (header, fact) in named {
        let value = answer.header(header);
        if !value.is_empty() {
            trace.fact(fact, value);
        }
    }
}

/// The body as XML, or what it means that it is none.
pub(super) fn xml(answer: &Answer, trace: &mut Trace) -> Result<Element, Seen> {
    read(&answer.body).map_err(|error| {
        trace.fact("detail", error.to_string());
        match error {
            XmlError::TooLarge | XmlError::TooDeep => Seen::down(Reason::AnswerTooLarge),
            XmlError::DocumentType | XmlError::Entity | XmlError::NotXml => {
                Seen::down(Reason::WrongContent)
            }
        }
    })
}

/// What a 401 to a request that showed `login` means. Fact `logon_by`; where a token was not
/// taken and the server says why, `token_error`. A server that offers other ways only, such as
/// Negotiate, has refused nobody, and nothing else is tried in the same run.
pub(super) fn unauthorized(answer: &Answer, login: &Login, trace: &mut Trace) -> Logon {
    let offered = Offers::of(answer);
    if !offered.is_empty() {
        trace.fact("logon_by", offered.words());
    }
    if let Some(error) = offered.token_error() {
        trace.fact("token_error", error);
    }
    if offered.refuse(login) {
        Logon::Rejected(None)
    } else {
        Logon::Ended(Seen::unknown(Reason::LogonUnsupported))
    }
}

#[cfg(test)]
mod tests;
