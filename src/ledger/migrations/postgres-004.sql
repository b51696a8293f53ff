-- Version 4: what 006 says of SQLite's.

CREATE TABLE piece (
  run      text COLLATE "C" NOT NULL,
  number   bigint NOT NULL,
  pipeline text COLLATE "C" NOT NULL,
  able     text COLLATE "C" NOT NULL,
  task     text NOT NULL,
  takes    bigint NOT NULL,
  until_us bigint NOT NULL,
  result   text NOT NULL,
  PRIMARY KEY (run, number)
) WITH (fillfactor = 50);
