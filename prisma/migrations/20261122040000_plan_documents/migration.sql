-- The same bytes as convert_to gives, from immutable functions only, so that the planner puts the body in place of the call.
create or replace function text_sha256(value text) returns bytea language sql immutable strict parallel safe
  return sha256(decode(replace(value, E'\\', E'\\\\'), 'escape'));

-- The two documents of an item are kept as text until they are applied. Making jsonb of them twice was most of what staging cost,
-- and hashing a text is cheaper than hashing jsonb written out again. What is sealed is random by nature and stays outside the hash.
alter table "plan_items" drop column "hash";
alter table "plan_items" add column "account_attributes" text, add column "person_attributes" text, add column "sealed" text;
alter table "plan_items"
  add column hash bytea generated always as (text_sha256(
    kind || E'\x1f' || native_id || E'\x1f' || action || E'\x1f' || coalesce(account_id::text, '') || E'\x1f' || coalesce(account_version::text, '') || E'\x1f' ||
    case when action = 'create' then '' else coalesce(subject_id::text, '') end || E'\x1f' || coalesce(subject_version::text, '') || E'\x1f' ||
    coalesce(reference, '') || E'\x1f' || reason || E'\x1f' || payload::text || E'\x1f' || coalesce(account_attributes, '') || E'\x1f' || coalesce(person_attributes, ''))) stored;

-- Plans that wait were staged in the older form. The next run decides anew.
update "plans" set state = 'superseded' where state in ('staging', 'closed', 'held', 'approved', 'applying');

-- Comparing citext lowers both sides at each step down the tree. An index on the lowered text lowers once.
drop index "people_user_name";
drop index "people_email";
create unique index "people_user_name" on people (lower(user_name::text)) where state <> 'deleted';
create unique index "people_email" on people (lower(email::text)) where state <> 'deleted' and email is not null;

-- Asked for each account of a first sync, though connections are removed only while they hold nothing.
alter table "accounts" drop constraint "accounts_connection";

-- Still unique, but no use for looking a reference up: planning for a table that was empty a moment ago, the planner took this index
-- and skipped through all its accounts.
drop index "pending_references_account_id_kind_reference_key";
create unique index "pending_references_once" on pending_references (account_id, kind, md5(reference));

-- Events arrive in the order of time: a summary of block ranges finds them as well, and costs next to nothing to keep.
drop index "audit_events_at_idx";
create index "audit_events_at_idx" on audit_events using brin (at);
