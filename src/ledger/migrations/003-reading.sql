-- Version 3: how a run read a database, where it was not by one session.
ALTER TABLE run ADD COLUMN reading TEXT NOT NULL DEFAULT '';
ALTER TABLE sealed ADD COLUMN reading TEXT NOT NULL DEFAULT '';
