-- What a change of a rule, a role or a unit's place would do to effective access, kept for as long as somebody looks at it.
create table "access_previews" (
  "id" uuid not null,
  -- Whose credential asked: nobody else sees it.
  "owner" text not null,
  "change" jsonb not null,
  -- Over the whole difference.
  "hash" bytea not null,
  "summary" jsonb not null,
  -- The units by their numbers in the differences.
  "units" uuid[] not null,
  "at" timestamptz not null,
  "created_at" timestamptz not null,
  "expires_at" timestamptz not null,
  constraint "access_previews_pkey" primary key ("id")
);
create index "access_previews_expires_at" on access_previews (expires_at);

-- People for whom the difference is the same stand together.
create table "access_preview_parts" (
  "preview_id" uuid not null,
  "seq" integer not null,
  "people" uuid[] not null,
  "difference" jsonb not null,
  constraint "access_preview_parts_pkey" primary key ("preview_id", "seq"),
  constraint "access_preview_parts_of" foreign key ("preview_id") references access_previews ("id") on delete cascade
);

-- To whom else something is given on a unit is asked when it is explained why somebody has nothing there.
create index "grants_of_unit" on grants (unit_id) where recorded_to is null and group_id is not null;
