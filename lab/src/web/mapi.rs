//! MAPI over HTTP as far as PING goes (MS-OXCMAPIHTTP §2.2.2, §2.2.6): the header lines it asks
//! for, and the answer that begins with PROCESSING and ends after DONE. Documented, not recorded.

use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::logon::logon;
use super::{Asked, Page, text, typed};
use crate::House;
use crate::fault::Fault;

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let path = asked.uri.path().trim_end_matches('/').to_ascii_lowercase();
    if !matches!(path.as_str(), "/mapi/emsmdb" | "/mapi/nspi") {
        return text(StatusCode::NOT_FOUND, "no such endpoint");
    }
    if let Err(page) = logon(asked, house, fault) {
        return *page;
    }
    if asked.method != Method::POST {
        return told(asked, 2, "");
    }
    let has = |name: &str| asked.headers.contains_key(name);
    let kind = asked.header(header::CONTENT_TYPE).unwrap_or("");
    if !["x-requesttype", "x-requestid", "x-clientapplication"].into_iter().all(has) {
        return told(asked, 7, "");
    }
    if !kind.eq_ignore_ascii_case("application/mapi-http") {
        return told(asked, 4, "");
    }
    let request_type = asked.header(HeaderName::from_static("x-requesttype")).unwrap_or("");
    if !request_type.eq_ignore_ascii_case("PING") {
        return told(asked, 5, "");
    }
    let later = match fault {
        Some(Fault::Unfinished) => return told(asked, 0, "PROCESSING\r\nPENDING\r\n"),
        // a failure may become known only once the head of the answer is out
        Some(Fault::Code(code)) => format!("X-ResponseCode: {code}\r\n"),
        _ => String::new(),
    };
    let body = format!("PROCESSING\r\nDONE\r\n{later}X-ElapsedTime: 3\r\n\r\n");
    told(asked, 0, &body)
}

fn told(asked: &Asked, code: u32, body: &str) -> Page {
    let mut page = typed(StatusCode::OK, "application/mapi-http", body);
    let id = asked.headers.get("x-requestid").cloned();
    let fixed = |text: &'static str| Some(HeaderValue::from_static(text));
    let lines = [
        ("x-requesttype", fixed("PING")),
        ("x-responsecode", HeaderValue::from_str(&code.to_string()).ok()),
        ("x-requestid", id),
        ("x-serverapplication", fixed("Exchange/15.02.1544.004")),
        ("x-feserver", fixed("LABEX01")),
        ("x-beserver", fixed("LABEX02")),
    ];
    for (name, value) in lines {
        if let Some(value) = value {
            page.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    page
}
