import type { Sql, Work } from "../db/database.ts";
import { membersInEffect } from "../directory/groups.ts";
import { AppError } from "../errors.ts";
import type { TriedChange } from "./preview-change.ts";
import type { HeldRoleOnUnit } from "./preview-difference.ts";
import { readHoldings } from "./preview-held.ts";
import { loadHolders, loadWorld } from "./preview-load.ts";
import { versionBinding } from "./preview-version.ts";
import { compareAccess, type ComputedPreview } from "./preview.ts";

/** People are read so many at a time. */
const PAGE = 5000;

export interface Trial {
  change: TriedChange;
  /** The instant at which it is made and compared: periods begin there. */
  at: Date;
  /** Makes the change in this transaction, as of that instant, with everything that is asked of whoever makes it. */
  make: (work: Work) => Promise<void>;
}

/**
 * The blast radius of a change that is made and undone within the caller's transaction, so that all that follows from it is in it: conditions of
 * rules, nesting, what moves along. What it locks is free again. Throws whatever making it throws.
 */
export async function tryOut(work: Work, { change, at, make }: Trial): Promise<ComputedPreview> {
  const { sql } = work;
  const people = await concernedBy(sql, { change, at });
  const bound = await versionBinding(sql, change);
  const before = await loadWorld(sql, { at });
  await sql.query("savepoint tried_out");
  let then: { world: typeof before; held: Map<string, readonly HeldRoleOnUnit[]> };
  try {
    await make({ ...work, ctx: { ...work.ctx, now: () => at } });
    then = { world: await loadWorld(sql, { at }), held: await heldBy(sql, { people, at }) };
  } finally {
    await sql.query("rollback to savepoint tried_out");
  }
  const { world: after, held } = then;
  const compared = await compareAccess(work, {
    simulated: { people, before, after, heldAfter: (personId) => held.get(personId) ?? [] },
    at,
  });
  return { ...compared, hash: bound(compared.hash) };
}

async function heldBy(sql: Sql, { people, at }: { people: readonly string[]; at: Date }): Promise<Map<string, readonly HeldRoleOnUnit[]>> {
  const holdings = await readHoldings(sql, { at });
  const all = new Map<string, readonly HeldRoleOnUnit[]>();
  for (let start = 0; start < people.length; start += PAGE)
    for (const [personId, held] of await holdings.of(people.slice(start, start + PAGE))) all.set(personId, held);
  return all;
}

/** Whoever may be concerned; nobody else's access differs. Throws `not_found` for what the change names. */
async function concernedBy(sql: Sql, { change, at }: { change: TriedChange; at: Date }): Promise<string[]> {
  switch (change.kind) {
    case "roleRemoval":
      return loadHolders(sql, { by: "roles", ids: await withHeirs(sql, change.key), at });
    case "unitMerge":
      return [
        ...new Set([
          ...(await loadHolders(sql, { by: "units", ids: await above(sql, change), at })),
          ...(await placedIn(sql, change.unitId)),
        ]),
      ];
    case "groupMembers": {
      const people = new Set([...change.add.people, ...change.remove.people]);
      const groupIds = [...change.add.groups, ...change.remove.groups];
      for await (const page of membersInEffect(sql, { groupIds, at })) page.forEach((id) => people.add(id));
      return [...people];
    }
  }
}

/** The role and those that inherit from it, through others too. */
async function withHeirs(sql: Sql, key: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    `with recursive heirs (id) as (
       select id from roles where key = $1 and deleted_at is null
       union select p.role_id from heirs join role_parents p on p.parent_role_id = heirs.id and p.recorded_to is null and p.valid_to is null
     ) select id from heirs`,
    [key],
  );
  if (rows.length === 0) throw new AppError("not_found", `There is no role ${key}.`, { field: "key" });
  return rows.map(({ id }) => id);
}

/** The units that stand above either of the two, themselves included: who holds something there covers other units afterwards, the one that goes if no more. */
async function above(sql: Sql, { unitId, into }: { unitId: string; into: string }): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    "select distinct above.id from units above join units below on below.id = any($1::uuid[]) and below.path operator(public.<@) above.path",
    [[unitId, into]],
  );
  return rows.map(({ id }) => id);
}

async function placedIn(sql: Sql, unitId: string): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    "select distinct person_id as id from person_units where unit_id = $1 and recorded_to is null and valid_to is null",
    [unitId],
  );
  return rows.map(({ id }) => id);
}
