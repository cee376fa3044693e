//! `POST /api/v1/evidence` as an axum route: headers and bytes in, a status and JSON out. It
//! bounds how much is held at once, in all and for each agent.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{Bytes, BytesMut};
use mailward_evidence::wire::MAX_BODY_BYTES;
use mailward_evidence::{AgentName, Backlog, backlog};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::receipts::Receipts;
use super::{Encoding, Refusal, authorise, take_in};
use crate::allowance::Allowances;
use crate::store::{Accepted, Store};

/// Room is counted in pieces of so many bytes.
const PIECE_BYTES: usize = 64 << 10;
/// Pieces of evidence that may be held at once, as it comes and decoded: 128 MiB.
const MAX_PIECES: usize = (128 << 20) / PIECE_BYTES;
/// How many times as large as packed evidence its lines are, as far as room is reckoned: those
/// of a probe that is up minute after minute are much alike.
const PACKED_GROWS: usize = 40;
/// How many times as large as their lines records are, while they wait to be stored.
const RECORDS_GROW: usize = 4;
/// Deliveries of one agent at once.
const AT_ONCE: usize = 8;
/// Deliveries of one agent: so many one after the other, and so many a second after that.
const BURST: f64 = 600.0;
const RATE_PER_S: f64 = 60.0;
/// The most agents that are remembered.
const MAX_AGENTS: usize = 4096;
/// How long to wait for room before turning a delivery away.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a body may take to come in.
const BODY_WITHIN: Duration = Duration::from_secs(60);

struct Gate {
    store: Store,
    receipts: Arc<Receipts>,
    room: Arc<Semaphore>,
    agents: Mutex<HashMap<AgentName, usize>>,
    allowances: Allowances<AgentName>,
}

/// The route, to be merged into the reporter's router; it sets its own body limit.
pub fn router(store: Store, receipts: Arc<Receipts>) -> Router {
    let gate = Gate {
        store,
        receipts,
        room: Arc::new(Semaphore::new(MAX_PIECES)),
        agents: Mutex::new(HashMap::new()),
        allowances: Allowances::new(BURST, RATE_PER_S, MAX_AGENTS),
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
    let now = gate.store.clock().read().mono;
    gate.allowances.take(&agent.name, now).map_err(|_| Refusal::TooOften)?;
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
    let read = tokio::time::timeout(BODY_WITHIN, gate.read(body)).await;
    let (body, _held) = read.map_err(|_| Refusal::Slow(BODY_WITHIN.as_secs()))??;
    let _room = gate.room(pieces(decoded_bytes(body.len(), encoding))).await?;
    take_in(&gate.store, agent, encoding, text(header::DATE), body).await
}

/// How much a body may grow to when it is decoded.
fn decoded_bytes(bytes: usize, encoding: Encoding) -> usize {
    let lines = match encoding {
        Encoding::Plain => bytes,
        Encoding::Zstd => bytes.saturating_mul(PACKED_GROWS).min(MAX_BODY_BYTES),
    };
    lines.saturating_mul(RECORDS_GROW)
}

fn pieces(bytes: usize) -> usize {
    bytes.div_ceil(PIECE_BYTES).max(1)
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

    /// Reads a body. Room is taken as its bytes come: one that comes slowly, or never ends, holds
    /// no more than has come of it.
    async fn read(&self, mut body: Body) -> Result<(Bytes, OwnedSemaphorePermit), Refusal> {
        let mut held = self.room(1).await?;
        let mut bytes = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            let frame = frame.map_err(|error| Refusal::Broken(error.to_string()))?;
            // what is not data are trailers, which say nothing
            let Ok(data) = frame.into_data() else { continue };
            if bytes.len() + data.len() > MAX_BODY_BYTES {
                return Err(Refusal::TooLarge);
            }
            bytes.extend_from_slice(&data);
            let more = pieces(bytes.len()).saturating_sub(held.num_permits());
            if more > 0 {
                held.merge(self.room(more).await?);
            }
        }
        Ok((bytes.freeze(), held))
    }

    /// Room for so many pieces, until dropped.
    async fn room(&self, pieces: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(pieces);
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
            Self::TooMany | Self::TooOften => (StatusCode::TOO_MANY_REQUESTS, Some(1)),
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
