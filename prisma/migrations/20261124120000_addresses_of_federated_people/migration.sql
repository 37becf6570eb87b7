-- Who signs in at a provider, or did so once, can get in here by themselves, too: what their address becomes is noted as well. An address
-- is a way for other accounts to find its person.
create or replace function note_address_change() returns trigger language plpgsql as E'
begin
  if exists (select from passwords where person_id = new.id) or exists (select from factors where person_id = new.id)
    or exists (select from sessions where person_id = new.id)
    or exists (select from accounts a join connections c on c.id = a.connection_id
      where a.person_id = new.id and a.kind = ''user'' and a.gone_at is null and c.connector in (''saml'', ''oidc'')) then
    insert into address_changes (person_id, old_address, new_address, connection_id, at)
      values (new.id, old.email::text, new.email::text, coalesce(new.mastery ->> ''emails'', new.mastery ->> ''*'')::integer, new.modified_at)\x3b
  end if\x3b
  return null\x3b
end';
