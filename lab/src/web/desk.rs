//! The portal's desk: an application as portals are, with a sign-in page and its token against
//! forged requests, a session, an interface that answers JSON, and pages named by captured ids.
//! Made for the tests of transactions; it plays no product.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use hyper::header::{self, HeaderValue};
use hyper::{Method, StatusCode};

use super::owa::form_field;
use super::{Asked, Page, html, redirect, text, typed};
use crate::House;
use crate::fault::Fault;

/// The most sessions and tokens that are remembered; then all are forgotten.
const MAX_REMEMBERED: usize = 4096;
/// The id of the one person of the directory: nothing in it may be taken for part of a URL.
const PERSON: &str = "p/1 ü&\"x\"?";

/// Tokens that were given out, and sessions that are open.
#[derive(Debug, Default)]
pub(crate) struct Desk {
    known: Mutex<(u64, BTreeSet<String>)>,
}

impl Desk {
    /// Something new to remember; it can be guessed, for there is nothing here to guard.
    fn issue(&self, kind: &str) -> String {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.1.len() >= MAX_REMEMBERED {
            known.1.clear();
        }
        known.0 += 1;
        let issued = format!("{kind}+{:04}/=", known.0);
        known.1.insert(issued.clone());
        issued
    }

    fn holds(&self, issued: &str) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.1.contains(issued)
    }

    fn forget(&self, issued: &str) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.1.remove(issued);
    }
}

/// `/desk/login` asks for a token of its form, a name and a password; `/desk/` and what is below
/// it need the session; `/desk/api/people` needs a second token as a header line.
pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let path = asked.uri.path();
    let session = cookie(asked, "desk").filter(|session| house.desk.holds(session));
    match (path, &asked.method, session) {
        ("/desk/login", &Method::GET, _) => form(house),
        ("/desk/login", &Method::POST, _) => log_on(asked, house, fault),
        (_, _, None) => redirect("/desk/login?expired=1"),
        ("/desk/", &Method::GET, Some(session)) => html(
            StatusCode::OK,
            &format!(
                "<!doctype html><title>Desk</title><script>window.api = '{}';</script>\
                 <p>Welcome <a href=\"/desk/logout\">Sign out</a>",
                api_token(&session)
            ),
        ),
        ("/desk/api/people", &Method::POST, Some(session)) => people(asked, &session),
        ("/desk/logout", &Method::GET, Some(session)) => {
            house.desk.forget(&session);
            redirect("/desk/login")
        }
        (path, &Method::GET, Some(_)) => match path.strip_prefix("/desk/people/").map(decoded) {
            Some(id) if id == PERSON => html(StatusCode::OK, "<h1>Pat Probe</h1>telephone 1234"),
            _ => text(StatusCode::NOT_FOUND, "no such page"),
        },
        _ => text(StatusCode::METHOD_NOT_ALLOWED, "not in this way"),
    }
}

/// The sign-in page; its token stands in an attribute, with references as pages have them.
fn form(house: &House) -> Page {
    let token = house.desk.issue("form");
    let shown = token.replace('+', "&#43;").replace('/', "&#x2F;");
    html(
        StatusCode::OK,
        &format!(
            "<!doctype html><title>Sign in</title><form action=\"/desk/login\" method=\"post\">\
             <input type=\"hidden\" name=\"token\" value=\"{shown}\"><input name=\"user\">\
             <input type=\"password\" name=\"password\"><button>Sign in</button></form>"
        ),
    )
}

fn log_on(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    let field = |name: &str| form_field(&asked.body, name).unwrap_or_default();
    let token = field("token");
    if !house.desk.holds(&token) {
        return html(StatusCode::FORBIDDEN, "<p>This form is out of date");
    }
    house.desk.forget(&token);
    let refuse = fault == Some(&Fault::RejectLogons);
    if !house.accounts.log_on(&field("user"), &field("password"), refuse) {
        return html(StatusCode::OK, "<p class=\"error\">Wrong user name or password");
    }
    let session = house.desk.issue("session");
    let mut page = redirect("/desk/");
    let cookie = format!("desk={session}; Path=/desk; Secure; HttpOnly; SameSite=Lax");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        page.headers_mut().append(header::SET_COOKIE, cookie);
    }
    page
}

fn api_token(session: &str) -> String {
    format!("api-of-{session}")
}

/// Takes `{"find": TEXT}`, and answers the person whose name holds it.
fn people(asked: &Asked, session: &str) -> Page {
    let shown = asked.headers.get("x-api-token").and_then(|value| value.to_str().ok());
    if shown != Some(&api_token(session)) {
        return text(StatusCode::FORBIDDEN, "the token is missing");
    }
    let body = std::str::from_utf8(&asked.body).unwrap_or_default().replace([' ', '\n'], "");
    if !body.starts_with("{\"find\":\"") || !body.ends_with("\"}") {
        return text(StatusCode::BAD_REQUEST, "expected {\"find\": TEXT}");
    }
    let id = PERSON.replace('"', "\\\"");
    let body = format!("{{\"total\":1,\"people\":[{{\"id\":\"{id}\",\"name\":\"Pat Probe\"}}]}}");
    let mut page = typed(StatusCode::OK, "application/json", &body);
    page.headers_mut().insert("x-request-id", HeaderValue::from_static("r-17"));
    page
}

fn cookie(asked: &Asked, name: &str) -> Option<String> {
    asked.headers.get_all(header::COOKIE).iter().find_map(|line| {
        let pairs = line.to_str().ok()?.split(';');
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    })
}

/// A part of a path without its percent signs; unlike in a form, `+` is itself.
fn decoded(part: &str) -> String {
    let field = format!("x={}", part.replace('+', "%2B"));
    form_field(field.as_bytes(), "x").unwrap_or_default()
}
