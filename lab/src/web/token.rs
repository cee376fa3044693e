//! A token endpoint (RFC 6749): client credentials for the lab's client, and refresh tokens that
//! are good once, each answered with the next one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hyper::{Method, StatusCode};

use super::owa::form_field;
use super::{Asked, Page, typed};
use crate::House;
use crate::fault::Fault;

/// The lab's client, and its secret.
const CLIENT: (&str, &str) = ("lab-client", "lab-client-secret");
/// The refresh token that is good at the start, for the first of the lab's accounts.
const FIRST_REFRESH: &str = "lab-refresh-0";
/// How long a token is good for, as is said; nothing here ever ends.
const GOOD_FOR_S: u32 = 3600;
/// The most tokens that are remembered; then all are forgotten.
const MAX_TOKENS: usize = 4096;

/// What was given out.
#[derive(Debug)]
pub(crate) struct Tokens(Mutex<Given>);

#[derive(Debug)]
struct Given {
    count: u64,
    /// Access token → account; none for the client itself.
    access: BTreeMap<String, Option<String>>,
    refresh: String,
    owner: String,
}

impl Tokens {
    /// Refresh tokens are `owner`'s.
    pub(crate) fn new(owner: &str) -> Self {
        let refresh = FIRST_REFRESH.to_owned();
        let owner = owner.to_owned();
        Self(Mutex::new(Given { count: 0, access: BTreeMap::new(), refresh, owner }))
    }

    /// Whose token this is; the client's own stands for no account.
    pub(super) fn holder(&self, token: &str) -> Option<Option<String>> {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.access.get(token).cloned()
    }

    fn for_client(&self) -> String {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.issue(None)
    }

    /// The access token and the next refresh token for a refresh token that is good.
    fn refreshed(&self, shown: &str) -> Option<(String, String)> {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if given.refresh != shown {
            return None;
        }
        let owner = given.owner.clone();
        let access = given.issue(Some(owner));
        given.refresh = format!("lab-refresh-{}", given.count);
        Some((access, given.refresh.clone()))
    }
}

impl Given {
    fn issue(&mut self, account: Option<String>) -> String {
        if self.access.len() >= MAX_TOKENS {
            self.access.clear();
        }
        self.count += 1;
        let token = format!("lab-access-{}", self.count);
        self.access.insert(token.clone(), account);
        token
    }
}

pub(super) fn answer(asked: &Asked, house: &House, fault: Option<&Fault>) -> Page {
    if asked.method != Method::POST {
        return error("invalid_request");
    }
    if let Some(Fault::Code(word)) = fault {
        return error(word);
    }
    let field = |name: &str| form_field(&asked.body, name).unwrap_or_default();
    let granted = match field("grant_type").as_str() {
        "client_credentials" => {
            let client = (field("client_id"), field("client_secret"));
            if (client.0.as_str(), client.1.as_str()) != CLIENT {
                return error("invalid_client");
            }
            (house.tokens.for_client(), None)
        }
        "refresh_token" => match house.tokens.refreshed(&field("refresh_token")) {
            Some((access, next)) => (access, Some(next)),
            None => return error("invalid_grant"),
        },
        _ => return error("unsupported_grant_type"),
    };
    let (access, next) = granted;
    let next = next.map_or_else(String::new, |next| format!(",\"refresh_token\":\"{next}\""));
    json(
        StatusCode::OK,
        &format!(
            "{{\"token_type\":\"Bearer\",\"expires_in\":{GOOD_FOR_S},\"access_token\":\"{access}\"\
             {next}}}"
        ),
    )
}

/// RFC 6749 §5.2.
fn error(word: &str) -> Page {
    json(StatusCode::BAD_REQUEST, &format!("{{\"error\":\"{word}\"}}"))
}

/// An answer as JSON.
pub(super) fn json(status: StatusCode, body: &str) -> Page {
    typed(status, "application/json; charset=utf-8", body)
}
