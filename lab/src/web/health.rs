//! Exchange's health pages, as Microsoft's managed availability documents them: 200 and
//! `200 OK<br/>SERVER.FQDN` while well, and the connection closed without an answer while not.

use hyper::StatusCode;

use super::{Asked, Closed, Page, html, text};
use crate::House;
use crate::fault::Fault;

/// The protocols that have a health page.
const PROTOCOLS: [&str; 8] =
    ["owa", "ecp", "ews", "mapi", "oab", "rpc", "autodiscover", "microsoft-server-activesync"];

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Result<Page, Closed> {
    let path = asked.uri.path().to_ascii_lowercase();
    let protocol = path.trim_start_matches('/').split('/').next().unwrap_or("");
    if !PROTOCOLS.contains(&protocol) {
        return Ok(text(StatusCode::NOT_FOUND, "no such page"));
    }
    match fault {
        Some(Fault::Unpublished(absent)) if absent.eq_ignore_ascii_case(protocol) => {
            Ok(text(StatusCode::NOT_FOUND, "no such page"))
        }
        Some(Fault::Unhealthy(sick)) if sick.eq_ignore_ascii_case(protocol) => Err(Closed),
        _ => Ok(html(StatusCode::OK, &format!("200 OK<br/>LABEX01.{}", house.domain))),
    }
}
