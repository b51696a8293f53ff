-- Version 2: how far the events are that go to a queue. All before `next` were accepted by it.
CREATE TABLE sent (
  id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  next INTEGER NOT NULL
) STRICT;
