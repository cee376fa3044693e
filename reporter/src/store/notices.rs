//! What channels of notifications have told: their memory, written together with the letter that
//! tells, and how their letters ended. The letters themselves stand in the queue of `letters`.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};

use super::error::StoreError;
use super::letters;
use super::writer::Turn;
use super::{Accepted, Addressee, ChannelCounts, LetterState, NewLetter, Store};

/// How long letters of channels are remembered once nothing more happens to them.
const KEPT_MS: i64 = 90 * 86_400_000;
/// The most letters of a channel that may wait; beyond, the oldest are given up.
pub(crate) const MAX_WAITING: usize = 500;

impl Store {
    /// What a channel has told so far, as it was noted last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn channel_memory(&self, id: &str) -> Result<Option<String>, StoreError> {
        self.read(|conn| {
            conn.query_row("SELECT memory FROM channel WHERE id = ?1", [id], |row| row.get(0))
                .optional()
                .map_err(StoreError::sql("read what a channel has told"))
        })
    }

    /// Notes what a channel has told, and queues the letter that tells it: both or neither.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn note_channel(
        &self,
        id: &str,
        memory: String,
        letter: Option<NewLetter>,
    ) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.call(move |turn| note(turn, &id, &memory, letter.as_ref())).map(drop)
    }

    /// Every letter of every channel that is remembered, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn notices(&self) -> Result<Vec<Addressee>, StoreError> {
        let order = "WHERE via <> '' ORDER BY letter DESC, address";
        self.read(|conn| letters::addressees(conn, order, []))
    }

    /// The oldest letter of a channel that waits, whether its time has come or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn next_notice(&self, id: &str) -> Result<Option<Addressee>, StoreError> {
        let order = "WHERE state = 'waiting' AND via = ?1 ORDER BY letter, address LIMIT 1";
        Ok(self.read(|conn| letters::addressees(conn, order, [id]))?.pop())
    }

    /// How the letters of each channel stand.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn count_notices(&self) -> Result<BTreeMap<String, ChannelCounts>, StoreError> {
        self.read(|conn| {
            let failed = StoreError::sql("count notifications");
            let mut counts: BTreeMap<String, ChannelCounts> = BTreeMap::new();
            let mut select = conn
                .prepare_cached(
                    "SELECT via, state, count(*) FROM addressee \
                     JOIN letter ON letter.id = addressee.letter WHERE via <> '' \
                     GROUP BY via, state",
                )
                .map_err(&failed)?;
            let mut rows = select.query([]).map_err(&failed)?;
            while let Some(row) = rows.next().map_err(&failed)? {
                let (via, state): (String, String) =
                    (row.get(0).map_err(&failed)?, row.get(1).map_err(&failed)?);
                let count = row.get::<_, i64>(2).map_err(&failed)?.unsigned_abs();
                let of = counts.entry(via).or_default();
                match LetterState::parse(&state) {
                    Some(LetterState::Sent) | None => {}
                    Some(state) if state.is_final() => of.failed += count,
                    Some(_) => of.pending += count,
                }
            }
            let mut select = conn
                .prepare_cached("SELECT channel, result, count FROM channel_tally ORDER BY 1, 2")
                .map_err(&failed)?;
            let mut rows = select.query([]).map_err(&failed)?;
            while let Some(row) = rows.next().map_err(&failed)? {
                let channel: String = row.get(0).map_err(&failed)?;
                let result: String = row.get(1).map_err(&failed)?;
                let count = row.get::<_, i64>(2).map_err(&failed)?.unsigned_abs();
                if let Some(state) = LetterState::parse(&result) {
                    counts.entry(channel).or_default().ended.push((state, count));
                }
            }
            Ok(counts)
        })
    }
}

fn note(
    turn: &Turn<'_, '_>,
    id: &str,
    memory: &str,
    letter: Option<&NewLetter>,
) -> Result<Accepted, StoreError> {
    let failed = StoreError::sql("note what a channel has told");
    turn.conn
        .execute(
            "INSERT INTO channel (id, memory, changed_ms) VALUES (?1, ?2, ?3) \
             ON CONFLICT DO UPDATE SET memory = ?2, changed_ms = ?3",
            params![id, memory, turn.now_ms],
        )
        .map_err(&failed)?;
    let Some(letter) = letter else { return Ok(Accepted::default()) };
    let done = letters::put(turn, letter)?;
    forget(turn, id)?;
    give_up(turn, id)?;
    Ok(done)
}

/// Forgets letters of a channel that ended long ago.
fn forget(turn: &Turn<'_, '_>, id: &str) -> Result<(), StoreError> {
    let failed = StoreError::sql("forget old notifications");
    let old = "SELECT id FROM letter WHERE via = ?1 AND made_ms < ?2 AND NOT EXISTS (\
               SELECT 1 FROM addressee WHERE letter = letter.id \
               AND state IN ('waiting', 'begun', 'at_the_dot'))";
    let before_ms = turn.now_ms.saturating_sub(KEPT_MS);
    for (table, key) in [("addressee", "letter"), ("letter", "id")] {
        // the letter's rows go last, since they say which are old
        let delete = format!("DELETE FROM {table} WHERE {key} IN ({old})");
        turn.conn.execute(&delete, params![id, before_ms]).map_err(&failed)?;
    }
    Ok(())
}

/// Gives the oldest of too many up that wait.
fn give_up(turn: &Turn<'_, '_>, id: &str) -> Result<(), StoreError> {
    let failed = StoreError::sql("give old notifications up");
    let most = i64::try_from(MAX_WAITING).unwrap_or(i64::MAX);
    let mut select = turn
        .conn
        .prepare_cached(
            "SELECT letter, address FROM addressee JOIN letter ON letter.id = addressee.letter \
             WHERE via = ?1 AND state = 'waiting' ORDER BY letter DESC, address LIMIT -1 OFFSET ?2",
        )
        .map_err(&failed)?;
    let rows = select
        .query_map(params![id, most], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .map_err(&failed)?;
    let too_many = rows.collect::<Result<Vec<_>, _>>().map_err(&failed)?;
    for (letter, address) in too_many {
        turn.conn
            .execute(
                "UPDATE addressee SET state = 'given_up', changed_ms = ?3, \
                 said = 'too many were waiting' WHERE letter = ?1 AND address = ?2",
                params![letter, address, turn.now_ms],
            )
            .map_err(&failed)?;
        tally(turn, id, LetterState::GivenUp)?;
    }
    Ok(())
}

/// Counts how a letter of a channel ended.
pub(super) fn tally(turn: &Turn<'_, '_>, via: &str, state: LetterState) -> Result<(), StoreError> {
    if via.is_empty() {
        return Ok(());
    }
    turn.conn
        .execute(
            "INSERT INTO channel_tally (channel, result, count) VALUES (?1, ?2, 1) \
             ON CONFLICT DO UPDATE SET count = count + 1",
            params![via, state.word()],
        )
        .map(drop)
        .map_err(StoreError::sql("count notifications"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mailward_evidence::{Clock as _, ManualClock};

    use super::*;

    fn letter(number: usize, made_ms: i64) -> NewLetter {
        NewLetter {
            about: format!("notify/chat/{number}"),
            subject: String::new(),
            text: "t".to_owned(),
            html: String::new(),
            edition: None,
            via: "chat".to_owned(),
            body: Some("{}".to_owned()),
            made_ms,
            to: vec![("chat".to_owned(), format!("<{number}>"))],
        }
    }

    #[test]
    fn memory_and_letter_are_noted_together_and_old_ones_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::new("2026-11-06T09:00:00Z".parse().unwrap()));
        let store = Store::open(dir.path(), clock.clone()).unwrap();
        let now_ms = || clock.now().as_millisecond();
        assert_eq!(store.channel_memory("chat").unwrap(), None);
        store.note_channel("chat", "1".to_owned(), Some(letter(1, now_ms()))).unwrap();
        assert_eq!(store.channel_memory("chat").unwrap().as_deref(), Some("1"));
        let first = store.next_notice("chat").unwrap().unwrap();
        assert!(store.addressees("").unwrap().is_empty(), "no published report");
        let sent = Addressee { state: LetterState::Sent, ..first };
        assert!(store.move_addressee(LetterState::Waiting, &sent).unwrap());
        assert_eq!(store.next_notice("chat").unwrap(), None);

        clock.advance(Duration::from_secs(91 * 86_400));
        for number in 2..MAX_WAITING + 4 {
            let memory = number.to_string();
            store.note_channel("chat", memory, Some(letter(number, now_ms()))).unwrap();
        }
        let counts = &store.count_notices().unwrap()["chat"];
        assert_eq!((counts.pending, counts.failed), (MAX_WAITING as u64, 2));
        assert_eq!(counts.ended, [(LetterState::GivenUp, 2), (LetterState::Sent, 1)]);
        let all = store.notices().unwrap();
        assert!(all.iter().all(|at| at.about != "notify/chat/1"), "forgotten");
        assert_eq!(store.next_notice("chat").unwrap().unwrap().about, "notify/chat/4");
    }
}
