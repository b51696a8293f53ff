-- Version 3: how a run read a database, where it was not by one session.
ALTER TABLE run ADD COLUMN reading TEXT NOT NULL DEFAULT '';
ALTER TABLE sealed ADD COLUMN reading TEXT NOT NULL DEFAULT '';

-- Deletions: how many of the rows that a run wrote were such, and the keys that were sent, by which
-- they are found.

ALTER TABLE run ADD COLUMN rows_deleted INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sealed ADD COLUMN rows_deleted INTEGER NOT NULL DEFAULT 0;

-- run '': what holds; else what that run will make of it when it is done. A range has the keys from
-- `first` up to the next range; count 0 in the change of a run: it is gone.
CREATE TABLE key_range (
  id       INTEGER NOT NULL PRIMARY KEY,
  pipeline TEXT NOT NULL,
  run      TEXT NOT NULL,
  first    BLOB NOT NULL,
  count    INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  keys     BLOB NOT NULL,
  UNIQUE (pipeline, run, first)
) STRICT;
