import { randomUUID } from "node:crypto";
import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { closePeriods } from "./periods.ts";

/** "rollcall unit tree" as a number for pg_advisory_xact_lock: two moves at once could close a circle that neither sees. */
const TREE_LOCK = 7_305_003;

/** Whoever changes the shape of the tree has it alone until the end of the transaction. */
export async function lockTree(sql: Sql): Promise<void> {
  await sql.query("select pg_advisory_xact_lock($1)", [TREE_LOCK]);
}

export interface Unit {
  id: string;
  name: string;
  code: string | null;
  type: string;
  parentId: string | null;
  /** Ids without dashes from the root to this unit, joined by dots. */
  path: string;
  version: number;
}

export interface UnitInput {
  id?: string;
  name: string;
  /** Unique key by which rules, files and mappings name it. */
  code?: string | null;
  /** organization | department | location | team */
  type?: string;
  parentId?: string | null;
  /** The connection that masters it; null = local. */
  originId?: number | null;
}

const FIND = `select id, name, code, type, parent_id as "parentId", path::text, version from units where deleted_at is null and`;

/** The unit of this code or id; `kept`: it is not merged or deleted before the transaction ends. Throws `not_found`. */
export async function findUnit(sql: Sql, key: string, { kept = false } = {}): Promise<Unit> {
  const { rows } = await sql.query<Unit>(
    `${FIND} (code = $1::citext or id::text = lower($1)) order by code = $1::citext desc nulls last limit 1 ${kept ? "for key share" : ""}`,
    [key],
  );
  const unit = rows[0];
  if (!unit) throw new AppError("not_found", `There is no unit with the code ${key}.`, { field: "unit" });
  return unit;
}

/** Hangs a new unit into the tree. Throws `conflict` for a taken code, `not_found` for an unknown parent. */
export async function createUnit(
  work: Work,
  { id = randomUUID(), name, code = null, type = "department", parentId = null, originId = null }: UnitInput,
): Promise<string> {
  const { ctx, sql } = work;
  await lockTree(sql);
  const parent = parentId === null ? undefined : await findUnit(sql, parentId);
  await claimCode(sql, { code, id });
  await sql.query(
    `insert into units (id, name, code, type, parent_id, origin_id, path, created_at, modified_at)
     values ($1, $2, $3, $4, $5, $6, text2ltree($7), $8, $8)`,
    [id, name, code, type, parent?.id ?? null, originId, [parent?.path, label(id)].filter(Boolean).join("."), ctx.now()],
  );
  await sql.query("insert into unit_placements (unit_id, parent_id, valid_from, recorded_from) values ($1, $2, $3, $3)", [
    id,
    parent?.id ?? null,
    ctx.now(),
  ]);
  await recordEvent(work, { name: "unit.created", subjectType: "unit", subjectId: id, data: {} });
  return id;
}

/** Changes a unit's name, code or type. Throws `conflict` for a taken code. */
export async function updateUnit(
  work: Work,
  { unitId, ...change }: { unitId: string; name?: string; code?: string | null; type?: string },
): Promise<void> {
  const { ctx, sql } = work;
  const unit = await findUnit(sql, unitId);
  const next = {
    name: change.name ?? unit.name,
    code: change.code === undefined ? unit.code : change.code,
    type: change.type ?? unit.type,
  };
  const changed = (["name", "code", "type"] as const).filter((key) => next[key] !== unit[key]);
  if (changed.length === 0) return;
  await claimCode(sql, { code: next.code, id: unit.id });
  await sql.query("update units set name = $2, code = $3, type = $4, version = version + 1, modified_at = $5 where id = $1", [
    unit.id,
    next.name,
    next.code,
    next.type,
    ctx.now(),
  ]);
  await recordEvent(work, { name: "unit.updated", subjectType: "unit", subjectId: unit.id, data: { changed } });
}

const MOVE_SUBTREE = `
  update units u set path = text2ltree($3) || subpath(u.path, nlevel(moving.path) - 1)
  from (select path from units where id = $1) moving
  where u.path <@ moving.path and $2::uuid is distinct from $1`;

/**
 * Hangs a unit, with all below it, under another parent (null = a root). One statement moves the whole subtree; the old placement
 * stays as a closed period. Throws `invalid` when the new parent stands below the unit.
 */
export async function moveUnit(work: Work, { unitId, parentId }: { unitId: string; parentId: string | null }): Promise<void> {
  const { ctx, sql } = work;
  await lockTree(sql);
  const unit = await findUnit(sql, unitId);
  const parent = parentId === null ? undefined : await findUnit(sql, parentId);
  if (unit.parentId === (parent?.id ?? null)) return;
  if (parent?.path.split(".").includes(label(unit.id))) {
    throw new AppError(
      "invalid",
      `The unit ${unit.code ?? unit.name} can't be moved below itself: ${parent.code ?? parent.name} stands under it.`,
      { field: "parentId" },
    );
  }
  await sql.query(MOVE_SUBTREE, [unit.id, parent?.id ?? null, parent?.path ?? ""]);
  await sql.query("update units set parent_id = $2, version = version + 1, modified_at = $3 where id = $1", [
    unit.id,
    parent?.id ?? null,
    ctx.now(),
  ]);
  const { rows } = await sql.query<{ id: number; valid_from: Date }>(
    "select id, valid_from from unit_placements where unit_id = $1 and recorded_to is null and valid_to is null",
    [unit.id],
  );
  await closePeriods(sql, { table: "unit_placements", ids: rows.map((row) => row.id), at: ctx.now() });
  await sql.query(
    "insert into unit_placements (unit_id, parent_id, valid_from, recorded_from) values ($1, $2, greatest($3, $4::timestamptz), greatest($3, $4::timestamptz))",
    [unit.id, parent?.id ?? null, ctx.now(), rows[0]?.valid_from ?? null],
  );
  await recordEvent(work, { name: "unit.moved", subjectType: "unit", subjectId: unit.id, data: {} });
}

async function claimCode(sql: Sql, { code, id }: { code: string | null; id: string }): Promise<void> {
  if (code === null) return;
  const { rows } = await sql.query("select from units where code = $1 and id <> $2 and deleted_at is null", [code, id]);
  if (rows.length > 0) throw new AppError("conflict", `There is a unit with the code ${code} already.`, { field: "code" });
  // One that is deleted keeps its code only for as long as nobody else wants it.
  await sql.query("update units set code = null where code = $1 and id <> $2", [code, id]);
}

function label(id: string): string {
  return id.replaceAll("-", "");
}
