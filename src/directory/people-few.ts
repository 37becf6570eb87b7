import type { Sql } from "../db/database.ts";
import type { StatementNames } from "../db/statement-names.ts";
import type { Filter } from "./people-filters.ts";
import { statementOf } from "./people-statement.ts";

/** Up to so many are sorted; what more than that many meet is walked in the order of an index. */
const FEW = 3000;
/** So few need no better way. */
export const ENOUGH = 200;

export interface Few {
  /** The condition that leads to them. */
  by: Filter;
  /** Their ids as it found them, an array in PostgreSQL's own text: handed back as it came, so that nothing is searched for twice. */
  found: string | null;
  count: number;
}

/**
 * The condition that leads to the fewest people, if they are few. Each is counted no further than it must be, and none once one is good
 * enough. Words come first; where others lead somewhere, too, they are counted to a few hundred only before those are.
 */
export async function fewest(sql: Sql, { conditions, ...statement }: FewestOptions): Promise<Few | undefined> {
  const leading = conditions.filter(({ ids }) => ids !== undefined);
  const words = leading.length > 1 ? leading.filter((by) => by.words) : [];
  let best: Few | undefined;
  for (const { by, most } of [
    ...words.map((each) => ({ by: each, most: ENOUGH })),
    ...leading.filter((each) => !words.includes(each)).map((each) => ({ by: each, most: FEW })),
  ]) {
    best = (await counted(sql, { by, most: Math.min(most, (best?.count ?? Infinity) - 1), ...statement })) ?? best;
    if (best && best.count <= ENOUGH) return best;
  }
  for (const by of best ? [] : words) best = await counted(sql, { by, most: FEW, ...statement });
  return best;
}

interface FewestOptions {
  conditions: readonly Filter[];
  values: readonly unknown[];
  names: StatementNames;
}

/** Undefined when they are more than `most`. */
async function counted(
  sql: Sql,
  { by, most, values, names }: Omit<FewestOptions, "conditions"> & { by: Filter; most: number },
): Promise<Few | undefined> {
  const text = `select count(*)::int as count, case when count(*) <= ${most} then array_agg(id)::text end as found from (select id from (${by.ids}) met limit ${most + 1}) counted`;
  const { rows } = await sql.query<{ count: number; found: string | null }>(statementOf(names, text, values));
  const [row] = rows;
  return row && row.count <= most ? { by, ...row } : undefined;
}
