import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

export interface UnitLine {
  id: string;
  name: string;
  code: string | null;
  type: string;
  parentId: string | null;
  /** Name of the connection that masters it; null = local. */
  origin: string | null;
  children: number;
  /** Who belongs to it directly. */
  people: number;
  version: number;
  createdAt: Date;
  modifiedAt: Date;
}

const LINE = `
  select u.id, u.name::text, u.code::text, u.type, u.parent_id as "parentId", c.name as origin, u.version, u.created_at as "createdAt", u.modified_at as "modifiedAt",
    (select count(*) from units child where child.parent_id = u.id and child.deleted_at is null)::int as children,
    (select count(distinct pu.person_id) from person_units pu where pu.unit_id = u.id and pu.recorded_to is null and pu.valid_to is null)::int as people
  from units u left join connections c on c.id = u.origin_id where u.deleted_at is null`;

export interface UnitListOptions {
  /** A condition on `u`, its parameters numbered from 6. */
  within: { text: string; values: unknown[] };
  limit: number;
  /** Name and id of the last one of the page before. */
  after?: readonly [string, string] | undefined;
  parent?: string | undefined;
  text?: string | undefined;
}

/** Units by name. */
export async function listUnits(sql: Sql, { within, limit, after, parent, text }: UnitListOptions): Promise<UnitLine[]> {
  const { rows } = await sql.query<UnitLine>(
    `${LINE} and ($2::text is null or (u.name, u.id) > ($2::citext, $3::uuid)) and ($4::uuid is null or u.parent_id = $4)
       and ($5::text is null or position(lower($5) in lower(u.name::text || ' ' || coalesce(u.code::text, ''))) > 0) and ${within.text}
     order by u.name, u.id limit $1`,
    [limit, after?.[0] ?? null, after?.[1] ?? null, parent ?? null, text ?? null, ...within.values],
  );
  return rows;
}

/** Throws `not_found`. */
export async function readUnit(sql: Sql, id: string): Promise<UnitLine> {
  const { rows } = await sql.query<UnitLine>(`${LINE} and u.id = $1`, [id]);
  const [unit] = rows;
  if (!unit) throw new AppError("not_found", `There is no unit ${id}.`, { field: "unit" });
  return unit;
}
