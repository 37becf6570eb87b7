-- What a session proves, where it came from, and what it is called at the identity provider that made it.
alter table sessions
  add column methods text[] not null default '{}',
  add column proven_at timestamptz,
  add column device_id uuid,
  add column connection_id integer,
  add column federation_subject text,
  add column federation_session text;
create index "sessions_federation" on sessions (connection_id, federation_subject) where ended_at is null and connection_id is not null;
create index "sessions_federation_session" on sessions (connection_id, federation_session) where ended_at is null and federation_session is not null;

-- A sign-in under way: one row for each, bound to a browser by the hash of its cookie.
create table sign_ins (
  id uuid primary key,
  hash bytea not null unique,
  purpose text not null,
  created_at timestamptz not null,
  expires_at timestamptz not null,
  ended_at timestamptz,
  person_id uuid,
  session_id uuid,
  return_to text,
  first_method text,
  first_at timestamptz,
  second_method text,
  second_at timestamptz,
  trusted boolean not null default false,
  connection_id integer,
  federation_subject text,
  federation_session text,
  state jsonb not null default '{}'
);
create index "sign_ins_expires_at" on sign_ins (expires_at);
create index "sign_ins_person_id" on sign_ins (person_id);

-- Browsers from which somebody has signed in before.
create table sign_in_devices (
  id uuid primary key,
  person_id uuid not null,
  hash bytea not null,
  first_seen_at timestamptz not null,
  last_seen_at timestamptz not null,
  user_agent text,
  network text
);
create unique index "sign_in_devices_person_hash" on sign_in_devices (person_id, hash);
