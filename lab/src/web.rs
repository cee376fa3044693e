//! The web side: which page answers which path, and the faults that all pages share. Each page
//! is a file of its own.

mod autodiscover;
pub(crate) mod desk;
pub(crate) mod eas;
mod ews;
mod federation;
mod graph;
mod health;
mod logon;
mod mapi;
pub(crate) mod owa;
mod portal;
pub(crate) mod token;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full, Limited};
use hyper::body::{Body, Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;

use crate::House;
use crate::fault::{Fault, Part};

/// The most that is read of a request's body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;
/// The largest head of a request, in bytes.
const MAX_HEAD_BYTES: usize = 64 * 1024;
/// The longest wait for a request's head.
const HEAD_WAIT: Duration = Duration::from_secs(60);
/// How much of a body that does not end is sent.
const FLOOD_BYTES: u64 = 1 << 30;

/// How a listener begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// A request with its body read.
pub(crate) struct Asked {
    pub(crate) scheme: Scheme,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asked {
    /// A header's value, where it is text.
    pub(crate) fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The host the client believes it speaks to, with its port.
    pub(crate) fn host(&self) -> &str {
        self.header(header::HOST).unwrap_or("localhost")
    }
}

pub(crate) type Page = Response<Either<Full<Bytes>, Flood>>;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed on purpose")]
pub(crate) struct Closed;

/// Serves one connection.
pub(crate) async fn serve(stream: TcpStream, part: Part, scheme: Scheme, house: Arc<House>) {
    // an error here is a client that broke off or speaks no HTTP
    match scheme {
        Scheme::Http => pages(stream, scheme, house).await,
        Scheme::Https => {
            let fault = house.switch.fault(part);
            if let Ok(tls) = house.authority.acceptor(fault.as_ref()).accept(stream).await {
                pages(tls, scheme, house).await;
            }
        }
    }
}

async fn pages<S>(stream: S, scheme: Scheme, house: Arc<House>)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
{
    let service = hyper::service::service_fn(move |request| {
        let house = Arc::clone(&house);
        async move { page(request, scheme, &house).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WAIT)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::trace!(%error, "a connection to the lab ended early");
    }
}

async fn page(request: Request<Incoming>, scheme: Scheme, house: &House) -> Result<Page, Closed> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return Ok(text(StatusCode::PAYLOAD_TOO_LARGE, "too large"));
    };
    let asked = Asked {
        scheme,
        method: head.method,
        uri: head.uri,
        headers: head.headers,
        body: body.to_bytes(),
    };
    let part = part_of(asked.uri.path());
    let fault = house.switch.fault(part);
    match &fault {
        Some(Fault::Slow(by)) => tokio::time::sleep(*by).await,
        Some(Fault::Close) => return Err(Closed),
        // the connection's own limit of life ends this
        Some(Fault::Mute) => std::future::pending::<()>().await,
        Some(Fault::Flood) => return Ok(flood()),
        Some(Fault::Status(code)) => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return Ok(portal::failure(status));
        }
        Some(Fault::Maintenance) => return Ok(portal::maintenance()),
        _ => {}
    }
    match part {
        Part::Owa => Ok(owa::answer(&asked, house, fault.as_ref())),
        Part::Eas => Ok(eas::answer(&asked, house, fault.as_ref())),
        Part::Token => Ok(token::answer(&asked, house, fault.as_ref())),
        Part::Outlook => Ok(outlook(&asked, house, fault.as_ref())),
        Part::Health => health::answer(&asked, house, fault.as_ref()),
        _ if asked.uri.path().starts_with("/desk/") => {
            Ok(desk::answer(&asked, house, fault.as_ref()))
        }
        _ => Ok(federation::answer(&asked).unwrap_or_else(|| portal::answer(&asked))),
    }
}

/// What Outlook uses, by the first part of its path.
fn outlook(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let path = asked.uri.path().to_ascii_lowercase();
    match path.split('/').nth(1) {
        Some("autodiscover") => autodiscover::answer(asked, house, fault),
        Some("mapi") => mapi::answer(asked, house, fault),
        Some("ews") => ews::answer(asked, house, fault),
        _ => graph::answer(asked, house, fault),
    }
}

/// Which part a path belongs to; paths of Exchange are not sensitive to case, as on IIS.
fn part_of(path: &str) -> Part {
    let path = path.to_ascii_lowercase();
    if path.ends_with("/healthcheck.htm") {
        Part::Health
    } else if path == "/owa" || path.starts_with("/owa/") {
        Part::Owa
    } else if path.starts_with("/microsoft-server-activesync") {
        Part::Eas
    } else if path == "/oauth2/token" {
        Part::Token
    } else if ["/autodiscover/", "/mapi/", "/ews/", "/v1.0/"].iter().any(|p| path.starts_with(p)) {
        Part::Outlook
    } else {
        Part::Portal
    }
}

/// A short answer as plain text.
pub(crate) fn text(status: StatusCode, body: &str) -> Page {
    typed(status, "text/plain; charset=utf-8", body)
}

/// A short answer as HTML.
pub(crate) fn html(status: StatusCode, body: &str) -> Page {
    typed(status, "text/html; charset=utf-8", body)
}

/// A short answer of this type.
pub(crate) fn typed(status: StatusCode, content_type: &'static str, body: &str) -> Page {
    let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
    let mut page = Response::new(Either::Left(body));
    *page.status_mut() = status;
    page.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    page
}

/// A redirect; a place that cannot stand in a header leads to `/`.
pub(crate) fn redirect(to: &str) -> Page {
    let mut page = html(StatusCode::FOUND, "<html><body>Object moved</body></html>");
    let place = HeaderValue::from_str(to).unwrap_or_else(|_| HeaderValue::from_static("/"));
    page.headers_mut().insert(header::LOCATION, place);
    page
}

fn flood() -> Page {
    Response::new(Either::Right(Flood { left: FLOOD_BYTES }))
}

/// A body of `a`s that does not end within any honest size.
pub(crate) struct Flood {
    left: u64,
}

impl Body for Flood {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        const BLOCK: &[u8] = &[b'a'; 16 * 1024];
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left = self.left.saturating_sub(BLOCK.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(BLOCK)))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_belongs_to_one_part() {
        let check = |path: &str, expect: Part| assert_eq!(part_of(path), expect, "{path}");
        check("/owa/", Part::Owa);
        check("/OWA/auth.owa", Part::Owa);
        check("/owa", Part::Owa);
        check("/owa/healthcheck.htm", Part::Health);
        check("/Microsoft-Server-ActiveSync", Part::Eas);
        check("/Microsoft-Server-ActiveSync/healthcheck.htm", Part::Health);
        check("/Autodiscover/Autodiscover.xml", Part::Outlook);
        check("/EWS/Exchange.asmx", Part::Outlook);
        check("/mapi/healthcheck.htm", Part::Health);
        check("/v1.0/me/mailFolders/inbox", Part::Outlook);
        check("/oauth2/token", Part::Token);
        check("/owario", Part::Portal);
        check("/", Part::Portal);
    }
}
