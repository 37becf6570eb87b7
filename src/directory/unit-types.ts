import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";

export interface UnitType {
  key: string;
  name: string;
  /** Comes with the product; can't be removed. */
  predefined: boolean;
  units: number;
}

/**
 * The types that units can be given by hand, and how many units are of each.
 * @param within a condition on `units u`: only those are counted; all when absent
 */
export async function listUnitTypes(
  sql: Sql,
  within: { text: string; values: unknown[] } = { text: "true", values: [] },
): Promise<UnitType[]> {
  const { rows } = await sql.query<UnitType>(
    `select t.key, t.name, t.predefined, (select count(*)::int from units u where u.type = t.key and u.deleted_at is null and ${within.text}) as units
     from unit_types t order by t.predefined desc, t.name, t.key`,
    within.values,
  );
  return rows;
}

/** Throws `conflict` for a taken key. */
export async function addUnitType(work: Work, { key, name }: { key: string; name: string }): Promise<void> {
  const { rowCount } = await work.sql.query("insert into unit_types (key, name, created_at) values ($1, $2, $3) on conflict do nothing", [
    key,
    name,
    work.ctx.now(),
  ]);
  if (rowCount === 0) throw new AppError("conflict", `There is a type ${key} already.`, { field: "key" });
  await recordEvent(work, { name: "unit_type.created", subjectType: "unit_type", subjectId: key, data: { name } });
}

/** Throws `not_found`; `forbidden` for one that comes with the product; `conflict` while units are of it. */
export async function removeUnitType(work: Work, key: string): Promise<void> {
  const type = (await listUnitTypes(work.sql)).find((each) => each.key === key);
  if (!type) throw new AppError("not_found", `There is no type ${key}.`, { field: "key" });
  if (type.predefined) throw new AppError("forbidden", `The type ${key} comes with the product and stays.`, { field: "key" });
  if (type.units > 0)
    throw new AppError("conflict", `${type.units} units are of the type ${key}; give them another first.`, { field: "key" });
  await work.sql.query("delete from unit_types where key = $1", [key]);
  await recordEvent(work, { name: "unit_type.removed", subjectType: "unit_type", subjectId: key, data: { name: type.name } });
}

/** Throws `invalid` for a type that units can't be given. */
export async function requireUnitType(sql: Sql, key: string): Promise<void> {
  // The lock keeps the type from being removed until the unit is there.
  const { rowCount } = await sql.query("select from unit_types where key = $1 for key share", [key]);
  if (rowCount) return;
  const known = (await listUnitTypes(sql)).map((type) => type.key).join(", ");
  throw new AppError("invalid", `type: there is no type ${key}; there are ${known}. Others are added with POST /unit-types.`, {
    field: "type",
  });
}
