-- Joining a group and leaving it write rows of this table, and what each of them brings along is most of what that costs.
-- Nothing finds a membership by its id alone: whoever has one knows whose it is. The index of ids was a third of those of an open row. Who
-- follows the table by logical replication, for which it stood, is told whole rows.
alter table "memberships" drop constraint "memberships_pkey";
alter table "memberships" replica identity full;
-- Each session takes a hundred ids at a time. They tell rows apart, and say no longer which of two sessions wrote first.
alter sequence "memberships_id_seq" cache 100;

-- Two ranges were kept with each row that say what its four instants say. As functions of the row they are there under the same names,
-- m.valid and m.recorded, for this version and for nodes of the one before, and what is asked of them is as cheap. What ends before it
-- begins was no range, and is refused still.
create function "valid"("memberships") returns tstzrange language sql immutable parallel safe as 'select tstzrange($1.valid_from, $1.valid_to)';
create function "recorded"("memberships") returns tstzrange language sql immutable parallel safe as 'select tstzrange($1.recorded_from, $1.recorded_to)';
alter table "memberships" drop column "valid", drop column "recorded",
  add constraint "memberships_valid" check (valid_to >= valid_from),
  add constraint "memberships_recorded" check (recorded_to >= recorded_from);
-- How many of the rows hold at an instant is known as it was of the column.
create statistics "memberships_valid" on (tstzrange(valid_from, valid_to)) from "memberships";

-- By when somebody left, before the group: whoever leaves is looked for among what ended later with one look, not with one for the groups too.
create index "memberships_of_person_new" on "memberships" ("person_id", "valid_to", "group_id") where "recorded_to" is null;
drop index "memberships_of_person";
alter index "memberships_of_person_new" rename to "memberships_of_person";

-- A semicolon is written \x3b inside the body: the migration engine takes every other one for the end of a statement.
create or replace function refuse_overlapping_memberships() returns trigger language plpgsql set enable_seqscan = off as E'
declare
  twice record\x3b
begin
  select c.person_id, c.group_id into twice
    from changed_rows c cross join lateral (
      select from (select * from memberships where person_id = c.person_id and valid_to > c.valid_from and recorded_to is null offset 0) m
       where m.group_id = c.group_id and coalesce(m.connection_id, 0) = coalesce(c.connection_id, 0)
         and m.valid_from < c.valid_to and m.valid_from < m.valid_to and m.id <> c.id
       limit 1) other
   where c.recorded_to is null and c.valid_to > c.valid_from limit 1\x3b
  if found then
    raise exclusion_violation using table = tg_table_name, constraint = ''memberships_once'',
      message = format(''the person %s would be in the group %s twice at one time'', twice.person_id, twice.group_id)\x3b
  end if\x3b
  return null\x3b
end';
analyze "memberships";
