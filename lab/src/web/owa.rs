//! Outlook on the web with forms logon, from Microsoft's documentation of `auth.owa` and
//! `logon.aspx`, its `reason` numbers, and KB 3032024 (cookies without a mailbox). There is no
//! recording: no such server runs on Linux.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};

use super::{Asked, Page, html, redirect, text};
use crate::House;
use crate::fault::Fault;

/// The most sessions at a time; the oldest go first.
const MAX_SESSIONS: usize = 1024;
/// The cookies of a session, `cadata` first, which alone tells sessions apart here.
const COOKIES: [&str; 5] = ["cadata", "cadataTTL", "cadataKey", "cadataIV", "cadataSig"];

/// Who is logged on.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<(u64, VecDeque<String>)>,
}

impl Sessions {
    /// Opens a session; its token can be guessed, for there is nothing here to guard.
    fn open(&self) -> String {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.0 += 1;
        let token = format!("lab-session-{}", open.0);
        open.1.push_back(token.clone());
        if open.1.len() > MAX_SESSIONS {
            open.1.pop_front();
        }
        token
    }

    fn holds(&self, token: &str) -> bool {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.1.iter().any(|known| known == token)
    }

    fn close(&self, token: &str) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.1.retain(|known| known != token);
    }
}

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let path = asked.uri.path().to_ascii_lowercase();
    let session = session(asked).filter(|token| house.sessions.holds(token));
    let looping = fault == Some(&Fault::LogonLoop);
    match (path.as_str(), &asked.method) {
        ("/owa/auth/logon.aspx", &Method::GET) => logon_form(asked),
        ("/owa/auth.owa" | "/owa/auth/auth.owa", &Method::POST) => log_on(asked, house, fault),
        ("/owa" | "/owa/", &Method::GET) => match session {
            Some(_) if !looping => html(
                StatusCode::OK,
                "<!doctype html><title>Outlook</title>\
                 <script>window.clientId = '0123456789ABCDEF';</script>",
            ),
            _ => to_logon(asked, 0),
        },
        ("/owa/sessiondata.ashx", &Method::POST) => match session {
            Some(_) if fault == Some(&Fault::StoreDown) => {
                text(StatusCode::INTERNAL_SERVER_ERROR, "the mailbox store is not there")
            }
            Some(_) => text(
                StatusCode::OK,
                r#"{"findFolders":{"Folders":[{"DisplayName":"Inbox","DistinguishedFolderId":"inbox"}]}}"#,
            ),
            // 440, login time-out: what Exchange answers without cookies
            None => text(login_timeout(), "session expired"),
        },
        ("/owa/logoff.owa", &Method::GET) => {
            if let Some(token) = session {
                house.sessions.close(&token);
            }
            to_logon(asked, 1)
        }
        _ if session.is_some() => text(StatusCode::NOT_FOUND, "no such page"),
        _ => to_logon(asked, 0),
    }
}

fn login_timeout() -> StatusCode {
    StatusCode::from_u16(440).unwrap_or(StatusCode::UNAUTHORIZED)
}

/// The form, with the fields that Exchange's has.
fn logon_form(asked: &Asked) -> Page {
    let destination = format!("{}://{}/owa/", asked.scheme.as_str(), asked.host());
    html(
        StatusCode::OK,
        &format!(
            "<!doctype html><title>Outlook</title>\
             <form action=\"/owa/auth.owa\" method=\"POST\" name=\"logonForm\">\
             <input type=\"hidden\" name=\"destination\" value=\"{}\">\
             <input type=\"hidden\" name=\"flags\" value=\"4\">\
             <input type=\"hidden\" name=\"forcedownlevel\" value=\"0\">\
             <input name=\"username\"><input type=\"password\" name=\"password\">\
             <input type=\"hidden\" name=\"isUtf8\" value=\"1\"></form>",
            escaped(&destination)
        ),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

/// `destination`, `flags`, `username` and `password` are needed, else 400. Success: 302 to the
/// destination with the cookies; failure: 302 to the form with `reason=2`.
fn log_on(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let field = |name: &str| form_field(&asked.body, name);
    let (Some(destination), Some(_), Some(username), Some(password)) =
        (field("destination"), field("flags"), field("username"), field("password"))
    else {
        return text(StatusCode::BAD_REQUEST, "fields are missing");
    };
    if let Some(Fault::LogonReason(reason)) = fault {
        return to_logon(asked, *reason);
    }
    let name = username.rsplit_once('\\').map_or(username.as_str(), |(_, name)| name);
    let refuse = fault == Some(&Fault::RejectLogons);
    if !house.accounts.log_on(name, &password, refuse) {
        return to_logon(asked, 2);
    }
    let token = house.sessions.open();
    let mut page = redirect(&destination);
    for cookie in COOKIES {
        let value = format!("{cookie}={token}; path=/; secure; HttpOnly");
        if let Ok(value) = HeaderValue::from_str(&value) {
            page.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    page
}

/// A redirect to the form, with where to go afterwards and why.
fn to_logon(asked: &Asked, reason: u8) -> Page {
    let back = format!("{}://{}/owa/", asked.scheme.as_str(), asked.host());
    let mut encoded = String::new();
    for byte in back.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02x}"));
        }
    }
    redirect(&format!("/owa/auth/logon.aspx?url={encoded}&reason={reason}"))
}

/// The session's token, if all five cookies are there.
fn session(asked: &Asked) -> Option<String> {
    let mut found = [const { None }; COOKIES.len()];
    for line in asked.headers.get_all(header::COOKIE) {
        for pair in line.to_str().ok()?.split(';') {
            let (name, value) = pair.trim().split_once('=')?;
            if let Some(at) = COOKIES.iter().position(|cookie| *cookie == name) {
                found[at] = Some(value);
            }
        }
    }
    let token = found[0]?;
    found.iter().all(|value| *value == Some(token)).then(|| token.to_owned())
}

/// A field of an `application/x-www-form-urlencoded` body.
pub(super) fn form_field(body: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let value = text.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        (key == name).then_some(value)
    })?;
    Some(unescaped(value))
}

fn unescaped(value: &str) -> String {
    let bytes = value.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = (bytes[at] == b'%')
            .then(|| value.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], hex) {
            (_, Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', None) => out.push(b' '),
            (byte, None) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_fields_are_decoded() {
        let body = b"username=probe%40example.test&password=a+b%2Bc%&isUtf8=1";
        let check = |name: &str, expect: Option<&str>| {
            assert_eq!(form_field(body, name).as_deref(), expect, "{name}");
        };
        check("username", Some("probe@example.test"));
        check("password", Some("a b+c%"));
        check("flags", None);
    }

    #[test]
    fn the_oldest_session_goes_first() {
        let sessions = Sessions::default();
        let first = sessions.open();
        for _ in 0..MAX_SESSIONS {
            assert!(sessions.holds(&first));
            sessions.open();
            if sessions.open.lock().unwrap().1.len() == MAX_SESSIONS {
                break;
            }
        }
        sessions.open();
        assert!(!sessions.holds(&first));
    }
}
