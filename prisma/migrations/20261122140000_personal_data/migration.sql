-- Photos as they are served: re-encoded, in each size and format. The hash is of what was handed in, with how it was encoded.
create table "person_photos" (
    "person_id" uuid not null,
    "size" integer not null,
    "format" text not null,
    "hash" text not null,
    "bytes" bytea not null,
    "set_at" timestamptz(6) not null,
    constraint "person_photos_pkey" primary key ("person_id", "size", "format"),
    constraint "person_photos_known" check ("format" in ('webp', 'jpeg') and "size" between 1 and 4096)
);
alter table "person_photos" alter column "bytes" set storage external;

-- Files of people: what each would change, and once applied, what it changed.
create table "people_imports" (
    "id" uuid primary key,
    "owner" text not null,
    "made_by" text not null,
    "made_at" timestamptz(6) not null,
    "state" text not null default 'previewed',
    "file_hash" text not null,
    "plan_hash" text not null,
    "encoding" text not null,
    "columns" text[] not null,
    "counts" jsonb not null,
    "applied_by" text,
    "applied_at" timestamptz(6),
    "reason" text,
    "version" integer not null default 1,
    constraint "people_imports_state" check ("state" in ('previewed', 'applied'))
);
create index "people_imports_made_at" on "people_imports" ("made_at", "id");
create index "people_imports_owner" on "people_imports" ("owner");

-- A line each. The values are sealed: before it is applied with the master key, afterwards with the person's own.
create table "people_import_rows" (
    "import_id" uuid not null references "people_imports" ("id") on delete cascade,
    "line" integer not null,
    "action" text not null,
    "person_id" uuid,
    "changed" text[] not null default '{}',
    "problems" jsonb not null default '[]',
    "content" text,
    constraint "people_import_rows_pkey" primary key ("import_id", "line"),
    constraint "people_import_rows_action" check ("action" in ('create', 'update', 'unchanged', 'error'))
);
create index "people_import_rows_person" on "people_import_rows" ("person_id");

-- Who was deleted for good. What targets must still be told is finished later.
create table "erasures" (
    "person_id" uuid primary key,
    "erased_at" timestamptz(6) not null,
    "erased_by" text not null,
    "reason" text not null,
    "finished_at" timestamptz(6)
);
create index "erasures_unfinished" on "erasures" ("erased_at") where "finished_at" is null;
