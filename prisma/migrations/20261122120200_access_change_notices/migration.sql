-- A notification makes commits wait for each other, which costs writers at once several times their rate. One of them notifies:
-- whoever meets another about to do so does not. A change of which nobody tells is found by the readers' own looks, four times a second.
create or replace function note_access_change(changed text, changed_ids uuid[]) returns void language plpgsql as E'
declare
  made bigint\x3b
begin
  if changed_ids is null then return\x3b end if\x3b
  insert into access_changes (kind, ids) values (changed, changed_ids) returning id into made\x3b
  if pg_try_advisory_xact_lock(7305120) then perform pg_notify(''rollcall_access'', '''')\x3b end if\x3b
  if made % 64 <> 0 or current_setting(''transaction_isolation'') <> ''read committed'' then return\x3b end if\x3b
  with due as materialized (
    select taken from access_change_fence where taken_at < clock_timestamp() - interval ''10 minutes'' for update skip locked
  ), gone as (delete from access_changes using due where xid < due.taken)
  update access_change_fence set pruned = due.taken, taken = pg_snapshot_xmin(pg_current_snapshot()), taken_at = clock_timestamp() from due\x3b
end';
