//! Enrolment: which agents may deliver. A token is 256 random bits, shown once; the store
//! keeps its SHA-256.

use data_encoding::HEXLOWER;
use mailward_catalogue::credential::Secret;
use mailward_evidence::{AgentName, Extra, Instant, Record, Roster, SiteName};
use rusqlite::{Connection, OptionalExtension, Row, ToSql};
use sha2::{Digest, Sha256};

use super::error::StoreError;
use super::writer::{Body, Turn};
use super::{Accepted, EnrolledAgent, Source, Store, versions};

/// Marks a token as ours, for people and for scanners of leaked secrets.
const PREFIX: &str = "mwt_";
const COLUMNS: &str = "SELECT name, site, added_ms, token_made_ms, revoked_ms, retired_ms, token_hash, old_hash, \
     old_until_ms FROM agent ";
/// How long a token that was rotated stays good at most, in milliseconds.
pub(super) const OLD_TOKEN_MS: i64 = 24 * 3_600_000;

impl Store {
    /// Enrols an agent, or takes one back that was revoked or retired. The token is given here
    /// and never again.
    ///
    /// # Errors
    /// When an agent of this name is enrolled, or the store cannot be written.
    pub fn add_agent(
        &self,
        name: &AgentName,
        site: Option<&SiteName>,
    ) -> Result<Secret, StoreError> {
        let token = new_token()?;
        let (name, site, shown) = (name.clone(), site.cloned(), token.clone());
        self.call(move |turn| add(turn, &name, site.as_ref(), &token))?;
        Ok(shown)
    }

    /// All agents, in order of name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list_agents(&self) -> Result<Vec<EnrolledAgent>, StoreError> {
        self.read(list)
    }

    /// Gives an agent a new token. The one it has stays good until the new one is used for the
    /// first time, but for a day at most; a revoked one does not come back.
    ///
    /// # Errors
    /// When no agent of this name is enrolled, or the store cannot be written.
    pub fn rotate_agent(&self, name: &AgentName) -> Result<Secret, StoreError> {
        let token = new_token()?;
        let (name, shown) = (name.clone(), token.clone());
        self.call(move |turn| rotate(turn, &name, &token))?;
        Ok(shown)
    }

    /// Refuses an agent's token from now on.
    ///
    /// # Errors
    /// When no agent of this name is enrolled, or the store cannot be written.
    pub fn revoke_agent(&self, name: &AgentName) -> Result<(), StoreError> {
        let name = name.clone();
        self.call(move |turn| revoke(turn, &name)).map(drop)
    }

    /// Records that an agent runs nothing from `at` on. It may still deliver what was due
    /// before.
    ///
    /// # Errors
    /// When nothing is known of such an agent, or the store cannot be written.
    pub fn retire_agent(&self, name: &AgentName, at: Instant) -> Result<(), StoreError> {
        let name = name.clone();
        self.call(move |turn| retire(turn, &name, at)).map(drop)
    }

    /// Whose token this is, if it is anybody's and not revoked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn authenticate(&self, token: &str) -> Result<Option<EnrolledAgent>, StoreError> {
        let now_ms = self.clock().now().as_millisecond();
        let Some((agent, by)) = self.read(|conn| authenticate(conn, token, now_ms))? else {
            return Ok(None);
        };
        if by == By::NewBesideOld {
            let name = agent.name.clone();
            if let Err(error) = self.call(move |turn| end_old(turn, &name)) {
                // it ends by its time
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, agent = %agent.name, "the old token was not ended");
            }
        }
        Ok(Some(agent))
    }
}

/// A new token.
fn new_token() -> Result<Secret, StoreError> {
    let mut bytes = [0u8; 32];
    getrandom::fill(&mut bytes).map_err(StoreError::Random)?;
    let mut token = String::with_capacity(PREFIX.len() + 64);
    token.push_str(PREFIX);
    HEXLOWER.encode_append(&bytes, &mut token);
    Ok(Secret::new(token))
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Enrols an agent, or takes one back that was revoked or retired.
fn add(
    turn: &mut Turn<'_, '_>,
    name: &AgentName,
    site: Option<&SiteName>,
    token: &Secret,
) -> Result<Accepted, StoreError> {
    if let Some(known) = find(turn.conn, name)?
        && known.revoked_ms.is_none()
        && known.retired_ms.is_none()
    {
        return Err(StoreError::AgentKnown(name.to_string()));
    }
    let failed = StoreError::sql("enrol an agent");
    turn.conn
        .execute(
            "INSERT INTO agent (name, site, token_hash, added_ms, token_made_ms) \
             VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT (name) DO UPDATE SET site = ?2, \
             token_hash = ?3, token_made_ms = ?4, revoked_ms = NULL, retired_ms = NULL, \
             old_hash = NULL, old_until_ms = NULL",
            (name.as_str(), site.map(SiteName::as_str), hash(token.expose()), turn.now_ms),
        )
        .map_err(failed)?;
    Ok(Accepted::default())
}

fn update(
    turn: &Turn<'_, '_>,
    name: &AgentName,
    set: &str,
    values: &[&dyn ToSql],
) -> Result<Accepted, StoreError> {
    let mut all: Vec<&dyn ToSql> = values.to_vec();
    let name_text = name.as_str();
    all.push(&name_text);
    let changed = turn
        .conn
        .execute(&format!("UPDATE agent SET {set} WHERE name = ?{}", all.len()), &*all)
        .map_err(StoreError::sql("change an agent"))?;
    match changed {
        0 => Err(StoreError::AgentUnknown(name.to_string())),
        _ => Ok(Accepted::default()),
    }
}

/// Gives an agent a new token. Of two rotations in a row, the token stays good that the agent
/// has: the one between was never used.
fn rotate(turn: &Turn<'_, '_>, name: &AgentName, token: &Secret) -> Result<Accepted, StoreError> {
    let set = "old_hash = CASE WHEN revoked_ms IS NOT NULL THEN NULL \
               WHEN old_until_ms > ?2 THEN old_hash ELSE token_hash END, \
               old_until_ms = CASE WHEN revoked_ms IS NULL THEN ?3 END, \
               token_hash = ?1, token_made_ms = ?2, revoked_ms = NULL";
    let until_ms = turn.now_ms.saturating_add(OLD_TOKEN_MS);
    update(turn, name, set, &[&hash(token.expose()), &turn.now_ms, &until_ms])
}

/// The new token was used: the old one is good no more.
fn end_old(turn: &Turn<'_, '_>, name: &AgentName) -> Result<Accepted, StoreError> {
    update(turn, name, "old_hash = NULL, old_until_ms = NULL", &[])
}

/// Refuses an agent's tokens.
fn revoke(turn: &Turn<'_, '_>, name: &AgentName) -> Result<Accepted, StoreError> {
    let set = "revoked_ms = coalesce(revoked_ms, ?1), old_hash = NULL, old_until_ms = NULL";
    update(turn, name, set, &[&turn.now_ms])
}

/// Records that an agent runs nothing from `at` on: an empty roster, at the site it stood at.
fn retire(turn: &mut Turn<'_, '_>, name: &AgentName, at: Instant) -> Result<Accepted, StoreError> {
    let known = find(turn.conn, name)?;
    let rosters = versions::rosters(turn.conn, i64::MAX)?;
    let before = rosters.iter().rfind(|r| r.agent == *name && r.at <= at);
    if known.is_none() && before.is_none() {
        return Err(StoreError::AgentUnknown(name.to_string()));
    }
    let site = before
        .map(|roster| roster.site.clone())
        .or_else(|| known.as_ref().and_then(|agent| agent.site.clone()))
        .unwrap_or_else(SiteName::unnamed);
    let roster =
        Roster { agent: name.clone(), site, at, probes: Vec::new(), extra: Extra::default() };
    if known.is_some() {
        update(turn, name, "retired_ms = ?1", &[&at.ms()])?;
    }
    let records = vec![Record::Roster(roster)];
    turn.take(Body { records, source: Source::Import, skew_ms: None })
}

fn find(conn: &Connection, name: &AgentName) -> Result<Option<EnrolledAgent>, StoreError> {
    let failed = StoreError::sql("find an agent");
    let mut select = conn.prepare_cached(&format!("{COLUMNS}WHERE name = ?1")).map_err(&failed)?;
    let row = select.query_row([name.as_str()], read).optional().map_err(&failed)?;
    row.map(|found| found.agent).transpose()
}

/// All agents, in order of name.
pub(super) fn list(conn: &Connection) -> Result<Vec<EnrolledAgent>, StoreError> {
    let failed = StoreError::sql("list the agents");
    let mut select = conn.prepare_cached(&format!("{COLUMNS}ORDER BY name")).map_err(&failed)?;
    let rows = select.query_map([], read).map_err(&failed)?;
    rows.map(|row| row.map_err(&failed)?.agent).collect()
}

/// Which of an agent's tokens it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The only one, or the one before a rotation.
    Known,
    /// The new one, while the old one is still good.
    NewBesideOld,
}

/// Whose token this is, if it is anybody's and not revoked.
fn authenticate(
    conn: &Connection,
    token: &str,
    now_ms: i64,
) -> Result<Option<(EnrolledAgent, By)>, StoreError> {
    let failed = StoreError::sql("look for a token");
    let wanted = hash(token);
    let mut select = conn
        .prepare_cached(&format!("{COLUMNS}WHERE token_hash = ?1 OR old_hash = ?1"))
        .map_err(&failed)?;
    let row = select.query_row([wanted], read).optional().map_err(&failed)?;
    let Some(Found { agent, new, old }) = row else { return Ok(None) };
    let agent = agent?;
    if agent.revoked_ms.is_some() {
        return Ok(None);
    }
    let is_old_good = agent.old_token_until_ms.is_some_and(|until_ms| now_ms < until_ms);
    let by = match (equal(&new, &wanted), old) {
        (true, Some(_)) => By::NewBesideOld,
        (true, None) => By::Known,
        (false, Some(old)) if is_old_good && equal(&old, &wanted) => By::Known,
        (false, _) => return Ok(None),
    };
    Ok(Some((agent, by)))
}

/// Compares in a time that does not depend on where the two differ. (The look-up before it is
/// by hash, and tells nothing of the token.)
fn equal(a: &[u8], b: &[u8]) -> bool {
    let differing = a.iter().zip(b).fold(a.len() ^ b.len(), |all, (x, y)| all | usize::from(x ^ y));
    std::hint::black_box(differing) == 0
}

/// A row of the table.
struct Found {
    agent: Result<EnrolledAgent, StoreError>,
    new: Vec<u8>,
    old: Option<Vec<u8>>,
}

fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
    let (name, site): (String, Option<String>) = (row.get(0)?, row.get(1)?);
    let bad = |_| StoreError::Damaged(format!("agent {name:?} has no proper name or site"));
    let (added_ms, token_made_ms) = (row.get(2)?, row.get(3)?);
    let (revoked_ms, retired_ms) = (row.get(4)?, row.get(5)?);
    let old_token_until_ms = row.get(8)?;
    let agent = AgentName::new(&name).and_then(|name| {
        let site = site.as_deref().map(SiteName::new).transpose()?;
        Ok(EnrolledAgent {
            name,
            site,
            added_ms,
            token_made_ms,
            revoked_ms,
            retired_ms,
            old_token_until_ms,
        })
    });
    Ok(Found { agent: agent.map_err(bad), new: row.get(6)?, old: row.get(7)? })
}
