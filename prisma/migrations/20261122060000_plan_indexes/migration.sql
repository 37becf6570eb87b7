-- Databases made before these indexes were added to an older migration lack them, and a plan could not be staged there.
-- Where a record stands twice in a plan, what was read last counts.
delete from plan_items older using plan_items newer
  where older.plan_id = newer.plan_id and older.kind = newer.kind and older.native_id = newer.native_id and older.seq < newer.seq;
drop index if exists "plan_items_native";
create unique index "plan_items_native" on plan_items (plan_id, kind, native_id);
drop index if exists "plan_items_reference";
create index "plan_items_reference" on plan_items (plan_id, reference) where account_id is not null;
