//! Takes in what agents deliver and operators import: says who may, decodes, hands the records
//! to the store. It knows no SQL and no figures.

pub mod http;

use mailward_evidence::wire::LineError;

use crate::store::{Accepted, Store, StoreError};

/// A body as it came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivered<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The `Content-Encoding` header.
    pub encoding: Option<&'a str>,
    /// The `Date` header: the agent's clock when it sent this.
    pub date: Option<&'a str>,
    /// The bytes.
    pub body: &'a [u8],
}

/// Why a body was not taken in; nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No token, or nobody's.
    #[error("expected a bearer token of an enrolled agent")]
    Unauthorised,
    /// A record that this agent may not deliver.
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
    #[error("{0}")]
    Encoding(String),
    /// More than 16 MiB.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// An encoding other than zstd or none.
    #[error("unsupported content encoding {0:?}; expected zstd or none")]
    UnknownEncoding(String),
    /// This agent delivers more at once than is its share.
    #[error("too many bodies of this agent at once")]
    TooMany,
    /// The reporter has as much to do as it can hold.
    #[error("the reporter is busy")]
    Busy,
    /// The store could not take it.
    #[error("the evidence could not be stored")]
    Store(#[source] StoreError),
}

/// Takes a body in. Answers only once it is durable.
///
/// # Errors
/// See [`Refusal`]; nothing of a refused body is kept.
pub async fn handle(store: &Store, delivered: Delivered<'_>) -> Result<Accepted, Refusal> {
    unimplemented!()
}
