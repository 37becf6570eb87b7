import { setEmployment } from "../../directory/employment.ts";
import { enqueueExpiry } from "../../directory/expiry-job.ts";
import { step, type Batch } from "./source.ts";

interface EmploymentRow {
  personId: string;
  connectionId: number | null;
  from: Date | null;
  to: Date | null;
  /** Whether anybody gives dates. */
  dated: boolean;
  sourceChangedAt: Date | null;
  seenAt: Date;
}

/** Stores when people are employed. Who is not now is out in this very transaction; what lies ahead is queued. */
export async function applyEmployment(batch: Batch): Promise<void> {
  const rows = await step<EmploymentRow>(batch, {
    name: "employment",
    text: `select i.subject_id as "personId", (e->>'connectionId')::int as "connectionId", (e->'period'->>'from')::timestamptz as "from", (e->'period'->>'to')::timestamptz as "to",
          jsonb_typeof(e->'period') = 'object' as dated, i.source_changed_at as "sourceChangedAt", i.seen_at as "seenAt"
        from (select *, payload->'employment' as e from item) i where i.payload ? 'employment' and i.subject_id is not null`,
  });
  const next = await setEmployment(
    batch.work,
    rows.map(({ from, to, dated, ...row }) => ({ ...row, period: dated ? { from, to } : null })),
  );
  if (next) await enqueueExpiry(batch.work.sql, next);
}
