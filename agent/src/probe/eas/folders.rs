//! FolderSync (MS-ASCMD section 2.2.1.5): the list of folders, from the key that the device kept,
//! or from the beginning. Of the folders only the inbox's id is kept.

use mailward_evidence::Reason;

use super::judge;
use super::session::{Session, Stop, kept};
use crate::net::Trace;
use crate::probe::Seen;
use crate::wbxml::Element;
use crate::wbxml::tag::{
    FOLDER_ADD, FOLDER_CHANGES, FOLDER_DELETE, FOLDER_ID, FOLDER_KEY, FOLDER_SYNC, FOLDER_TYPE,
    FOLDER_UPDATE,
};

/// The type of the inbox (MS-ASCMD, Type (FolderSync)).
const INBOX: &str = "2";

impl Session<'_> {
    /// Learns the folders. A key that the server does not know is given up for the beginning,
    /// once. Phase `folders`. Fact `folders`, where all were listed.
    pub(super) async fn folders(&mut self, trace: &mut Trace) -> Result<(), Stop> {
        let had_key = self.place.folder_key.is_some();
        match self.folder_sync(trace).await {
            Err(stop) if had_key && self.may_be_stale(&stop) => {
                trace.fact("started_over", "folders");
                self.place.start_over();
                self.folder_sync(trace).await
            }
            told => told,
        }
    }

    /// Whether what ended a command may be the fault of a key that the server gave up: it says
    /// so, or stumbles over it, as SOGo does with 501.
    pub(super) fn may_be_stale(&self, stop: &Stop) -> bool {
        match stop {
            Stop::Stale(_) | Stop::FoldersChanged(_) => true,
            Stop::Judged(_) => matches!(self.http_status, 400 | 500 | 501),
            Stop::Fault(_) | Stop::Refused(_) => false,
        }
    }

    async fn folder_sync(&mut self, trace: &mut Trace) -> Result<(), Stop> {
        let key = self.place.folder_key.clone();
        let root = Element::with(
            FOLDER_SYNC,
            [Element::text(FOLDER_KEY, key.clone().unwrap_or_else(|| Box::from("0")))],
        );
        let answer = self.command("FolderSync", &root, "folders", trace).await?;
        let Some(answer) = answer else {
            // nothing changed, if there was anything that could
            return if key.is_some() { Ok(()) } else { Err(empty("FolderSync")) };
        };
        let status = judge::own_status(&answer).unwrap_or(1);
        if status != 1 {
            trace.fact("eas_status", format!("FolderSync {status}"));
        }
        judge::folder_sync(status).settle()?;
        if answer.tag != FOLDER_SYNC {
            return Err(Stop::Judged(Seen::down(Reason::WrongContent)));
        }
        if let Some(changes) = answer.child(FOLDER_CHANGES) {
            self.take_in(changes);
            if key.is_none() {
                let listed = changes.children().filter(|change| change.tag == FOLDER_ADD);
                trace.fact("folders", listed.count().to_string());
            }
        }
        match kept(answer.value_at(&[FOLDER_KEY])) {
            Some(key) => self.place.folder_key = Some(key),
            None if key.is_none() => {
                let detail = "expected a key in the answer to FolderSync, got none";
                let seen = Seen::down(Reason::ProtocolError).noting("detail", detail);
                return Err(Stop::Judged(seen));
            }
            None => {}
        }
        if self.place.inbox.is_none() {
            let detail = "the server lists no inbox";
            return Err(Stop::Judged(Seen::down(Reason::WrongContent).noting("detail", detail)));
        }
        Ok(())
    }

    fn take_in(&mut self, changes: &Element) {
        for change in changes.children() {
            let id = change.value_at(&[FOLDER_ID]);
            let is_inbox = change.value_at(&[FOLDER_TYPE]) == Some(INBOX);
            let is_ours = id.is_some() && id == self.place.inbox.as_deref();
            match change.tag {
                FOLDER_ADD | FOLDER_UPDATE if is_inbox && !is_ours => {
                    self.place.inbox = kept(id);
                    self.place.inbox_key = None;
                }
                FOLDER_DELETE if is_ours => {
                    self.place.inbox = None;
                    self.place.inbox_key = None;
                }
                _ => {}
            }
        }
    }
}

/// An answer without a body, where one must come.
pub(super) fn empty(command: &str) -> Stop {
    let detail = format!("expected a body in the answer to {command}, got none");
    Stop::Judged(Seen::down(Reason::ProtocolError).noting("detail", &detail))
}
