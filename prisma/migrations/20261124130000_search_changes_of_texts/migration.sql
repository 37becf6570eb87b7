-- A change was noted for the search whatever it was of. What nobody is searched by (a title, a department, whether somebody is
-- active) now notes nothing: reading the profile again, to find that its texts are what they were, cost as much as writing the change.
-- The conditions name every attribute that person_search_text, scim_search_text and scim_search_emails read.
create or replace trigger "people_search_update" after update of attributes on people for each row
  when ((old.attributes->'userName', old.attributes->'displayName', old.attributes->'name', old.attributes->'nickName', old.attributes->'emails',
      old.attributes->'phoneNumbers', old.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'employeeNumber')
    is distinct from (new.attributes->'userName', new.attributes->'displayName', new.attributes->'name', new.attributes->'nickName', new.attributes->'emails',
      new.attributes->'phoneNumbers', new.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'employeeNumber'))
  execute function note_person_for_search();
create or replace trigger "accounts_search_update" after update of attributes on accounts for each row
  when (new.kind = 'user' and (old.attributes->'userName', old.attributes->'displayName', old.attributes->'emails',
      old.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'employeeNumber')
    is distinct from (new.attributes->'userName', new.attributes->'displayName', new.attributes->'emails',
      new.attributes->'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'->'employeeNumber'))
  execute function note_account_for_search();
