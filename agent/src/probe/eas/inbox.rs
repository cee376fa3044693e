//! Sync of the inbox (MS-ASCMD section 2.2.1.21) and an estimate of what waits in it: one message
//! of the last day at a time, cut to a single character, and nothing of it kept.

use mailward_evidence::Reason;

use super::folders::empty;
use super::judge;
use super::session::{Session, Stop, kept};
use crate::net::Trace;
use crate::probe::Seen;
use crate::wbxml::Element;
use crate::wbxml::tag::{
    BODY_PREFERENCE, BODY_TYPE, COLLECTION, COLLECTION_ID, COLLECTIONS, DELETES_AS_MOVES, ESTIMATE,
    ESTIMATE_COLLECTION, ESTIMATE_COLLECTIONS, ESTIMATE_COUNT, ESTIMATE_ID, ESTIMATE_RESPONSE,
    FILTER_TYPE, GET_CHANGES, SYNC, SYNC_KEY, SYNC_OPTIONS, TRUNCATION_SIZE, WINDOW_SIZE,
};

/// How long the estimate may take; it changes no verdict.
const ESTIMATE_TIME: std::time::Duration = std::time::Duration::from_secs(3);

impl Session<'_> {
    /// Looks into the inbox. A key that the server does not know, or folders that changed, are
    /// given up for the beginning, once. Phase `inbox`.
    pub(super) async fn inbox(&mut self, trace: &mut Trace) -> Result<(), Stop> {
        let stop = match self.look(trace).await {
            Ok(()) => return Ok(()),
            Err(stop) => stop,
        };
        if !self.may_be_stale(&stop) {
            return Err(stop);
        }
        trace.fact("started_over", "inbox");
        let folders_changed = matches!(stop, Stop::FoldersChanged(_));
        self.place.inbox_key = None;
        if folders_changed {
            self.place.start_over();
            self.folders(trace).await?;
        }
        self.look(trace).await
    }

    /// From the kept key, or by the two steps of a new one.
    async fn look(&mut self, trace: &mut Trace) -> Result<(), Stop> {
        let inbox = self.place.inbox.clone().ok_or_else(|| empty("FolderSync"))?;
        let key = match self.place.inbox_key.clone() {
            Some(key) => key,
            None => {
                let key = self.sync("0", &inbox, Vec::new(), trace).await?;
                let key = key.ok_or_else(|| empty("Sync"))?;
                self.place.inbox_key = Some(key.clone());
                key
            }
        };
        let preference = Element::with(
            BODY_PREFERENCE,
            [Element::text(BODY_TYPE, "1"), Element::text(TRUNCATION_SIZE, "1")],
        );
        let wanted = vec![
            Element::text(DELETES_AS_MOVES, "1"),
            Element::empty(GET_CHANGES),
            Element::text(WINDOW_SIZE, "1"),
            Element::with(SYNC_OPTIONS, [Element::text(FILTER_TYPE, "1"), preference]),
        ];
        if let Some(key) = self.sync(&key, &inbox, wanted, trace).await? {
            self.place.inbox_key = Some(key);
        }
        Ok(())
    }

    /// One Sync; gives the next key, `None` where the answer is empty: nothing has changed.
    async fn sync(
        &mut self,
        key: &str,
        inbox: &str,
        wanted: Vec<Element>,
        trace: &mut Trace,
    ) -> Result<Option<Box<str>>, Stop> {
        let mut inside = vec![Element::text(SYNC_KEY, key), Element::text(COLLECTION_ID, inbox)];
        inside.extend(wanted);
        let collection = Element::with(COLLECTION, inside);
        let root = Element::with(SYNC, [Element::with(COLLECTIONS, [collection])]);
        let Some(answer) = self.command("Sync", &root, "inbox", trace).await? else {
            return Ok(None);
        };
        let collection = answer.at(&[COLLECTIONS, COLLECTION]);
        let statuses = [Some(&answer), collection];
        for status in statuses.into_iter().flatten().filter_map(judge::own_status) {
            if status != 1 {
                trace.fact("eas_status", format!("Sync {status}"));
            }
            judge::sync(status).settle()?;
        }
        if answer.tag != SYNC {
            return Err(Stop::Judged(Seen::down(Reason::WrongContent)));
        }
        Ok(collection.and_then(|collection| kept(collection.value_at(&[SYNC_KEY]))))
    }

    /// How many messages of the last day wait: a fact and no more, for Sync has proved the inbox
    /// already. Phase `estimate`. Fact `inbox_waiting`.
    pub(super) async fn estimate(&mut self, trace: &mut Trace) {
        let (Some(key), Some(inbox)) = (self.place.inbox_key.clone(), self.place.inbox.clone())
        else {
            return;
        };
        let options = Element::with(SYNC_OPTIONS, [Element::text(FILTER_TYPE, "1")]);
        let key = Element::text(SYNC_KEY, key);
        let id = Element::text(ESTIMATE_ID, inbox);
        // the order of 12.1 is another (MS-ASCMD section 2.2.3.27.1)
        let inside = if self.version == "12.1" {
            vec![id, Element::text(FILTER_TYPE, "1"), key]
        } else {
            vec![key, id, options]
        };
        let collection = Element::with(ESTIMATE_COLLECTION, inside);
        let root = Element::with(ESTIMATE, [Element::with(ESTIMATE_COLLECTIONS, [collection])]);
        self.hurry(ESTIMATE_TIME);
        let before = trace.noted("http_status").map(str::to_owned);
        let told = self.exchange("GetItemEstimate", &root, "estimate", trace).await;
        let count = match &told {
            Ok((_, Some(answer))) => {
                answer.value_at(&[ESTIMATE_RESPONSE, ESTIMATE_COLLECTION, ESTIMATE_COUNT])
            }
            _ => None,
        };
        let is_count = |text: &&str| text.len() <= 10 && text.bytes().all(|b| b.is_ascii_digit());
        trace.fact("http_status", before.unwrap_or_default());
        trace.fact("inbox_waiting", count.filter(is_count).unwrap_or("not told"));
    }
}
