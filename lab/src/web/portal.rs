//! The portal: one page that works, and pages that answer what their path says, for clients
//! that have to cope with statuses and redirects (RFC 9110 §15).

use hyper::StatusCode;
use hyper::header::{self, HeaderValue};

use super::{Asked, Page, Scheme, html, redirect, text};

/// `/` and `/portal/` are the portal; `/ecp/` are a mailbox's options; `/status/503` has that status; `/redirect/3` leads to the
/// portal over three redirects; `/loop` leads to itself; `/secure` leads from http to https.
pub(super) fn answer(asked: &Asked) -> Page {
    let path = asked.uri.path();
    let mut parts = path.trim_matches('/').split('/');
    let first = parts.next().unwrap_or("");
    let number = parts.next().and_then(|part| part.parse::<u16>().ok());
    match (first, number) {
        ("" | "portal", None) => html(
            StatusCode::OK,
            "<!doctype html><title>Portal</title><h1>Portal</h1><p>Administration tools",
        ),
        ("ecp", None) => html(StatusCode::OK, "<!doctype html><title>Options</title>"),
        ("status", Some(code)) => match StatusCode::from_u16(code) {
            Ok(status) if code >= 200 => failure(status),
            _ => text(StatusCode::BAD_REQUEST, "expected a status from 200 to 999"),
        },
        ("redirect", Some(0)) => redirect("/portal/"),
        ("redirect", Some(left)) => redirect(&format!("/redirect/{}", left - 1)),
        ("loop", None) => redirect("/loop"),
        ("secure", None) if asked.scheme == Scheme::Http => {
            redirect(&format!("https://{}/", asked.host()))
        }
        _ => text(StatusCode::NOT_FOUND, "no such page"),
    }
}

/// A short page with a status; 503 comes with Retry-After (RFC 9110 §10.2.3).
pub(super) fn failure(status: StatusCode) -> Page {
    let reason = status.canonical_reason().unwrap_or("");
    let mut page = html(status, &format!("<title>{status}</title><h1>{reason}</h1>"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
    }
    page
}

/// What a load balancer shows while the service behind it is being worked on: status 200.
pub(super) fn maintenance() -> Page {
    html(
        StatusCode::OK,
        "<!doctype html><title>Maintenance</title><h1>Service under maintenance</h1>\
         <p>Please try again later.",
    )
}
