-- the way that a letter takes: '' is the relay of published reports, else the id of a channel of
-- notifications; body is what a channel posts to an address instead of a message
ALTER TABLE letter ADD COLUMN via TEXT NOT NULL DEFAULT '';
ALTER TABLE letter ADD COLUMN body TEXT;
CREATE INDEX letter_via ON letter (via, id);
-- what each channel has told, and what it is about to tell
CREATE TABLE channel (id TEXT PRIMARY KEY, memory TEXT NOT NULL, changed_ms INTEGER NOT NULL)
STRICT, WITHOUT ROWID;
-- how a channel's messages ended, counted for ever: the messages themselves are forgotten
CREATE TABLE channel_tally (
    channel TEXT NOT NULL,
    result TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (channel, result)
) STRICT, WITHOUT ROWID;
