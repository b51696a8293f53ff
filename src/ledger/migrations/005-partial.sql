-- Version 5: a run that read a part on purpose, whose rows say nothing of how many there are.
ALTER TABLE run ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sealed ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;
