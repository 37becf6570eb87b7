-- Closing periods writes rows twice in one statement, of the same people: the beliefs that are superseded, and the closed periods. One
-- note is enough, because readers go by transactions. Only the last note of a transaction is compared: looking through all of
-- them would cost a long one more with each note.
drop index "access_changes_xid";
create index "access_changes_xid" on access_changes (xid, id);
-- Ids don't compress, and trying to costs as much as writing them.
alter table "access_changes" alter column "ids" set storage external;

-- A semicolon is written \x3b inside the body: the migration engine takes every other one for the end of a statement.
create or replace function note_access_change(changed text, changed_ids uuid[]) returns void language plpgsql as E'
declare
  made bigint\x3b
begin
  if changed_ids is null then return\x3b end if\x3b
  if (select last.kind = changed and last.ids = changed_ids from access_changes last where last.xid = pg_current_xact_id() order by last.id desc limit 1) then return\x3b end if\x3b
  insert into access_changes (kind, ids) values (changed, changed_ids) returning id into made\x3b
  if pg_try_advisory_xact_lock(7305120) then perform pg_notify(''rollcall_access'', '''')\x3b end if\x3b
  if made % 64 <> 0 or current_setting(''transaction_isolation'') <> ''read committed'' then return\x3b end if\x3b
  with due as materialized (
    select taken from access_change_fence where taken_at < clock_timestamp() - interval ''10 minutes'' for update skip locked
  ), gone as (delete from access_changes using due where xid < due.taken)
  update access_change_fence set pruned = due.taken, taken = pg_snapshot_xmin(pg_current_snapshot()), taken_at = clock_timestamp() from due\x3b
end';
