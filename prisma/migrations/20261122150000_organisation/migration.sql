-- The types of units that can be given by hand. Origins may bring others.
create table "unit_types" (
  "key" text not null,
  "name" text not null,
  "predefined" boolean not null default false,
  "created_at" timestamptz not null,
  constraint "unit_types_pkey" primary key ("key")
);
insert into unit_types (key, name, predefined, created_at) values
  ('organization', 'Organisation', true, now()),
  ('department', 'Department', true, now()),
  ('location', 'Location', true, now()),
  ('team', 'Team', true, now());

-- What a role held from one of its changes to the next, names included.
create table "role_versions" (
  "role_id" uuid not null,
  "version" integer not null,
  "at" timestamptz not null,
  "actor" text not null,
  "name" text not null,
  "description" text not null,
  "permissions" text[] not null,
  -- Keys of the roles that it inherits.
  "inherits" text[] not null,
  "deleted" boolean not null default false,
  constraint "role_versions_pkey" primary key ("role_id", "version")
);
insert into role_versions (role_id, version, at, actor, name, description, permissions, inherits, deleted)
  select r.id, r.version, r.modified_at, 'system', r.name, r.description,
    array(select permission_key from role_permissions where role_id = r.id and recorded_to is null and valid_to is null order by 1),
    array(select parents.key from role_parents p join roles parents on parents.id = p.parent_role_id where p.role_id = r.id and p.recorded_to is null and p.valid_to is null order by 1),
    r.deleted_at is not null
  from roles r;

-- Somebody asks for a role on a unit, for themselves or for who reports to them.
create table "access_requests" (
  "id" uuid not null,
  "person_id" uuid not null,
  "role_id" uuid not null,
  "unit_id" uuid not null,
  "valid_from" timestamptz,
  "valid_to" timestamptz,
  "reason" text not null,
  "requested_by" uuid not null,
  "requested_at" timestamptz not null,
  -- Undecided until then, it is over.
  "lapses_at" timestamptz not null,
  -- pending | approved | refused | withdrawn | lapsed
  "state" text not null default 'pending',
  "decided_by" text,
  "decided_at" timestamptz,
  "decision_reason" text,
  "grant_id" uuid,
  "version" integer not null default 1,
  constraint "access_requests_pkey" primary key ("id"),
  constraint "access_requests_state" check (state in ('pending', 'approved', 'refused', 'withdrawn', 'lapsed'))
);
create index "access_requests_person" on access_requests (person_id);
create index "access_requests_requested_by" on access_requests (requested_by);
create index "access_requests_unit" on access_requests (unit_id) where state = 'pending';
create index "access_requests_requested_at" on access_requests (requested_at, id);
