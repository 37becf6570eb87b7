-- What somebody proves themselves with beside the password.
CREATE TABLE factors (
  id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('totp', 'sms', 'email', 'passkey')),
  -- What the person calls it.
  label text NOT NULL,
  -- The TOTP secret, the number or the address, sealed with the person's key.
  sealed text,
  created_at timestamptz(6) NOT NULL,
  last_used_at timestamptz(6),
  -- TOTP: the latest time step that was accepted. It and what lies before are never accepted again.
  last_step bigint,
  credential_id bytea UNIQUE,
  public_key bytea,
  sign_count bigint,
  transports text[] NOT NULL DEFAULT '{}',
  backed_up boolean,
  CHECK ((kind = 'passkey') = (credential_id IS NOT NULL AND public_key IS NOT NULL AND sign_count IS NOT NULL)),
  CHECK ((kind = 'passkey') = (sealed IS NULL))
);
CREATE INDEX factors_person_idx ON factors (person_id);

-- A proof that was asked for, and waits. Of one use, and bound to the sign-in or the session that it was asked in.
CREATE TABLE factor_challenges (
  id uuid PRIMARY KEY,
  -- Null while nobody knows who is there: a passkey alone will say it.
  person_id uuid,
  -- Null where any passkey will do, and at enrolment.
  factor_id uuid REFERENCES factors (id) ON DELETE CASCADE,
  kind text NOT NULL CHECK (kind IN ('totp', 'sms', 'email', 'passkey')),
  purpose text NOT NULL CHECK (purpose IN ('enrol', 'verify', 'passwordless')),
  bound_to text NOT NULL,
  -- SMS and e-mail: a keyed hash of the code.
  code_hash bytea,
  -- Passkeys: the challenge in base64url.
  challenge text,
  -- Enrolment: what the factor will hold, sealed with the person's key.
  sealed text,
  tries int NOT NULL DEFAULT 0,
  created_at timestamptz(6) NOT NULL,
  expires_at timestamptz(6) NOT NULL,
  used_at timestamptz(6)
);
CREATE INDEX factor_challenges_person_idx ON factor_challenges (person_id, created_at);
CREATE INDEX factor_challenges_expires_idx ON factor_challenges (expires_at);

CREATE TABLE recovery_codes (
  id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  hash bytea NOT NULL,
  created_at timestamptz(6) NOT NULL,
  used_at timestamptz(6),
  UNIQUE (person_id, hash)
);

-- Who must have a second factor: who holds the role, who is in the unit or below it, or the person.
CREATE TABLE factor_requirements (
  id uuid PRIMARY KEY,
  role_id uuid UNIQUE REFERENCES roles (id),
  unit_id uuid UNIQUE REFERENCES units (id),
  person_id uuid UNIQUE REFERENCES people (id),
  reason text NOT NULL,
  created_at timestamptz(6) NOT NULL,
  created_by text NOT NULL,
  CHECK (num_nonnulls(role_id, unit_id, person_id) = 1)
);
