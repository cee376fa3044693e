//! Outlook on the web with forms logon, from Microsoft's documentation of `auth.owa` and
//! `logon.aspx`, its `reason` numbers, and KB 3032024 (cookies without a mailbox). There is no
//! recording: no such server runs on Linux.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};

use super::{Asked, Page, federation, html, portal, redirect, text};
use crate::House;
use crate::fault::{Fault, Leads, SignIn};

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
        ("/owa/auth/logon.aspx", &Method::GET) => match fault {
            Some(Fault::SignIn(SignIn::Custom)) => custom_form(),
            _ => logon_form(asked),
        },
        ("/owa/auth.owa" | "/owa/auth/auth.owa", &Method::POST) => log_on(asked, house, fault),
        ("/owa/custom/logon", &Method::POST) => custom_log_on(asked, house),
        ("/owa/languageselection.aspx", &Method::GET) => first_run(),
        ("/owa/auth/expiredpassword.aspx", &Method::GET) => {
            html(StatusCode::OK, "<!doctype html><title>Change password</title>")
        }
        ("/owa" | "/owa/", &Method::GET) => match (session, fault) {
            (None, Some(Fault::SignIn(sign_in))) if *sign_in != SignIn::Custom => {
                sign_in_elsewhere(*sign_in)
            }
            (Some(_), Some(Fault::LogonLeads(Leads::FirstRunInPlace))) => first_run(),
            (Some(_), Some(Fault::LogonLeads(Leads::Maintenance))) => portal::maintenance(),
            (Some(_), _) if !looping => html(
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
            Some(_) if fault == Some(&Fault::StoreEmpty) => {
                text(StatusCode::OK, r#"{"findFolders":{"Folders":[]}}"#)
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
    match fault {
        Some(Fault::LogonReason(reason)) => return to_logon(asked, *reason),
        Some(Fault::LogonLeads(Leads::TimeOut)) => return text(login_timeout(), "time-out"),
        Some(Fault::LogonLeads(Leads::ExpiredPassword)) => {
            return redirect("/owa/auth/expiredpassword.aspx?url=/owa/auth.owa");
        }
        _ => {}
    }
    let name = username.rsplit_once('\\').map_or(username.as_str(), |(_, name)| name);
    let refuse = fault == Some(&Fault::RejectLogons);
    if !house.accounts.log_on(name, &password, refuse) {
        return to_logon(asked, 2);
    }
    let destination = match fault {
        Some(Fault::LogonLeads(Leads::FirstRun)) => "/owa/languageselection.aspx",
        Some(Fault::LogonLeads(Leads::Options)) => "/ecp/",
        Some(Fault::LogonLeads(Leads::Away)) => "https://away.invalid/owa/",
        _ => &destination,
    };
    opened(house, destination)
}

/// A redirect with the cookies of a new session.
fn opened(house: &House, destination: &str) -> Page {
    let token = house.sessions.open();
    let mut page = redirect(destination);
    for cookie in COOKIES {
        let value = format!("{cookie}={token}; path=/; secure; HttpOnly");
        if let Ok(value) = HeaderValue::from_str(&value) {
            page.headers_mut().append(header::SET_COOKIE, value);
        }
    }
    page
}

/// A form such as customers put in front of Exchange: other names, a token of its own.
fn custom_form() -> Page {
    html(
        StatusCode::OK,
        "<!doctype html><title>Welcome</title><form method='post' action='../custom/logon'>\
         <input type='hidden' name='csrf' value='a&amp;b'><input type='text' name='login'>\
         <input type='password' name='secret'><input type='submit' value='Go'></form>",
    )
}

/// What that form sends: the token must be back; who is refused sees the form again.
fn custom_log_on(asked: &Asked, house: &House) -> Page {
    let field = |name: &str| form_field(&asked.body, name).unwrap_or_default();
    if field("csrf") != "a&b" {
        return text(StatusCode::BAD_REQUEST, "the token is missing");
    }
    if house.accounts.log_on(&field("login"), &field("secret"), false) {
        opened(house, "/owa/")
    } else {
        custom_form()
    }
}

/// The page that a mailbox shows once, as Exchange 2010 to 2019 post it to `lang.owa`.
fn first_run() -> Page {
    html(
        StatusCode::OK,
        "<!doctype html><title>Outlook</title><form action=\"lang.owa\" method=\"POST\">\
         <select name=\"lcid\"></select><select name=\"tzid\"></select></form>",
    )
}

fn sign_in_elsewhere(sign_in: SignIn) -> Page {
    match sign_in {
        SignIn::OAuth => redirect(federation::OAUTH),
        SignIn::WsFed => redirect(federation::WS_FED),
        SignIn::Saml => federation::saml_request(),
        SignIn::Custom | SignIn::Browser => {
            let mut page = text(StatusCode::UNAUTHORIZED, "Unauthorized");
            for offer in ["Negotiate", "Basic realm=\"lab\""] {
                let offer = HeaderValue::from_static(offer);
                page.headers_mut().append(header::WWW_AUTHENTICATE, offer);
            }
            page
        }
    }
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
