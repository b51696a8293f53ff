-- For a ledger that workers share and whose database is SQLite: a name that a worker holds, a
-- pipeline or the slot of a service ("@up-0"). It is free when until_us is over, whatever became of
-- the worker. token: of one opening of the ledger.
CREATE TABLE lease (
  name     TEXT NOT NULL PRIMARY KEY,
  token    TEXT NOT NULL,
  holder   TEXT NOT NULL,
  until_us INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
