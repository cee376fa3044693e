//! ActiveSync as far as OPTIONS goes (MS-ASHTTP §2.2.3, §3.1.5.2): versions and commands for
//! who proves to be somebody, and 401 for who does not. The headers and the 401 are worded as
//! SOGo's ActiveSync was recorded to word them; an Exchange names itself, its versions are 16.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, StatusCode};

use super::{Asked, Page, text};
use crate::House;
use crate::fault::Fault;

const HEADERS: [(&str, &str); 6] = [
    ("ms-server-activesync", "15.2"),
    ("ms-asprotocolversions", "2.5,12.0,12.1,14.0,14.1,16.0,16.1"),
    (
        "ms-asprotocolcommands",
        "Sync,SendMail,SmartForward,SmartReply,GetAttachment,GetHierarchy,CreateCollection,\
         DeleteCollection,MoveCollection,FolderSync,FolderCreate,FolderDelete,FolderUpdate,\
         MoveItems,GetItemEstimate,MeetingResponse,Search,Settings,Ping,ItemOperations,Provision,\
         ResolveRecipients,ValidateCert",
    ),
    ("public", "OPTIONS,POST"),
    ("allow", "OPTIONS,POST"),
    ("cache-control", "private"),
];

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let refuse = fault == Some(&Fault::RejectLogons);
    let known = credentials(asked)
        .is_some_and(|(name, password)| house.accounts.log_on(&name, &password, refuse));
    if !known {
        let mut page = text(StatusCode::UNAUTHORIZED, "Unauthorized");
        let realm = HeaderValue::from_static("Basic realm=\"lab\"");
        page.headers_mut().insert(header::WWW_AUTHENTICATE, realm);
        return page;
    }
    if asked.method != Method::OPTIONS {
        // MS-ASHTTP §3.1.5.2 leaves commands to POST; the lab has none of them yet
        return text(StatusCode::NOT_IMPLEMENTED, "the lab answers OPTIONS alone");
    }
    let mut page = text(StatusCode::OK, "");
    for (name, value) in HEADERS {
        page.headers_mut().insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    page
}

/// Name and password of HTTP Basic (RFC 7617 §2); a name may bear a domain before a backslash.
fn credentials(asked: &Asked) -> Option<(String, String)> {
    let (scheme, encoded) = asked.header(header::AUTHORIZATION)?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    let name = name.rsplit_once('\\').map_or(name, |(_, name)| name);
    Some((name.to_owned(), password.to_owned()))
}
