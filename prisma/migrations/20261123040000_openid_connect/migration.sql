-- Logout tokens that were used, until they could not be used again anyway.
create table oidc_logout_tokens (
  connection_id integer not null references connections (id) on delete cascade,
  token_id text not null,
  expires_at timestamptz not null,
  primary key (connection_id, token_id)
);
create index "oidc_logout_tokens_expires_at" on oidc_logout_tokens (expires_at);

-- Refresh tokens of OpenID providers, by which they are asked what they say of somebody without a new sign-in. Sealed with the key of the person.
create table offline_grants (
  connection_id integer not null references connections (id) on delete cascade,
  native_id text not null,
  person_id uuid not null,
  subject text not null,
  sealed text not null,
  granted_at timestamptz not null,
  refreshed_at timestamptz not null,
  due_at timestamptz not null,
  failures integer not null default 0,
  primary key (connection_id, native_id)
);
create index "offline_grants_due_at" on offline_grants (due_at);
create index "offline_grants_person_id" on offline_grants (person_id);
