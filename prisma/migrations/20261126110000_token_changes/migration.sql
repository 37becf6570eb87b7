-- Who asks what this node has in memory is kept there, too: readers are told of tokens that are not what they were. New ones nobody has
-- kept, and the noting of a use changes nothing. A person's own end is told of already, with the lifecycle.
create trigger "tokens_access_update" after update of name, hash, scope, person_id, responsible_id, permissions, unit_ids, expires_at, revoked_at on tokens for each row
  when ((old.scope = 'api' or new.scope = 'api')
    and (old.name, old.hash, old.scope, old.person_id, old.responsible_id, old.permissions, old.unit_ids, old.expires_at, old.revoked_at)
      is distinct from (new.name, new.hash, new.scope, new.person_id, new.responsible_id, new.permissions, new.unit_ids, new.expires_at, new.revoked_at))
  execute function note_access_of_row('token');
create trigger "tokens_access_delete" after delete on tokens for each row when (old.scope = 'api') execute function note_access_of_row('token');
create trigger "tokens_access_truncate" after truncate on tokens for each statement execute function note_access_of_everybody();
