-- Which state of a small catalogue holds: whoever keeps a copy compares one number instead of reading it again.
create table "catalogue_versions" (
  "name" text not null,
  "version" bigint not null,
  constraint "catalogue_versions_pkey" primary key ("name")
);
insert into catalogue_versions (name, version) values ('custom_attributes', 1);

-- A semicolon is written \x3b inside the body: the migration engine takes every other one for the end of a statement.
create function note_catalogue_change() returns trigger language plpgsql as E'
begin
  update catalogue_versions set version = version + 1 where name = tg_table_name\x3b
  return null\x3b
end';
create trigger "custom_attributes_changed" after insert or update or delete or truncate on custom_attributes
  for each statement execute function note_catalogue_change();

alter table custom_attributes
  add column "description" text not null default '',
  -- Names of SCIM attributes, which know no case (RFC 7643 section 2.1).
  add constraint "custom_attributes_key_form" check (key ~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$'),
  add constraint "custom_attributes_type_known" check (type in ('string', 'number', 'boolean', 'date', 'choice')),
  add constraint "custom_attributes_choices" check ((type = 'choice') = (choices is not null));
create unique index "custom_attributes_key_lower" on custom_attributes (lower(key));

-- An organisation's own attributes stand in the profile too, where SCIM clients ask for them.
update people set attributes = attributes || jsonb_build_object('urn:ietf:params:scim:schemas:extension:rollcall:2.0:User', custom)
  where custom <> '{}'::jsonb;
