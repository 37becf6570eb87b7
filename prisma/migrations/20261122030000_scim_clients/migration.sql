-- How often a SCIM client departed from the RFCs, and in which way. Attributes and samples are of closed sets: no personal values.
create table "scim_quirks" (
  "connection_id" integer not null,
  "dialect" text not null,
  "quirk" text not null,
  "attribute" text not null,
  "sample" text not null,
  "count" bigint not null,
  "first_seen_at" timestamptz(6) not null,
  "last_seen_at" timestamptz(6) not null,
  constraint "scim_quirks_pkey" primary key ("connection_id", "dialect", "quirk", "attribute", "sample"),
  constraint "scim_quirks_connection" foreign key (connection_id) references connections (id) on delete cascade
);

-- Clients that fetch a short-lived token with an id and a secret (OAuth 2.0 client credentials).
create table "oauth_clients" (
  "id" text not null,
  "name" text not null,
  "secret_hash" bytea not null,
  "connection_id" integer not null,
  "created_at" timestamptz(6) not null,
  "expires_at" timestamptz(6),
  "last_used_at" timestamptz(6),
  "revoked_at" timestamptz(6),
  "revoked_reason" text,
  constraint "oauth_clients_pkey" primary key ("id"),
  constraint "oauth_clients_connection" foreign key (connection_id) references connections (id) on delete cascade
);
create index "oauth_clients_connection_id_idx" on oauth_clients (connection_id);

-- A client's tokens end with it. A token that takes another's place names it, so that both are seen to belong together.
alter table "tokens"
  add column "oauth_client_id" text,
  add column "replaces_id" uuid,
  add constraint "tokens_oauth_client" foreign key (oauth_client_id) references oauth_clients (id) on delete cascade;
create index "tokens_oauth_client_id_expires_at_idx" on tokens (oauth_client_id, expires_at) where oauth_client_id is not null;
