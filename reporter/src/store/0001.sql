CREATE TABLE migration (
    version INTEGER PRIMARY KEY,
    checksum TEXT NOT NULL,
    applied_ms INTEGER NOT NULL
) STRICT;

-- words that stand in many outcomes; numbered from 1 without holes
CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;

-- one agent looking with one probe; numbered from 1 without holes
CREATE TABLE stream (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL,
    probe TEXT NOT NULL,
    first_due_ns INTEGER,
    last_due_ns INTEGER,
    raw_from_ns INTEGER NOT NULL DEFAULT (-9223372036854775808),
    UNIQUE (agent, probe)
) STRICT;

-- outcomes as acknowledged, a row a body, until they are moved to blocks
CREATE TABLE arrival (id INTEGER PRIMARY KEY, outcomes INTEGER NOT NULL, run BLOB NOT NULL) STRICT;

-- raw outcomes of a stream in order, all versions; no two blocks share a due
CREATE TABLE block (
    id INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    first_due_ns INTEGER NOT NULL,
    last_due_ns INTEGER NOT NULL,
    entries INTEGER NOT NULL,
    current INTEGER NOT NULL,
    run BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX block_order
    ON block (stream, first_due_ns, last_due_ns, entries, current);

-- maximal runs of equal outcomes; verdict 0 up, 1 degraded, 2 down, 3 unknown
CREATE TABLE segment (
    stream INTEGER NOT NULL,
    first_due_ns INTEGER NOT NULL,
    first_attempt INTEGER NOT NULL,
    last_due_ns INTEGER NOT NULL,
    last_attempt INTEGER NOT NULL,
    next_due_ms INTEGER NOT NULL,
    count INTEGER NOT NULL,
    verdict INTEGER NOT NULL,
    reason TEXT,
    listings TEXT,
    PRIMARY KEY (stream, first_due_ns, first_attempt)
) STRICT, WITHOUT ROWID;

-- how long up and degraded runs took; hour counts from 1970-01-01T00Z
CREATE TABLE histogram (
    hour INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    took BLOB NOT NULL,
    PRIMARY KEY (hour, stream)
) STRICT, WITHOUT ROWID;

-- mails and losses whose raw outcomes are past their retention; null is lost
CREATE TABLE delivery (
    stream INTEGER NOT NULL,
    due_ns INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    delivery_ms INTEGER,
    PRIMARY KEY (stream, due_ns, attempt)
) STRICT, WITHOUT ROWID;

-- rosters, exclusions, tickets and counts as JSON, every version; the highest counts
CREATE TABLE version (
    kind TEXT NOT NULL,
    key BLOB NOT NULL,
    version INTEGER NOT NULL,
    arrived_ms INTEGER NOT NULL,
    first_seen_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, key, version)
) STRICT, WITHOUT ROWID;

-- agents that may deliver; the token's SHA-256, never the token
CREATE TABLE agent (
    name TEXT PRIMARY KEY,
    site TEXT,
    token_hash BLOB NOT NULL UNIQUE,
    added_ms INTEGER NOT NULL,
    token_made_ms INTEGER NOT NULL,
    revoked_ms INTEGER,
    retired_ms INTEGER
) STRICT, WITHOUT ROWID;

-- when each agent last delivered, and how far its clock was ahead
CREATE TABLE seen (
    agent TEXT PRIMARY KEY,
    last_seen_ms INTEGER NOT NULL,
    skew_ms INTEGER
) STRICT, WITHOUT ROWID;

-- how many records came; agent is empty for imports
CREATE TABLE tally (
    agent TEXT NOT NULL,
    kind TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    conflicts INTEGER NOT NULL,
    PRIMARY KEY (agent, kind)
) STRICT, WITHOUT ROWID;

-- published months
CREATE TABLE edition (
    month TEXT NOT NULL,
    edition INTEGER NOT NULL,
    as_of_ms INTEGER NOT NULL,
    published_ms INTEGER NOT NULL,
    published_by TEXT NOT NULL,
    reason TEXT,
    report_json TEXT NOT NULL,
    pdf BLOB NOT NULL,
    outages_csv TEXT NOT NULL,
    daily_csv TEXT NOT NULL,
    definition_toml TEXT NOT NULL,
    segments BLOB NOT NULL,
    PRIMARY KEY (month, edition)
) STRICT;
CREATE TRIGGER edition_is_frozen BEFORE UPDATE ON edition
BEGIN SELECT RAISE(ABORT, 'an edition is never rewritten'); END;
CREATE TRIGGER edition_is_kept BEFORE DELETE ON edition
BEGIN SELECT RAISE(ABORT, 'an edition is never deleted'); END;

-- what the calendar has done
CREATE TABLE done (key TEXT PRIMARY KEY, value TEXT NOT NULL, noted_ms INTEGER NOT NULL)
STRICT, WITHOUT ROWID;
