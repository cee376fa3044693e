//! Microsoft Graph as far as the inbox goes ("Get mailFolder", "Microsoft Graph error responses",
//! "Throttling guidance"): for tokens only. Documented, not recorded.

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};

use super::logon::{Known, logon};
use super::token::json;
use super::{Asked, Page};
use crate::House;
use crate::fault::Fault;

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let scheme = asked.header(header::AUTHORIZATION).unwrap_or("");
    let is_bearer = scheme.to_ascii_lowercase().starts_with("bearer ");
    let known = match logon(asked, house, fault) {
        Ok(known) if is_bearer => known,
        _ => return unauthorized(),
    };
    if let Some(Fault::Code(code)) = fault {
        return error(status_of(code), code);
    }
    let path = asked.uri.path().trim_start_matches("/v1.0/");
    let parts: Vec<&str> = path.split('/').collect();
    match (parts.as_slice(), &asked.method) {
        (["me", "mailFolders", "inbox"], &Method::GET) => match known {
            Known { account: Some(_) } => inbox(),
            // "/me request is only valid with delegated authentication flow"
            Known { account: None } => error(StatusCode::BAD_REQUEST, "BadRequest"),
        },
        (["users", mailbox, "mailFolders", "inbox"], &Method::GET) => {
            if house.accounts.exists(&mailbox.replace("%40", "@")) {
                inbox()
            } else {
                error(StatusCode::NOT_FOUND, "ErrorInvalidUser")
            }
        }
        _ => error(StatusCode::NOT_FOUND, "ResourceNotFound"),
    }
}

fn inbox() -> Page {
    json(
        StatusCode::OK,
        "{\"@odata.context\":\"$metadata#mailFolder\",\"id\":\"AQMkADYAAAIBDAAAAA==\",\
         \"displayName\":\"Inbox\",\"childFolderCount\":0,\"unreadItemCount\":2,\
         \"totalItemCount\":42,\"isHidden\":false}",
    )
}

fn status_of(code: &str) -> StatusCode {
    match code {
        "ErrorAccessDenied" | "Authorization_RequestDenied" => StatusCode::FORBIDDEN,
        "ErrorItemNotFound" | "MailboxNotEnabledForRESTAPI" => StatusCode::NOT_FOUND,
        "TooManyRequests" | "ApplicationThrottled" => StatusCode::TOO_MANY_REQUESTS,
        "ErrorMailboxMoveInProgress" => StatusCode::CONFLICT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn error(status: StatusCode, code: &str) -> Page {
    let mut page =
        json(status, &format!("{{\"error\":{{\"code\":\"{code}\",\"message\":\"told to\"}}}}"));
    if status == StatusCode::TOO_MANY_REQUESTS {
        page.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("20"));
    }
    page
}

fn unauthorized() -> Page {
    let mut page = json(
        StatusCode::UNAUTHORIZED,
        "{\"error\":{\"code\":\"InvalidAuthenticationToken\",\"message\":\"Access token is empty.\"}}",
    );
    let offer = HeaderValue::from_static("Bearer realm=\"\", error=\"invalid_token\"");
    page.headers_mut().insert(header::WWW_AUTHENTICATE, offer);
    page
}
