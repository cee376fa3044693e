//! The queue of letters: each once, and how far it has come for each recipient. Every step is on
//! disk before the next is taken. What is sent, and when it is tried again, is `post`'s business.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::error::StoreError;
use super::notices;
use super::writer::Turn;
use super::{Accepted, Addressee, LetterState, NewLetter, Store};

impl Store {
    /// Takes a letter into the queue, unless one about the same is there already.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn put_letter(&self, letter: NewLetter) -> Result<bool, StoreError> {
        let done = self.call(move |turn| put(turn, &letter))?;
        Ok(done.accepted > 0)
    }

    /// Whether a letter about this was ever taken into the queue.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn knows_letter(&self, about: &str) -> Result<bool, StoreError> {
        self.read(|conn| {
            conn.query_row("SELECT 1 FROM letter WHERE about = ?1", [about], |_| Ok(()))
                .optional()
                .map(|found| found.is_some())
                .map_err(StoreError::sql("look for a letter"))
        })
    }

    /// A letter by its number, without its recipients.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn letter(&self, id: i64) -> Result<Option<NewLetter>, StoreError> {
        self.read(|conn| {
            conn.query_row(
                "SELECT about, subject, text, html, month, edition, made_ms, via, body FROM letter \
                 WHERE id = ?1",
                [id],
                letter_of,
            )
            .optional()
            .map_err(StoreError::sql("read a letter"))
        })
    }

    /// Recipients of letters that wait and take this way, whose time has come, longest due first,
    /// at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn addressees_due(
        &self,
        via: &str,
        now_ms: i64,
        limit: u32,
    ) -> Result<Vec<Addressee>, StoreError> {
        self.read(|conn| {
            let order = "WHERE state = 'waiting' AND next_ms <= ?1 AND via = ?3 \
                         ORDER BY next_ms, letter, address LIMIT ?2";
            addressees(conn, order, params![now_ms, limit, via])
        })
    }

    /// Every recipient of every letter that takes this way, newest letter first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn addressees(&self, via: &str) -> Result<Vec<Addressee>, StoreError> {
        let order = "WHERE via = ?1 ORDER BY letter DESC, address";
        self.read(|conn| addressees(conn, order, [via]))
    }

    /// How many recipients of published reports are in each state.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn count_addressees(&self) -> Result<Vec<(LetterState, u64)>, StoreError> {
        self.read(|conn| {
            let failed = StoreError::sql("count letters");
            let count = |state: LetterState| {
                conn.query_row(
                    "SELECT count(*) FROM addressee JOIN letter ON letter.id = addressee.letter \
                     WHERE state = ?1 AND via = ''",
                    [state.word()],
                    |row| row.get(0).map(|n: i64| (state, n.unsigned_abs())),
                )
            };
            LetterState::ALL.into_iter().map(count).collect::<Result<_, _>>().map_err(&failed)
        })
    }

    /// Brings a recipient from the state `from` to that of `to`, with its attempts, its next
    /// time and what was said; false where it was in another state.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn move_addressee(&self, from: LetterState, to: &Addressee) -> Result<bool, StoreError> {
        let to = to.clone();
        let done = self.call(move |turn| change(turn, from, &to))?;
        Ok(done.accepted > 0)
    }

    /// Notes a public key that editions are signed with, unless it is known.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_signing_key(&self, id: &str, public_key: &str) -> Result<(), StoreError> {
        if self.signing_keys()?.iter().any(|(_, known)| known == public_key) {
            return Ok(());
        }
        let (id, public_key) = (id.to_owned(), public_key.to_owned());
        self.call(move |turn| note_key(turn, &id, &public_key)).map(drop)
    }

    /// Public keys that editions were or are signed with, PEM, each with the instant it was
    /// first seen, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn signing_keys(&self) -> Result<Vec<(i64, String)>, StoreError> {
        self.read(|conn| {
            let failed = StoreError::sql("read the public keys");
            let mut select = conn
                .prepare_cached("SELECT seen_ms, public_key FROM signing_key ORDER BY seen_ms, id")
                .map_err(&failed)?;
            let rows =
                select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).map_err(&failed)?;
            rows.collect::<Result<_, _>>().map_err(&failed)
        })
    }
}

fn letter_of(row: &Row<'_>) -> rusqlite::Result<NewLetter> {
    let (month, edition): (Option<String>, Option<u32>) = (row.get(4)?, row.get(5)?);
    Ok(NewLetter {
        about: row.get(0)?,
        subject: row.get(1)?,
        text: row.get(2)?,
        html: row.get(3)?,
        edition: month.zip(edition),
        made_ms: row.get(6)?,
        via: row.get(7)?,
        body: row.get(8)?,
        to: Vec::new(),
    })
}

/// Takes a letter in, unless one about the same is there.
pub(super) fn put(turn: &Turn<'_, '_>, new: &NewLetter) -> Result<Accepted, StoreError> {
    let failed = StoreError::sql("queue a letter");
    let (month, edition) = match &new.edition {
        Some((month, edition)) => (Some(month), Some(edition)),
        None => (None, None),
    };
    let known = turn
        .conn
        .execute(
            "INSERT OR IGNORE INTO letter (about, subject, text, html, month, edition, made_ms, \
             via, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                new.about,
                new.subject,
                new.text,
                new.html,
                month,
                edition,
                new.made_ms,
                new.via,
                new.body
            ],
        )
        .map_err(&failed)?
        == 0;
    if known {
        return Ok(Accepted::default());
    }
    let letter = turn.conn.last_insert_rowid();
    for (address, message_id) in &new.to {
        turn.conn
            .execute(
                "INSERT OR IGNORE INTO addressee (letter, address, message_id, state, attempts, \
                 next_ms, changed_ms) VALUES (?1, ?2, ?3, 'waiting', 0, ?4, ?4)",
                params![letter, address, message_id, new.made_ms],
            )
            .map_err(&failed)?;
    }
    Ok(Accepted { accepted: 1, ..Accepted::default() })
}

/// Recipients with what their letter is about; `order` says which, and in what order.
pub(super) fn addressees(
    conn: &Connection,
    order: &str,
    wanted: impl rusqlite::Params,
) -> Result<Vec<Addressee>, StoreError> {
    let failed = StoreError::sql("read the queue of letters");
    let mut select = conn
        .prepare_cached(&format!(
            "SELECT letter, about, address, message_id, state, attempts, next_ms, changed_ms, \
             said, made_ms, via FROM addressee JOIN letter ON letter.id = addressee.letter {order}"
        ))
        .map_err(&failed)?;
    let rows = select
        .query_map(wanted, |row| {
            let state: String = row.get(4)?;
            Ok(Addressee {
                letter: row.get(0)?,
                about: row.get(1)?,
                address: row.get(2)?,
                message_id: row.get(3)?,
                // a word of a newer program: nothing is done about it
                state: LetterState::parse(&state).unwrap_or(LetterState::Uncertain),
                attempts: row.get(5)?,
                next_ms: row.get(6)?,
                changed_ms: row.get(7)?,
                said: row.get(8)?,
                made_ms: row.get(9)?,
                via: row.get(10)?,
            })
        })
        .map_err(&failed)?;
    rows.collect::<Result<_, _>>().map_err(&failed)
}

fn change(turn: &Turn<'_, '_>, from: LetterState, to: &Addressee) -> Result<Accepted, StoreError> {
    let changed = turn
        .conn
        .execute(
            "UPDATE addressee SET state = ?1, attempts = ?2, next_ms = ?3, changed_ms = ?4, \
             said = ?5 WHERE letter = ?6 AND address = ?7 AND state = ?8",
            params![
                to.state.word(),
                to.attempts,
                to.next_ms,
                to.changed_ms,
                to.said,
                to.letter,
                to.address,
                from.word(),
            ],
        )
        .map_err(StoreError::sql("note how far a letter has come"))?;
    if changed > 0 && to.state.is_final() {
        notices::tally(turn, &to.via, to.state)?;
    }
    Ok(Accepted { accepted: changed as u64, ..Accepted::default() })
}

fn note_key(turn: &Turn<'_, '_>, id: &str, public_key: &str) -> Result<Accepted, StoreError> {
    turn.conn
        .execute(
            "INSERT OR IGNORE INTO signing_key (id, public_key, seen_ms) VALUES (?1, ?2, ?3)",
            params![id, public_key, turn.now_ms],
        )
        .map_err(StoreError::sql("note a public key"))?;
    Ok(Accepted::default())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mailward_evidence::ManualClock;

    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-06T09:00:00Z".parse().unwrap()));
        let store = Store::open(dir.path(), clock).unwrap();
        (dir, store)
    }

    fn letter(about: &str) -> NewLetter {
        NewLetter {
            about: about.to_owned(),
            subject: "s".to_owned(),
            text: "t".to_owned(),
            html: "h".to_owned(),
            edition: Some(("2026-10".to_owned(), 1)),
            via: String::new(),
            body: None,
            made_ms: 10,
            to: vec![
                ("a@example.org".to_owned(), "<1@x>".to_owned()),
                ("b@example.org".to_owned(), "<2@x>".to_owned()),
            ],
        }
    }

    #[test]
    fn a_letter_is_queued_once() {
        let (_dir, store) = store();
        assert!(!store.knows_letter("edition/2026-10/1").unwrap());
        assert!(store.put_letter(letter("edition/2026-10/1")).unwrap());
        assert!(!store.put_letter(letter("edition/2026-10/1")).unwrap());
        assert!(store.knows_letter("edition/2026-10/1").unwrap());
        assert_eq!(store.addressees("").unwrap().len(), 2);
        assert!(store.addressees_due("", 9, 100).unwrap().is_empty());
        let due = store.addressees_due("", 10, 1).unwrap();
        let [first] = due.as_slice() else { panic!("{due:?}") };
        assert_eq!((first.address.as_str(), first.message_id.as_str()), ("a@example.org", "<1@x>"));
        let kept = store.letter(first.letter).unwrap().unwrap();
        assert_eq!(kept, NewLetter { to: Vec::new(), ..letter("edition/2026-10/1") });
    }

    #[test]
    fn a_step_is_taken_from_the_state_it_starts_at_and_only_once() {
        let (_dir, store) = store();
        store.put_letter(letter("edition/2026-10/1")).unwrap();
        let waiting = store.addressees_due("", 10, 1).unwrap().remove(0);
        let begun = Addressee { state: LetterState::Begun, attempts: 1, ..waiting };
        assert!(store.move_addressee(LetterState::Waiting, &begun).unwrap());
        assert!(!store.move_addressee(LetterState::Waiting, &begun).unwrap());
        let sent = Addressee { state: LetterState::Sent, said: Some("250".to_owned()), ..begun };
        assert!(!store.move_addressee(LetterState::AtTheDot, &sent).unwrap());
        assert!(store.move_addressee(LetterState::Begun, &sent).unwrap());
        assert_eq!(store.addressees("").unwrap()[0], sent);
        let counts = store.count_addressees().unwrap();
        let of = |state| counts.iter().find(|(s, _)| *s == state).map(|(_, n)| *n);
        assert_eq!(of(LetterState::Sent), Some(1));
        assert_eq!(of(LetterState::Waiting), Some(1));
    }

    #[test]
    fn a_public_key_is_noted_when_it_is_first_seen() {
        let (_dir, store) = store();
        for (id, key) in [("1", "one"), ("1", "one"), ("2", "two")] {
            store.note_signing_key(id, key).unwrap();
        }
        let keys: Vec<_> = store.signing_keys().unwrap().into_iter().map(|(_, key)| key).collect();
        assert_eq!(keys, ["one", "two"]);
    }
}
