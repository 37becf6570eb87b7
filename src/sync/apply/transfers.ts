import { enqueueExpiry } from "../../directory/expiry-job.ts";
import { step, type Batch } from "./source.ts";

/** Notes whose record names a transfer ahead, so that it is decided about again at that instant, whether or not a run comes. */
export async function noteTransfers(batch: Batch): Promise<void> {
  const rows = await step<{ at: Date }>(batch, {
    name: "transfers",
    text: `insert into transfers (account_id, at)
        select a.id, (i.payload->'transfer'->>'at')::timestamptz from item i
          join accounts a on a.connection_id = $4 and a.kind = 'user' and a.native_id = i.native_id where i.payload ? 'transfer'
        on conflict (account_id) do update set at = excluded.at returning at`,
    values: [batch.connection.id],
  });
  // Later ones are queued when this one is carried out.
  if (rows.length > 0) await enqueueExpiry(batch.work.sql, new Date(Math.min(...rows.map(({ at }) => at.getTime()))));
}
