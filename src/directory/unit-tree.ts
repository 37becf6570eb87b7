import type { Sql } from "../db/database.ts";
import { AppError } from "../errors.ts";

/** Most units in one answer. */
export const MOST_OF_A_TREE = 5000;

export interface TreeUnit {
  id: string;
  name: string;
  code: string | null;
  type: string;
  parentId: string | null;
  /** Who belongs to it directly. */
  people: number;
}

export interface UnitNode extends TreeUnit {
  units: UnitNode[];
}

export interface TreeOptions {
  /** A condition on `u`, its parameters numbered from 4. */
  within: { text: string; values: unknown[] };
  /** Only this unit and what stands below it. */
  root?: string | undefined;
  /** How many levels below its top ones; all when absent. */
  depth?: number | undefined;
}

/** The units in reach as trees. Throws `invalid` when they are too many for one answer. */
export async function readUnitTree(sql: Sql, { within, root, depth }: TreeOptions): Promise<UnitNode[]> {
  const { rows } = await sql.query<TreeUnit>(
    `with reached as (
       select u.*, nlevel(u.path) as level from units u where u.deleted_at is null and ${within.text}
         and ($2::uuid is null or u.path operator(public.<@) (select path from units where id = $2))
     ), tops as (select r.path from reached r where not exists (select from reached above where above.id = r.parent_id))
     select r.id, r.name::text, r.code::text, r.type, r.parent_id as "parentId",
       (select count(distinct pu.person_id) from person_units pu where pu.unit_id = r.id and pu.recorded_to is null and pu.valid_to is null)::int as people
     from reached r where $3::int is null or exists (select from tops where r.path operator(public.<@) tops.path and r.level - nlevel(tops.path) <= $3)
     order by r.name, r.id limit $1`,
    [MOST_OF_A_TREE + 1, root ?? null, depth ?? null, ...within.values],
  );
  if (rows.length > MOST_OF_A_TREE)
    throw new AppError("invalid", `More than ${MOST_OF_A_TREE} units: ask for a root, or fewer levels with depth.`, { field: "depth" });
  return treesOf(rows);
}

/** Pure: units under their parents, in the order in which they come; those whose parent is not among them are tops. */
export function treesOf(units: readonly TreeUnit[]): UnitNode[] {
  const nodes = new Map(units.map((unit) => [unit.id, { ...unit, units: [] as UnitNode[] }]));
  const tops: UnitNode[] = [];
  for (const node of nodes.values()) (nodes.get(node.parentId ?? "")?.units ?? tops).push(node);
  return tops;
}
