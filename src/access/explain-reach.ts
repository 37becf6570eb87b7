import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { accessOnUnit } from "./effective.ts";
import { OUT_OF_REACH, reaches, type Reach } from "./policy.ts";

// A unit that was deleted since can still be asked about.
const FIND =
  "select id from units where code = $1::citext or id::text = lower($1) order by deleted_at desc nulls first, code = $1::citext desc nulls last limit 1";

const BELONGS = `
  select from person_units pu join units own on own.id = pu.unit_id join units asked on asked.id = $2
  where pu.person_id = $1 and pu.recorded_to is null and pu.valid_to is null and own.path operator(public.<@) asked.path limit 1`;

/**
 * The unit of this id or code, for a question about somebody's access there: one that the permission covers, that the person belongs
 * to, or on which the person holds something. Throws `not_found` for any other: whoever asks about themselves learns of no unit that way.
 */
export async function knownUnit(
  sql: Sql,
  { key, reach, personId, at, knownAt }: { key: string; reach: Reach; personId: string; at: Date; knownAt?: Date | undefined },
): Promise<{ unitId: string; administered: boolean }> {
  const { rows } = await sql.query<{ id: string }>(FIND, [key]);
  const unitId = rows[0]?.id;
  const unknown = (cause?: string) => new AppError("not_found", `There is no unit ${key}.`, { field: "unit", cause });
  if (unitId === undefined) throw unknown();
  if (await reaches(sql, { reach, thing: { unitId } })) return { unitId, administered: true };
  const belongs = (await sql.query(BELONGS, [personId, unitId])).rows.length > 0;
  if (belongs || (await accessOnUnit(sql, { personId, unitId, at, knownAt })).length > 0) return { unitId, administered: false };
  throw unknown(OUT_OF_REACH);
}
