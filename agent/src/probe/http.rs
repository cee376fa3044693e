//! `http`: fetches a URL over a fresh connection, follows redirects within limits, and compares
//! status and body with what was declared. A transaction of several steps is `transaction`'s.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};
use mailward_catalogue::{Probe, Settings};
use mailward_evidence::Reason;
use regex::bytes::Regex;
use url::Url;

use super::web::{note_status, status_reason, web_address};
use super::{BuildError, Context, Observe, Seen, pattern};
use crate::net::http::follow::Visitor;
use crate::net::http::{Answer, Ask, Phases};
use crate::net::{Fault, Net, Trace};

pub(crate) mod capture;
mod step;
mod transaction;

struct Http {
    net: Arc<Net>,
    ask: Ask,
    host: String,
    expect: Expect,
    follow: bool,
}

/// What an answer must be.
struct Expect {
    statuses: Vec<(u16, u16)>,
    body: Option<Regex>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let url = web_address(probe)?;
    if !settings.group_list("step").is_empty() {
        return transaction::build(probe, net, url);
    }
    Ok(Box::new(Http {
        net: net.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        ask: Ask {
            method: method(probe, settings.text("method").unwrap_or("GET"))?,
            url,
            headers: headers(probe, settings)?,
            body: Bytes::new(),
        },
        expect: Expect::read(probe, settings)?,
        follow: settings.bool("follow").unwrap_or(true),
    }))
}

fn method(probe: &Probe, word: &str) -> Result<Method, BuildError> {
    Method::from_bytes(word.as_bytes())
        .map_err(|_| BuildError::key(probe, "method", format!("{word:?} is not a method")))
}

fn headers(probe: &Probe, settings: &Settings) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    for (name, value) in settings.table("headers") {
        let wrong = |what| BuildError::key(probe, "headers", format!("{name}: not a {what}"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong("header name"))?;
        let value = HeaderValue::from_str(value).map_err(|_| wrong("header value"))?;
        headers.append(name, value);
    }
    Ok(headers)
}

impl Observe for Http {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let mut visitor = Visitor::new(&self.net, cx.deadline);
            let ask = self.ask.clone();
            let fetched = fetch(&mut visitor, ask, self.follow, Phases::Split, &mut trace).await;
            let seen = match fetched {
                Ok((_, answer)) => self.expect.judge(&answer, &mut trace),
                Err(fault) => Seen::fault(&fault),
            };
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.host
    }
}

/// The answer at the end of redirects, or the first one, and whose it is.
async fn fetch(
    visitor: &mut Visitor<'_>,
    ask: Ask,
    follow: bool,
    phases: Phases<'_>,
    trace: &mut Trace,
) -> Result<(Url, Answer), Fault> {
    if !follow {
        let answer = visitor.send(&ask, phases, trace).await?;
        return Ok((ask.url, answer));
    }
    let everywhere = |_: &Url, _: &Url| true;
    let landed = visitor.follow(ask, everywhere, phases, trace).await?;
    if let Some(away) = &landed.away {
        let detail = format!("redirected to {} with what was sent", away.authority());
        trace.fact("detail", detail);
    }
    Ok((landed.url, landed.answer))
}

impl Expect {
    fn read(probe: &Probe, settings: &Settings) -> Result<Self, BuildError> {
        let body = settings.text("expect_body");
        Ok(Self {
            statuses: match settings.statuses("expect_status") {
                [] => vec![(200, 299)],
                declared => declared.to_vec(),
            },
            body: body.map(|text| pattern(probe, "expect_body", text)).transpose()?,
        })
    }

    fn judge(&self, answer: &Answer, trace: &mut Trace) -> Seen {
        note_status(answer, trace);
        if !is_among(answer.status, &self.statuses) {
            return Seen::down(status_reason(answer.status));
        }
        match &self.body {
            Some(body) if !body.is_match(&answer.body) => Seen::down(Reason::WrongContent),
            _ => Seen::up(),
        }
    }
}

fn is_among(status: StatusCode, ranges: &[(u16, u16)]) -> bool {
    let status = status.as_u16();
    ranges.iter().any(|(from, to)| (*from..=*to).contains(&status))
}

#[cfg(test)]
mod tests;
