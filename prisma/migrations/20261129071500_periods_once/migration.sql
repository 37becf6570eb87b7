-- No two beliefs that stand say the same of somebody for one instant: of a block of one owner, and of the state that they were in. Exclusion
-- constraints kept them apart before. An entry of their GiST index cost more than the rest of the row, superseded rows had one, too, and
-- a plan made while the table was empty looked blocks up by it, at twice the price of the whole change once there were many.
-- As for memberships: what is open, and what ends at one instant, is kept apart by a unique index, which nulls don't slip through. Others
-- can overlap only where one of them was closed, and that is looked for when it is written. Whoever writes them holds the person, or
-- has superseded the open row, of which there is one: no two transactions close periods of one person side by side.
alter table "blocks" drop constraint "blocks_once";
drop index "blocks_of_person";
create unique index "blocks_once" on "blocks" ("person_id", "owner", (coalesce("connection_id", 0)), "valid_to") nulls not distinct where "recorded_to" is null;
alter table "lifecycle_periods" drop constraint "lifecycle_periods_once";
drop index "lifecycle_periods_open";
create unique index "lifecycle_periods_once" on "lifecycle_periods" ("person_id", "valid_to") nulls not distinct where "recorded_to" is null;

-- A semicolon is written \x3b inside the bodies: the migration engine takes every other one for the end of a statement.
-- Sequential scans are off because the plan is kept: one made while the table was small would read all of it later.
create function refuse_overlapping_blocks() returns trigger language plpgsql set enable_seqscan = off as E'
declare
  twice record\x3b
begin
  select c.person_id, c.owner into twice
    from changed_rows c cross join lateral (
      select from (select * from blocks where person_id = c.person_id and recorded_to is null offset 0) b
       where b.owner = c.owner and coalesce(b.connection_id, 0) = coalesce(c.connection_id, 0) and b.valid && c.valid and b.id <> c.id
       limit 1) other
   where c.recorded_to is null limit 1\x3b
  if found then
    raise exclusion_violation using table = tg_table_name, constraint = ''blocks_once'',
      message = format(''the person %s would be blocked twice at one time (%s)'', twice.person_id, twice.owner)\x3b
  end if\x3b
  return null\x3b
end';
create trigger "blocks_once_insert" after insert on blocks referencing new table as changed_rows for each statement execute function refuse_overlapping_blocks();
create trigger "blocks_once_update" after update on blocks referencing new table as changed_rows for each statement execute function refuse_overlapping_blocks();

create function refuse_overlapping_lifecycle_periods() returns trigger language plpgsql set enable_seqscan = off as E'
declare
  twice record\x3b
begin
  select c.person_id into twice
    from changed_rows c cross join lateral (
      select from (select * from lifecycle_periods where person_id = c.person_id and valid_to > c.valid_from and recorded_to is null offset 0) l
       where l.valid && c.valid and l.id <> c.id
       limit 1) other
   where c.recorded_to is null and c.valid_to is not null limit 1\x3b
  if found then
    raise exclusion_violation using table = tg_table_name, constraint = ''lifecycle_periods_once'',
      message = format(''the person %s would be in two states at one time'', twice.person_id)\x3b
  end if\x3b
  return null\x3b
end';
create trigger "lifecycle_periods_once_insert" after insert on lifecycle_periods referencing new table as changed_rows for each statement execute function refuse_overlapping_lifecycle_periods();
create trigger "lifecycle_periods_once_update" after update on lifecycle_periods referencing new table as changed_rows for each statement execute function refuse_overlapping_lifecycle_periods();
