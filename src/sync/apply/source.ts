import type { Kind } from "../../../connectors/contract.ts";
import type { Work } from "../../db/database.ts";

/**
 * Where a batch's items come from: a range of a staged plan, or one request's own record. Either way they are rows shaped
 * like plan_items under the name `item`, and every step of apply is SQL over them: nothing of a plan travels through this process.
 */
export interface ItemSource {
  /** Body of the common table expression `item`; uses $1 to $3. */
  query: string;
  values: readonly [unknown, unknown, unknown];
  kind: Kind;
  /** Tells prepared statements of the two forms apart. */
  form: string;
}

export interface Batch {
  work: Work;
  source: ItemSource;
  connection: { id: number; name: string; mappingVersion: number };
  /** Its people have each other's names or addresses afterwards. */
  passing?: boolean;
  /** For the audit trail; absent for a request. */
  planId?: number;
  /** Somebody has looked at the plan and let it through: its leavers hold nobody after them. */
  approved?: boolean;
}

/** Whom, and which groups, a step concerned beside the items themselves. */
export interface Followed {
  people: readonly string[];
  groups: readonly string[];
}

const OUTCOMES = "not exists (select from plan_outcomes o where o.plan_id = $1 and o.seq = i.seq)";
const BATCHES = (kind: Kind) =>
  `not exists (select from plan_batches b where b.plan_id = $1 and b.kind = '${kind}' and i.seq between b.first_seq and b.last_seq)`;

/** Items of one kind within a range of a plan; of a range that is `begun`, without those that are through or were refused. */
export function planSource({
  planId,
  kind,
  firstSeq,
  lastSeq,
  begun,
}: {
  planId: number;
  kind: Kind;
  firstSeq: number;
  lastSeq: number;
  begun: boolean;
}): ItemSource {
  return {
    query: `select * from plan_items i where plan_id = $1 and seq between $2::int and $3::int and kind = '${kind}'${begun ? ` and ${OUTCOMES} and ${BATCHES(kind)}` : ""}`,
    values: [planId, firstSeq, lastSeq],
    kind,
    form: `${begun ? "rest" : "plan"}_${kind}`,
  };
}

/** One request's items, as rows of plan_items in JSON. */
export function requestSource({ kind, rows }: { kind: Kind; rows: string }): ItemSource {
  return {
    query: "select * from jsonb_populate_recordset(null::plan_items, $1::jsonb) where $2::int is null and $3::int is null",
    values: [rows, null, null],
    kind,
    form: `request_${kind}`,
  };
}

/** Runs one step: `text` may use `item`, and parameters from $4 on. */
export async function step<R extends object>(
  batch: Batch,
  { name, text, values = [] }: { name: string; text: string; values?: readonly unknown[] },
): Promise<R[]> {
  const { source, work } = batch;
  const { rows } = await work.sql.query<R>({
    name: `apply_${name}_${source.form}`,
    text: `with item as (${source.query}) ${text}`,
    values: [...source.values, ...values],
  });
  return rows;
}
