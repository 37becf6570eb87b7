-- Somebody is in a group at most once at any instant, as far as one connection says so. An exclusion constraint kept closed periods
-- apart before: an entry of its GiST index cost more than the rest of a closed row, indexes and all.
-- Two open periods, and two that end at one instant, are kept apart by this index, which nulls don't slip through. Others can overlap
-- only where one of them was closed, and that is looked for when it is written. Whoever closes a period has superseded its open row,
-- of which there is one, and whoever opens the next one waits at the index for that: no two transactions close periods of one person
-- in one group side by side.
alter table "memberships" drop constraint "memberships_once";
drop index "memberships_open";
drop index "memberships_of_group";
drop index "memberships_of_person";
create unique index "memberships_once" on memberships (group_id, person_id, (coalesce(connection_id, 0)), valid_to) nulls not distinct where recorded_to is null;
-- What is open can be told from the index alone, as the one above tells it of a group.
create index "memberships_of_person" on memberships (person_id, group_id, valid_to) where recorded_to is null;

-- A semicolon is written \x3b inside the body: the migration engine takes every other one for the end of a statement.
-- Sequential scans are off because the plan is kept: one made while the table was small would read all of it later.
create function refuse_overlapping_memberships() returns trigger language plpgsql set enable_seqscan = off as E'
declare
  twice record\x3b
begin
  select c.person_id, c.group_id into twice
    from changed_rows c cross join lateral (
      select from memberships m
       where m.group_id = c.group_id and m.person_id = c.person_id and coalesce(m.connection_id, 0) = coalesce(c.connection_id, 0)
         and m.recorded_to is null and m.valid_to > c.valid_from and m.valid_from < c.valid_to and m.valid && c.valid and m.id <> c.id
       limit 1) other
   where c.recorded_to is null and c.valid_to is not null limit 1\x3b
  if found then
    raise exclusion_violation using table = tg_table_name, constraint = ''memberships_once'',
      message = format(''the person %s would be in the group %s twice at one time'', twice.person_id, twice.group_id)\x3b
  end if\x3b
  return null\x3b
end';
create trigger "memberships_once_insert" after insert on memberships referencing new table as changed_rows for each statement execute function refuse_overlapping_memberships();
create trigger "memberships_once_update" after update on memberships referencing new table as changed_rows for each statement execute function refuse_overlapping_memberships();
