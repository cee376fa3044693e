//! Redirects as a browser follows them, with its cookies, and where a check must not be led:
//! away from http, around in circles, or inwards from a server outside. What the place it ends
//! at means is the probes'.

use std::net::IpAddr;

use hyper::header::{CONTENT_TYPE, HeaderMap, LOCATION};
use hyper::{Method, StatusCode};
use mailward_catalogue::network::inner;
use mailward_evidence::Reason;
use url::Url;

use super::{Answer, Ask, Client, Phases};
use crate::net::cookies::Jar;
use crate::net::{Deadline, Fault, Net, Trace};

/// The most redirects that are followed, as browsers and curl's `--max-redirs` examples have it.
pub const MAX_REDIRECTS: usize = 10;

/// A browser without a history: one run's connection and cookies.
pub struct Visitor<'a> {
    /// The connection.
    pub client: Client<'a>,
    /// The cookies.
    pub jar: Jar,
    /// Whether a body is sent once only, since it shows an account: a redirect that wants it
    /// again is not followed.
    pub sends_once: bool,
}

/// Where a walk along redirects ended.
#[derive(Debug)]
pub struct Landed {
    /// Whose answer it is.
    pub url: Url,
    /// The answer.
    pub answer: Answer,
    /// Where the answer leads that was not gone to; `None` where it does not redirect.
    pub away: Option<Url>,
}

impl<'a> Visitor<'a> {
    /// One that has been nowhere yet.
    #[must_use]
    pub fn new(net: &'a Net, deadline: Deadline) -> Self {
        Self { client: Client::new(net, deadline), jar: Jar::default(), sends_once: false }
    }

    /// Forgets cookies and connection, as somebody else would come.
    pub fn anew(&mut self) {
        self.jar = Jar::default();
        self.client.part();
    }

    /// Sends `ask` with the cookies that belong to it, and keeps those it is given.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send(
        &mut self,
        ask: &Ask,
        phases: Phases<'_>,
        trace: &mut Trace,
    ) -> Result<Answer, Fault> {
        let mut ask = ask.clone();
        self.jar.give_to(&ask.url, &mut ask.headers);
        let answer = self.client.send(&ask, phases, trace).await?;
        self.jar.take_from(&ask.url, &answer.headers);
        Ok(answer)
    }

    /// Sends `ask` and follows redirects while `goes` says so, of a place and the one it leads
    /// to. Header lines of `ask` may be secrets: another origin gets none of them, and its body
    /// is sent to no other. Facts
    /// `redirects` and `landed`, the last place without its query.
    ///
    /// # Errors
    /// As [`Client::send`]; and when there is no end to redirects, or one leads to a place that
    /// no check may go to.
    pub async fn follow(
        &mut self,
        ask: Ask,
        goes: impl Fn(&Url, &Url) -> bool,
        phases: Phases<'_>,
        trace: &mut Trace,
    ) -> Result<Landed, Fault> {
        let declared = (ask.url.origin(), ask.headers.clone());
        let mut ask = ask;
        for redirects in 0..=MAX_REDIRECTS {
            let answer = self.send(&ask, phases, trace).await?;
            if !answer.is_redirect() {
                return Ok(Landed { url: ask.url, answer, away: None });
            }
            let to = next_hop(&ask.url, &answer)?;
            let method = next_method(&ask.method, answer.status);
            let again = method != Method::GET && !ask.body.is_empty();
            if !goes(&ask.url, &to) || again && self.sends_once {
                return Ok(Landed { url: ask.url, answer, away: Some(to) });
            }
            trace.fact("redirects", (redirects + 1).to_string());
            trace.fact("landed", &to[..url::Position::AfterPath]);
            let body = if method == Method::GET { Default::default() } else { ask.body };
            let same = to.origin() == declared.0;
            if !same && !body.is_empty() {
                // it may hold an account
                let detail = format!("redirected to {} with what was sent", to.authority());
                return Err(Fault::new(Reason::RedirectRefused, detail));
            }
            let mut headers = if same { declared.1.clone() } else { HeaderMap::new() };
            if body.is_empty() {
                headers.remove(CONTENT_TYPE);
            }
            ask = Ask { method, url: to, headers, body };
        }
        let detail = format!("still redirected after {MAX_REDIRECTS} redirects");
        Err(Fault::new(Reason::RedirectLoop, detail))
    }
}

/// The method of the request a redirect leads to (RFC 9110 section 15.4).
fn next_method(method: &Method, status: StatusCode) -> Method {
    let keeps = match status {
        StatusCode::SEE_OTHER => method == Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => method != Method::POST,
        _ => true,
    };
    if keeps { method.clone() } else { Method::GET }
}

/// Where a redirect leads, if a check may go there: http or https, no names and passwords.
///
/// # Errors
/// When the place cannot be read or must not be followed.
pub fn next_hop(from: &Url, answer: &Answer) -> Result<Url, Fault> {
    next_place(from, answer.header(LOCATION.as_str()))
}

/// Where a page leads by a reference such as a form's action, under the same rules.
///
/// # Errors
/// As [`next_hop`].
pub fn next_place(from: &Url, reference: &str) -> Result<Url, Fault> {
    let Ok(to) = from.join(reference) else {
        let detail = "sent on to what is not a URL";
        return Err(Fault::new(Reason::RedirectRefused, detail));
    };
    // names, passwords, paths and queries may be secrets
    let refused = |why: &str| {
        let host = to.host_str().map(|host| format!("//{host}")).unwrap_or_default();
        let detail = format!("sent on to {}:{host}: {why}", to.scheme());
        Err(Fault::new(Reason::RedirectRefused, detail))
    };
    if !matches!(to.scheme(), "http" | "https") || to.host_str().is_none() {
        return refused("expected http or https");
    }
    if !to.username().is_empty() || to.password().is_some() {
        return refused("it carries a name or a password");
    }
    Ok(to)
}

/// Whether a redirect from a server at `first` to one at `to` leads inwards, where it must not
/// take a check: into a kind of network that `first` is not in itself (RFC 6890).
pub(super) fn leads_inwards(first: IpAddr, to: IpAddr) -> bool {
    inner(to).is_some_and(|kind| inner(first) != Some(kind))
}

#[cfg(test)]
mod tests;
