-- Version 4: what others are to be told of runs that ended.

-- A row enters with the end of its run and goes when it is delivered. kind: 0 a message, 1 a row of
-- the catalogue. tries: failures so far; failures: those of them that a retry by itself may not
-- help. dead: no more tries by itself.
CREATE TABLE outbox (
  run        TEXT NOT NULL,
  target     TEXT NOT NULL,
  kind       INTEGER NOT NULL,
  tries      INTEGER NOT NULL,
  failures   INTEGER NOT NULL,
  dead       INTEGER NOT NULL,
  visible_us INTEGER NOT NULL,
  put_us     INTEGER NOT NULL,
  error      TEXT NOT NULL,
  PRIMARY KEY (run, target)
) STRICT, WITHOUT ROWID;
CREATE INDEX outbox_next ON outbox (target, run) WHERE dead = 0;
