-- Whoever asks for what happened to a thing wants the newest first: ids of things are all but unique, so their type need not lead.
drop index "audit_events_subject_type_subject_id_idx";
create index "audit_events_subject" on audit_events (subject_id, id);
-- What is searched for besides. A first sync brings few names and one correlation id, so its entries go to the end of each. What
-- connections do is most of the trail, and found by walking it: their entries would cost a first sync the most.
create index "audit_events_name" on audit_events (name, id);
create index "audit_events_actor" on audit_events (actor, id) where actor not like 'connection:%';
create index "audit_events_correlation" on audit_events (correlation_id);

-- How long events are kept. One row, always there: null days mean for good.
create table "audit_retention" (
  "one" boolean not null default true check (one),
  "days" integer check (days between 90 and 36500),
  "version" integer not null default 1,
  "changed_at" timestamptz(6),
  "changed_by" text,
  constraint "audit_retention_pkey" primary key ("one")
);
insert into audit_retention default values;

-- Proof of what was removed: a range each, in the transaction that removed it.
create table "audit_removals" (
  "id" bigserial not null,
  "removed_at" timestamptz(6) not null,
  "days" integer not null,
  "before" timestamptz(6) not null,
  "count" integer not null,
  "first_id" bigint not null,
  "last_id" bigint not null,
  "first_at" timestamptz(6) not null,
  "last_at" timestamptz(6) not null,
  "sha256" bytea not null,
  constraint "audit_removals_pkey" primary key ("id"),
  constraint "audit_removals_range" check (first_id <= last_id and count > 0 and last_at < before)
);
