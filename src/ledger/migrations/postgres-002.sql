-- Version 2: what 004 says of SQLite's.

CREATE TABLE outbox (
  run        text COLLATE "C" NOT NULL,
  target     text COLLATE "C" NOT NULL,
  kind       bigint NOT NULL,
  tries      bigint NOT NULL,
  failures   bigint NOT NULL,
  dead       bigint NOT NULL,
  visible_us bigint NOT NULL,
  put_us     bigint NOT NULL,
  error      text NOT NULL,
  PRIMARY KEY (run, target)
);
CREATE INDEX outbox_next ON outbox (target, run) WHERE dead = 0;
