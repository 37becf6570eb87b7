-- What became of a plan's items: rewriting a hundred thousand wide rows to say "applied" would cost more than applying them.
-- A batch row covers a range of items, and only items that were refused or failed have a row of their own.
create table "plan_batches" (
    "plan_id" bigint not null,
    "kind" text not null,
    "first_seq" integer not null,
    "last_seq" integer not null,
    "applied_at" timestamptz(6) not null,
    constraint "plan_batches_pkey" primary key ("plan_id", "kind", "first_seq")
);

create table "plan_outcomes" (
    "plan_id" bigint not null,
    "seq" integer not null,
    "state" text not null check (state in ('refused', 'failed')),
    "message" text not null,
    constraint "plan_outcomes_pkey" primary key ("plan_id", "seq")
);

alter table "plan_items" drop column "state", drop column "message";

-- The version first: an index that begins with connection_id tempts the planner away from the unique one.
drop index "accounts_older_mapping";
create index "accounts_older_mapping" on accounts (mapping_version, connection_id);

-- Sealed personal values are random by nature (a nonce each), so two plans that decide the same would never have one hash.
alter table "plan_items" drop column "hash";
alter table "plan_items"
  add column hash bytea generated always as (text_sha256(
    kind || E'\x1f' || native_id || E'\x1f' || action || E'\x1f' || coalesce(account_id::text, '') || E'\x1f' || coalesce(account_version::text, '') || E'\x1f' ||
    case when action = 'create' then '' else coalesce(subject_id::text, '') end || E'\x1f' || coalesce(subject_version::text, '') || E'\x1f' ||
    coalesce(reference, '') || E'\x1f' || reason || E'\x1f' || (payload - 'sealed')::text)) stored;

-- Payloads of people are two to three kilobytes, and apply reads them a dozen times: kept in the row, they are not unpacked each time.
alter table "plan_items" set (toast_tuple_target = 8160);

drop index "plan_items_native";
create unique index "plan_items_native" on plan_items (plan_id, kind, native_id);

-- Only accounts that are known already are looked up by reference while a plan is made.
drop index "plan_items_reference";
create index "plan_items_reference" on plan_items (plan_id, reference) where account_id is not null;
