//! `POST /api/v1/evidence` as an axum route: headers and bytes in, a status and JSON out. It
//! bounds how much is held at once, in all and for each agent.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use mailward_evidence::wire::MAX_BODY_BYTES;
use mailward_evidence::{AgentName, Backlog, backlog};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::receipts::Receipts;
use super::{Encoding, Refusal, authorise, take_in};
use crate::store::{Accepted, Store};

/// Mebibytes of evidence, decoded, that may be held at once.
const HELD_MIB: u32 = 128;
/// Deliveries of one agent at once.
const AT_ONCE: usize = 8;
/// How long to wait for room before turning a delivery away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a body may take to come in.
const BODY_WITHIN: Duration = Duration::from_secs(60);
const MIB: usize = 1 << 20;

struct Gate {
    store: Store,
    receipts: Arc<Receipts>,
    room: Arc<Semaphore>,
    agents: Mutex<HashMap<AgentName, usize>>,
}

/// The route, to be merged into the reporter's router; it sets its own body limit.
pub fn router(store: Store, receipts: Arc<Receipts>) -> Router {
    let gate = Gate {
        store,
        receipts,
        room: Arc::new(Semaphore::new(HELD_MIB as usize)),
        agents: Mutex::new(HashMap::new()),
    };
    Router::new()
        .route("/api/v1/evidence", post(evidence))
        .layer(DefaultBodyLimit::disable())
        .with_state(Arc::new(gate))
}

async fn evidence(State(gate): State<Arc<Gate>>, request: Request) -> Response {
    let received = receive(&gate, request).await;
    gate.receipts.ended(received.as_ref().err());
    match received {
        Ok(accepted) => json(StatusCode::OK, &accepted),
        Err(refusal) => refusal.into_response(),
    }
}

/// An answer as JSON.
pub(crate) fn json(status: StatusCode, value: &impl serde::Serialize) -> Response {
    // numbers and texts always have a JSON form
    let body = serde_json::to_vec(value).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn receive(gate: &Arc<Gate>, request: Request) -> Result<Accepted, Refusal> {
    let (parts, body) = request.into_parts();
    let text = |name: HeaderName| parts.headers.get(name).and_then(|v| v.to_str().ok());
    // who asks comes first: strangers are not worth reading a body for
    let agent = authorise(&gate.store, text(header::AUTHORIZATION)).await?;
    let told = parts.headers.get(backlog::HEADER).and_then(|value| value.to_str().ok());
    if let Some(told) = told.and_then(Backlog::parse) {
        gate.receipts.told(&agent.name, told);
    }
    let encoding = match parts.headers.get(header::CONTENT_ENCODING) {
        Some(value) => Encoding::read(Some(value.to_str().unwrap_or("?")))?,
        None => Encoding::Plain,
    };
    let announced = text(header::CONTENT_LENGTH).and_then(|v| v.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > MAX_BODY_BYTES) {
        return Err(Refusal::TooLarge);
    }
    let _turn = gate.turn(&agent.name)?;
    let _room = gate.room(announced, encoding).await?;
    let body = read_body(body).await?;
    take_in(&gate.store, agent, encoding, text(header::DATE), body).await
}

async fn read_body(body: Body) -> Result<bytes::Bytes, Refusal> {
    match tokio::time::timeout(BODY_WITHIN, to_bytes(body, MAX_BODY_BYTES)).await {
        Err(_) => Err(Refusal::Slow(BODY_WITHIN.as_secs())),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => Err(body_fault(&error)),
    }
}

fn body_fault(error: &axum::Error) -> Refusal {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        // axum's limit is http-body-util's, whose text is all that tells it apart
        if inner.to_string() == "length limit exceeded" {
            return Refusal::TooLarge;
        }
        source = inner.source();
    }
    Refusal::Broken(error.to_string())
}

impl Gate {
    /// One of the agent's deliveries at once, until dropped.
    fn turn(self: &Arc<Self>, agent: &AgentName) -> Result<Turn, Refusal> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let running = agents.entry(agent.clone()).or_default();
        if *running >= AT_ONCE {
            return Err(Refusal::TooMany);
        }
        *running += 1;
        Ok(Turn { gate: self.clone(), agent: agent.clone() })
    }

    /// Room for what a body may grow to, until dropped.
    async fn room(
        &self,
        announced: Option<usize>,
        encoding: Encoding,
    ) -> Result<OwnedSemaphorePermit, Refusal> {
        let grown = match (announced, encoding) {
            (Some(bytes), Encoding::Plain) => bytes,
            (Some(bytes), Encoding::Zstd) => bytes.saturating_mul(16),
            (None, _) => MAX_BODY_BYTES,
        };
        let mib = u32::try_from(grown.min(MAX_BODY_BYTES).div_ceil(MIB).max(1)).unwrap_or(16);
        let room = self.room.clone().acquire_many_owned(mib);
        match tokio::time::timeout(PATIENCE, room).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refusal::Busy),
        }
    }
}

struct Turn {
    gate: Arc<Gate>,
    agent: AgentName,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut agents = self.gate.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = agents.get_mut(&self.agent) {
            *running -= 1;
            if *running == 0 {
                agents.remove(&self.agent);
            }
        }
    }
}

impl Refusal {
    /// The status it is told with, and after how many seconds to come back.
    #[must_use]
    pub const fn status(&self) -> (StatusCode, Option<u16>) {
        match self {
            Self::Unauthorised => (StatusCode::UNAUTHORIZED, None),
            Self::Forbidden { .. } => (StatusCode::FORBIDDEN, None),
            Self::Line(_) | Self::Encoding(_) | Self::Broken(_) => (StatusCode::BAD_REQUEST, None),
            Self::Slow(_) => (StatusCode::REQUEST_TIMEOUT, None),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::UnknownEncoding(_) => (StatusCode::UNSUPPORTED_MEDIA_TYPE, None),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, Some(1)),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, Some(2)),
            Self::Store(_) => (StatusCode::SERVICE_UNAVAILABLE, Some(10)),
        }
    }

    const fn line(&self) -> Option<usize> {
        match self {
            Self::Forbidden { line, .. } => Some(*line),
            Self::Line(error) => Some(error.line),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::Store(error) = &self {
            tracing::error!(error = error as &dyn std::error::Error, "evidence was not stored");
        }
        #[derive(serde::Serialize)]
        struct Told {
            error: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            line: Option<usize>,
        }
        let (status, retry_after_s) = self.status();
        let told = Told { error: self.to_string(), line: self.line() };
        let mut response = json(status, &told);
        let headers = response.headers_mut();
        if let Some(seconds) = retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
