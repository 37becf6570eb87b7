import { step, type Batch } from "./source.ts";

/**
 * No index lets two people have one name, not even within a statement. So whoever is to have another gives up theirs first, in the very
 * transaction in which they get it: nobody else ever sees them without.
 */
export async function freeNames(batch: Batch): Promise<void> {
  await step(batch, {
    name: "free_names",
    text: `update people set
          user_name = case when lower(user_name::text) = lower(i.user_name_after) then user_name else ('passing on: ' || id)::citext end,
          email = case when lower(email::text) = lower(i.email_after) then email end, modified_at = $4
        from (select subject_id, payload->'person'->>'userName' as user_name_after, payload->'person'->>'email' as email_after
                from item where action <> 'create' and payload ? 'person' offset 0) i
        where people.id = i.subject_id`,
    values: [batch.work.ctx.now()],
  });
}

/** Of an address that was given up first two changes are noted: it is one. */
export async function joinAddressChanges(batch: Batch): Promise<void> {
  await step(batch, {
    name: "join_address_changes",
    text: `, given_up as (
        delete from address_changes f using item i, address_changes t
         where f.person_id = i.subject_id and f.new_address is null and t.person_id = f.person_id and t.old_address is null
           and t.xmin = f.xmin and t.xmin = pg_current_xact_id()::xid and t.id > f.id
        returning f.person_id, f.old_address, t.id)
      update address_changes t set old_address = g.old_address from given_up g where t.id = g.id`,
  });
}
