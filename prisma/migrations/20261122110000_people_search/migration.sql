-- Text as it is searched: without accents, in lower case. The dictionary is named, so that the result hangs on no setting.
-- A semicolon is written \x3b inside the bodies: the migration engine takes every other one for the end of a statement.
create function fold_text(value text) returns text language plpgsql immutable strict parallel safe as E'
begin
  return lower(public.unaccent(''public.unaccent''::regdictionary, value))\x3b
end';

-- What people are found by (P6): names, login, employee number, addresses, phone numbers as written and as digits, each on a line of its own.
create function person_search_text(profile jsonb) returns text language plpgsql immutable strict parallel safe as E'
declare
  phones text := jsonb_path_query_array(profile, ''$.phoneNumbers[*].value'')::text\x3b
begin
  return lower(public.unaccent(''public.unaccent''::regdictionary, translate(concat(
    E''\\n'', profile->>''userName'', E''\\n'', profile->>''displayName'', E''\\n'', profile->''name''->>''givenName'', '' '', profile->''name''->>''middleName'', '' '',
    profile->''name''->>''familyName'', E''\\n'', profile->>''nickName'', E''\\n'',
    profile->''urn:ietf:params:scim:schemas:extension:enterprise:2.0:User''->>''employeeNumber'', E''\\n'',
    jsonb_path_query_array(profile, ''$.emails[*].value'')::text,
    case when phones <> ''[]'' then phones || regexp_replace(phones, ''[^0-9,]+'', '''', ''g'') end
  ), ''[]",'', E''\\n\\n\\n\\n'')))\x3b
end';

alter table "people" add column "search_text" text generated always as (person_search_text(attributes)) stored;
create index "people_search_text" on people using gin (search_text gin_trgm_ops) where state <> 'deleted';
create index "people_by_name" on people (lower(coalesce(display_name, user_name::text)), id) where state <> 'deleted';
-- Few are neither active nor gone.
create index "people_state" on people (state) where state not in ('active', 'deleted');

alter table "custom_attributes" add column "version" integer not null default 1;
