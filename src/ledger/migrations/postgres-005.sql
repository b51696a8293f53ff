-- Version 5: what 007 says of SQLite's.
ALTER TABLE work ADD COLUMN progress text NOT NULL DEFAULT '';
