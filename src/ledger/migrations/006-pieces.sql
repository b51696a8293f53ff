-- Version 6: pieces of a run's work, which whoever is free does (engine/shared.h). able: what a
-- worker has to be like to do it. result '': nobody has done it yet; until_us: somebody has it in
-- hand until then. They go when their run ends.
CREATE TABLE piece (
  run      TEXT NOT NULL,
  number   INTEGER NOT NULL,
  pipeline TEXT NOT NULL,
  able     TEXT NOT NULL,
  task     TEXT NOT NULL,
  takes    INTEGER NOT NULL,
  until_us INTEGER NOT NULL,
  result   TEXT NOT NULL,
  PRIMARY KEY (run, number)
) STRICT, WITHOUT ROWID;
