import { closePeriods } from "../../directory/periods.ts";
import { step, type Batch } from "./source.ts";

/** Closes what came through accounts that are gone: their memberships of this connection, and what they still waited for. Returns the people concerned. */
export async function closeLeavers(batch: Batch): Promise<string[]> {
  const { work } = batch;
  const rows = await step<{ id: number; person_id: string }>(batch, {
    name: "leavers_memberships",
    text: `select m.id, m.person_id from item i join memberships m on m.person_id = i.subject_id and m.account_id = i.account_id and m.recorded_to is null and m.valid_to is null where i.action = 'delete'`,
  });
  await closePeriods(work.sql, { table: "memberships", ids: rows.map((row) => row.id), at: work.ctx.now() });
  await step(batch, {
    name: "leavers_forget",
    text: `delete from pending_references w using item i where i.action = 'delete' and w.account_id = i.account_id`,
  });
  return rows.map((row) => row.person_id);
}
