//! Asks the reporter for leases: one small request each, within a deadline, and not again and
//! again while it does not answer. What follows from an answer is the guard's.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use mailward_evidence::lease::{LeaseAsk, LeaseReply};
use reqwest::header::CONTENT_TYPE;

use crate::causes::causes;
use crate::deliver::Way;

/// The longest that a request may take.
pub(super) const ASK_WITHIN: Duration = Duration::from_secs(2);
/// How long after a request without an answer the next one is sent, at first and at most.
const REST: Duration = Duration::from_secs(5);
const LONGEST_REST: Duration = Duration::from_secs(60);
/// The most of an answer that is read.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// The way to the reporter, and since when it gives no answer.
#[derive(Debug)]
pub(super) struct Lessor {
    way: Way,
    silence: Mutex<Option<Silence>>,
}

#[derive(Clone, Copy, Debug)]
struct Silence {
    rest: Duration,
    /// On the monotonic clock.
    until: Duration,
}

impl Lessor {
    pub(super) fn new(way: Way) -> Self {
        Self { way, silence: Mutex::default() }
    }

    /// Whether it is worth asking now.
    pub(super) fn answers(&self, mono: Duration) -> bool {
        let silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        silence.is_none_or(|silence| mono >= silence.until)
    }

    /// Asks; `None` where no answer came that can be understood.
    pub(super) async fn ask(
        &self,
        ask: &LeaseAsk,
        within: Duration,
        mono: Duration,
    ) -> Option<LeaseReply> {
        let told = tokio::time::timeout(within, self.request(ask)).await;
        let why = match told {
            Ok(Ok(reply)) => {
                let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
                if silence.take().is_some() {
                    tracing::info!("the reporter answers requests for accounts again");
                }
                return Some(reply);
            }
            Ok(Err(why)) => why,
            Err(_) => "no answer in time".to_owned(),
        };
        let mut silence = self.silence.lock().unwrap_or_else(PoisonError::into_inner);
        if silence.is_none() {
            tracing::warn!(why, "the reporter cannot be asked whether an account may be tried");
        }
        let rest = silence.map_or(REST, |silence| (silence.rest * 2).min(LONGEST_REST));
        *silence = Some(Silence { rest, until: mono + within + rest });
        None
    }

    async fn request(&self, ask: &LeaseAsk) -> Result<LeaseReply, String> {
        let body = serde_json::to_vec(ask).map_err(|error| error.to_string())?;
        let request = self.way.post(&["credentials", "leases"]);
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let unreached = |error: reqwest::Error| causes(&error.without_url());
        let mut response = request.send().await.map_err(unreached)?;
        if !response.status().is_success() {
            return Err(format!("it answered {}", response.status()));
        }
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER_BYTES
            && let Some(piece) = response.chunk().await.map_err(unreached)?
        {
            body.extend_from_slice(&piece);
        }
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    }
}
