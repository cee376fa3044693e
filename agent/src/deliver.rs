//! Brings records from the outbox to the reporter, as bodies of lines over HTTP, and lets them
//! leave the outbox once the reporter has said that it keeps them. What a line means is not
//! known here.

mod answer;
mod pace;
pub mod token;
mod way;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::fmt::rfc2822;
use mailward_catalogue::Secret;
use mailward_evidence::{Backlog, Clock, backlog, wire};
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, DATE, RETRY_AFTER};
use tokio::sync::watch;

pub use answer::Answer;
pub use pace::Pace;
pub use way::{DeliverError, Destination, Way};

use crate::causes::causes;
use crate::metrics::{Delivered, Metrics};
use crate::net::http::later::retry_after;
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

/// Delivery from one outbox to one reporter.
#[derive(Debug)]
pub struct Delivery {
    way: Way,
    outbox: OutboxHandle,
    metrics: Arc<Metrics>,
    clock: Arc<dyn Clock>,
    /// Directory for records that the reporter will not take.
    refused: PathBuf,
    pace: Pace,
    /// The token, each new one of which is used from then on; `None`: the way's own stays.
    token: Option<watch::Receiver<Secret>>,
    /// The reporter does not read packed bodies.
    plain: bool,
}

impl Delivery {
    /// Sets delivery up; nothing is sent yet.
    #[must_use]
    pub fn new(
        way: Way,
        outbox: OutboxHandle,
        metrics: Arc<Metrics>,
        clock: Arc<dyn Clock>,
        refused: PathBuf,
    ) -> Self {
        let (pace, plain) = (Pace::default(), false);
        Self { way, outbox, metrics, clock, refused, pace, token: None, plain }
    }

    /// The same with a token that may be another one later.
    #[must_use]
    pub fn with_token(self, token: watch::Receiver<Secret>) -> Self {
        Self { token: Some(token), ..self }
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
            self.take_up_token();
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
                denied @ Answer::Denied(..) => {
                    tokio::select! {
                        () = retries.failed(&self.pace, &denied) => {}
                        () = self.another_token() => {}
                    }
                }
                other => retries.failed(&self.pace, &other).await,
            }
        }
    }

    /// From now on, bears the token as it is now.
    fn take_up_token(&mut self) {
        let Some(token) = &mut self.token else { return };
        if !token.has_changed().unwrap_or(false) {
            return;
        }
        let renewed = self.way.renew(&token.borrow_and_update());
        if let Err(error) = renewed {
            tracing::error!(%error, "the new token is not used; the one before is");
        }
    }

    /// Waits until there is another token.
    async fn another_token(&self) {
        // looked at only: whoever sends takes it up
        if let Some(mut token) = self.token.clone()
            && token.changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
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
        let mut request = self.way.post(&["evidence"]).header(CONTENT_TYPE, "application/x-ndjson");
        request = request.header(backlog::HEADER, self.backlog().to_string());
        // by which the reporter sees how far this clock is off; one beyond the year 9999 says nothing
        if let Ok(date) =
            rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&self.clock.now())
        {
            request = request.header(DATE, date);
        }
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

    /// What waits here, for a reporter that cannot reach this agent.
    fn backlog(&self) -> Backlog {
        let stats = self.outbox.stats();
        let now_ms = self.clock.now().as_millisecond();
        let oldest_ms = stats.oldest_ms.map_or(0, |kept_ms| (now_ms - kept_ms).max(0));
        Backlog {
            records: stats.records,
            oldest_ms: oldest_ms.cast_unsigned(),
            dropped: stats.dropped + self.outbox.lost(),
            missed: self.metrics.missed_runs(),
        }
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
    let directory = path.parent();
    if let Some(directory) = directory {
        std::fs::create_dir_all(directory)?;
    }
    let mut file = std::fs::File::options().create(true).append(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    // the record leaves the outbox for this file: its name must last as well
    directory.map_or(Ok(()), |directory| std::fs::File::open(directory)?.sync_all())
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
