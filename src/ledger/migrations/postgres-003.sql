-- Version 3: what 005 says of SQLite's.

ALTER TABLE run ADD COLUMN partial bigint NOT NULL DEFAULT 0;
ALTER TABLE sealed ADD COLUMN partial bigint NOT NULL DEFAULT 0;
