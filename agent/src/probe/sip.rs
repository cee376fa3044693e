//! `sip`: asks a server what it can do (OPTIONS, RFC 3261 section 11) over TLS or TCP, as the
//! edge of a conferencing service. No call is made, nobody is registered, and nothing rings.

use std::net::SocketAddr;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use mailward_catalogue::Probe;
use mailward_evidence::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{BuildError, Context, Ended, Observe, Seen};
use crate::net::{Access, Deadline, Fault, Net, Security, Stream, Trace};

pub(crate) mod message;

use message::{Message, MessageReader, Response};

/// The most messages that are passed over while the answer is waited for: interim answers, and
/// requests of the server's own.
const MAX_PASSED_OVER: usize = 32;
/// How a probe names itself.
const AGENT: &str = concat!("mailward/", env!("CARGO_PKG_VERSION"));

struct Sip {
    net: Arc<Net>,
    access: Access,
    uri: String,
    from: String,
    expect: Vec<(u16, u16)>,
}

/// Makes the probe.
pub(super) fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let settings = &probe.settings;
    let host = settings.text("host");
    let host = host.ok_or_else(|| BuildError::key(probe, "host", "expected a server, got none"))?;
    let security = match settings.text("transport") {
        Some("tcp") => Security::None,
        _ => Security::Implicit,
    };
    let port = if security == Security::None { 5060 } else { 5061 };
    let port = settings.port("port").unwrap_or(port);
    let named = in_uri(host);
    let uri = settings.text("uri").map_or_else(|| format!("sip:{named}"), str::to_owned);
    let from = settings.text("from");
    Ok(Box::new(Sip {
        net: Arc::clone(net),
        uri,
        from: from.map_or_else(|| format!("sip:mailward@{named}"), str::to_owned),
        access: Access { host: host.to_owned(), port, security },
        expect: settings.statuses("expect_status").to_vec(),
    }))
}

/// A host as it stands in a URI: IPv6 addresses in brackets (RFC 3261 section 25.1).
fn in_uri(host: &str) -> String {
    match host.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}

impl Observe for Sip {
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen> {
        async move {
            let mut trace = Trace::start();
            let seen = match self.ask(cx.deadline, &mut trace).await {
                Ok(answer) => self.judge(&answer, &mut trace),
                Err(ended) => ended.into_seen(),
            };
            seen.with(trace)
        }
        .boxed()
    }

    fn host_key(&self) -> &str {
        &self.access.host
    }
}

/// What tells the answer to our request from others (RFC 3261 section 17.1.3).
struct Transaction {
    branch: String,
    tag: String,
    call_id: String,
}

impl Transaction {
    /// One that nobody has had before: branches begin with the magic cookie of RFC 3261
    /// section 8.1.1.7.
    fn fresh() -> Result<Self, Fault> {
        let word = || {
            let mut bytes = [0; 8];
            let made = getrandom::fill(&mut bytes);
            made.map(|()| format!("{:016x}", u64::from_be_bytes(bytes)))
        };
        let words = || Ok([word()?, word()?, word()?]);
        let words: Result<_, getrandom::Error> = words();
        let [branch, tag, call_id] = words.map_err(|error| {
            Fault::new(Reason::ProbeFault, format!("while naming the request: {error}"))
        })?;
        Ok(Self { branch: format!("z9hG4bK{branch}"), tag, call_id: format!("{call_id}@mailward") })
    }

    fn is_answered_by(&self, response: &Response) -> bool {
        response.branch() == self.branch && response.method().eq_ignore_ascii_case("OPTIONS")
    }
}

impl Sip {
    /// Sends OPTIONS and waits for the final answer. Phases `request` until the first answer to
    /// it, and `final` where interim ones came first.
    async fn ask(&self, deadline: Deadline, trace: &mut Trace) -> Result<Response, Ended> {
        let Access { host, port, security } = &self.access;
        let tcp = self.net.dial(host, *port, deadline, trace).await?;
        let local = tcp.local_addr();
        let local = local.map_err(|error| Fault::io(&error, "looking up our own address"))?;
        let mut stream = self.net.begin(tcp, host, *security, deadline, trace).await?;
        let transaction = Transaction::fresh()?;
        trace.skip();
        let doing = "sending OPTIONS";
        let request = self.request(&transaction, local);
        let sending = async {
            stream.write_all(request.as_bytes()).await?;
            stream.flush().await
        };
        let sent = deadline.bound(sending).await;
        sent.ok_or_else(|| Fault::timeout(doing))?.map_err(|error| Fault::io(&error, doing))?;
        let mut reader = MessageReader::default();
        for _ in 0..MAX_PASSED_OVER {
            let message = next_message(&mut stream, &mut reader, deadline).await;
            let response = match message {
                Ok(Message::Response(response)) if transaction.is_answered_by(&response) => {
                    response
                }
                // somebody else's answer, or a request of the server's own
                Ok(_) => continue,
                Err(fault) => {
                    trace.lap("request");
                    return Err(fault.into());
                }
            };
            if response.status >= 200 {
                trace.lap(if trace.noted("interim").is_some() { "final" } else { "request" });
                return Ok(response);
            }
            if trace.noted("interim").is_none() {
                trace.lap("request");
            }
            trace.fact("interim", response.status.to_string());
        }
        let detail = format!("no answer to OPTIONS among {MAX_PASSED_OVER} messages");
        Err(Fault::new(Reason::ProtocolError, detail).into())
    }

    /// The request, with everything that RFC 3261 section 8.1.1 asks for.
    fn request(&self, transaction: &Transaction, local: SocketAddr) -> String {
        let (over, transport) = match self.access.security {
            Security::None => ("TCP", "tcp"),
            Security::StartTls | Security::Implicit => ("TLS", "tls"),
        };
        let Self { uri, from, .. } = self;
        let Transaction { branch, tag, call_id } = transaction;
        format!(
            "OPTIONS {uri} SIP/2.0\r\n\
             Via: SIP/2.0/{over} {local};branch={branch};rport\r\n\
             Max-Forwards: 70\r\n\
             From: <{from}>;tag={tag}\r\n\
             To: <{uri}>\r\n\
             Call-ID: {call_id}\r\n\
             CSeq: 1 OPTIONS\r\n\
             Contact: <sip:mailward@{local};transport={transport}>\r\n\
             Accept: application/sdp\r\n\
             User-Agent: {AGENT}\r\n\
             Content-Length: 0\r\n\r\n"
        )
    }

    fn judge(&self, answer: &Response, trace: &mut Trace) -> Seen {
        let line = format!("SIP/2.0 {} {}", answer.status, answer.reason);
        let headers = answer.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        trace.keep_answer(&line, headers, "");
        trace.fact("sip_status", answer.status.to_string());
        let server = match answer.header("Server") {
            "" => answer.header("User-Agent"),
            server => server,
        };
        let facts = [
            ("sip_reason", answer.reason.as_str()),
            ("server", server),
            ("allow", answer.header("Allow")),
            ("retry_after", answer.header("Retry-After")),
            ("warning", answer.header("Warning")),
        ];
        for (name, value) in facts.into_iter().filter(|(_, value)| !value.is_empty()) {
            trace.fact(name, value);
        }
        let status = answer.status;
        if self.expect.is_empty() {
            return judge(status);
        }
        match self.expect.iter().any(|(from, to)| (*from..=*to).contains(&status)) {
            true => Seen::up(),
            false => Seen::down(refusal(status).unwrap_or(Reason::SipStatus)),
        }
    }
}

/// What a final status means where none is declared. An answer to OPTIONS is the one that an
/// INVITE would get (RFC 3261 section 11.2), so it may well be a no to us; a server that says no
/// for a reason of its own is there and does its work.
fn judge(status: u16) -> Seen {
    if let Some(reason) = refusal(status) {
        return Seen::down(reason);
    }
    match status {
        // asked for credentials, not for us, not here, not this method, no such dialogue, too
        // many hops, an address that is not complete, busy, nothing in common
        200..=399 | 401 | 403 | 404 | 405 | 407 | 481 | 483 | 484 | 486 | 488 | 501 => Seen::up(),
        _ => Seen::degraded(Reason::SipStatus),
    }
}

/// Why a status says that the server or what stands behind it does not work, if it does
/// (RFC 3261 sections 21.4 and 21.5).
const fn refusal(status: u16) -> Option<Reason> {
    match status {
        // 408: whoever stands behind it has not answered
        408 | 504 => Some(Reason::Timeout),
        // 480: whoever is asked for is not there; 503: overload or planned work
        480 | 503 => Some(Reason::ServiceUnavailable),
        // this method it does not know; anything else it may
        501 => None,
        500..=599 => Some(Reason::ServerError),
        _ => None,
    }
}

async fn next_message(
    stream: &mut Stream,
    reader: &mut MessageReader,
    deadline: Deadline,
) -> Result<Message, Fault> {
    let doing = "waiting for the answer to OPTIONS";
    let mut buffer = vec![0; 4096];
    loop {
        match reader.next_message() {
            Ok(Some(message)) => return Ok(message),
            Ok(None) => {}
            Err(error) if error.is_size() => {
                return Err(Fault::new(Reason::AnswerTooLarge, error.to_string()));
            }
            Err(error) => return Err(Fault::new(Reason::ProtocolError, error.to_string())),
        }
        match deadline.bound(stream.read(&mut buffer)).await {
            None => return Err(Fault::timeout(doing)),
            Some(Err(error)) => return Err(Fault::io(&error, doing)),
            Some(Ok(0)) => {
                let detail = format!("closed while {doing}");
                return Err(Fault::new(Reason::ConnectionLost, detail));
            }
            Some(Ok(read)) => reader.push(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests;
