-- what signs an edition: its parts by digest, the signature over that text, and the public key
-- it holds under; nothing of editions that were made before editions were signed
ALTER TABLE edition ADD COLUMN manifest TEXT;
ALTER TABLE edition ADD COLUMN signature BLOB;
ALTER TABLE edition ADD COLUMN public_key TEXT;
-- public keys that editions were or are signed with, each from the instant it was first seen
CREATE TABLE signing_key (id TEXT PRIMARY KEY, public_key TEXT NOT NULL, seen_ms INTEGER NOT NULL)
STRICT, WITHOUT ROWID;
-- what is mailed: each letter once, known by what it is about
CREATE TABLE letter (
    id INTEGER PRIMARY KEY,
    about TEXT NOT NULL UNIQUE,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    html TEXT NOT NULL,
    month TEXT,
    edition INTEGER,
    made_ms INTEGER NOT NULL
) STRICT;
-- how far each letter has come for each recipient
CREATE TABLE addressee (
    letter INTEGER NOT NULL REFERENCES letter (id),
    address TEXT NOT NULL,
    message_id TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    changed_ms INTEGER NOT NULL,
    said TEXT,
    PRIMARY KEY (letter, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX addressee_next ON addressee (state, next_ms);
