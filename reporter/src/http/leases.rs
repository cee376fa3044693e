//! `POST /api/v1/credentials/leases`: an agent asks whether it may try an account, and tells what
//! came of attempts. One small request; where as many try an account as may, the answer waits a
//! moment for one of them to end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use mailward_evidence::AgentName;
use mailward_evidence::lease::{LeaseAsk, LeaseReply, NoLease};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};

use crate::allowance::Allowances;
use crate::ingest::http::json;
use crate::ingest::{Refusal, authorise};
use crate::leases;
use crate::store::{Store, StoreError};

/// The longest request, in bytes.
const MAX_BODY_BYTES: usize = 16 << 10;
/// How long a request may take to come in.
const BODY_WITHIN: Duration = Duration::from_secs(5);
/// How long an answer waits for an attempt of somebody else to end.
const PATIENCE: Duration = Duration::from_millis(1200);
/// Requests of one agent: so many at once, and so many a second after that.
const BURST: f64 = 100.0;
const RATE_PER_S: f64 = 50.0;
/// The most agents that are remembered.
const MAX_AGENTS: usize = 4096;

struct Desk {
    store: Store,
    /// Woken when an attempt has ended.
    ended: Notify,
    allowances: Allowances<AgentName>,
}

/// The route, to be merged into the reporter's router.
pub fn router(store: Store) -> Router {
    let allowances = Allowances::new(BURST, RATE_PER_S, MAX_AGENTS);
    let desk = Desk { store, ended: Notify::new(), allowances };
    Router::new()
        .route("/api/v1/credentials/leases", post(lease))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .with_state(Arc::new(desk))
}

/// Why a request was not answered.
enum No {
    Agent(Refusal),
    Body(String),
    TooLarge,
    TooOften,
    Store(StoreError),
}

impl From<StoreError> for No {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn lease(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    match desk.answer(request).await {
        Ok(reply) => json(StatusCode::OK, &reply),
        Err(no) => no.into_response(),
    }
}

impl Desk {
    async fn answer(&self, request: Request) -> Result<LeaseReply, No> {
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok());
        let agent = authorise(&self.store, authorization).await.map_err(No::Agent)?;
        let now = self.store.clock().read().mono;
        self.allowances.take(&agent.name, now).map_err(|_| No::TooOften)?;
        let body = match timeout(BODY_WITHIN, to_bytes(request.into_body(), MAX_BODY_BYTES)).await {
            Err(_) => return Err(No::Agent(Refusal::Slow(BODY_WITHIN.as_secs()))),
            Ok(Err(_)) => return Err(No::TooLarge),
            Ok(Ok(body)) => body,
        };
        let mut ask: LeaseAsk =
            serde_json::from_slice(&body).map_err(|error| No::Body(error.to_string()))?;
        leases::check(&ask).map_err(|bad| No::Body(bad.to_string()))?;
        let until = Instant::now() + PATIENCE;
        loop {
            // listening begins before asking: what ends in between must not be missed
            let ended = self.ended.notified();
            let reply = self.store.lease(agent.name.clone(), ask.clone()).await?;
            if !ask.answers.is_empty() || ask.cleared {
                self.ended.notify_waiters();
            }
            if reply.refused != Some(NoLease::Busy) {
                return Ok(reply);
            }
            (ask.answers, ask.cleared) = (Vec::new(), false);
            if timeout_at(until, ended).await.is_err() {
                return Ok(reply);
            }
        }
    }
}

impl IntoResponse for No {
    fn into_response(self) -> Response {
        let (status, text, again_s) = match self {
            Self::Agent(refusal) => return refusal.into_response(),
            Self::Body(why) => (StatusCode::BAD_REQUEST, why, None),
            Self::TooLarge => {
                let text = format!("expected at most {MAX_BODY_BYTES} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, text, None)
            }
            Self::TooOften => {
                let text = "this agent asks too often".to_owned();
                (StatusCode::TOO_MANY_REQUESTS, text, Some(1))
            }
            Self::Store(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "a lease was not kept");
                let text = "the lease could not be kept".to_owned();
                (StatusCode::SERVICE_UNAVAILABLE, text, Some(10))
            }
        };
        let mut response = json(status, &serde_json::json!({ "error": text }));
        if let Some(seconds) = again_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
