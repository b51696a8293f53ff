-- Version 1 of the log of an endpoint.

-- What was taken, a row a request: kept for as long as a sender may ask for it or send it again.
-- `first` is the number of its first event; numbers only grow, so the newest row is never deleted.
CREATE TABLE receipt (
  first       INTEGER NOT NULL PRIMARY KEY,
  id          TEXT    NOT NULL UNIQUE,
  events      INTEGER NOT NULL,
  rejected    INTEGER NOT NULL, -- of them: those that will go to quarantine
  received_us INTEGER NOT NULL,
  idempotency BLOB,             -- SHA-256 of the sender's Idempotency-Key
  body_hash   BLOB              -- and of the body that came with it
) STRICT;
CREATE UNIQUE INDEX receipt_idempotency ON receipt (idempotency) WHERE idempotency IS NOT NULL;

-- The events that some pipeline has still to take, as NDJSON.
CREATE TABLE body (
  first INTEGER NOT NULL PRIMARY KEY,
  lines BLOB    NOT NULL
) STRICT;
