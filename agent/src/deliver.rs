//! Brings records from the outbox to the reporter, as bodies of lines over HTTP, and lets them
//! leave the outbox once the reporter has said that it keeps them. What a line means is not
//! known here.

mod answer;
mod pace;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::Secret;
use mailward_evidence::{Clock, wire};
use reqwest::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT,
};
use tokio::sync::watch;
use url::Url;

pub use answer::Answer;
pub use pace::Pace;

use crate::causes::causes;
use crate::metrics::{Delivered, Metrics};
use crate::net::http::later::retry_after;
use crate::net::{Deadline, Net, NetError, Trace};
use crate::outbox::Batch;
use crate::outbox::keeper::{Closed, OutboxHandle};

/// The most records of one body.
const MAX_RECORDS: usize = 5_000;
/// About the most bytes of one body before it is packed.
const MAX_BYTES: usize = 4 << 20;
/// A body smaller than this is sent as it is.
const PACK_FROM_BYTES: usize = 1024;
/// The most of an answer that is read.
const MAX_ANSWER_BYTES: usize = 64 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Why delivery cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum DeliverError {
    /// The reporter's address is not one.
    #[error("reporter {url}: expected an http or https URL")]
    Url {
        /// What was given.
        url: Url,
    },
    /// The token cannot stand in a header.
    #[error("the agent's token holds characters that no token has")]
    Token,
    /// The authorities could not be read.
    #[error("set up trust for the reporter")]
    Trust(#[source] NetError),
    /// TLS or HTTP could not be set up.
    #[error("set up the way to the reporter")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where records go.
#[derive(Clone, Debug)]
pub struct Destination {
    /// The reporter's address; the path of ingest is added to it.
    pub reporter: Url,
    /// The agent's token.
    pub token: Secret,
    /// PEM file of authorities trusted beside the system's.
    pub trust: Option<PathBuf>,
}

/// Delivery from one outbox to one reporter.
#[derive(Debug)]
pub struct Delivery {
    client: reqwest::Client,
    url: Url,
    authorization: HeaderValue,
    outbox: OutboxHandle,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    /// Directory for records that the reporter will not take.
    refused: PathBuf,
    pace: Pace,
    /// The reporter does not read packed bodies.
    plain: bool,
}

impl Delivery {
    /// Sets delivery up; nothing is sent yet.
    ///
    /// # Errors
    /// When the address, the token or the authorities cannot be used.
    pub fn new(
        to: &Destination,
        net: Arc<Net>,
        outbox: OutboxHandle,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        refused: PathBuf,
    ) -> Result<Self, DeliverError> {
        let url = ingest_url(&to.reporter)?;
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", to.token.expose()))
            .map_err(|_| DeliverError::Token)?;
        authorization.set_sensitive(true);
        let client = client(&url, to.trust.as_deref(), net)?;
        let (pace, plain) = (Pace::default(), false);
        Ok(Self { client, url, authorization, outbox, metrics, clock, refused, pace, plain })
    }

    /// Delivers until `stop` says so. Once `hurry` is set, nothing waits for company any more.
    pub async fn run(mut self, mut hurry: watch::Receiver<bool>, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => {}
            Err(Closed) = self.deliver(&mut hurry) => {
                tracing::error!("the outbox is closed; nothing more is delivered");
            }
        }
    }

    async fn deliver(&mut self, hurry: &mut watch::Receiver<bool>) -> Result<(), Closed> {
        let mut written = self.outbox.written();
        let mut retries = Retries::default();
        let mut limit = MAX_RECORDS;
        loop {
            written.mark_unchanged();
            let batch = self.outbox.read(limit, MAX_BYTES).await?;
            if batch.records == 0 {
                written.changed().await.map_err(|_| Closed)?;
                continue;
            }
            let (answer, how) = self.send(&batch).await;
            self.metrics.delivery(how);
            match answer {
                Answer::Kept(kept) => {
                    retries.succeeded();
                    if kept.conflicts > 0 {
                        tracing::warn!(
                            conflicts = kept.conflicts,
                            "the reporter has other records of the same identity; it keeps its own"
                        );
                    }
                    self.metrics.delivered(batch.records as u64);
                    self.outbox.acknowledge(batch.through).await?;
                    limit = (limit * 2).min(MAX_RECORDS);
                    if batch.records < limit && batch.body.len() < MAX_BYTES / 2 {
                        self.linger(hurry).await;
                    }
                }
                Answer::Refused(why) if batch.records > 1 => {
                    tracing::warn!(
                        records = batch.records,
                        %why,
                        "the reporter refused a body; looking for the record that is at fault"
                    );
                    limit = batch.records / 2;
                }
                Answer::Refused(why) => {
                    if self.set_aside(&batch, &why) {
                        self.outbox.acknowledge(batch.through).await?;
                    }
                    // if a gateway refuses everything, do not set everything aside in a rush
                    retries.refused(&self.pace).await;
                }
                Answer::NoPacking if !self.plain => {
                    tracing::info!("the reporter does not read packed bodies; sending plain ones");
                    self.plain = true;
                }
                other => retries.failed(&self.pace, &other).await,
            }
        }
    }

    /// Waits a little for more records, so that a body is worth its request.
    async fn linger(&self, hurry: &mut watch::Receiver<bool>) {
        tokio::select! {
            () = tokio::time::sleep(self.pace.linger) => {}
            // an error means that nobody can hurry us any more
            Ok(_) = hurry.wait_for(|hurry| *hurry) => {}
        }
    }

    async fn send(&self, batch: &Batch) -> (Answer, Delivered) {
        let sent = self.request(batch).await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(error) => Answer::Unreachable(causes(&error.without_url())),
        };
        let how = answer.kind();
        (answer, how)
    }

    async fn request(&self, batch: &Batch) -> reqwest::Result<Answer> {
        let mut request = self
            .client
            .post(self.url.clone())
            .header(AUTHORIZATION, self.authorization.clone())
            .header(USER_AGENT, concat!("mailward/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, "application/x-ndjson");
        let packed = if self.plain || batch.body.len() < PACK_FROM_BYTES {
            None
        } else {
            wire::pack_zstd(&batch.body).ok()
        };
        request = match packed {
            Some(packed) => request.header(CONTENT_ENCODING, "zstd").body(packed),
            None => request.body(batch.body.clone()),
        };
        let mut response = request.send().await?;
        let status = response.status().as_u16();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| retry_after(text, self.clock.now()));
        let mut body = Vec::new();
        while body.len() < MAX_ANSWER_BYTES
            && let Some(piece) = response.chunk().await?
        {
            body.extend_from_slice(&piece);
        }
        Ok(answer::judge(status, retry_after, &body, batch.records as u64))
    }

    /// Writes a record that the reporter will not take where an operator finds it; whether that
    /// worked.
    fn set_aside(&self, batch: &Batch, why: &str) -> bool {
        let day = self.clock.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        let path = self.refused.join(format!("{day}.ndjson"));
        match append(&path, &batch.body) {
            Ok(()) => {
                self.metrics.refused();
                tracing::error!(
                    %why,
                    path = %path.display(),
                    "the reporter does not take this record; it is set aside"
                );
                true
            }
            Err(error) => {
                tracing::error!(%why, path = %path.display(), %error, "cannot set a record aside");
                false
            }
        }
    }
}

fn append(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = std::fs::File::options().create(true).append(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()
}

fn ingest_url(reporter: &Url) -> Result<Url, DeliverError> {
    let wrong = || DeliverError::Url { url: reporter.clone() };
    if !matches!(reporter.scheme(), "http" | "https") {
        return Err(wrong());
    }
    let mut base = reporter.clone();
    base.path_segments_mut()
        .map_err(|()| wrong())?
        .pop_if_empty()
        .extend(["api", "v1", "evidence"]);
    base.set_query(None);
    base.set_fragment(None);
    Ok(base)
}

fn client(url: &Url, trust: Option<&Path>, net: Arc<Net>) -> Result<reqwest::Client, DeliverError> {
    let failed = |error: rustls::Error| DeliverError::Client(Box::new(error));
    // over plain HTTP no authority is ever asked, and a set of them is large
    let roots = if url.scheme() == "https" {
        crate::net::tls::roots(trust).map_err(DeliverError::Trust)?
    } else {
        rustls::RootCertStore::empty()
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut builder = reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .dns_resolver(Names(net))
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(REQUEST_TIMEOUT)
        .pool_max_idle_per_host(1);
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| DeliverError::Client(Box::new(error)))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Names are resolved as probes resolve them: a static binary has no getaddrinfo.
struct Names(Arc<Net>);

impl reqwest::dns::Resolve for Names {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let net = Arc::clone(&self.0);
        Box::pin(async move {
            let deadline = Deadline::after(CONNECT_TIMEOUT);
            let found = net.resolve(name.as_str(), deadline, &mut Trace::start()).await?;
            let addresses = found.into_iter().map(|ip| std::net::SocketAddr::new(ip, 0));
            Ok(Box::new(addresses) as reqwest::dns::Addrs)
        })
    }
}

/// Failures in a row, and what was last said about them.
#[derive(Debug, Default)]
struct Retries {
    count: u32,
    refused: u32,
    said: Option<Delivered>,
}

impl Retries {
    fn succeeded(&mut self) {
        if self.said.take().is_some() {
            tracing::info!(attempts = self.count + 1, "records reach the reporter again");
        }
        (self.count, self.refused) = (0, 0);
    }

    async fn refused(&mut self, pace: &Pace) {
        self.refused += 1;
        tokio::time::sleep(pace.wait(self.refused)).await;
    }

    /// Says once what is wrong, and waits before the next attempt.
    async fn failed(&mut self, pace: &Pace, answer: &Answer) {
        self.count = self.count.saturating_add(1);
        let kind = answer.kind();
        let wait = match answer {
            Answer::Later(_, Some(asked)) => pace.at_least(*asked, self.count),
            Answer::Denied(..) | Answer::Strange(_) | Answer::NoPacking => pace.slowly(),
            _ => pace.wait(self.count),
        };
        if self.said == Some(kind) {
            tracing::debug!(%answer, ?wait, "records do not reach the reporter");
        } else if kind == Delivered::Denied || kind == Delivered::Strange {
            tracing::error!(%answer, "records do not reach the reporter; they are kept meanwhile");
        } else {
            tracing::warn!(%answer, "records do not reach the reporter; they are kept meanwhile");
        }
        self.said = Some(kind);
        tokio::time::sleep(wait).await;
    }
}

#[cfg(test)]
mod tests;
