-- What a client said of somebody is mostly what is known of them: it was indexed twice, word for word. Only what differs from
-- person_search is kept beside it now. So who an account is of counts, too, and an account is compared again when its person changes.
create or replace trigger "accounts_search_update" after update of attributes, person_id on accounts for each row
  when (new.kind = 'user' and (old.person_id is distinct from new.person_id or (old.attributes->'userName', old.attributes->'displayName', old.attributes->'emails',
      old.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'employeeNumber')
    is distinct from (new.attributes->'userName', new.attributes->'displayName', new.attributes->'emails',
      new.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'employeeNumber')))
  execute function note_account_for_search();

-- New accounts are noted as new people are: together.
create function note_new_accounts_for_search() returns trigger language plpgsql as E'
begin
  insert into search_changes (account_id) select id from new_rows where kind = ''user'' and attributes->>''userName'' is not null\x3b
  return null\x3b
end';
drop trigger "accounts_search_insert" on accounts;
create trigger "accounts_search_insert" after insert on accounts referencing new table as new_rows for each statement execute function note_new_accounts_for_search();

-- Those of whom something is noted are compared when that is taken over.
delete from account_search s using accounts a, person_search p
 where a.id = s.account_id and p.person_id = a.person_id and (s.written, s.emails) is not distinct from (p.written, p.emails)
   and not exists (select from search_changes c where c.account_id = a.id or c.person_id = a.person_id);
