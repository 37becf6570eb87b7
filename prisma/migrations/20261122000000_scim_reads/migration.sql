-- How many people and groups there are, without counting them: changes, whose sum is the number. A writer appends a row of its
-- own, so that no two wait for each other, and every snapshot sees exactly the rows whose people it sees.
create table "resource_count_changes" (
  "id" bigserial not null,
  "kind" text not null,
  "change" integer not null,
  constraint "resource_count_changes_pkey" primary key ("id")
);
alter table "resource_count_changes" set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
create index "resource_count_changes_of_kind" on resource_count_changes (kind) include (change);

-- A semicolon is written \x3b inside the bodies: the migration engine takes every other one for the end of a statement.
-- Every 64th change sums up what lies there. Rows that somebody else is summing up are left to them, and a writer in a stricter
-- isolation leaves it to others, because a row gone meanwhile would end its transaction.
create function change_resource_count(counted text, difference bigint) returns void language plpgsql as E'
declare
  made bigint\x3b
begin
  if difference = 0 then return\x3b end if\x3b
  insert into resource_count_changes (kind, change) values (counted, difference) returning id into made\x3b
  if made % 64 <> 0 or current_setting(''transaction_isolation'') <> ''read committed'' then return\x3b end if\x3b
  with lying as materialized (select id from resource_count_changes where kind = counted order by id limit 1000 for update skip locked),
    taken as (delete from resource_count_changes where id in (select id from lying) returning change)
  insert into resource_count_changes (kind, change) select counted, sum(change) from taken having count(*) > 0\x3b
end';

create function count_new_people() returns trigger language plpgsql as E'
begin
  perform change_resource_count(''user'', (select count(*) from new_rows where deleted_at is null and state <> ''deleted''))\x3b
  return null\x3b
end';
create function count_removed_people() returns trigger language plpgsql as E'
begin
  perform change_resource_count(''user'', -(select count(*) from old_rows where deleted_at is null and state <> ''deleted''))\x3b
  return null\x3b
end';
create function count_changed_person() returns trigger language plpgsql as E'
begin
  perform change_resource_count(''user'', case when new.deleted_at is null and new.state <> ''deleted'' then 1 else -1 end)\x3b
  return null\x3b
end';
create function count_new_groups() returns trigger language plpgsql as E'
begin
  perform change_resource_count(''group'', (select count(*) from new_rows where deleted_at is null))\x3b
  return null\x3b
end';
create function count_removed_groups() returns trigger language plpgsql as E'
begin
  perform change_resource_count(''group'', -(select count(*) from old_rows where deleted_at is null))\x3b
  return null\x3b
end';
create function count_changed_group() returns trigger language plpgsql as E'
begin
  perform change_resource_count(''group'', case when new.deleted_at is null then 1 else -1 end)\x3b
  return null\x3b
end';
create function count_none() returns trigger language plpgsql as E'
begin
  delete from resource_count_changes where kind = tg_argv[0]\x3b
  return null\x3b
end';

-- One statement, so that nobody's insert falls between the triggers and the first count.
do E'
begin
  lock table people, groups in share row exclusive mode\x3b
  create trigger "people_counted_in" after insert on people referencing new table as new_rows for each statement execute function count_new_people()\x3b
  create trigger "people_counted_out" after delete on people referencing old table as old_rows for each statement execute function count_removed_people()\x3b
  create trigger "people_counted" after update of deleted_at, state on people for each row
    when ((old.deleted_at is null and old.state <> ''deleted'') <> (new.deleted_at is null and new.state <> ''deleted'')) execute function count_changed_person()\x3b
  create trigger "people_counted_none" after truncate on people for each statement execute function count_none(''user'')\x3b
  create trigger "groups_counted_in" after insert on groups referencing new table as new_rows for each statement execute function count_new_groups()\x3b
  create trigger "groups_counted_out" after delete on groups referencing old table as old_rows for each statement execute function count_removed_groups()\x3b
  create trigger "groups_counted" after update of deleted_at on groups for each row
    when ((old.deleted_at is null) <> (new.deleted_at is null)) execute function count_changed_group()\x3b
  create trigger "groups_counted_none" after truncate on groups for each statement execute function count_none(''group'')\x3b
  insert into resource_count_changes (kind, change) select ''user'', count(*) from people where deleted_at is null and state <> ''deleted''\x3b
  insert into resource_count_changes (kind, change) select ''group'', count(*) from groups where deleted_at is null\x3b
end';

-- Pages in the order of ids, counted off without touching the people themselves.
create index "people_present" on people (id) where deleted_at is null and state <> 'deleted';

-- The indexes of what SCIM clients wrote, under a condition whose share the planner can guess: it takes `attributes ? 'userName'`
-- for true of a handful, and then reads the whole of any such index rather than use the right one.
drop index "accounts_scim_user_name", "accounts_scim_display_name", "accounts_scim_external_id", "accounts_scim_emails";
create index "accounts_scim_user_name" on accounts (connection_id, lower(attributes->>'userName')) where kind = 'user' and attributes->>'userName' is not null;
create index "accounts_scim_display_name" on accounts (connection_id, lower(attributes->>'displayName')) where kind = 'group' and attributes->>'displayName' is not null;
create index "accounts_scim_external_id" on accounts (connection_id, kind, (attributes->>'externalId')) where attributes->>'externalId' is not null;
create index "accounts_scim_emails" on accounts using gin ((lower(jsonb_path_query_array(attributes, '$.emails[*].value')::text)::jsonb)) where kind = 'user' and attributes->>'userName' is not null;

-- What SCIM clients look for a part of, in one text: an index of each attribute would cost four times as much to keep.
create index "people_search" on people using gin ((lower(coalesce(attributes->>'userName', '') || E'\n' || coalesce(attributes->>'displayName', '') || E'\n'
  || coalesce(attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->>'employeeNumber', '') || E'\n'
  || jsonb_path_query_array(attributes, '$.emails[*].value')::text)) gin_trgm_ops) where deleted_at is null;
create index "accounts_scim_search" on accounts using gin ((lower(coalesce(attributes->>'userName', '') || E'\n' || coalesce(attributes->>'displayName', '') || E'\n'
  || coalesce(attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->>'employeeNumber', '') || E'\n'
  || jsonb_path_query_array(attributes, '$.emails[*].value')::text)) gin_trgm_ops) where kind = 'user' and attributes->>'userName' is not null;

-- The manager as a client wrote it.
create index "accounts_scim_manager" on accounts (connection_id, lower(attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'manager'->>'value'))
  where kind = 'user' and attributes->>'userName' is not null and attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'manager'->>'value' is not null;
