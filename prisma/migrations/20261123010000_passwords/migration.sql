-- Passwords as argon2id hashes in the PHC string format, with their parameters.
CREATE TABLE passwords (
  person_id uuid PRIMARY KEY,
  hash text NOT NULL,
  set_at timestamptz(6) NOT NULL,
  -- Made by somebody else: works until then, and only to set another.
  temporary_until timestamptz(6)
);

-- Those that were replaced, as far back as they may not be used again.
CREATE TABLE password_history (
  id bigserial PRIMARY KEY,
  person_id uuid NOT NULL,
  hash text NOT NULL,
  replaced_at timestamptz(6) NOT NULL
);
CREATE INDEX password_history_person_idx ON password_history (person_id, id);

-- Links of one use by which somebody sets a password: the invitation, and a reset. Only the SHA-256 of the token is kept.
CREATE TABLE login_links (
  id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('invitation', 'reset')),
  hash bytea NOT NULL UNIQUE,
  created_at timestamptz(6) NOT NULL,
  created_by text NOT NULL,
  -- How it was handed over: sent to the person, or shown to whoever asked for it.
  delivery text NOT NULL CHECK (delivery IN ('sent', 'shown')),
  expires_at timestamptz(6) NOT NULL,
  used_at timestamptz(6),
  revoked_at timestamptz(6)
);
CREATE UNIQUE INDEX login_links_open ON login_links (person_id, purpose) WHERE used_at IS NULL AND revoked_at IS NULL;
CREATE INDEX login_links_expires_idx ON login_links (expires_at);
