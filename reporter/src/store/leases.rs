//! Mailboxes on disk: read, answered and written in one transaction, so that of many agents
//! that ask at once each sees what the others were told. The rules are `leases`'.

use std::sync::{Arc, Mutex, PoisonError};

use mailward_evidence::AgentName;
use mailward_evidence::lease::{LeaseAsk, LeaseReply};
use rusqlite::{Connection, OptionalExtension};

use super::error::StoreError;
use super::writer::{Turn, Work};
use super::{Accepted, Store, agents};
use crate::leases::{Account, Mailbox};

/// The most mailboxes; an agent that makes them up is refused beyond.
const MAX_MAILBOXES: i64 = 10_000;

impl Store {
    /// Answers an agent that asks for an account; durable when this returns.
    ///
    /// # Errors
    /// When the store cannot be written, or too much waits to be written already.
    pub async fn lease(&self, agent: AgentName, ask: LeaseAsk) -> Result<LeaseReply, StoreError> {
        let reply = Arc::new(Mutex::new(None));
        let told = Arc::clone(&reply);
        let call = move |turn: &mut Turn<'_, '_>| {
            let answered = answer(turn, &agent, &ask)?;
            *told.lock().unwrap_or_else(PoisonError::into_inner) = Some(answered);
            Ok(Accepted::default())
        };
        let (answer, answered) = tokio::sync::oneshot::channel();
        let work = Work::Call(Box::new(call));
        self.inner.writer.try_send(work, Box::new(move |result| drop(answer.send(result))))?;
        answered.await.unwrap_or(Err(StoreError::Closed))?;
        let reply = reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        reply.ok_or(StoreError::Closed)
    }

    /// All accounts that agents have asked for, in order of credential.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        let now_ms = self.clock().now().as_millisecond();
        self.read(|conn| {
            let mut accounts = Vec::new();
            for (mailbox, kept) in all(conn)? {
                accounts.extend(kept.accounts(&mailbox, now_ms));
            }
            accounts.sort_by(|a, b| (&a.credential, &a.mailbox).cmp(&(&b.credential, &b.mailbox)));
            Ok(accounts)
        })
    }

    /// Says that the accounts of a credential may be tried again. How many mailboxes there are.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn clear_account(&self, credential: &str, by: &str) -> Result<u64, StoreError> {
        let (credential, by) = (credential.to_owned(), by.to_owned());
        let cleared = self.call(move |turn| {
            let mut cleared = Accepted::default();
            for (mailbox, mut kept) in all(turn.conn)? {
                if kept.budget.credentials().any(|id| id == credential) {
                    kept.clear(&credential, &by, turn.now_ms);
                    write(turn.conn, &mailbox, &kept)?;
                    cleared.accepted += 1;
                }
            }
            Ok(cleared)
        })?;
        Ok(cleared.accepted)
    }
}

fn answer(
    turn: &mut Turn<'_, '_>,
    agent: &AgentName,
    ask: &LeaseAsk,
) -> Result<LeaseReply, StoreError> {
    let failed = StoreError::sql("read a mailbox's budget");
    let known: Option<String> = turn
        .conn
        .prepare_cached("SELECT kept FROM mailbox WHERE mailbox = ?1")
        .and_then(|mut read| read.query_row([&ask.mailbox], |row| row.get(0)).optional())
        .map_err(&failed)?;
    let mut kept = match known {
        Some(text) => read(&ask.mailbox, &text)?,
        None => {
            let count: i64 = turn
                .conn
                .query_row("SELECT count(*) FROM mailbox", [], |row| row.get(0))
                .map_err(&failed)?;
            if count >= MAX_MAILBOXES {
                return Err(StoreError::Busy);
            }
            Mailbox::default()
        }
    };
    let enrolled = agents::list(turn.conn)?;
    let is_gone = |name: &str| {
        let known = enrolled.iter().find(|agent| agent.name.as_str() == name);
        known.is_none_or(|agent| agent.revoked_ms.is_some() || agent.retired_ms.is_some())
    };
    let reply = kept.answer(agent, ask, &is_gone, turn.now_ms);
    write(turn.conn, &ask.mailbox, &kept)?;
    Ok(reply)
}

fn all(conn: &Connection) -> Result<Vec<(Box<str>, Mailbox)>, StoreError> {
    let failed = StoreError::sql("read the budgets of mailboxes");
    let mut query =
        conn.prepare("SELECT mailbox, kept FROM mailbox ORDER BY mailbox").map_err(&failed)?;
    let rows = query
        .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))
        .map_err(&failed)?;
    rows.map(|row| {
        let (mailbox, text) = row.map_err(&failed)?;
        Ok((Box::from(mailbox.as_str()), read(&mailbox, &text)?))
    })
    .collect()
}

fn read(mailbox: &str, text: &str) -> Result<Mailbox, StoreError> {
    let damaged = |error| StoreError::Damaged(format!("the budget of mailbox {mailbox}: {error}"));
    serde_json::from_str(text).map_err(damaged)
}

fn write(conn: &Connection, mailbox: &str, kept: &Mailbox) -> Result<(), StoreError> {
    let text = serde_json::to_string(kept)
        .map_err(|error| StoreError::Damaged(format!("the budget of a mailbox: {error}")))?;
    conn.prepare_cached(
        "INSERT INTO mailbox (mailbox, kept) VALUES (?1, ?2) \
         ON CONFLICT DO UPDATE SET kept = ?2",
    )
    .and_then(|mut upsert| upsert.execute((mailbox, text)))
    .map(drop)
    .map_err(StoreError::sql("write a mailbox's budget"))
}
