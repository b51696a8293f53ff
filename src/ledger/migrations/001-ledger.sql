-- Version 1. Each migration runs in one transaction; the version is in PRAGMA user_version.
-- 64-bit unsigned numbers (hashes, counts) are kept as the signed number with the same bits.

-- One row: the highest order given out.
CREATE TABLE counter (
  name  TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter (name, value) VALUES ('order', 0);

-- What is known of a pipeline: the epoch of its last lease, when its schedule last fired.
CREATE TABLE pipeline (
  name     TEXT NOT NULL PRIMARY KEY,
  epoch    INTEGER NOT NULL DEFAULT 0,
  fired_us INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- state: 0 running, 1 sealed, 2 done, 3 failed, 4 stopped.
CREATE TABLE run (
  id               TEXT NOT NULL PRIMARY KEY,
  pipeline         TEXT NOT NULL,
  ord              INTEGER NOT NULL,
  started_us       INTEGER NOT NULL,
  object           TEXT NOT NULL,
  epoch            INTEGER NOT NULL,
  state            INTEGER NOT NULL CHECK (state BETWEEN 0 AND 4),
  finished_us      INTEGER NOT NULL,
  rows_read        INTEGER NOT NULL,
  rows_written     INTEGER NOT NULL,
  rows_unchanged   INTEGER NOT NULL,
  rows_superseded  INTEGER NOT NULL,
  rows_filtered    INTEGER NOT NULL,
  rows_quarantined INTEGER NOT NULL,
  bytes_read       INTEGER NOT NULL,
  bytes_written    INTEGER NOT NULL,
  row_hash         INTEGER NOT NULL,
  output           TEXT NOT NULL,
  output_version   TEXT NOT NULL,
  sha256           TEXT NOT NULL,
  rejects          TEXT NOT NULL,
  cursor_from      TEXT NOT NULL,
  cursor_to        TEXT NOT NULL,
  error            TEXT NOT NULL
) STRICT;
CREATE INDEX run_newest ON run (ord, id);
CREATE INDEX run_newest_of_pipeline ON run (pipeline, ord, id);
CREATE INDEX run_newest_in_state ON run (state, ord, id);
CREATE INDEX run_newest_of_pipeline_in_state ON run (pipeline, state, ord, id);

-- A sealed run: its object, and what its finish will say. What the finish changes besides the run
-- waits in cursor, pin and quarantine under the run's id.
CREATE TABLE sealed (
  run              TEXT NOT NULL PRIMARY KEY,
  attempt          TEXT NOT NULL,
  store            TEXT NOT NULL,
  key              TEXT NOT NULL,
  object_sha256    TEXT NOT NULL,
  object_bytes     INTEGER NOT NULL,
  object_rows      INTEGER NOT NULL,
  object_row_hash  INTEGER NOT NULL,
  manifest         TEXT NOT NULL,
  work             INTEGER NOT NULL,
  object           TEXT NOT NULL,
  epoch            INTEGER NOT NULL,
  state            INTEGER NOT NULL CHECK (state IN (2, 3)),
  finished_us      INTEGER NOT NULL,
  rows_read        INTEGER NOT NULL,
  rows_written     INTEGER NOT NULL,
  rows_unchanged   INTEGER NOT NULL,
  rows_superseded  INTEGER NOT NULL,
  rows_filtered    INTEGER NOT NULL,
  rows_quarantined INTEGER NOT NULL,
  bytes_read       INTEGER NOT NULL,
  bytes_written    INTEGER NOT NULL,
  row_hash         INTEGER NOT NULL,
  output           TEXT NOT NULL,
  output_version   TEXT NOT NULL,
  sha256           TEXT NOT NULL,
  rejects          TEXT NOT NULL,
  cursor_from      TEXT NOT NULL,
  cursor_to        TEXT NOT NULL,
  error            TEXT NOT NULL
) STRICT;

-- run '': the pipeline's cursor; else what that sealed run will make it. type '': none.
-- hashes: little-endian 64-bit numbers.
CREATE TABLE cursor (
  id         INTEGER NOT NULL PRIMARY KEY,
  pipeline   TEXT NOT NULL,
  run        TEXT NOT NULL,
  type       TEXT NOT NULL,
  value      TEXT,
  window_cut INTEGER NOT NULL,
  hashes     BLOB NOT NULL,
  UNIQUE (pipeline, run)
) STRICT;

-- The schema pinned for a pipeline's source, as JSON; run as in cursor.
CREATE TABLE pin (
  pipeline TEXT NOT NULL,
  run      TEXT NOT NULL,
  schema   TEXT NOT NULL,
  PRIMARY KEY (pipeline, run)
) STRICT;

-- Objects to load. state: 0 ready, 1 hidden until visible_us, 2 done, 3 dead. received: hidden
-- because somebody works on it, not because it waits for a retry.
CREATE TABLE work (
  id         INTEGER NOT NULL PRIMARY KEY,
  pipeline   TEXT NOT NULL,
  key        TEXT NOT NULL,
  version    TEXT NOT NULL,
  ord        INTEGER NOT NULL,
  state      INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
  failures   INTEGER NOT NULL,
  received   INTEGER NOT NULL,
  visible_us INTEGER NOT NULL,
  put_us     INTEGER NOT NULL,
  error      TEXT NOT NULL,
  UNIQUE (pipeline, key, version)
) STRICT;
-- Done entries stay, so that an object is loaded once; these leave them out.
CREATE INDEX work_ready ON work (pipeline, ord, id) WHERE state = 0;
CREATE INDEX work_hidden ON work (pipeline, visible_us) WHERE state = 1;
CREATE INDEX work_open ON work (pipeline, ord, id) WHERE state <> 2;

-- Rejected rows that wait. pending 1: of a sealed run, not there before it is finished.
CREATE TABLE quarantine (
  run      TEXT NOT NULL,
  pending  INTEGER NOT NULL,
  pipeline TEXT NOT NULL,
  object   TEXT NOT NULL,
  file     TEXT NOT NULL,
  rows     INTEGER NOT NULL,
  time_us  INTEGER NOT NULL,
  PRIMARY KEY (run, pending)
) STRICT;
CREATE INDEX quarantine_oldest ON quarantine (pending, time_us, run);
CREATE INDEX quarantine_oldest_of_pipeline ON quarantine (pipeline, pending, time_us, run);
