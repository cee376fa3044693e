//! Posting messages to an address: one at a time and in their order, each noted before and after
//! it is sent, so that a program that ends sends it again under the same key rather than never.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use mailward_catalogue::{Hook, HookUrl, Secret, SecretRef};
use mailward_evidence::Clock;
use reqwest::StatusCode;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use ring::hmac;
use url::Url;

use crate::clock::duration_ms;
use crate::outward::{MAX_ANSWER_BYTES, Outward, OutwardError, told};
use crate::post::wait_ms;
use crate::render::columns::one_line;
use crate::store::{Addressee, LetterState, Store, StoreError};

/// How long until a message is tried again: doubled each time, from 5 seconds to 10 minutes.
const FIRST_WAIT_MS: i64 = 5_000;
const LONGEST_WAIT_MS: i64 = 600_000;
/// The longest that an address may ask to be left alone.
const LONGEST_ASKED_MS: i64 = 3_600_000;
/// How long an address may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// The most messages of one round.
const MAX_ROUND: usize = 50;
/// The longest answer that is kept, in characters.
const MAX_SAID: usize = 200;

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Posted {
    /// It was taken.
    Taken(String),
    /// It will never be taken.
    Refused(String),
    /// It was not taken now, or nobody knows; after this long it may be, if that was said.
    PutOff(String, Option<i64>),
}

impl Posted {
    /// What was said, in a line.
    #[must_use]
    pub fn said(&self) -> &str {
        match self {
            Self::Taken(said) | Self::Refused(said) | Self::PutOff(said, _) => said,
        }
    }
}

/// An address to post to, ready for use.
pub struct Poster {
    hook: Hook,
    outward: Outward,
    limit: Duration,
}

impl Poster {
    /// One that posts to this address.
    ///
    /// # Errors
    /// When the resolver, the authorities or TLS cannot be set up.
    pub fn new(hook: &Hook) -> Result<Self, OutwardError> {
        let outward = Outward::new(hook.allow_private, hook.trust.as_deref())?;
        Ok(Self { hook: hook.clone(), outward, limit: ANSWER_TIMEOUT })
    }

    /// The same, with less patience.
    #[must_use]
    pub fn within(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

    /// Posts a message. Secrets are read now, so that new ones need no restart.
    pub async fn post(&self, delivery: &str, body: &str, at_s: i64) -> Posted {
        let built = self.url().and_then(|url| Ok((url, self.headers(delivery, body, at_s)?)));
        let (url, headers) = match built {
            Ok(built) => built,
            Err(said) => return Posted::PutOff(line(&said), None),
        };
        let request = match self.outward.post(&url) {
            Ok(request) => request.headers(headers).body(body.to_owned()).timeout(self.limit),
            Err(error) => return Posted::PutOff(line(&error.to_string()), None),
        };
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return Posted::PutOff(line(&told(error)), None),
        };
        let (status, asked_ms) = (answer.status(), retry_after(answer.headers()));
        let mut said = Vec::new();
        // of a long answer, the beginning will do
        while said.len() < MAX_ANSWER_BYTES.min(4 * MAX_SAID) {
            match answer.chunk().await {
                Ok(Some(chunk)) => said.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        let said = line(&format!("{} {}", status.as_u16(), String::from_utf8_lossy(&said)));
        judge(status, said, asked_ms)
    }

    fn url(&self) -> Result<Url, String> {
        let text = match &self.hook.url {
            HookUrl::Plain(url) => url.clone(),
            HookUrl::Kept(place) => read(place)?.expose().trim().to_owned(),
        };
        // the text itself is not repeated: it may be a secret
        Url::parse(&text).map_err(|error| format!("url: {error}"))
    }

    fn headers(&self, delivery: &str, body: &str, at_s: i64) -> Result<HeaderMap, String> {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.hook.headers {
            let name = HeaderName::try_from(name).map_err(|_| format!("header {name:?}"))?;
            let value = HeaderValue::try_from(value).map_err(|_| format!("header {name}"))?;
            headers.append(name, value);
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for name in ["idempotency-key", "x-mailward-delivery"] {
            let value = HeaderValue::try_from(delivery).map_err(|error| error.to_string())?;
            headers.insert(HeaderName::from_static(name), value);
        }
        if let Some(place) = &self.hook.bearer {
            let token = read(place)?;
            let value = format!("Bearer {}", token.expose().trim());
            headers.insert(AUTHORIZATION, secret_header(&value, "bearer")?);
        }
        if let Some(place) = &self.hook.signing_secret {
            let value = signature(&read(place)?, at_s, body);
            let value = HeaderValue::try_from(value).map_err(|error| error.to_string())?;
            headers.insert(HeaderName::from_static("x-mailward-signature"), value);
        }
        Ok(headers)
    }
}

/// `t=SECONDS,v1=HEX`: HMAC-SHA256 (RFC 2104) over `SECONDS.BODY`.
fn signature(secret: &Secret, at_s: i64, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{at_s}.").as_bytes());
    context.update(body.as_bytes());
    let tag = context.sign();
    format!("t={at_s},v1={}", HEXLOWER.encode(tag.as_ref()))
}

fn secret_header(text: &str, what: &str) -> Result<HeaderValue, String> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| format!("{what}: expected characters that a header may have"))?;
    value.set_sensitive(true);
    Ok(value)
}

fn read(place: &SecretRef) -> Result<Secret, String> {
    place.read().map_err(|error| match std::error::Error::source(&error) {
        Some(why) => format!("{error}: {why}"),
        None => error.to_string(),
    })
}

/// What a status means (RFC 9110 section 15): what will be refused again is not tried again.
fn judge(status: StatusCode, said: String, asked_ms: Option<i64>) -> Posted {
    let again = [
        // who is asked may have been told the new token, or the new address, later than we
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::CONFLICT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    if status.is_success() {
        Posted::Taken(said)
    } else if status.is_client_error() && !again.contains(&status) {
        Posted::Refused(said)
    } else if status.is_redirection() {
        Posted::PutOff(format!("{said}: redirects are not followed"), asked_ms)
    } else {
        Posted::PutOff(said, asked_ms)
    }
}

/// `Retry-After` in milliseconds (RFC 9110 section 10.2.3), where it is a number of seconds;
/// a date would need the other's clock.
fn retry_after(headers: &HeaderMap) -> Option<i64> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    let seconds: i64 = text.trim().parse().ok().filter(|seconds| *seconds >= 0)?;
    Some(seconds.saturating_mul(1000).min(LONGEST_ASKED_MS))
}

/// What others said, in one line and of bounded length.
fn line(text: &str) -> String {
    one_line(text, MAX_SAID)
}

/// Posts what stands in the queue of one channel.
pub struct Courier {
    store: Store,
    clock: Arc<dyn Clock>,
    channel: String,
    give_up_after: Duration,
    poster: Poster,
}

impl Courier {
    /// That of a channel.
    #[must_use]
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        channel: &str,
        give_up_after: Duration,
        poster: Poster,
    ) -> Self {
        Self { store, clock, channel: channel.to_owned(), give_up_after, poster }
    }

    /// Lets what a program that ended was sending wait again: whether it was taken nobody knows,
    /// and twice is better than never.
    ///
    /// # Errors
    /// When the queue cannot be read or written.
    pub fn recover(&self) -> Result<(), StoreError> {
        for at in self.store.addressees(&self.channel)? {
            if at.state == LetterState::Begun {
                let said = Some("broken off while it was sent".to_owned());
                let next_ms = self.now_ms();
                let waiting = Addressee { state: LetterState::Waiting, said, next_ms, ..at };
                self.store.move_addressee(LetterState::Begun, &waiting)?;
            }
        }
        Ok(())
    }

    /// Sends what is due, in order; a message that is put off holds back those behind it. Gives
    /// with how many it is done.
    ///
    /// # Errors
    /// When the queue cannot be read or written; what the address says is noted in it.
    pub async fn round(&self) -> Result<usize, StoreError> {
        let mut done = 0;
        for _ in 0..MAX_ROUND {
            let Some(waiting) = self.next().await? else { break };
            let age_ms = self.now_ms().saturating_sub(waiting.made_ms);
            // what is so old is no news, be it tried or not
            if age_ms > duration_ms(self.give_up_after) {
                let given_up = Addressee { state: LetterState::GivenUp, ..waiting };
                self.settle(LetterState::Waiting, given_up).await?;
                continue;
            }
            if waiting.next_ms > self.now_ms() {
                break;
            }
            let attempts = waiting.attempts.saturating_add(1);
            let begun = Addressee { state: LetterState::Begun, attempts, ..waiting };
            if !self.settle(LetterState::Waiting, begun.clone()).await? {
                break;
            }
            if !self.send(begun).await? {
                break;
            }
            done += 1;
        }
        Ok(done)
    }

    /// Whether it is done with it.
    async fn send(&self, begun: Addressee) -> Result<bool, StoreError> {
        let (store, letter) = (self.store.clone(), begun.letter);
        let letter = blocking(move || store.letter(letter)).await?;
        let body = letter.and_then(|letter| letter.body);
        let posted = match &body {
            Some(body) => {
                let at_s = self.now_ms().div_euclid(1000);
                self.poster.post(&begun.message_id, body, at_s).await
            }
            None => Posted::Refused("the message is gone".to_owned()),
        };
        let (channel, about, said) = (&self.channel, &begun.about, posted.said().to_owned());
        let end = |state| Addressee { state, said: Some(said.clone()), ..begun.clone() };
        let (ended, done) = match posted {
            Posted::Taken(_) => {
                tracing::info!(channel, about, said, "a notification was taken");
                (end(LetterState::Sent), true)
            }
            Posted::Refused(_) => {
                tracing::error!(channel, about, said, "a notification is refused for good");
                (end(LetterState::Bounced), true)
            }
            Posted::PutOff(_, asked_ms) => {
                let wait_ms = wait_ms(begun.attempts, FIRST_WAIT_MS, LONGEST_WAIT_MS)
                    .max(asked_ms.unwrap_or(0));
                tracing::warn!(channel, about, said, wait_s = wait_ms / 1000, "put off");
                let next_ms = self.now_ms().saturating_add(wait_ms);
                (Addressee { next_ms, ..end(LetterState::Waiting) }, false)
            }
        };
        self.settle(LetterState::Begun, ended).await?;
        Ok(done)
    }

    async fn next(&self) -> Result<Option<Addressee>, StoreError> {
        let (store, channel) = (self.store.clone(), self.channel.clone());
        blocking(move || store.next_notice(&channel)).await
    }

    async fn settle(&self, from: LetterState, to: Addressee) -> Result<bool, StoreError> {
        let (store, to) = (self.store.clone(), Addressee { changed_ms: self.now_ms(), ..to });
        blocking(move || store.move_addressee(from, &to)).await
    }

    fn now_ms(&self) -> i64 {
        self.clock.now().as_millisecond()
    }
}

/// Asks the store beside the runtime.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(StoreError::Closed))
}

#[cfg(test)]
pub(super) mod tests;
