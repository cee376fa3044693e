//! Takes in what agents deliver and operators import: says who may, decodes, hands the records
//! to the store. It knows no SQL and no figures.

pub mod csv;
pub mod file;
pub mod http;
pub mod receipts;

use bytes::Bytes;
use mailward_evidence::wire::{self, LineError, MAX_BODY_BYTES, UnpackError, WireError};
use mailward_evidence::{AgentName, Record};

use crate::store::{Accepted, EnrolledAgent, Source, Store, StoreError};

/// A body as it came.
#[derive(Clone, Debug, Default)]
pub struct Delivered<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Content-Encoding` header.
    pub encoding: Option<&'a str>,
    /// The `Date` header: the agent's clock when it sent this.
    pub date: Option<&'a str>,
    /// The bytes.
    pub body: Bytes,
}

/// Why a body was not taken in; nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No token, or nobody's.
    #[error("expected the bearer token of an enrolled agent")]
    Unauthorised,
    /// A record that this agent may not deliver; lines count from 1.
    #[error("line {line}: {fault}")]
    Forbidden {
        /// Which line.
        line: usize,
        /// Why not.
        fault: String,
    },
    /// A line that is not a record.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The bytes are not what their encoding says.
    #[error("the body could not be opened: {0}")]
    Encoding(#[source] UnpackError),
    /// The body did not come in whole.
    #[error("the body did not come in whole: {0}")]
    Broken(String),
    /// It came too slowly.
    #[error("the body did not come within {0} s")]
    Slow(u64),
    /// More than [`MAX_BODY_BYTES`], as it came or decoded.
    #[error("expected at most {MAX_BODY_BYTES} bytes of evidence")]
    TooLarge,
    /// An encoding other than zstd or none.
    #[error("expected content encoding zstd or none, got {0:?}")]
    UnknownEncoding(String),
    /// This agent delivers more at once than is its share.
    #[error("too many deliveries of this agent at once")]
    TooMany,
    /// This agent delivers more often than is its share.
    #[error("this agent delivers too often")]
    TooOften,
    /// The reporter has as much to do as it can hold.
    #[error("too many deliveries at once")]
    Busy,
    /// The store could not take it.
    #[error("the evidence could not be stored")]
    Store(#[from] StoreError),
}

/// Takes a body in. Answers only once it is durable.
///
/// # Errors
/// See [`Refusal`]; nothing of a refused body is kept.
pub async fn handle(store: &Store, delivered: Delivered<'_>) -> Result<Accepted, Refusal> {
    let agent = authorise(store, delivered.authorization).await?;
    let encoding = Encoding::read(delivered.encoding)?;
    take_in(store, agent, encoding, delivered.date, delivered.body).await
}

/// Whose delivery this is.
pub(crate) async fn authorise(
    store: &Store,
    authorization: Option<&str>,
) -> Result<EnrolledAgent, Refusal> {
    let token = authorization.and_then(bearer).ok_or(Refusal::Unauthorised)?.to_owned();
    let store = store.clone();
    blocking(move || Ok(store.authenticate(&token)?)).await?.ok_or(Refusal::Unauthorised)
}

/// The token of an `Authorization` header (RFC 6750, section 2.1; the scheme in any case).
fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 512)
        .then_some(token)
}

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Plain,
    Zstd,
}

impl Encoding {
    pub(crate) fn read(header: Option<&str>) -> Result<Self, Refusal> {
        match header.map(str::trim) {
            None | Some("" | "identity") => Ok(Self::Plain),
            Some(name) if name.eq_ignore_ascii_case("zstd") => Ok(Self::Zstd),
            Some(name) => Err(Refusal::UnknownEncoding(name.chars().take(64).collect())),
        }
    }
}

/// Decodes an authorised body and stores it.
pub(crate) async fn take_in(
    store: &Store,
    agent: EnrolledAgent,
    encoding: Encoding,
    date: Option<&str>,
    body: Bytes,
) -> Result<Accepted, Refusal> {
    let now_ms = store.clock().now().as_millisecond();
    let skew_ms = date.and_then(read_date_ms).map(|date_ms| date_ms - now_ms);
    let name = agent.name.clone();
    let records = blocking(move || decode(&agent, encoding, &body)).await?;
    Ok(store.ingest_told(records, Source::Agent(name), skew_ms).await?)
}

/// An HTTP date (RFC 9110, section 5.6.7), in the middle of the second it names.
fn read_date_ms(date: &str) -> Option<i64> {
    let parser = jiff::fmt::rfc2822::DateTimeParser::new();
    parser.parse_timestamp(date).ok().map(|at| at.as_millisecond() + 500)
}

/// Runs what would hold up other requests on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(Refusal::Store(StoreError::Closed)))
}

fn decode(agent: &EnrolledAgent, encoding: Encoding, body: &[u8]) -> Result<Vec<Record>, Refusal> {
    let opened;
    let lines = match encoding {
        Encoding::Plain => body,
        Encoding::Zstd => {
            opened = wire::unpack_zstd(body, MAX_BODY_BYTES).map_err(|error| match error {
                UnpackError::TooLarge(_) => Refusal::TooLarge,
                damaged @ UnpackError::Damaged(_) => Refusal::Encoding(damaged),
            })?;
            &opened
        }
    };
    if lines.len() > MAX_BODY_BYTES {
        return Err(Refusal::TooLarge);
    }
    let mut records = Vec::with_capacity(lines.len() / 256 + 1);
    for (line, bytes) in (1..).zip(lines.split(|byte| *byte == b'\n')) {
        let bytes = bytes.trim_ascii();
        if bytes.is_empty() {
            continue;
        }
        let record = read_line(bytes).map_err(|error| LineError { line, error })?;
        may_deliver(agent, &record).map_err(|fault| Refusal::Forbidden { line, fault })?;
        records.push(share_name(record, &agent.name));
    }
    Ok(records)
}

fn read_line(bytes: &[u8]) -> Result<Record, WireError> {
    wire::decode_line(bytes)
}

/// The agent's name stands in every record; one copy of it is enough.
fn share_name(mut record: Record, name: &AgentName) -> Record {
    if let Record::Outcome(outcome) = &mut record {
        outcome.agent = name.clone();
    }
    record
}

/// An agent delivers its own outcomes and rosters, and once retired, those of before only.
fn may_deliver(agent: &EnrolledAgent, record: &Record) -> Result<(), String> {
    let at_ms = match record {
        Record::Outcome(outcome) => outcome.due.ms(),
        Record::Roster(roster) => roster.at.ms(),
        other => return Err(format!("an agent may not deliver a record of kind {}", other.kind())),
    };
    if record.agent() != Some(&agent.name) {
        return Err(format!("agent {} may deliver its own records only", agent.name));
    }
    match agent.retired_ms {
        Some(retired_ms) if at_ms >= retired_ms => {
            Err(format!("agent {} was retired before this was due", agent.name))
        }
        _ => Ok(()),
    }
}
