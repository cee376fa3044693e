//! Sends evidence through the same door as every agent: `POST /api/v1/evidence`, body by body,
//! each acknowledged before the next. Where the records come from is left to `story`.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mailward_catalogue::Secret;
use mailward_evidence::{Record, wire};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{StatusCode, Url};

/// Records of one body.
const BODY_RECORDS: usize = 10_000;
/// Bodies made ahead of the one that is on its way.
const BODIES_AHEAD: usize = 2;
/// How often a body is offered to a reporter that says to come back later.
const MAX_OFFERS: u32 = 10;
/// The longest wait before it is offered again.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// Where evidence goes in, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// What speaks HTTP.
    pub(crate) client: reqwest::Client,
    /// The reporter, without a path.
    pub(crate) reporter: Url,
    /// The agent's token.
    pub(crate) token: Secret,
}

/// Sends all records and returns how many there were; `sent` hears of each body's once the
/// reporter has it on disk.
///
/// # Errors
/// When the reporter cannot be reached or refuses a body.
pub(crate) async fn backfill<R>(
    door: &Door,
    records: R,
    mut sent: impl FnMut(u64) + Send,
) -> Result<u64>
where
    R: Iterator<Item = Record> + Send + 'static,
{
    let url = door.reporter.join("api/v1/evidence").context("make the address of ingest")?;
    let (to, mut bodies) = tokio::sync::mpsc::channel::<(u64, Vec<u8>)>(BODIES_AHEAD);
    let making = tokio::task::spawn_blocking(move || {
        for body in packed(records) {
            // the other end is gone when a body was refused; nobody wants the rest
            if to.blocking_send(body).is_err() {
                return;
            }
        }
    });
    let mut total = 0;
    while let Some((count, body)) = bodies.recv().await {
        offer(door, &url, body).await?;
        total += count;
        sent(count);
    }
    making.await.context("make up the past")?;
    Ok(total)
}

/// Records as bodies of NDJSON with how many each holds.
fn packed(mut records: impl Iterator<Item = Record>) -> impl Iterator<Item = (u64, Vec<u8>)> {
    std::iter::from_fn(move || {
        let mut body = Vec::with_capacity(BODY_RECORDS * 320);
        let mut count = 0;
        // a body that nears the reporter's limit is closed early, whatever it holds
        for record in records.by_ref().take(BODY_RECORDS) {
            wire::encode_line(&record, &mut body);
            count += 1;
            if body.len() > wire::MAX_BODY_BYTES - wire::MAX_LINE_BYTES {
                break;
            }
        }
        (count > 0).then_some((count, body))
    })
}

async fn offer(door: &Door, url: &Url, body: Vec<u8>) -> Result<()> {
    // cheap to clone, should it have to be offered again
    let body = bytes::Bytes::from(body);
    for _ in 0..MAX_OFFERS {
        let answer = door
            .client
            .post(url.clone())
            .header(CONTENT_TYPE, "application/x-ndjson")
            .header(AUTHORIZATION, format!("Bearer {}", door.token.expose()))
            .body(body.clone())
            .send()
            .await
            .context("send evidence to the reporter")?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        if !matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            let said = answer.text().await.unwrap_or_default();
            let said: String = said.chars().take(500).collect();
            bail!("the reporter refused evidence with {status}: {said}");
        }
        let wait = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
        let wait = wait.and_then(|text| text.parse().ok()).map_or(MAX_WAIT, Duration::from_secs);
        tokio::time::sleep(wait.min(MAX_WAIT)).await;
    }
    bail!("the reporter said {MAX_OFFERS} times to come back later")
}

#[cfg(test)]
mod tests {
    use mailward_evidence::{AgentName, Extra, Instant, Roster, SiteName};

    use super::*;

    fn record(at_ms: i64, site_bytes: usize) -> Record {
        Record::Roster(Roster {
            agent: AgentName::new("a").expect("an id"),
            site: SiteName::new(&"s".repeat(site_bytes)).expect("an id"),
            at: Instant::from_ms(at_ms).expect("an instant"),
            probes: Vec::new(),
            extra: Extra::default(),
        })
    }

    #[test]
    fn bodies_hold_all_records_in_order_and_no_more_than_they_may() {
        let records = (0..25_001).map(|n| record(n, 100));
        let bodies: Vec<_> = packed(records).collect();
        let counts: Vec<_> = bodies.iter().map(|(count, _)| *count).collect();
        assert_eq!(counts, [10_000, 10_000, 5_001]);
        let back = bodies.iter().flat_map(|(_, body)| wire::decode_lines(body).expect("records"));
        assert!(back.eq((0..25_001).map(|n| record(n, 100))));
        assert_eq!(packed(std::iter::empty()).count(), 0);
    }
}
