-- Our own keys at each SAML identity provider: the one in use, one that is published before it is used, and those it replaced.
create table saml_keys (
  id uuid primary key,
  connection_id integer not null references connections (id) on delete cascade,
  state text not null,
  certificate text not null,
  private_key text not null,
  created_at timestamptz not null,
  replaced_at timestamptz
);
create unique index "saml_keys_one_of_a_state" on saml_keys (connection_id, state) where state in ('current', 'next');
create index "saml_keys_connection_id" on saml_keys (connection_id);

-- What an identity provider says of itself, as it was read last from the address of its metadata, and how it names people.
create table saml_providers (
  connection_id integer primary key references connections (id) on delete cascade,
  source text,
  provider jsonb,
  fetched_at timestamptz,
  tried_at timestamptz,
  problem text,
  name_id jsonb
);

-- Requests that wait for their answer, once each.
create table saml_requests (
  id text primary key,
  kind text not null,
  connection_id integer not null references connections (id) on delete cascade,
  browser bytea,
  return_to text,
  created_at timestamptz not null,
  expires_at timestamptz not null
);
create index "saml_requests_expires_at" on saml_requests (expires_at);

-- Messages that were used, until they could not be used again anyway.
create table saml_messages (
  connection_id integer not null references connections (id) on delete cascade,
  message bytea not null,
  until timestamptz not null,
  primary key (connection_id, message)
);
create index "saml_messages_until" on saml_messages (until);
