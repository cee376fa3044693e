//! `mapi`: MAPI over HTTP up to PING (MS-OXCMAPIHTTP section 2.2.6), by which a server says that
//! the end of the way that Outlook uses is there. A status of 200 alone says nothing.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use url::Url;

use super::door::{Door, Told, judge_status};
use super::sign_in::Logon;
use super::web::web_address;
use super::{BuildError, Context, Observe, Seen};
use crate::net::http::{Answer, Ask};
use crate::net::{Fault, Net, Trace};

/// The type of every body (section 2.2.3.2.2).
const MAPI_HTTP: &str = "application/mapi-http";
/// How the check names itself (section 2.2.3.3.7): a name, and a version of four parts.
const APPLICATION: &str = concat!("Mailward/", env!("CARGO_PKG_VERSION"), ".0");
/// The most lines of a body that are looked into.
const MAX_LINES: usize = 256;

struct Mapi {
    door: Door,
    url: Url,
    host: String,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let mut url = web_address(probe)?;
    if let Some(mailbox) = probe.settings.text("mailbox_id") {
        url.query_pairs_mut().append_pair("MailboxId", mailbox);
    } else if url.query().is_none() {
        url.set_query(Some("useMailboxOfAuthenticatedUser=true"));
    }
    Ok(Box::new(Mapi {
        door: Door::new(net, &probe.credentials, "ping"),
        host: url.host_str().unwrap_or_default().to_owned(),
        url,
    }))
}

impl Observe for Mapi {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = self.door.enter(cx, |_| ping(&self.url), judge, &mut trace).await;
            seen.unwrap_or_else(|fault| Seen::fault(&fault)).with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

/// The request (sections 2.2.2.1 and 2.2.6.1): no body.
fn ping(url: &Url) -> Result<Ask, Fault> {
    let mut ask = Ask::get(url.clone());
    ask.method = Method::POST;
    let id = format!("{{{}}}:1", guid()?);
    let unsendable = |_| Fault::new(Reason::ProbeFault, "the request's id cannot be sent");
    let id = HeaderValue::from_str(&id).map_err(unsendable)?;
    let headers = &mut ask.headers;
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MAPI_HTTP));
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    headers.insert(HeaderName::from_static("x-requesttype"), HeaderValue::from_static("PING"));
    headers.insert(HeaderName::from_static("x-requestid"), id.clone());
    headers.insert(HeaderName::from_static("x-clientinfo"), id);
    let application = HeaderValue::from_static(APPLICATION);
    headers.insert(HeaderName::from_static("x-clientapplication"), application);
    Ok(ask)
}

/// A random GUID (RFC 9562 section 5.4), as Outlook writes it.
fn guid() -> Result<String, Fault> {
    let mut bytes = [0u8; 16];
    getrandom::fill(&mut bytes)
        .map_err(|error| Fault::new(Reason::ProbeFault, format!("draw a random id: {error}")))?;
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    Ok(parts.join("-"))
}

fn judge(answer: &Answer, trace: &mut Trace) -> Told {
    if answer.status.as_u16() != 200 {
        return judge_status(answer, trace).into();
    }
    let server = answer.header("x-serverapplication");
    if !server.is_empty() {
        trace.fact("mapi_server", server);
    }
    let body = Body::read(&answer.body);
    let declared: Option<u32> = answer.header("x-responsecode").trim().parse().ok();
    let is_mapi = answer.header(CONTENT_TYPE.as_str()).to_ascii_lowercase().starts_with(MAPI_HTTP);
    let code = match (&body, declared) {
        (Body::Done(Some(code)), _) => *code,
        (Body::Done(None) | Body::Other, Some(code)) => code,
        (Body::Cut, _) if is_mapi => {
            trace.fact("detail", "expected DONE in the answer, it ended before");
            return Logon::Ended(Seen::down(Reason::ProtocolError)).into();
        }
        // an answer of something else than MAPI, such as a page that stands before it
        _ => return Logon::Ended(Seen::down(Reason::WrongContent)).into(),
    };
    trace.fact("mapi_code", code.to_string());
    let said = match judge_code(code) {
        None => {
            trace.fact("depth", "to the server behind the logon");
            Logon::Accepted
        }
        // whoever is anonymous was let in by nobody
        Some(seen) if code == 8 => Logon::Ended(seen),
        Some(seen) => Logon::AcceptedBut(seen),
    };
    said.into()
}

/// X-ResponseCode (section 2.2.3.3.3); `None` is success.
fn judge_code(code: u32) -> Option<Seen> {
    Some(match code {
        0 => return None,
        // anonymous not allowed, no privilege
        8 | 11 => Seen::unknown(Reason::AccountDisabled),
        // the endpoint is disabled, or shutting down
        16 | 18 => Seen::down(Reason::ServiceUnavailable),
        // the request is as the protocol has it: something on the way takes part of it away, or
        // wants a session where none is needed
        2..=7 | 9 | 10 | 12..=15 => Seen::down(Reason::ProtocolError),
        _ => Seen::down(Reason::ServerError),
    })
}

/// What a body says before the answer proper (section 2.2.2.2): PROCESSING and PENDING while the
/// server is at work, then DONE and further header lines.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    /// It came to DONE; with the code that stands after it.
    Done(Option<u32>),
    /// It began so, and never came to DONE.
    Cut,
    /// It does not begin so.
    Other,
}

impl Body {
    fn read(bytes: &[u8]) -> Self {
        let mut lines = bytes.split(|byte| *byte == b'\n').take(MAX_LINES).map(<[u8]>::trim_ascii);
        let mut begun = false;
        for line in lines.by_ref() {
            match line {
                b"PROCESSING" | b"PENDING" => begun = true,
                b"DONE" => {
                    let code = lines.take_while(|line| !line.is_empty()).find_map(|line| {
                        let (name, value) = std::str::from_utf8(line).ok()?.split_once(':')?;
                        name.eq_ignore_ascii_case("x-responsecode").then(|| value.trim().parse())
                    });
                    return Self::Done(code.and_then(Result::ok));
                }
                _ => break,
            }
        }
        if begun { Self::Cut } else { Self::Other }
    }
}

/// Reads a body, for the list of parsers.
pub(crate) fn read(bytes: &[u8]) {
    let _ = Body::read(bytes);
}

#[cfg(test)]
mod tests;
