import { step, type Batch } from "./source.ts";

/**
 * Locks what the batch touches and refuses items whose input has moved since they were decided: they wait for the next plan.
 * Locks are taken in id order, so that two batches can't wait for each other. Returns whether any was refused.
 * `known`: some items are about accounts or people that exist already.
 */
export async function refuseMoved(batch: Batch, { known }: { known: boolean }): Promise<boolean> {
  const { id } = batch.connection;
  if (known) await lockKnown(batch);
  const refused = await step(batch, {
    name: "refuse_moved",
    text: `insert into plan_outcomes (plan_id, seq, state, message)
      select i.plan_id, i.seq, 'refused',
        case when i.account_id is null then 'The account was made meanwhile.'
             when a.id is null or a.version <> i.account_version then 'The account changed since this was decided.'
             else 'The person changed since this was decided.' end
      from item i
      left join accounts a on a.connection_id = $4 and a.kind = i.kind and a.native_id = i.native_id
      left join people p on p.id = i.subject_id and i.subject_version is not null
      where (i.account_id is null and a.id is not null)
         or (i.account_id is not null and (a.id is distinct from i.account_id or a.version is distinct from i.account_version))
         or (i.subject_version is not null and p.version is distinct from i.subject_version)
      returning seq`,
    values: [id],
  });
  return refused.length > 0;
}

async function lockKnown(batch: Batch): Promise<void> {
  await step(batch, {
    name: "lock_accounts",
    text: `select from accounts a join item i on a.id = i.account_id order by a.id for update of a`,
  });
  await step(batch, {
    name: "lock_people",
    text: `select from people p join item i on p.id = i.subject_id and i.subject_version is not null order by p.id for update of p`,
  });
}
