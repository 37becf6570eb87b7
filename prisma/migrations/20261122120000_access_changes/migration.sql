-- What access follows from, and has changed: read by every node that keeps it in memory. A transaction's number stands with each
-- row, because what matters is not the order of writing but what a reader's earlier snapshot could not see yet.
create table "access_changes" (
  "id" bigserial not null,
  "xid" xid8 not null default pg_current_xact_id(),
  -- person, group (ids name them), units, roles, all
  "kind" text not null,
  "ids" uuid[] not null default '{}',
  constraint "access_changes_pkey" primary key ("id")
);
create index "access_changes_xid" on access_changes (xid);
alter table "access_changes" set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Up to where changes have been pruned: all below `taken` were committed when it was taken, and go ten minutes later.
-- A reader whose snapshot begins before `pruned` reads everything anew.
create table "access_change_fence" (
  "one" boolean not null default true,
  "taken_at" timestamptz not null,
  "taken" xid8 not null,
  "pruned" xid8 not null,
  constraint "access_change_fence_pkey" primary key ("one"),
  constraint "access_change_fence_one" check ("one")
);
insert into access_change_fence (taken_at, taken, pruned) values (clock_timestamp(), pg_snapshot_xmin(pg_current_snapshot()), '0');

-- A semicolon is written \x3b inside the bodies: the migration engine takes every other one for the end of a statement.
-- Every 64th change prunes, if nobody else does. In a stricter isolation it is left to others, because a fence that has moved
-- would end the transaction.
create function note_access_change(changed text, changed_ids uuid[]) returns void language plpgsql as E'
declare
  made bigint\x3b
begin
  if changed_ids is null then return\x3b end if\x3b
  insert into access_changes (kind, ids) values (changed, changed_ids) returning id into made\x3b
  perform pg_notify(''rollcall_access'', '''')\x3b
  if made % 64 <> 0 or current_setting(''transaction_isolation'') <> ''read committed'' then return\x3b end if\x3b
  with due as materialized (
    select taken from access_change_fence where taken_at < clock_timestamp() - interval ''10 minutes'' for update skip locked
  ), gone as (delete from access_changes using due where xid < due.taken)
  update access_change_fence set pruned = due.taken, taken = pg_snapshot_xmin(pg_current_snapshot()), taken_at = clock_timestamp() from due\x3b
end';

create function note_access_of_people() returns trigger language plpgsql as E'
begin
  perform note_access_change(''person'', (select array_agg(distinct person_id) from changed_rows))\x3b
  return null\x3b
end';
create function note_access_of_grants() returns trigger language plpgsql as E'
begin
  perform note_access_change(''person'', (select array_agg(distinct person_id) from changed_rows where person_id is not null))\x3b
  perform note_access_change(''group'', (select array_agg(distinct group_id) from changed_rows where group_id is not null))\x3b
  return null\x3b
end';
create function note_access_of_nestings() returns trigger language plpgsql as E'
begin
  perform note_access_change(''group'', (select array_agg(distinct child_group_id) from changed_rows))\x3b
  return null\x3b
end';
create function note_access_of_groups() returns trigger language plpgsql as E'
begin
  perform note_access_change(''group'', (select array_agg(id) from changed_rows))\x3b
  return null\x3b
end';
create function note_access_of_catalogue() returns trigger language plpgsql as E'
begin
  if exists (select from changed_rows) then perform note_access_change(tg_argv[0], ''{}'')\x3b end if\x3b
  return null\x3b
end';
create function note_access_of_row() returns trigger language plpgsql as E'
begin
  perform note_access_change(tg_argv[0], array[case when tg_op = ''DELETE'' then old.id else new.id end])\x3b
  return null\x3b
end';
create function note_access_of_everybody() returns trigger language plpgsql as E'
begin
  perform note_access_change(''all'', ''{}'')\x3b
  return null\x3b
end';

do E'
declare
  watched record\x3b
  event record\x3b
begin
  for watched in select * from (values
    (''lifecycle_periods'', ''note_access_of_people()''),
    (''memberships'', ''note_access_of_people()''),
    (''grants'', ''note_access_of_grants()''),
    (''nestings'', ''note_access_of_nestings()''),
    (''unit_placements'', ''note_access_of_catalogue(units)''),
    (''role_permissions'', ''note_access_of_catalogue(roles)''),
    (''role_parents'', ''note_access_of_catalogue(roles)'')) as t (name, noted_by)
  loop
    for event in select * from (values (''insert'', ''new''), (''update'', ''new''), (''delete'', ''old'')) as t (name, side) loop
      execute format(''create trigger %I after %s on %I referencing %s table as changed_rows for each statement execute function %s'',
        watched.name || ''_access_'' || event.name, event.name, watched.name, event.side, watched.noted_by)\x3b
    end loop\x3b
    execute format(''create trigger %I after truncate on %I for each statement execute function note_access_of_everybody()'',
      watched.name || ''_access_truncate'', watched.name)\x3b
  end loop\x3b
end';

-- Of things themselves only what access follows from: whether they are there, and the names that they are asked by. New people
-- have no access before their lifecycle begins, and that is noted above.
create trigger "people_access_update" after update of user_name, state on people for each row
  when (old.user_name::text is distinct from new.user_name::text or (old.state = 'deleted') <> (new.state = 'deleted')) execute function note_access_of_row('person');
create trigger "people_access_delete" after delete on people for each row execute function note_access_of_row('person');
create trigger "groups_access_insert" after insert on groups referencing new table as changed_rows for each statement execute function note_access_of_groups();
create trigger "groups_access_update" after update of deleted_at on groups for each row
  when (old.deleted_at is distinct from new.deleted_at) execute function note_access_of_row('group');
create trigger "groups_access_delete" after delete on groups for each row execute function note_access_of_row('group');
create trigger "units_access_insert" after insert on units referencing new table as changed_rows for each statement execute function note_access_of_catalogue('units');
create trigger "units_access_update" after update of code, deleted_at on units for each row
  when (old.code::text is distinct from new.code::text or old.deleted_at is distinct from new.deleted_at) execute function note_access_of_row('units');
create trigger "units_access_delete" after delete on units referencing old table as changed_rows for each statement execute function note_access_of_catalogue('units');
create trigger "roles_access_insert" after insert on roles referencing new table as changed_rows for each statement execute function note_access_of_catalogue('roles');
create trigger "roles_access_update" after update of deleted_at on roles for each row
  when (old.deleted_at is distinct from new.deleted_at) execute function note_access_of_row('roles');
create trigger "roles_access_delete" after delete on roles referencing old table as changed_rows for each statement execute function note_access_of_catalogue('roles');
