//! `http`: fetches a URL over a fresh connection, follows redirects within limits, and compares
//! status and body with what was declared.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use mailward_catalogue::{Probe, Settings};
use mailward_evidence::Reason;
use regex::bytes::Regex;
use url::Url;

use super::web::{note_status, status_reason, web_address};
use super::{BuildError, Context, Observe, Seen};
use crate::net::http::follow::Visitor;
use crate::net::http::{Answer, Ask, Phases};
use crate::net::{Fault, Net, Trace};

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
    let method = settings.text("method").unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| BuildError::key(probe, "method", format!("{method:?} is not a method")))?;
    Ok(Box::new(Http {
        net: net.clone(),
        host: url.host_str().unwrap_or_default().to_owned(),
        ask: Ask { method, url, headers: headers(probe, settings)?, body: Bytes::new() },
        expect: Expect {
            statuses: match settings.statuses("expect_status") {
                [] => vec![(200, 299)],
                declared => declared.to_vec(),
            },
            body: pattern(probe, settings)?,
        },
        follow: settings.bool("follow").unwrap_or(true),
    }))
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

fn pattern(probe: &Probe, settings: &Settings) -> Result<Option<Regex>, BuildError> {
    let Some(text) = settings.text("expect_body") else {
        return Ok(None);
    };
    let built = regex::bytes::RegexBuilder::new(text)
        .size_limit(1 << 20)
        // a thousand probes with a pattern each must fit a small machine
        .dfa_size_limit(256 << 10)
        .build();
    let pattern =
        built.map_err(|error| BuildError::key(probe, "expect_body", error.to_string()))?;
    Ok(Some(pattern))
}

impl Observe for Http {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match self.fetch(cx, &mut trace).await {
                Ok(answer) => self.expect.judge(&answer, &mut trace),
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

impl Http {
    async fn fetch(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Answer, Fault> {
        let mut visitor = Visitor::new(&self.net, cx.deadline);
        if !self.follow {
            return visitor.send(&self.ask, Phases::Split, trace).await;
        }
        let everywhere = |_: &Url, _: &Url| true;
        let landed = visitor.follow(self.ask.clone(), everywhere, Phases::Split, trace).await?;
        Ok(landed.answer)
    }
}

impl Expect {
    fn judge(&self, answer: &Answer, trace: &mut Trace) -> Seen {
        note_status(answer, trace);
        let status = answer.status.as_u16();
        let expected = |(from, to): &(u16, u16)| (*from..=*to).contains(&status);
        if !self.statuses.iter().any(expected) {
            return Seen::down(status_reason(answer.status));
        }
        match &self.body {
            Some(body) if !body.is_match(&answer.body) => Seen::down(Reason::WrongContent),
            _ => Seen::up(),
        }
    }
}

#[cfg(test)]
mod tests;
