//! Where the two messages have landed: looked for by their ids in the inbox and in the folders
//! that are junk, until the deadline, and taken away again. Nothing else in the mailbox is
//! touched.

use std::time::Duration;

use mailward_evidence::Reason;

use super::offer::{HEADER, Letter, Offered};
use crate::net::imap::{Answer, Conversation};
use crate::net::{Deadline, Fault};

/// Between two looks into the mailbox.
const PAUSE: Duration = Duration::from_millis(500);
/// What is kept back of the deadline, for tidying up.
const TIDY: Duration = Duration::from_secs(2);
/// The most folders that are looked into.
const MAX_FOLDERS: usize = 6;
/// Names of junk folders of servers that do not mark them (RFC 6154).
const JUNK: &[&str] = &["junk", "spam", "junk e-mail", "junk email", "bulk mail"];

/// Where a message is; what is further on is more trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Landed {
    /// Refused, or taken and not delivered.
    Nowhere,
    /// In a junk folder.
    Junk,
    /// In the inbox.
    Inbox,
}

impl Landed {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Nowhere => "refused or dropped",
            Self::Junk => "junk",
            Self::Inbox => "inbox",
        }
    }
}

/// Waits until the harmless message is there, and the forged one too or the time is up: that it
/// is nowhere can only be said at the end.
pub(super) async fn find(
    talk: &mut Conversation,
    control: &Letter,
    forged: &Letter,
    offered: &Offered,
    deadline: Deadline,
) -> Result<(Landed, Landed), Fault> {
    let folders = folders(talk).await?;
    let until = deadline.within(deadline.left().saturating_sub(TIDY));
    let (mut control_at, mut forged_at) = (Landed::Nowhere, Landed::Nowhere);
    loop {
        for (folder, landed) in &folders {
            control_at = control_at.max(take(talk, folder, *landed, control).await?);
            forged_at = forged_at.max(take(talk, folder, *landed, forged).await?);
        }
        let waits_for_forged = *offered == Offered::Taken && forged_at == Landed::Nowhere;
        let over = until.left().is_zero();
        if over || (control_at != Landed::Nowhere && !waits_for_forged) {
            return Ok((control_at, forged_at));
        }
        tokio::time::sleep(PAUSE.min(until.left())).await;
    }
}

/// The inbox and what is junk, as the server writes their names.
async fn folders(talk: &mut Conversation) -> Result<Vec<(String, Landed)>, Fault> {
    let answer = talk.command("LIST \"\" \"*\"", "waiting for the folders").await?;
    let mut folders = vec![("INBOX".to_owned(), Landed::Inbox)];
    for fact in &answer.facts {
        if let Some(name) = junk_folder(fact)
            && folders.len() < MAX_FOLDERS
        {
            folders.push((name, Landed::Junk));
        }
    }
    Ok(folders)
}

/// The name in `LIST (\Junk) "/" "Junk"`, as it stands, if it is a junk folder.
fn junk_folder(fact: &str) -> Option<String> {
    let rest = fact.strip_prefix("LIST (")?;
    let (attributes, rest) = rest.split_once(") ")?;
    let (_, name) = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once("\" ")?,
        None => rest.split_once(' ')?,
    };
    let bare = name.trim_matches('"').to_ascii_lowercase();
    let last = bare.rsplit(['/', '.']).next().unwrap_or_default();
    let marked = attributes.split(' ').any(|word| word.eq_ignore_ascii_case("\\Junk"));
    let plain = !name.contains(['\r', '\n', '{']) && !name.is_empty();
    (plain && (marked || JUNK.contains(&last))).then(|| name.to_owned())
}

/// Looks for a message in a folder, and takes it away.
async fn take(
    talk: &mut Conversation,
    folder: &str,
    landed: Landed,
    letter: &Letter,
) -> Result<Landed, Fault> {
    let selected = talk.command(&format!("SELECT {folder}"), "opening a folder").await?;
    if !selected.is_ok() {
        return Ok(Landed::Nowhere);
    }
    let search = format!("UID SEARCH HEADER {HEADER} \"{}\"", letter.id);
    let answer = talk.command(&search, "looking for a message").await?;
    if !answer.is_ok() {
        let detail = format!("the server does not search: {}", answer.said.text);
        return Err(Fault::new(Reason::ProbeFault, detail));
    }
    let uids = uids(&answer);
    for uid in &uids {
        let flag = format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)");
        talk.command(&flag, "taking a message away").await?;
        // by its UID only (RFC 4315): a plain EXPUNGE would take others' along
        talk.command(&format!("UID EXPUNGE {uid}"), "taking a message away").await?;
    }
    Ok(if uids.is_empty() { Landed::Nowhere } else { landed })
}

fn uids(answer: &Answer) -> Vec<u32> {
    let found = answer.facts.iter().filter_map(|fact| {
        let (word, rest) = fact.split_once(' ')?;
        word.eq_ignore_ascii_case("SEARCH").then_some(rest)
    });
    found.flat_map(str::split_whitespace).filter_map(|uid| uid.parse().ok()).take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn junk_folders() {
        let check = |fact: &str, expect: Option<&str>| {
            assert_eq!(junk_folder(fact).as_deref(), expect, "{fact}");
        };
        check("LIST (\\HasNoChildren \\Junk) \"/\" Filtered", Some("Filtered"));
        check("LIST () \"/\" \"Junk E-mail\"", Some("\"Junk E-mail\""));
        check("LIST () \".\" INBOX.Spam", Some("INBOX.Spam"));
        check("LIST () NIL Spam", Some("Spam"));
        check("LIST () \"/\" INBOX", None);
        check("LIST () \"/\" Junkyard", None);
        check("LIST () \"/\" {4}", None);
        check("STATUS x", None);
    }
}
