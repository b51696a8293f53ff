-- Version 1 of the ledger in PostgreSQL: what 001 and 002 say of SQLite's, where the columns are
-- explained, and what several workers need besides. It runs in the ledger's own schema, which is
-- first in the search path. Numbers are all bigint; unsigned ones are kept as the signed number
-- with the same bits. Texts are compared by their bytes; a byte that is not UTF-8 stands in them as
-- \xHH, a backslash as two.

CREATE TABLE ledger_version (version bigint NOT NULL);

-- The ledger's clock, the same for all workers. STABLE, so that an index can be searched by it.
CREATE FUNCTION now_us() RETURNS bigint LANGUAGE sql STABLE AS
  $$ SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint $$;
CREATE FUNCTION later_us(delay bigint) RETURNS bigint LANGUAGE sql STABLE AS
  $$ SELECT least(now_us()::numeric + delay, 9223372036854775807)::bigint $$;

-- A name that a worker holds: a pipeline, or the slot of a service ("@up-0"). It is free when
-- until_us is over, whatever became of the worker. token: of one opening of the ledger.
CREATE TABLE lease (
  name     text COLLATE "C" NOT NULL PRIMARY KEY,
  token    text COLLATE "C" NOT NULL,
  holder   text NOT NULL,
  until_us bigint NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE counter (
  name  text COLLATE "C" NOT NULL PRIMARY KEY,
  value bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO counter (name, value) VALUES ('order', 0);

CREATE TABLE pipeline (
  name     text COLLATE "C" NOT NULL PRIMARY KEY,
  epoch    bigint NOT NULL DEFAULT 0,
  fired_us bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE run (
  id               text COLLATE "C" NOT NULL PRIMARY KEY,
  pipeline         text COLLATE "C" NOT NULL,
  ord              bigint NOT NULL,
  started_us       bigint NOT NULL,
  object           text NOT NULL,
  epoch            bigint NOT NULL,
  state            bigint NOT NULL CHECK (state BETWEEN 0 AND 4),
  finished_us      bigint NOT NULL,
  rows_read        bigint NOT NULL,
  rows_written     bigint NOT NULL,
  rows_unchanged   bigint NOT NULL,
  rows_superseded  bigint NOT NULL,
  rows_filtered    bigint NOT NULL,
  rows_quarantined bigint NOT NULL,
  rows_deleted     bigint NOT NULL,
  bytes_read       bigint NOT NULL,
  bytes_written    bigint NOT NULL,
  row_hash         bigint NOT NULL,
  output           text NOT NULL,
  output_version   text NOT NULL,
  sha256           text NOT NULL,
  rejects          text NOT NULL,
  cursor_from      text NOT NULL,
  cursor_to        text NOT NULL,
  error            text NOT NULL,
  reading          text NOT NULL
);
CREATE INDEX run_newest ON run (ord, id);
CREATE INDEX run_newest_of_pipeline ON run (pipeline, ord, id);
CREATE INDEX run_newest_in_state ON run (state, ord, id);
CREATE INDEX run_newest_of_pipeline_in_state ON run (pipeline, state, ord, id);

CREATE TABLE sealed (
  run              text COLLATE "C" NOT NULL PRIMARY KEY,
  attempt          text NOT NULL,
  store            text NOT NULL,
  key              text NOT NULL,
  object_sha256    text NOT NULL,
  object_bytes     bigint NOT NULL,
  object_rows      bigint NOT NULL,
  object_row_hash  bigint NOT NULL,
  manifest         text NOT NULL,
  work             bigint NOT NULL,
  object           text NOT NULL,
  epoch            bigint NOT NULL,
  state            bigint NOT NULL CHECK (state IN (2, 3)),
  finished_us      bigint NOT NULL,
  rows_read        bigint NOT NULL,
  rows_written     bigint NOT NULL,
  rows_unchanged   bigint NOT NULL,
  rows_superseded  bigint NOT NULL,
  rows_filtered    bigint NOT NULL,
  rows_quarantined bigint NOT NULL,
  rows_deleted     bigint NOT NULL,
  bytes_read       bigint NOT NULL,
  bytes_written    bigint NOT NULL,
  row_hash         bigint NOT NULL,
  output           text NOT NULL,
  output_version   text NOT NULL,
  sha256           text NOT NULL,
  rejects          text NOT NULL,
  cursor_from      text NOT NULL,
  cursor_to        text NOT NULL,
  error            text NOT NULL,
  reading          text NOT NULL
);

CREATE TABLE key_range (
  pipeline text COLLATE "C" NOT NULL,
  run      text COLLATE "C" NOT NULL,
  first    bytea NOT NULL,
  count    bigint NOT NULL,
  checksum bigint NOT NULL,
  keys     bytea NOT NULL,
  PRIMARY KEY (pipeline, run, first)
);

CREATE TABLE cursor (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline   text COLLATE "C" NOT NULL,
  run        text COLLATE "C" NOT NULL,
  type       text NOT NULL,
  value      text,
  window_cut bigint NOT NULL,
  hashes     bytea NOT NULL,
  UNIQUE (pipeline, run)
);
-- Hashes do not get smaller.
ALTER TABLE cursor ALTER COLUMN hashes SET STORAGE EXTERNAL;

CREATE TABLE pin (
  pipeline text COLLATE "C" NOT NULL,
  run      text COLLATE "C" NOT NULL,
  schema   text NOT NULL,
  PRIMARY KEY (pipeline, run)
);

CREATE TABLE work (
  id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pipeline   text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  version    text COLLATE "C" NOT NULL,
  ord        bigint NOT NULL,
  state      bigint NOT NULL CHECK (state BETWEEN 0 AND 3),
  failures   bigint NOT NULL,
  received   bigint NOT NULL,
  takes      bigint NOT NULL,
  visible_us bigint NOT NULL,
  put_us     bigint NOT NULL,
  error      text NOT NULL,
  UNIQUE (pipeline, key, version)
);
CREATE INDEX work_ready ON work (pipeline, ord, id) WHERE state = 0;
CREATE INDEX work_hidden ON work (pipeline, visible_us) WHERE state = 1;
CREATE INDEX work_open ON work (pipeline, ord, id) WHERE state <> 2;

CREATE TABLE quarantine (
  run      text COLLATE "C" NOT NULL,
  pending  bigint NOT NULL,
  pipeline text COLLATE "C" NOT NULL,
  object   text NOT NULL,
  file     text NOT NULL,
  rows     bigint NOT NULL,
  time_us  bigint NOT NULL,
  PRIMARY KEY (run, pending)
);
CREATE INDEX quarantine_oldest ON quarantine (pending, time_us, run);
CREATE INDEX quarantine_oldest_of_pipeline ON quarantine (pipeline, pending, time_us, run);

CREATE TABLE service (
  slot         bigint NOT NULL PRIMARY KEY,
  pid          bigint NOT NULL,
  started_us   bigint NOT NULL,
  told_us      bigint NOT NULL,
  memory_bytes bigint NOT NULL,
  address      text NOT NULL
);

CREATE TABLE asked (
  lookup  text COLLATE "C" NOT NULL PRIMARY KEY,
  day     bigint NOT NULL,
  asked   bigint NOT NULL,
  found   bigint NOT NULL,
  limited bigint NOT NULL
);
