//! HTTP/1.1 as a probe needs it: one connection that it dialled itself, phases, and limits on
//! everything a server can send. No compression is asked for and none undone, nothing is cached.
//! Redirects are `follow`'s.

use std::net::IpAddr;
use std::pin::Pin;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_LENGTH, HOST, HeaderMap, HeaderValue, LOCATION,
    USER_AGENT,
};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use mailward_evidence::Reason;
use url::Url;

use super::tls::{Identity, Inside};
use super::{Deadline, Fault, Net, Stream, Trace};

pub mod authorize;
mod exhibit;
pub mod follow;
pub mod later;

/// The most of a body that is read, in bytes; the rest is cut off.
pub const MAX_BODY_BYTES: usize = 2 << 20;
/// The largest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 64 << 10;
/// The most header lines of an answer.
const MAX_HEADERS: usize = 100;
/// How a probe names itself.
const AGENT: &str = concat!("mailward/", env!("CARGO_PKG_VERSION"));

/// What is sent.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The method.
    pub method: Method,
    /// Where to: http or https.
    pub url: Url,
    /// Header lines beside `Host` and `User-Agent`, which may be among them.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

impl Ask {
    /// A GET without further header lines.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self { method: Method::GET, url, headers: HeaderMap::new(), body: Bytes::new() }
    }
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header lines.
    pub headers: HeaderMap,
    /// The body, at most [`MAX_BODY_BYTES`] of it.
    pub body: Bytes,
}

impl Answer {
    /// A header line as text, empty when it is absent or not text.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name).map(HeaderValue::to_str);
        value.and_then(Result::ok).unwrap_or_default()
    }

    /// Whether it redirects.
    #[must_use]
    pub fn is_redirect(&self) -> bool {
        matches!(self.status.as_u16(), 301 | 302 | 303 | 307 | 308)
            && self.headers.contains_key(LOCATION)
    }

    /// The body as text; what is not UTF-8 is replaced.
    #[must_use]
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

/// What the time between sending and the whole answer is called.
#[derive(Clone, Copy, Debug)]
pub enum Phases<'a> {
    /// `request` until the head of the answer, `body` until its end.
    Split,
    /// One phase of this name.
    Whole(&'a str),
}

type Sender = http1::SendRequest<Full<Bytes>>;
type Connection = Pin<Box<http1::Connection<TokioIo<Stream>, Full<Bytes>>>>;

struct Open {
    origin: url::Origin,
    sender: Sender,
    connection: Option<Connection>,
}

/// A run's HTTP: keeps one connection open and uses it again where the origin is the same.
pub struct Client<'a> {
    net: &'a Net,
    deadline: Deadline,
    open: Option<Open>,
    /// The peer of the first connection, from which a redirect may not lead inwards.
    first_peer: Option<IpAddr>,
    /// The certificate to show, and to whom.
    identity: Option<(url::Origin, Identity)>,
    /// Whether the body of a good answer may show what is somebody's own.
    is_hushed: bool,
}

impl<'a> Client<'a> {
    /// A client without a connection yet.
    #[must_use]
    pub const fn new(net: &'a Net, deadline: Deadline) -> Self {
        Self::led_by(net, deadline, None)
    }

    /// The same for whoever was led here by `first_peer`, from which none may lead inwards.
    #[must_use]
    pub const fn led_by(net: &'a Net, deadline: Deadline, first_peer: Option<IpAddr>) -> Self {
        Self { net, deadline, open: None, first_peer, identity: None, is_hushed: false }
    }

    /// The peer of the first connection, or who led here.
    #[must_use]
    pub const fn first_peer(&self) -> Option<IpAddr> {
        self.first_peer
    }

    /// Ends the connection, so that what comes next has one of its own.
    pub fn part(&mut self) {
        self.open = None;
    }

    /// From now on, no body of a good answer is kept for operators: it may show a mailbox.
    pub const fn hush(&mut self) {
        self.is_hushed = true;
    }

    /// From now on, takes at most `span`, and no longer than before.
    pub fn hurry(&mut self, span: std::time::Duration) {
        self.deadline = self.deadline.within(span);
    }

    /// From now on, shows the origin of `to` this certificate where it asks for one, and nobody another
    /// one. A connection that was made as somebody else is not used again.
    pub fn identify(&mut self, to: &Url, identity: Option<&Identity>) {
        let identity = identity.map(|identity| (to.origin(), identity.clone()));
        if identity != self.identity {
            self.open = None;
            self.identity = identity;
        }
    }

    /// Sends `ask` and reads the answer. Redirects are not followed; see [`follow`].
    ///
    /// # Errors
    /// When no connection can be made, the answer is not HTTP or too large, or time is up.
    pub async fn send(
        &mut self,
        ask: &Ask,
        phases: Phases<'_>,
        trace: &mut Trace,
    ) -> Result<Answer, Fault> {
        let shows_account = self.identity.is_some() || ask.headers.contains_key(AUTHORIZATION);
        let is_hushed = self.is_hushed || shows_account;
        let origin = ask.url.origin();
        let mut message = Some(request(ask)?);
        // a server may close an idle connection at any time; a request that never went out
        // is sent again on a fresh one, and only such a request
        if let Some(open) = self.open.take_if(|open| open.origin == origin)
            && let Some(unsent) = message.take()
        {
            match self.exchange(open, unsent, phases, is_hushed, trace).await {
                Exchanged::Done(done) => return done,
                Exchanged::Unsent(unsent) => message = Some(unsent),
            }
        }
        let Some(message) = message else {
            return Err(Fault::new(Reason::ProbeFault, "the request was lost"));
        };
        let fresh = self.connect(&ask.url, origin, trace).await?;
        match self.exchange(fresh, message, phases, is_hushed, trace).await {
            Exchanged::Done(done) => done,
            Exchanged::Unsent(_) => Err(Fault::new(
                Reason::ConnectionLost,
                "the connection was closed before the request was sent",
            )),
        }
    }

    async fn connect(
        &mut self,
        url: &Url,
        origin: url::Origin,
        trace: &mut Trace,
    ) -> Result<Open, Fault> {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(Fault::new(Reason::ProbeFault, "the URL has no host"));
        };
        let deadline = self.deadline;
        let addresses = self.net.resolve(host, deadline, trace).await?;
        if let Some(first) = self.first_peer
            && let Some(inside) = addresses.iter().find(|to| follow::leads_inwards(first, **to))
        {
            let detail = format!("redirected to {host}, which is {inside}");
            return Err(Fault::new(Reason::RedirectRefused, detail));
        }
        let tcp = self.net.connect(&addresses, port, deadline, trace).await?;
        if self.first_peer.is_none() {
            self.first_peer = tcp.peer_addr().ok().map(|peer| peer.ip());
        }
        let stream = if url.scheme() == "https" {
            let inside = Inside::Http;
            let identity = self.identity.as_ref().filter(|(to, _)| *to == origin);
            let identity = identity.map(|(_, identity)| identity);
            self.net.secure_as(identity, tcp, host, inside, deadline, trace).await?
        } else {
            Stream::Plain(tcp)
        };
        let made = http1::Builder::new()
            .max_header_size(MAX_HEAD_BYTES)
            .max_buf_size(2 * MAX_HEAD_BYTES)
            .max_headers(MAX_HEADERS)
            .handshake(TokioIo::new(stream))
            .await;
        let (sender, connection) = made.map_err(|error| hyper_fault(&error, "starting HTTP"))?;
        Ok(Open { origin, sender, connection: Some(Box::pin(connection)) })
    }

    async fn exchange(
        &mut self,
        mut open: Open,
        message: Request<Full<Bytes>>,
        phases: Phases<'_>,
        is_hushed: bool,
        trace: &mut Trace,
    ) -> Exchanged {
        trace.skip();
        let doing = "waiting for the answer";
        let sent = open.sender.try_send_request(message);
        let response = match self.deadline.bound(drive(sent, &mut open.connection)).await {
            Some(Ok(response)) => response,
            Some(Err(mut error)) => {
                return match error.take_message() {
                    Some(unsent) => Exchanged::Unsent(unsent),
                    None => {
                        trace.lap(phases.head());
                        Exchanged::Done(Err(hyper_fault(error.error(), doing)))
                    }
                };
            }
            None => {
                trace.lap(phases.head());
                return Exchanged::Done(Err(Fault::timeout(doing)));
            }
        };
        trace.lap(phases.head());
        let (head, body) = response.into_parts();
        let line = format!("{:?} {}", head.version, head.status);
        let reading = drive(read_body(body), &mut open.connection);
        let read = self.deadline.bound(reading).await;
        trace.lap(phases.tail());
        let doing = "reading the body";
        let read = match read {
            None => Err(Fault::timeout(doing)),
            Some(Err(error)) => Err(hyper_fault(&error, doing)),
            Some(Ok(read)) => Ok(read),
        };
        let is_shown = !(is_hushed && head.status.is_success());
        let text: &[u8] = read.as_ref().map_or(b"", |(body, _)| if is_shown { body } else { b"" });
        exhibit::keep(&line, &head.headers, text, trace);
        let (body, whole) = match read {
            Ok(read) => read,
            Err(fault) => return Exchanged::Done(Err(fault)),
        };
        if whole && open.connection.is_some() && !open.sender.is_closed() {
            self.open = Some(open);
        }
        Exchanged::Done(Ok(Answer { status: head.status, headers: head.headers, body }))
    }
}

enum Exchanged {
    Done(Result<Answer, Fault>),
    Unsent(Request<Full<Bytes>>),
}

impl<'a> Phases<'a> {
    const fn head(self) -> &'a str {
        match self {
            Self::Split => "request",
            Self::Whole(name) => name,
        }
    }

    const fn tail(self) -> &'a str {
        match self {
            Self::Split => "body",
            Self::Whole(name) => name,
        }
    }
}

/// Runs `work` while the connection beneath it is driven by the same task.
async fn drive<F: Future>(work: F, connection: &mut Option<Connection>) -> F::Output {
    let mut work = std::pin::pin!(work);
    std::future::poll_fn(|cx| {
        if let Some(running) = connection
            && running.as_mut().poll(cx).is_ready()
        {
            // its error, if any, reaches whoever waits for the answer
            *connection = None;
        }
        match work.as_mut().poll(cx) {
            // what was just asked for may need the connection to move before it sleeps
            Poll::Pending if connection.is_some() => {
                if let Some(running) = connection
                    && running.as_mut().poll(cx).is_ready()
                {
                    *connection = None;
                }
                work.as_mut().poll(cx)
            }
            other => other,
        }
    })
    .await
}

/// At most [`MAX_BODY_BYTES`] of the body, and whether that was all of it.
async fn read_body(mut body: Incoming) -> Result<(Bytes, bool), hyper::Error> {
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        if let Ok(bytes) = frame?.into_data() {
            let room = MAX_BODY_BYTES - read.len();
            read.extend_from_slice(&bytes[..bytes.len().min(room)]);
            if bytes.len() > room {
                return Ok((read.freeze(), false));
            }
        }
    }
    Ok((read.freeze(), true))
}

fn request(ask: &Ask) -> Result<Request<Full<Bytes>>, Fault> {
    let impossible = |what: &str| Fault::new(Reason::ProbeFault, format!("{what} cannot be sent"));
    let url = &ask.url;
    let target = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    let mut request = Request::new(Full::new(ask.body.clone()));
    *request.method_mut() = ask.method.clone();
    *request.uri_mut() = target.parse().map_err(|_| impossible("the URL"))?;
    let headers = request.headers_mut();
    *headers = ask.headers.clone();
    if !headers.contains_key(HOST) {
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let host = HeaderValue::from_str(host).map_err(|_| impossible("the host's name"))?;
        headers.insert(HOST, host);
    }
    // some servers insist on it where a body could be (RFC 9110 section 8.6)
    let could_have_body = matches!(ask.method, Method::POST | Method::PUT | Method::PATCH);
    if could_have_body && ask.body.is_empty() {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    if !headers.contains_key(USER_AGENT) {
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    }
    // a server may take silence for any encoding (RFC 9110 section 12.5.3); nothing is decoded
    for (name, value) in [(ACCEPT, "*/*"), (ACCEPT_ENCODING, "identity")] {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    Ok(request)
}

fn hyper_fault(error: &hyper::Error, doing: &str) -> Fault {
    let io = std::error::Error::source(error).and_then(|e| e.downcast_ref::<std::io::Error>());
    let tell = |reason| {
        // hyper says what, its source says why
        let why = std::error::Error::source(error).map(|why| format!(": {why}"));
        let why = why.unwrap_or_default();
        Fault::new(reason, format!("while {doing}: {error}{why}"))
    };
    if error.is_parse_too_large() {
        tell(Reason::AnswerTooLarge)
    } else if error.is_parse() {
        tell(Reason::ProtocolError)
    } else if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        tell(Reason::ConnectionLost)
    } else if let Some(io) = io {
        Fault::io(io, doing)
    } else {
        tell(Reason::ProtocolError)
    }
}

#[cfg(test)]
mod tests;
