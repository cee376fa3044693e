-- by day of UTC since the epoch, the number of the last change to evidence that begins on it
CREATE TABLE touched (day INTEGER PRIMARY KEY, change INTEGER NOT NULL) STRICT;
CREATE INDEX touched_change ON touched (change, day);

-- counters of runs by day of UTC since the epoch; filled from blocks by the program
CREATE TABLE counted (
    day INTEGER NOT NULL,
    stream INTEGER NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (day, stream)
) STRICT, WITHOUT ROWID;
DROP TABLE histogram;
