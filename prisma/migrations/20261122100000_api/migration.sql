-- What a token is narrowed to. Null = all that its person may do, or for a service's token nothing at all is left out.
ALTER TABLE tokens ADD COLUMN permissions text[];
-- Null = wherever its person may do it, or for a service's token everywhere.
ALTER TABLE tokens ADD COLUMN unit_ids uuid[];

-- Answers to creates, kept for a day, so that one that is sent again does not create again.
CREATE TABLE idempotency_keys (
  caller text NOT NULL,
  key text NOT NULL,
  -- SHA-256 of method, path and body.
  request_hash bytea NOT NULL,
  status integer NOT NULL,
  -- Sealed: it may hold a secret that is shown once.
  answer text NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (caller, key)
);
CREATE INDEX idempotency_keys_created_at_idx ON idempotency_keys (created_at);
