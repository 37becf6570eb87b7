-- What people are searched by stands beside them, not on them. A trigram index is the dearest of all to keep, and it had an entry
-- made anew for every change of a person or an account, whatever changed. Now a change of the profile is only noted, and soon
-- taken over for many at once. Whoever searches looks at what is noted, too, so that nobody is ever missing.
create table "person_search" (
  "person_id" uuid not null,
  -- For administrators: see person_search_text.
  "words" text not null,
  -- For SCIM clients: see scim_search_text.
  "written" text not null,
  -- Addresses in lower case: see scim_search_emails.
  "emails" jsonb not null,
  constraint "person_search_pkey" primary key ("person_id")
);
create table "account_search" (
  "account_id" bigint not null,
  "written" text not null,
  "emails" jsonb not null,
  constraint "account_search_pkey" primary key ("account_id")
);
create table "search_changes" (
  "id" bigserial not null,
  "person_id" uuid,
  "account_id" bigint,
  constraint "search_changes_pkey" primary key ("id")
);
-- Rows come and go: what is left of them must not be walked through by every search.
alter table "search_changes" set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- What SCIM clients look for a part of, in one text: an index of each attribute would cost four times as much to keep.
create function scim_search_text(attributes jsonb) returns text language sql immutable parallel safe
  return lower(coalesce(attributes->>'userName', '') || E'\n' || coalesce(attributes->>'displayName', '') || E'\n'
    || coalesce(attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->>'employeeNumber', '') || E'\n'
    || jsonb_path_query_array(attributes, '$.emails[*].value')::text);
create function scim_search_emails(attributes jsonb) returns jsonb language sql immutable parallel safe
  return lower(jsonb_path_query_array(attributes, '$.emails[*].value')::text)::jsonb;

-- A semicolon is written \x3b inside the bodies: the migration engine takes every other one for the end of a statement.
create function note_new_people_for_search() returns trigger language plpgsql as E'
begin
  insert into search_changes (person_id) select id from new_rows\x3b
  return null\x3b
end';
create function note_person_for_search() returns trigger language plpgsql as E'
begin
  insert into search_changes (person_id) values (new.id)\x3b
  return null\x3b
end';
-- Taking over and forgetting wait for each other (7305009): what was deleted meanwhile must not be written anew from before.
create function forget_people_for_search() returns trigger language plpgsql as E'
begin
  perform pg_advisory_xact_lock(7305009)\x3b
  delete from person_search where person_id in (select id from old_rows)\x3b
  return null\x3b
end';
create function forget_accounts_for_search() returns trigger language plpgsql as E'
begin
  perform pg_advisory_xact_lock(7305009)\x3b
  delete from account_search where account_id in (select id from old_rows)\x3b
  return null\x3b
end';
create function note_account_for_search() returns trigger language plpgsql as E'
begin
  insert into search_changes (account_id) values (new.id)\x3b
  return null\x3b
end';

-- One statement, so that nobody is written between the first notes and the triggers.
do E'
begin
  lock table people, accounts in share row exclusive mode\x3b
  create trigger "people_search_insert" after insert on people referencing new table as new_rows for each statement execute function note_new_people_for_search()\x3b
  create trigger "people_search_update" after update of attributes on people for each row
    when (old.attributes is distinct from new.attributes) execute function note_person_for_search()\x3b
  create trigger "accounts_search_insert" after insert on accounts for each row
    when (new.kind = ''user'' and new.attributes->>''userName'' is not null) execute function note_account_for_search()\x3b
  create trigger "accounts_search_update" after update of attributes on accounts for each row
    when (new.kind = ''user'' and old.attributes is distinct from new.attributes) execute function note_account_for_search()\x3b
  create trigger "people_search_delete" after delete on people referencing old table as old_rows for each statement execute function forget_people_for_search()\x3b
  create trigger "accounts_search_delete" after delete on accounts referencing old table as old_rows for each statement execute function forget_accounts_for_search()\x3b
  insert into person_search (person_id, words, written, emails) select id, person_search_text(attributes), scim_search_text(attributes), scim_search_emails(attributes) from people\x3b
  insert into account_search (account_id, written, emails) select id, scim_search_text(attributes), scim_search_emails(attributes) from accounts where kind = ''user'' and attributes->>''userName'' is not null\x3b
end';

create index "person_search_words" on person_search using gin (words gin_trgm_ops);
create index "person_search_written" on person_search using gin (written gin_trgm_ops);
create index "person_search_emails" on person_search using gin (emails);
create index "account_search_written" on account_search using gin (written gin_trgm_ops);
create index "account_search_emails" on account_search using gin (emails);
drop index "people_search", "people_search_text", "people_emails", "accounts_scim_search", "accounts_scim_emails";
alter table "people" drop column "search_text";
