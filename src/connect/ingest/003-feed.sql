-- Version 3: what is read of a feed (connect/feed.h), too.

-- How far each part of it was read: changes in the transaction that stores what came.
CREATE TABLE position (
  name  TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Of the events of a feed, in their order: 8 bytes each, a hash of what the event is about, whose
-- lowest bit says that it is gone.
ALTER TABLE body ADD COLUMN keys BLOB;
