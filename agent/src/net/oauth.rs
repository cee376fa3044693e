//! Access tokens for accounts that have no password (OAuth 2.0, RFC 6749): fetched when one is
//! needed, kept until shortly before they expire, one request at a time. Showing a token to a
//! mail server is `sasl`'s; tokens and what they are asked for with never leave this file but
//! as `Secret`.

use std::time::Duration;

use hyper::Method;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use mailward_catalogue::credential::SecretError;
use mailward_catalogue::{Grant, OAuth, Secret};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::http::{Answer, Ask, Client, Phases};
use super::{Deadline, Net, Trace, clean};

/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is kept that does not say how long it is good for (RFC 6749 section 5.1
/// only recommends that it does).
const UNSAID: Duration = Duration::from_secs(300);
/// The longest a token is kept, whatever it says.
const LONGEST: Duration = Duration::from_secs(86_400);
/// How long a failure stands before the endpoint is asked again.
const REST: Duration = Duration::from_secs(10);
/// The longest token that is accepted, in bytes.
const MAX_TOKEN_BYTES: usize = 16 << 10;

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoToken {
    /// A secret that it is asked for with could not be read.
    #[error("{0}")]
    Secret(Box<str>),
    /// The endpoint refuses the client or what it came with (RFC 6749 section 5.2).
    #[error("the token endpoint answered {0}")]
    Refused(Box<str>),
    /// The endpoint cannot be reached, or gave no token.
    #[error("no token from the token endpoint: {0}")]
    Unavailable(Box<str>),
}

/// The tokens of one account.
#[derive(Debug)]
pub struct Tokens {
    means: OAuth,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<(Secret, Instant)>,
    /// One that the endpoint gave in place of the declared one.
    refresh: Option<Secret>,
    failed: Option<(NoToken, Instant)>,
}

impl Tokens {
    /// None yet.
    #[must_use]
    pub fn new(means: OAuth) -> Self {
        Self { means, held: Mutex::default() }
    }

    /// A token that is good for now. Who asks while another asks waits for its answer. Phase
    /// `token`, where one was fetched.
    ///
    /// # Errors
    /// When there is none to be had by the deadline.
    pub async fn get(
        &self,
        net: &Net,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Secret, NoToken> {
        trace.skip();
        let late = || NoToken::Unavailable(Box::from("no answer in time"));
        let mut held = deadline.bound(self.held.lock()).await.ok_or_else(late)?;
        let now = Instant::now();
        if let Some((token, until)) = &held.token
            && *until > now
        {
            return Ok(token.clone());
        }
        if let Some((failure, since)) = &held.failed
            && now.duration_since(*since) < REST
        {
            return Err(failure.clone());
        }
        let fetched = self.fetch(net, held.refresh.as_ref(), deadline).await;
        trace.lap("token");
        match fetched {
            Ok(fresh) => {
                held.failed = None;
                held.token = Some((fresh.token.clone(), now + fresh.good_for));
                held.refresh = fresh.refresh.or(held.refresh.take());
                Ok(fresh.token)
            }
            Err(failure) => {
                held.failed = Some((failure.clone(), Instant::now()));
                Err(failure)
            }
        }
    }

    /// Forgets a token that a server did not take.
    pub async fn spoil(&self, token: &Secret) {
        let mut held = self.held.lock().await;
        held.token.take_if(|(held, _)| held == token);
    }

    async fn fetch(
        &self,
        net: &Net,
        refresh: Option<&Secret>,
        deadline: Deadline,
    ) -> Result<Fresh, NoToken> {
        let ask = self.ask(refresh)?;
        let mut client = Client::new(net, deadline);
        // the endpoint is not what is watched: its addresses and certificates are not kept
        let mut apart = Trace::start();
        let answer = client.send(&ask, Phases::Whole("token"), &mut apart).await;
        read(&answer.map_err(|fault| NoToken::Unavailable(fault.detail))?)
    }

    /// RFC 6749 sections 4.4.2 and 6, with the client's secret in the body (section 2.3.1), as
    /// Google and Microsoft document it.
    fn ask(&self, refresh: Option<&Secret>) -> Result<Ask, NoToken> {
        let unreadable = |error: SecretError| NoToken::Secret(clean(&error.to_string(), 300));
        let means = &self.means;
        let url = Url::parse(&means.token_url)
            .map_err(|error| NoToken::Unavailable(clean(&error.to_string(), 300)))?;
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        match &means.grant {
            Grant::ClientCredentials => {
                form.append_pair("grant_type", "client_credentials");
            }
            Grant::RefreshToken(place) => {
                let token = match refresh {
                    Some(newer) => newer.clone(),
                    None => place.read().map_err(unreadable)?,
                };
                form.append_pair("grant_type", "refresh_token");
                form.append_pair("refresh_token", token.expose());
            }
        }
        form.append_pair("client_id", &means.client_id);
        if let Some(place) = &means.client_secret {
            form.append_pair("client_secret", place.read().map_err(unreadable)?.expose());
        }
        if let Some(scope) = &means.scope {
            form.append_pair("scope", scope);
        }
        let mut ask = Ask::get(url);
        ask.method = Method::POST;
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded");
        ask.headers.insert(CONTENT_TYPE, kind);
        ask.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        ask.body = form.finish().into();
        Ok(ask)
    }
}

/// What the endpoint gave.
#[derive(Debug)]
struct Fresh {
    token: Secret,
    good_for: Duration,
    refresh: Option<Secret>,
}

/// RFC 6749 sections 5.1 and 5.2. Nothing of the answer but an error's word is ever told.
fn read(answer: &Answer) -> Result<Fresh, NoToken> {
    let status = answer.status.as_u16();
    let json = serde_json::from_slice::<serde_json::Value>(&answer.body).ok();
    let text = |key: &str| json.as_ref()?.get(key)?.as_str();
    if status != 200 {
        let is_word = |word: &&str| {
            word.len() <= 64 && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
        };
        let word = text("error").filter(is_word);
        let told = word.map_or_else(|| status.to_string(), |word| format!("{status} {word}"));
        let refused = ["invalid_grant", "invalid_client", "unauthorized_client", "access_denied"];
        return Err(match word {
            Some(word) if refused.contains(&word) => NoToken::Refused(told.into()),
            _ => NoToken::Unavailable(format!("it answered {told}").into()),
        });
    }
    let lacks = |what: &str| NoToken::Unavailable(format!("its answer has no {what}").into());
    let token = text("access_token").filter(|token| is_token(token));
    let token = token.ok_or_else(|| lacks("access token that could be sent"))?;
    if !text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(lacks("token of type Bearer"));
    }
    let seconds = json.as_ref().and_then(|json| match json.get("expires_in")? {
        serde_json::Value::Number(number) => number.as_u64(),
        // some endpoints put it in quotes
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    });
    let good_for = seconds.map_or(UNSAID, Duration::from_secs).min(LONGEST);
    Ok(Fresh {
        token: Secret::new(token.to_owned()),
        good_for: good_for.saturating_sub(MARGIN),
        refresh: text("refresh_token")
            .filter(|token| is_token(token))
            .map(|token| Secret::new(token.to_owned())),
    })
}

/// RFC 6750 section 2.1, and what RFC 6749 appendix A.12 allows beside.
fn is_token(text: &str) -> bool {
    let visible = text.bytes().all(|byte| (b'!'..=b'~').contains(&byte));
    !text.is_empty() && text.len() <= MAX_TOKEN_BYTES && visible
}

#[cfg(test)]
mod tests;
