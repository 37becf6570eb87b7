-- What looks like somebody trying to get in where they don't belong: one open incident for each pattern and subject.
CREATE TABLE incidents (
  id uuid PRIMARY KEY,
  kind text NOT NULL,
  subject_type text NOT NULL CHECK (subject_type IN ('person', 'network', 'token', 'organisation')),
  subject_id text NOT NULL,
  person_id uuid,
  state text NOT NULL CHECK (state IN ('open', 'investigating', 'closed')),
  outcome text CHECK (outcome IN ('resolved', 'false_alarm')),
  assignee_id uuid,
  response text CHECK (response IN ('suspended', 'sessions_ended')),
  opened_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  reopened integer NOT NULL DEFAULT 0,
  closed_at timestamptz,
  closed_by text,
  version integer NOT NULL DEFAULT 1,
  CHECK ((state = 'closed') = (outcome IS NOT NULL)),
  CHECK ((state = 'closed') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX incidents_one_open_idx ON incidents (kind, subject_type, subject_id) WHERE state <> 'closed';
CREATE INDEX incidents_subject_idx ON incidents (kind, subject_id, closed_at);
CREATE INDEX incidents_last_at_idx ON incidents (last_at DESC, id DESC);
CREATE INDEX incidents_person_id_idx ON incidents (person_id) WHERE person_id IS NOT NULL;

-- What was counted, a row for each hour in which it was seen, so that an attack grows an incident and does not flood it.
CREATE TABLE incident_evidence (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  incident_id uuid NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
  hour timestamptz NOT NULL,
  first_at timestamptz NOT NULL,
  last_at timestamptz NOT NULL,
  facts jsonb NOT NULL
);
CREATE UNIQUE INDEX incident_evidence_hour_idx ON incident_evidence (incident_id, hour);

CREATE TABLE incident_notes (
  id uuid PRIMARY KEY,
  incident_id uuid NOT NULL REFERENCES incidents (id) ON DELETE CASCADE,
  at timestamptz NOT NULL,
  author text NOT NULL,
  text text NOT NULL
);
CREATE INDEX incident_notes_incident_id_at_idx ON incident_notes (incident_id, at);
