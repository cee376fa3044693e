//! `dns`: asks a resolver for a name and compares the answer with what was declared. The
//! resolver's own code is seen, so that "no such name" and "cannot say" stay apart.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, RecordType};
use mailward_catalogue::Probe;
use mailward_evidence::Reason;

use super::{BuildError, Context, Observe, Seen};
use crate::net::dns::{Answer, ask_any, code_word, full_name, txt_text};
use crate::net::{Fault, Net, Trace};

struct Dns {
    net: Arc<Net>,
    name: Name,
    kind: RecordType,
    expect: Vec<String>,
    resolver: Option<SocketAddr>,
    host: String,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let text = settings.text("name").unwrap_or_default();
    let name = full_name(text).map_err(|problem| BuildError::key(probe, "name", problem))?;
    let word = settings.text("type").unwrap_or("A");
    let kind: RecordType = word
        .parse()
        .map_err(|_| BuildError::key(probe, "type", format!("{word:?} is not a record type")))?;
    let resolver = settings.socket("resolver");
    let expect = settings.texts("expect").iter();
    Ok(Box::new(Dns {
        net: net.clone(),
        name,
        kind,
        expect: expect.map(|text| canonical(kind, text)).collect(),
        resolver,
        host: resolver.map_or_else(|| "the resolver".to_owned(), |r| r.ip().to_string()),
    }))
}

impl Observe for Dns {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let answer = self.ask(cx, &mut trace).await;
            trace.lap("query");
            let seen = match answer {
                Ok(answer) => self.judge(&answer, &mut trace),
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

impl Dns {
    async fn ask(&self, cx: &Context<'_>, trace: &mut Trace) -> Result<Answer, Fault> {
        let servers = match &self.resolver {
            Some(one) => std::slice::from_ref(one),
            None => self.net.resolver.servers(),
        };
        let (asked, answer) = ask_any(servers, &self.name, self.kind, cx.deadline).await;
        if let Some(server) = asked {
            trace.fact("resolver", server.to_string());
        }
        answer
    }

    fn judge(&self, answer: &Answer, trace: &mut Trace) -> Seen {
        trace.fact("rcode", code_word(answer.code));
        match answer.code {
            ResponseCode::NoError => {}
            ResponseCode::NXDomain => return Seen::down(Reason::DnsNotFound),
            _ => return Seen::down(Reason::DnsFailure),
        }
        let found = answer.records.iter();
        let found = found.filter(|record| record.record_type() == self.kind);
        let mut found: Vec<String> = found.map(|r| canonical_data(&r.data)).collect();
        found.sort_unstable();
        trace.fact("answer", found.join("; "));
        if found.is_empty() {
            return Seen::down(Reason::DnsNotFound);
        }
        let missing: Vec<&str> = self
            .expect
            .iter()
            .filter(|expected| !found.contains(expected))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Seen::up();
        }
        trace.fact("missing", missing.join("; "));
        Seen::down(Reason::DnsWrong)
    }
}

fn canonical_data(data: &RData) -> String {
    match data {
        RData::TXT(txt) => txt_text(&txt.txt_data),
        other => canonical(other.record_type(), &other.to_string()),
    }
}

/// A record as a zone file has it, in the one way that is compared: case, final dots, quotes
/// and the spaces inside hexadecimal do not matter. The text of a TXT record stays as it is.
fn canonical(kind: RecordType, text: &str) -> String {
    let text = text.trim();
    match kind {
        RecordType::TXT => unquoted(text),
        RecordType::AAAA => match text.parse::<std::net::Ipv6Addr>() {
            Ok(address) => address.to_string(),
            Err(_) => text.to_ascii_lowercase(),
        },
        _ => {
            let text = text.to_ascii_lowercase().replace('"', "");
            let words: Vec<&str> = text
                .split_whitespace()
                .map(|word| if word == "." { word } else { word.trim_end_matches('.') })
                .collect();
            match words.split_at_checked(3) {
                Some((head, hex)) if kind == RecordType::TLSA => {
                    format!("{} {}", head.join(" "), hex.concat())
                }
                _ => words.join(" "),
            }
        }
    }
}

/// `"a" "b"` is `ab`; a text without quotes is itself.
fn unquoted(text: &str) -> String {
    if !text.starts_with('"') {
        return text.to_owned();
    }
    let (mut out, mut inside, mut escaped) = (String::new(), false, false);
    for c in text.chars() {
        match c {
            _ if escaped => {
                out.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => inside = !inside,
            c if inside => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests;
