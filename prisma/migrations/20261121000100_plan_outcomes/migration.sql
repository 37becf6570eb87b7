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
