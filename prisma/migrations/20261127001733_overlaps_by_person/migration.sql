-- Whether somebody would be in a group twice is looked for among their own periods, by the index that begins with the person. The one that
-- begins with the group has everybody who left it one after the other now, and a plan made before the table was counted walked through
-- all of them for each: when thousands left at once, it took seconds. With the group asked for inside, the planner would take that one still;
-- with the time inside, whoever came and went a hundred times is not walked through either.
create or replace function refuse_overlapping_memberships() returns trigger language plpgsql set enable_seqscan = off as E'
declare
  twice record\x3b
begin
  select c.person_id, c.group_id into twice
    from changed_rows c cross join lateral (
      select from (select * from memberships where person_id = c.person_id and valid_to > c.valid_from and recorded_to is null offset 0) m
       where m.group_id = c.group_id and coalesce(m.connection_id, 0) = coalesce(c.connection_id, 0)
         and m.valid_from < c.valid_to and m.valid && c.valid and m.id <> c.id
       limit 1) other
   where c.recorded_to is null and c.valid_to is not null limit 1\x3b
  if found then
    raise exclusion_violation using table = tg_table_name, constraint = ''memberships_once'',
      message = format(''the person %s would be in the group %s twice at one time'', twice.person_id, twice.group_id)\x3b
  end if\x3b
  return null\x3b
end';
