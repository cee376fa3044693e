//! One connection to a mailbox: looks at its folders in rounds, waits for news in between, reads
//! what may be ours and removes what is. It never expunges more than the message it read.

use std::time::Duration;

use mail_parser::MessageParser;
use mailward_evidence::Reason;
use mailward_evidence::clock::Reading;

use super::Mailbox;
use super::fetch::{Fetched, exists, guid_ms, number_after, read_fetch, read_list};
use super::folders::{Folder, choose};
use super::moment::{Evidence, arrival_ms};
use crate::net::imap::wire::Limits;
use crate::net::imap::{Capabilities, Conversation, Said, Status};
use crate::net::{Deadline, Fault};
use crate::post::desk::Moment;
use crate::post::letter::may_concern_us;
use crate::post::{Found, Verdict};

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// What a server may send at once: a message cut to [`MAX_MESSAGE_BYTES`], and lists of folders.
const LIMITS: Limits = Limits { line_bytes: 256 << 10, literal_bytes: 2 << 20, brackets: 1_000 };
/// How much of a message is read.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Looking back into a folder on the first look: the most messages, and so many at a time.
const MAX_BACK: u32 = 2_000;
const WINDOW: u32 = 50;
/// How far before the oldest awaited message looking back goes: INTERNALDATE may be off.
const BACK_S: i64 = 3_600;
/// While a message was sent so short ago, the server is asked again and again, so that its
/// arrival is seen at once: some servers push news only after half a second or more.
const EAGER_MS: i64 = 3_000;
const EAGER_EVERY: Duration = Duration::from_millis(25);
/// How often folders beside the main one are looked at: soon after a message was sent, and later.
const SOON_MS: i64 = 60_000;
const ROUND_SOON: Duration = Duration::from_secs(2);
const ROUND_LATER: Duration = Duration::from_secs(20);
/// How often a server that cannot push is asked, soon and later.
const ASK_SOON: Duration = Duration::from_secs(1);
const ASK_LATER: Duration = Duration::from_secs(5);
/// The headers that show whether a message may concern us.
const HEADERS: &str = "X-MAILWARD-ID MESSAGE-ID FROM CONTENT-TYPE X-FAILED-RECIPIENTS";

pub(super) struct Visit<'a> {
    pub(super) of: &'a mut Mailbox,
    talk: Conversation,
    can_idle: bool,
    can_expunge: bool,
    knows_guid: bool,
    folders: Vec<Folder>,
    /// When the last round began, on the monotonic clock.
    round: Option<Duration>,
}

impl<'a> Visit<'a> {
    pub(super) async fn begin(
        of: &'a mut Mailbox,
        mut talk: Conversation,
        offered: &Capabilities,
    ) -> Result<Self, Fault> {
        talk.widen(LIMITS);
        let can_idle = offered.has("IDLE");
        let can_expunge = offered.has("UIDPLUS") || offered.has("IMAP4REV2");
        let mut visit = Self {
            of,
            talk,
            can_idle,
            can_expunge,
            knows_guid: true,
            folders: Vec::new(),
            round: None,
        };
        let (frames, _) = visit.ask("LIST \"\" \"*\"", "listing folders").await?;
        let listed: Vec<_> = frames.iter().filter_map(|frame| read_list(frame)).collect();
        let access = &visit.of.access;
        visit.folders = choose(&listed, &access.folder, &access.junk);
        visit.open(0).await?;
        Ok(visit)
    }

    pub(super) async fn leave(mut self) {
        self.talk.log_out().await;
    }

    /// Looks where it is time to, then waits for news.
    pub(super) async fn look_and_wait(&mut self, awaited: Option<(i64, i64)>) -> Result<(), Fault> {
        let now = self.of.now();
        let since_ms = awaited.map_or(i64::MAX, |(_, last)| now.wall.as_millisecond() - last);
        let every = if since_ms < SOON_MS { ROUND_SOON } else { ROUND_LATER };
        let since_round = self.round.map(|began| now.mono.saturating_sub(began));
        let called = self.of.wanted.has_changed().unwrap_or(false);
        let left = match since_round {
            Some(since) if !called && since < every => every - since,
            _ => {
                self.of.wanted.mark_unchanged();
                return self.make_round(now).await;
            }
        };
        let news = if since_ms < EAGER_MS {
            tokio::time::sleep(EAGER_EVERY).await;
            self.has_news().await?
        } else if self.can_idle {
            let mut wanted = self.of.wanted.clone();
            let called = async move {
                // whoever could call is gone: then nobody calls
                if wanted.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            self.talk.idle(left, called).await?
        } else {
            let ask = if since_ms < SOON_MS { ASK_SOON } else { ASK_LATER };
            let called = self.of.wanted.changed();
            let _ = tokio::time::timeout(ask.min(left), called).await;
            self.of.wanted.mark_changed();
            self.has_news().await?
        };
        if news {
            let seen = self.of.now();
            self.read_new(0, seen).await?;
        }
        Ok(())
    }

    async fn has_news(&mut self) -> Result<bool, Fault> {
        let began = self.of.now();
        let (frames, _) = self.ask("NOOP", "asking for news").await?;
        let news = frames.iter().any(|frame| exists(frame).is_some());
        if !news && let Some(main) = self.folders.first_mut() {
            main.looked_ms = Some(began.wall.as_millisecond());
        }
        Ok(news)
    }

    /// Looks into every folder once.
    async fn make_round(&mut self, began: Reading) -> Result<(), Fault> {
        self.round = Some(began.mono);
        let mut left_main = false;
        for index in 1..self.folders.len() {
            left_main |= self.look_aside(index).await?;
        }
        if left_main {
            self.open(0).await?;
        }
        self.has_news().await?;
        let seen = self.of.now();
        self.read_new(0, seen).await?;
        self.of.post.desk.looked(&self.of.name, began.wall.as_millisecond());
        Ok(())
    }

    /// Looks into a folder that is not the main one, if anything changed there; whether it was
    /// opened.
    async fn look_aside(&mut self, index: usize) -> Result<bool, Fault> {
        let Some(folder) = self.folders.get(index) else { return Ok(false) };
        let Some(name) = quoted(&folder.name) else { return Ok(false) };
        let began_ms = self.of.now().wall.as_millisecond();
        let line = format!("STATUS {name} (UIDNEXT UIDVALIDITY)");
        let (frames, said) = self.try_ask(&line, "asking for a folder's state").await?;
        if said.status != Status::Ok {
            // a folder that may not be looked at holds nothing of ours that could be removed
            return Ok(false);
        }
        let number = |word| frames.iter().find_map(|frame| number_after(frame, word));
        let state = number("UIDVALIDITY").zip(number("UIDNEXT"));
        let folder = &mut self.folders[index];
        if state.is_some() && folder.seen == state {
            folder.looked_ms = Some(began_ms);
            return Ok(false);
        }
        self.open(index).await?;
        let seen = self.of.now();
        self.read_new(index, seen).await?;
        Ok(true)
    }

    /// Opens a folder; what changed there since the last look is read by [`Visit::read_new`].
    async fn open(&mut self, index: usize) -> Result<(), Fault> {
        let Some(name) = self.folders.get(index).and_then(|folder| quoted(&folder.name)) else {
            return Err(Fault::new(Reason::ProbeFault, "the folder's name cannot be asked for"));
        };
        let began_ms = self.of.now().wall.as_millisecond();
        let (frames, said) = self.try_ask(&format!("SELECT {name}"), "opening a folder").await?;
        if said.status != Status::Ok {
            let detail = format!("the folder {name} cannot be opened: {}", said.text);
            return Err(Fault::new(Reason::LogonFailed, detail));
        }
        let number = |word| frames.iter().find_map(|frame| number_after(frame, word));
        let validity = number("UIDVALIDITY").unwrap_or(0);
        let known = self.folders[index].seen.filter(|(of, _)| *of == validity);
        if known.is_none() {
            let count = frames.iter().find_map(|frame| exists(frame)).unwrap_or(0);
            let next = self.look_back(index, count).await?;
            let next = number("UIDNEXT").unwrap_or(1).max(next);
            let folder = &mut self.folders[index];
            (folder.seen, folder.looked_ms) = (Some((validity, next)), Some(began_ms));
        }
        Ok(())
    }

    /// Reads a folder backwards from its newest message, as far as anything of ours may be; the
    /// UID after the newest.
    async fn look_back(&mut self, index: usize, count: u32) -> Result<u32, Fault> {
        let Some((oldest, _)) = self.of.post.desk.awaited_at(&self.of.name) else { return Ok(0) };
        let horizon_s = oldest / 1000 - BACK_S;
        let seen = self.of.now();
        let (mut high, mut next) = (count, 0);
        while high > 0 && count - high < MAX_BACK {
            let low = high.saturating_sub(WINDOW - 1).max(1);
            let line = format!(
                "FETCH {low}:{high} (UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({HEADERS})]<0.16384>)"
            );
            let (frames, _) = self.ask(&line, "reading headers").await?;
            let found: Vec<Fetched> = frames.iter().filter_map(|f| read_fetch(f)).collect();
            next = next.max(found.iter().filter_map(|f| f.uid).max().map_or(0, |uid| uid + 1));
            let past = found.iter().filter_map(|f| f.internal_s).min();
            self.read_those(index, found, seen).await?;
            if past.is_some_and(|at| at < horizon_s) {
                break;
            }
            high = low - 1;
        }
        Ok(next)
    }

    /// Reads what came into an open folder since the last look.
    async fn read_new(&mut self, index: usize, seen: Reading) -> Result<(), Fault> {
        let Some((validity, from)) = self.folders.get(index).and_then(|f| f.seen) else {
            return Ok(());
        };
        let began_ms = self.of.now().wall.as_millisecond();
        let line = format!(
            "UID FETCH {from}:* (UID INTERNALDATE BODY.PEEK[HEADER.FIELDS ({HEADERS})]<0.16384>)"
        );
        let (frames, _) = self.ask(&line, "reading headers").await?;
        // the last message comes along even if it is older (RFC 9051 section 6.4.8)
        let found = frames.iter().filter_map(|frame| read_fetch(frame));
        let found: Vec<Fetched> = found.filter(|f| f.uid.is_some_and(|uid| uid >= from)).collect();
        let next = found.iter().filter_map(|f| f.uid).max().map_or(from, |uid| uid + 1);
        self.read_those(index, found, seen).await?;
        let folder = &mut self.folders[index];
        (folder.seen, folder.looked_ms) = (Some((validity, next)), Some(began_ms));
        Ok(())
    }

    /// Reads the messages whose headers may be ours.
    async fn read_those(
        &mut self,
        index: usize,
        found: Vec<Fetched>,
        seen: Reading,
    ) -> Result<(), Fault> {
        for one in found {
            let (Some(uid), Some(headers)) = (one.uid, &one.body) else { continue };
            let parsed = MessageParser::default().parse(headers);
            let ours = parsed.is_some_and(|m| may_concern_us(&m, &self.of.post.mint));
            if ours {
                self.read_one(index, uid, seen).await?;
            }
        }
        Ok(())
    }

    async fn read_one(&mut self, index: usize, uid: u32, seen: Reading) -> Result<(), Fault> {
        let guid = if self.knows_guid { "X-GUID " } else { "" };
        let line =
            format!("UID FETCH {uid} (UID INTERNALDATE {guid}BODY.PEEK[]<0.{MAX_MESSAGE_BYTES}>)");
        let (frames, said) = self.try_ask(&line, "reading a message").await?;
        if said.status != Status::Ok && self.knows_guid {
            self.knows_guid = false;
            return Box::pin(self.read_one(index, uid, seen)).await;
        }
        let found = frames.iter().filter_map(|frame| read_fetch(frame));
        let Some(one) = found.filter(|one| one.uid == Some(uid)).find(|one| one.body.is_some())
        else {
            return Ok(());
        };
        let folder = &self.folders[index];
        let seen_ms = seen.wall.as_millisecond();
        let arrived_ms = arrival_ms(Evidence {
            seen_ms,
            absent_ms: folder.looked_ms,
            exact_ms: one.guid.as_deref().and_then(guid_ms),
            internal_s: one.internal_s,
        });
        let before = Duration::from_millis(u64::try_from(seen_ms - arrived_ms).unwrap_or(0));
        let at = Moment { wall_ms: arrived_ms, mono: seen.mono.checked_sub(before) };
        let found = Found {
            place: &self.of.name,
            folder: Some(&folder.name),
            is_junk: folder.is_junk,
            envelope: None,
            at,
            hold: false,
        };
        let verdict = self.of.post.judge(one.body.as_deref().unwrap_or_default(), found);
        match verdict {
            Verdict::Awaited(_) | Verdict::Spent => self.remove(uid).await,
            Verdict::Forged | Verdict::Foreign => Ok(()),
        }
    }

    /// Removes this message and no other: without UIDPLUS (RFC 4315) it is only marked, since a
    /// plain EXPUNGE would take others with it.
    async fn remove(&mut self, uid: u32) -> Result<(), Fault> {
        let line = format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)");
        let (_, said) = self.try_ask(&line, "removing a message").await?;
        if said.status == Status::Ok && self.can_expunge {
            self.try_ask(&format!("UID EXPUNGE {uid}"), "removing a message").await?;
        }
        Ok(())
    }

    async fn ask(&mut self, line: &str, doing: &str) -> Result<(Vec<Vec<u8>>, Said), Fault> {
        let (frames, said) = self.try_ask(line, doing).await?;
        if said.status != Status::Ok {
            let detail = format!("while {doing}: {} {}", said.status, said.text);
            return Err(Fault::new(Reason::ServerError, detail));
        }
        Ok((frames, said))
    }

    async fn try_ask(&mut self, line: &str, doing: &str) -> Result<(Vec<Vec<u8>>, Said), Fault> {
        self.talk.until(Deadline::after(ANSWER));
        self.talk.gather(line, doing).await
    }
}

/// A quoted string (RFC 9051 section 4.3), if it can hold the name.
fn quoted(name: &str) -> Option<String> {
    let fits = name.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    fits.then(|| format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")))
}
