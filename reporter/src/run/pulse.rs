//! How the reporter is, told by what it really does: the store takes a write, and the live state
//! is being kept current. Whether anybody acts on it is the caller's.

use std::sync::Arc;
use std::time::Duration;

use mailward_catalogue::{InForce, Pulse};
use mailward_evidence::Stopwatch;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use crate::clock::Month;
use crate::http::bundle::Bundle;
use crate::store::{Store, StoreError};

/// How much later than it is due the live state may be looked at: reckoning a month takes long.
const LATE: Duration = Duration::from_secs(120);
/// An agent that delivered within this time is counted as heard from.
const HEARD: Duration = Duration::from_secs(900);

/// When the live state was looked at last.
#[derive(Clone)]
pub(super) struct Looked {
    /// The definition that it was looked at by.
    pub(super) by: Arc<InForce>,
    /// When.
    pub(super) at: Stopwatch,
    /// How long it is left alone after that.
    pub(super) pause: Duration,
}

impl Looked {
    /// What is wrong with the live state, if anything is.
    fn late(&self, since: Duration) -> Option<String> {
        (since > self.pause + LATE).then(|| {
            format!("the live state has not been looked at for {} seconds", since.as_secs())
        })
    }
}

/// Tells how the reporter is, until it is dropped.
pub(super) async fn keep(
    store: Store,
    bundle: watch::Receiver<Arc<Bundle>>,
    mut looked: watch::Receiver<Looked>,
    pulse: watch::Sender<Option<Pulse>>,
    every: Duration,
) {
    while !pulse.is_closed() {
        let by = Arc::clone(&looked.borrow_and_update().by);
        let said = check(&store, &bundle, &looked, &pulse, every).await;
        pulse.send_replace(Some(Pulse { by: Arc::clone(&by), said }));
        let changed = async {
            // the live state that is gone for good is found late by the next check
            let _ = looked.wait_for(|looked| !Arc::ptr_eq(&looked.by, &by)).await;
        };
        tokio::select! {
            () = sleep(every) => {}
            () = changed => {}
        }
    }
}

async fn check(
    store: &Store,
    bundle: &watch::Receiver<Arc<Bundle>>,
    looked: &watch::Receiver<Looked>,
    pulse: &watch::Sender<Option<Pulse>>,
    every: Duration,
) -> Result<String, String> {
    let asked = Stopwatch::start();
    let answer = {
        let store = store.clone();
        tokio::task::spawn_blocking(move || {
            store.probe_writable()?;
            store.agents_seen()
        })
    };
    tokio::pin!(answer);
    let answer = loop {
        match timeout(every, &mut answer).await {
            Ok(answer) => break answer,
            Err(_) => {
                let seconds = asked.elapsed().as_secs();
                let said = Err(format!("the store has not answered for {seconds} seconds"));
                let by = Arc::clone(&looked.borrow().by);
                pulse.send_replace(Some(Pulse { by, said }));
            }
        }
    };
    let (seen, full) = match answer {
        Ok(Ok(seen)) => (seen, ""),
        // it answers in order, pages are served, and no restart makes room
        Ok(Err(StoreError::Full)) => (Vec::new(), "the disk is full; "),
        Ok(Err(StoreError::Locked)) => (Vec::new(), "another program writes to the store; "),
        Ok(Err(error)) => return Err(format!("the store cannot be written: {error}")),
        Err(_) => return Err("the check of the store broke off".to_owned()),
    };
    let looked = looked.borrow();
    if let Some(late) = looked.late(looked.at.elapsed()) {
        return Err(late);
    }
    let now_ms = store.clock().now().as_millisecond();
    let heard_ms = i64::try_from(HEARD.as_millis()).unwrap_or(i64::MAX);
    let heard = seen.iter().filter(|agent| now_ms - agent.last_seen_ms <= heard_ms).count();
    let month = Month::of(now_ms, &looked.by.catalogue.service.zone);
    let published = bundle.borrow().status.months.len();
    Ok(format!(
        "{full}{heard} of {} agents heard from in the last 15 minutes; month {month} is running, \
         {published} published",
        seen.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_live_state_may_take_its_time_and_not_more() {
        let parsed = mailward_catalogue::parse("a", "[service]\nname = \"A\"\nzone = \"UTC\"\n");
        let by = InForce::new(Arc::new(parsed.catalogue.unwrap()), "", 0);
        let looked =
            Looked { by: Arc::new(by), at: Stopwatch::start(), pause: Duration::from_secs(9) };
        for (since_s, late) in [(0, false), (129, false), (130, true), (9_000, true)] {
            assert_eq!(looked.late(Duration::from_secs(since_s)).is_some(), late, "{since_s}");
        }
    }
}
