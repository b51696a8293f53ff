-- Version 7: how far a load is whose target has no place for marks. '': nothing was noted.
ALTER TABLE work ADD COLUMN progress TEXT NOT NULL DEFAULT '';
