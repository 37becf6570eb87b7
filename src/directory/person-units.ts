import { recordEvent } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { AppError } from "../errors.ts";
import { closePeriods } from "./periods.ts";

export interface PersonUnit {
  id: string;
  name: string;
  code: string | null;
  /** organization | department | location | team */
  type: string;
  /** Connections that put the person there. */
  origins: string[];
  /** Put there by hand. */
  local: boolean;
  since: Date;
}

/** The units that somebody belongs to, by name; several departments and locations are several units (P1). */
export async function unitsOfPerson(sql: Sql, personId: string): Promise<PersonUnit[]> {
  const { rows } = await sql.query<PersonUnit>(
    `select u.id, u.name::text, u.code::text, u.type, coalesce(array_agg(c.name order by c.name) filter (where c.id is not null), '{}') as origins,
       bool_or(pu.connection_id is null) as local, min(pu.valid_from) as since
     from person_units pu join units u on u.id = pu.unit_id and u.deleted_at is null left join connections c on c.id = pu.connection_id
     where pu.person_id = $1 and pu.recorded_to is null and pu.valid_to is null group by u.id order by u.name, u.id`,
    [personId],
  );
  return rows;
}

interface Held {
  id: number;
  unit_id: string;
  connection: string | null;
  valid_from: Date;
}

/** What putting somebody into exactly these units changes here. Throws `conflict` for a unit that an origin puts them into. */
export async function unitChanges(
  sql: Sql,
  { personId, unitIds }: { personId: string; unitIds: readonly string[] },
): Promise<{ add: string[]; remove: { id: number; unitId: string }[] }> {
  const { rows } = await sql.query<Held>(
    `select pu.id, pu.unit_id, c.name as connection, pu.valid_from from person_units pu left join connections c on c.id = pu.connection_id
     where pu.person_id = $1 and pu.recorded_to is null and pu.valid_to is null`,
    [personId],
  );
  const wanted = new Set(unitIds);
  const foreign = rows.find(({ unit_id, connection }) => connection !== null && !wanted.has(unit_id));
  if (foreign)
    throw new AppError(
      "conflict",
      `unitIds: ${foreign.connection} puts the person into the unit ${foreign.unit_id}; take them out there.`,
      {
        field: "unitIds",
      },
    );
  const held = new Set(rows.map(({ unit_id }) => unit_id));
  return {
    add: [...wanted].filter((id) => !held.has(id)),
    remove: rows
      .filter(({ unit_id, connection }) => connection === null && !wanted.has(unit_id))
      .map(({ id, unit_id }) => ({ id, unitId: unit_id })),
  };
}

/**
 * Puts somebody into exactly these units by hand, in the caller's transaction; what origins say stays. Returns whether anything changed.
 * Throws `not_found` for an unknown unit, `conflict` as unitChanges does.
 */
export async function setPersonUnits(
  work: Work,
  { personId, unitIds, reason }: { personId: string; unitIds: readonly string[]; reason?: string | undefined },
): Promise<boolean> {
  const { ctx, sql } = work;
  await sql.query("select from people where id = $1 for update", [personId]);
  const { add, remove } = await unitChanges(sql, { personId, unitIds });
  if (add.length === 0 && remove.length === 0) return false;
  // A unit that is being deleted must not be left with somebody in it.
  const { rows: known } = await sql.query<{ id: string }>(
    "select id from units where id = any($1::uuid[]) and deleted_at is null order by id for key share",
    [add],
  );
  const missing = add.find((id) => !known.some((unit) => unit.id === id));
  if (missing !== undefined) throw new AppError("not_found", `There is no unit ${missing}.`, { field: "unitIds" });
  await closePeriods(sql, { table: "person_units", ids: remove.map(({ id }) => id), at: ctx.now() });
  await sql.query(
    `insert into person_units (person_id, unit_id, valid_from, recorded_from)
     select $1, id, greatest($3, ended), greatest($3, ended) from (
       select wanted.id, (select max(greatest(pu.valid_to, pu.recorded_to)) from person_units pu where pu.person_id = $1 and pu.unit_id = wanted.id) as ended
       from unnest($2::uuid[]) as wanted (id)) each`,
    [personId, add, ctx.now()],
  );
  await sql.query("update people set version = version + 1, modified_at = $2 where id = $1", [personId, ctx.now()]);
  await recordEvent(work, {
    name: "person.updated",
    subjectType: "person",
    subjectId: personId,
    ...(reason === undefined ? {} : { reason }),
    data: { changed: ["units"] },
  });
  return true;
}
