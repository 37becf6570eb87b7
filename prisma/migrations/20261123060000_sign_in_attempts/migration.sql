-- Each attempt to get in. Of the name that was typed only a keyed hash is kept: people type passwords there.
CREATE TABLE sign_in_attempts (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at timestamptz NOT NULL,
  kind text NOT NULL,
  outcome text NOT NULL CHECK (outcome IN ('ok', 'failed', 'refused')),
  person_id uuid,
  token_id uuid,
  name_hash text,
  address text,
  network text,
  user_agent_hash text,
  why text
);
CREATE INDEX sign_in_attempts_at_idx ON sign_in_attempts (at);
CREATE INDEX sign_in_attempts_person_id_at_idx ON sign_in_attempts (person_id, at) WHERE person_id IS NOT NULL;
CREATE INDEX sign_in_attempts_network_at_idx ON sign_in_attempts (network, at);
CREATE INDEX sign_in_attempts_token_id_at_idx ON sign_in_attempts (token_id, at) WHERE token_id IS NOT NULL;

-- Counters of the rate limits, in the form that rate-limiter-flexible reads and writes. They are worth nothing after a crash,
-- and must cost nobody a wait for the disk: not logged.
CREATE UNLOGGED TABLE attempt_limits (
  key varchar(255) PRIMARY KEY,
  points integer NOT NULL DEFAULT 0,
  expire bigint
);
