-- by day of UTC since the epoch, the number of the last change to evidence that begins on it
CREATE TABLE touched (day INTEGER PRIMARY KEY, change INTEGER NOT NULL) STRICT;
CREATE INDEX touched_change ON touched (change, day);
