-- Version 2: what runs, what was asked, and which objects nobody survives.

-- The services (`wherry up`) that run, or ended without saying so: each holds the lock of its slot.
CREATE TABLE service (
  slot         INTEGER NOT NULL PRIMARY KEY,
  pid          INTEGER NOT NULL,
  started_us   INTEGER NOT NULL,
  told_us      INTEGER NOT NULL,
  memory_bytes INTEGER NOT NULL,
  address      TEXT NOT NULL
) STRICT;

-- Questions to lookups on one day (since 1970, UTC); only the last day is kept.
CREATE TABLE asked (
  lookup  TEXT NOT NULL PRIMARY KEY,
  day     INTEGER NOT NULL,
  asked   INTEGER NOT NULL,
  found   INTEGER NOT NULL,
  limited INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- How often in a row the object was taken without an outcome: whoever took it was killed.
ALTER TABLE work ADD COLUMN takes INTEGER NOT NULL DEFAULT 0;
