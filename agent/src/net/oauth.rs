//! Access tokens for accounts that have no password (OAuth 2.0, RFC 6749): fetched when one is
//! needed, kept until shortly before they expire, one request at a time. Showing a token to a
//! server is left to `sasl` and `http/authorize`; tokens and what they are asked for with never
//! leave this file but as `Secret`, or for the agent's own directory (`kept`).

use std::path::PathBuf;
use std::sync::Arc;
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

mod kept;

use kept::{Kept, Replaced};

/// How long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(60);
/// How long a token is kept that does not say how long it is good for (RFC 6749 section 5.1
/// only recommends that it does).
const UNSAID: Duration = Duration::from_secs(300);
/// The longest a token is kept, whatever it says.
const LONGEST: Duration = Duration::from_secs(86_400);
/// How long a failure stands before the endpoint is asked again.
const REST: Duration = Duration::from_secs(10);
/// How long the endpoint is waited for, whatever time a run has.
const FETCH: Duration = Duration::from_secs(30);
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
    means: Arc<OAuth>,
    kept: Option<Arc<Kept>>,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<(Secret, Instant)>,
    /// One that the endpoint gave in place of the declared one.
    refresh: Option<Replaced>,
    failed: Option<(NoToken, Instant)>,
}

impl Held {
    /// What needs no asking.
    fn known(&self) -> Option<Result<Secret, NoToken>> {
        let now = Instant::now();
        if let Some((token, until)) = &self.token
            && *until > now
        {
            return Some(Ok(token.clone()));
        }
        let (failure, since) = self.failed.as_ref()?;
        (now.duration_since(*since) < REST).then(|| Err(failure.clone()))
    }

    fn keep(&mut self, fetched: Result<Fresh, NoToken>) -> Result<Secret, NoToken> {
        match fetched {
            Ok(fresh) => {
                self.failed = None;
                self.token = Some((fresh.token.clone(), Instant::now() + fresh.good_for));
                Ok(fresh.token)
            }
            Err(failure) => {
                self.failed = Some((failure.clone(), Instant::now()));
                Err(failure)
            }
        }
    }
}

impl Tokens {
    /// None yet. A refresh token that the endpoint gives in place of the declared one is kept in
    /// the file `kept`, or until the program ends.
    #[must_use]
    pub fn new(means: OAuth, kept: Option<PathBuf>) -> Self {
        let kept = kept.map(|path| Arc::new(Kept::at(path)));
        Self { means: Arc::new(means), kept, held: Arc::default() }
    }

    /// Whether they are the client's own (RFC 6749 section 4.4) and stand for no mailbox.
    #[must_use]
    pub fn are_the_clients(&self) -> bool {
        self.means.grant == Grant::ClientCredentials
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
        let lock = Arc::clone(&self.held).lock_owned();
        let mut held = deadline.bound(lock).await.ok_or_else(late)?;
        if let Some(known) = held.known() {
            return known;
        }
        let (net, means, kept) = (net.clone(), self.means.clone(), self.kept.clone());
        // an answer may bring the only refresh token that will be good from now on: a run that
        // is out of time goes, and the request goes on
        let fetching = tokio::spawn(async move {
            let fetched = fetch(&net, &means, kept.as_deref(), &mut held.refresh).await;
            held.keep(fetched)
        });
        let fetched = deadline.bound(fetching).await;
        trace.lap("token");
        match fetched {
            Some(Ok(done)) => done,
            Some(Err(_)) => Err(NoToken::Unavailable(Box::from("the request was cut short"))),
            None => Err(late()),
        }
    }

    /// Forgets a token that a server did not take.
    pub async fn spoil(&self, token: &Secret) {
        let mut held = self.held.lock().await;
        held.token.take_if(|(held, _)| held == token);
    }
}

async fn fetch(
    net: &Net,
    means: &OAuth,
    kept: Option<&Kept>,
    replaced: &mut Option<Replaced>,
) -> Result<Fresh, NoToken> {
    let unreadable = |error: SecretError| NoToken::Secret(clean(&error.to_string(), 300));
    let declared = match &means.grant {
        Grant::ClientCredentials => None,
        Grant::RefreshToken(place) => Some(place.read().map_err(unreadable)?),
    };
    let refresh = declared.as_ref().map(|declared| {
        // whoever declares another one means that one
        replaced.take_if(|replaced| !replaced.stands_for(declared));
        // a probe that is run by hand beside the agent may have had it replaced since
        if let Some(found) = kept.and_then(|kept| kept.read(declared)) {
            *replaced = Some(found);
        }
        replaced.as_ref().map_or(declared, |replaced| &replaced.token)
    });
    let ask = ask(means, refresh)?;
    let mut client = Client::new(net, Deadline::after(FETCH));
    // the endpoint is not what is watched: its addresses and certificates are not kept
    let mut apart = Trace::start();
    let answer = client.send(&ask, Phases::Whole("token"), &mut apart).await;
    let mut fresh = read(&answer.map_err(|fault| NoToken::Unavailable(fault.detail))?)?;
    if let (Some(declared), Some(token)) = (&declared, fresh.refresh.take())
        && refresh != Some(&token)
    {
        let newer = Replaced::new(declared, token);
        match kept {
            Some(kept) => kept.write(&newer),
            None => tracing::warn!(
                client = means.client_id,
                "the token endpoint gave a new refresh token, and there is no data directory to \
                 keep it in; if the declared one can be used once only, it is used up"
            ),
        }
        *replaced = Some(newer);
    }
    Ok(fresh)
}

/// RFC 6749 sections 4.4.2 and 6, with the client's secret in the body (section 2.3.1), as
/// Google and Microsoft document it.
fn ask(means: &OAuth, refresh: Option<&Secret>) -> Result<Ask, NoToken> {
    let url = Url::parse(&means.token_url)
        .map_err(|error| NoToken::Unavailable(clean(&error.to_string(), 300)))?;
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    match refresh {
        None => {
            form.append_pair("grant_type", "client_credentials");
        }
        Some(token) => {
            form.append_pair("grant_type", "refresh_token");
            form.append_pair("refresh_token", token.expose());
        }
    }
    form.append_pair("client_id", &means.client_id);
    if let Some(place) = &means.client_secret {
        let secret =
            place.read().map_err(|error| NoToken::Secret(clean(&error.to_string(), 300)))?;
        form.append_pair("client_secret", secret.expose());
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
