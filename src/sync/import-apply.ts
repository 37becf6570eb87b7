import { recordEvents } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import type { SealingKey } from "../db/envelope.ts";
import { profileColumns } from "../directory/attributes.ts";
import { closePeriods } from "../directory/periods.ts";
import { sealPersonal } from "../directory/personal.ts";
import { AppError } from "../errors.ts";
import type { PlannedRow } from "./import-plan.ts";
import { followPeople } from "./local-people.ts";
import { LOCAL_PRECEDENCE, mergeOrigins } from "./merge.ts";

const ROWS_A_STATEMENT = 2000;

export interface ApplyImportOptions {
  rows: readonly PlannedRow[];
  /** Of everybody concerned. */
  keys: ReadonlyMap<string, SealingKey>;
  reason: string;
}

/**
 * Writes what the rows come to, in the caller's transaction, which holds the people's rows: with a number of statements that grows with
 * thousands of rows, not with rows. Throws `conflict` when a login or address was taken a moment ago.
 */
export async function applyRows(work: Work, { rows, keys, reason }: ApplyImportOptions): Promise<void> {
  const created = rows.filter(({ action }) => action === "create");
  const updated = rows.filter(({ action }) => action === "update");
  try {
    for (const portion of portions(created)) await createPeople(work, { rows: portion, reason });
    for (const portion of portions(updated)) await updatePeople(work, { rows: portion, keys, reason });
  } catch (error) {
    if ((error as { code?: unknown }).code !== "23505") throw error;
    throw new AppError("conflict", "Somebody took a login or an address of this file a moment ago: hand the file in again.", {
      field: "hash",
      cause: error,
    });
  }
  await moveBetweenUnits(work, [...created, ...updated]);
  await followPeople(
    work,
    [...created, ...updated].flatMap(({ personId }) => personId ?? []),
  );
}

function portions(rows: readonly PlannedRow[]): PlannedRow[][] {
  return Array.from({ length: Math.ceil(rows.length / ROWS_A_STATEMENT) }, (_, index) =>
    rows.slice(index * ROWS_A_STATEMENT, (index + 1) * ROWS_A_STATEMENT),
  );
}

async function createPeople(work: Work, { rows, reason }: { rows: readonly PlannedRow[]; reason: string }): Promise<void> {
  const { ctx, sql } = work;
  const documents = rows.map(({ personId, contribution, state }) => {
    const { profile, custom, manager } = mergeOrigins([{ connectionId: null, precedence: LOCAL_PRECEDENCE, overrides: {}, contribution }]);
    const { userName, email, employeeNumber, externalId, displayName } = profileColumns(profile);
    return {
      id: personId,
      user_name: userName,
      email,
      employee_number: employeeNumber,
      external_id: externalId,
      display_name: displayName,
      state,
      attributes: profile,
      custom,
      local: contribution,
      manager_id: manager?.reference ?? null,
    };
  });
  await sql.query(
    `insert into people (id, user_name, email, employee_number, external_id, display_name, active, state, attributes, custom, mastery, local, manager_id, created_at, modified_at)
     select id, user_name, email, employee_number, external_id, display_name, true, state, attributes, custom, '{}', local, manager_id, $2, $2
     from jsonb_to_recordset($1::jsonb) as d (id uuid, user_name text, email text, employee_number text, external_id text, display_name text, state text, attributes jsonb, custom jsonb, local jsonb, manager_id uuid)`,
    [JSON.stringify(documents), ctx.now()],
  );
  await sql.query(
    `insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from)
     select id, state, $2, $3, $3 from jsonb_to_recordset($1::jsonb) as d (id uuid, state text)`,
    [JSON.stringify(documents.map(({ id, state }) => ({ id, state }))), reason, ctx.now()],
  );
  await recordEvents(
    work,
    rows.map(({ personId }) => ({ name: "person.joined" as const, subjectType: "person", subjectId: personId ?? "", reason, data: {} })),
  );
}

async function updatePeople(work: Work, { rows, keys, reason }: ApplyImportOptions): Promise<void> {
  const { ctx, sql } = work;
  const documents = rows.flatMap(({ personId, edit }) => {
    if (!edit) return [];
    const { profile, custom, mastery, manager } = edit.merged;
    const { email, employeeNumber, externalId, displayName } = profileColumns(profile);
    return {
      id: personId,
      // An address that is somebody else's too stays with whom it belongs to, unless this changes it.
      sets_email: edit.changed.includes("emails"),
      email,
      employee_number: employeeNumber,
      external_id: externalId,
      display_name: displayName,
      attributes: profile,
      custom,
      mastery,
      local: edit.local,
      sets_manager: edit.changed.includes("manager"),
      manager_id: manager?.connectionId === null ? manager.reference : null,
    };
  });
  await sql.query(
    `update people p set email = case when d.sets_email then d.email else p.email end, employee_number = d.employee_number, external_id = d.external_id, display_name = d.display_name,
       attributes = d.attributes, custom = d.custom, mastery = d.mastery, local = d.local, manager_id = case when d.sets_manager then d.manager_id else p.manager_id end,
       version = p.version + 1, modified_at = $2
     from jsonb_to_recordset($1::jsonb) as d (id uuid, sets_email boolean, email text, employee_number text, external_id text, display_name text, attributes jsonb, custom jsonb,
       mastery jsonb, local jsonb, sets_manager boolean, manager_id uuid)
     where p.id = d.id`,
    [JSON.stringify(documents), ctx.now()],
  );
  await recordEvents(
    work,
    rows.map((row) => updatedEvent(row, { keys, reason })),
  );
}

function updatedEvent({ personId, changes, units }: PlannedRow, { keys, reason }: Omit<ApplyImportOptions, "rows">) {
  const id = personId ?? "";
  const key = keys.get(id);
  if (!key) throw new Error(`no key was made for person ${id}`);
  const moved = units.add.length > 0 || units.remove.length > 0;
  const pick = (side: "before" | "after") => Object.fromEntries(changes.map((change) => [change.field, change[side]]));
  return {
    name: "person.updated" as const,
    subjectType: "person",
    subjectId: id,
    reason,
    data: { changed: [...changes.map(({ field }) => field), ...(moved ? ["units"] : [])] },
    sealed: sealPersonal(key, { personId: id, value: { before: pick("before"), after: pick("after") } }),
  };
}

async function moveBetweenUnits({ ctx, sql }: Work, rows: readonly PlannedRow[]): Promise<void> {
  await closePeriods(sql, { table: "person_units", ids: rows.flatMap(({ units }) => units.remove), at: ctx.now() });
  const pairs = rows.flatMap(({ personId, units }) => units.add.map((unitId) => ({ person: personId, unit: unitId })));
  await sql.query(
    `insert into person_units (person_id, unit_id, valid_from, recorded_from)
     select wanted.person, wanted.unit, at.at, at.at from unnest($1::uuid[], $2::uuid[]) as wanted (person, unit)
     cross join lateral (select greatest($3::timestamptz, max(greatest(pu.valid_to, pu.recorded_to))) as at from person_units pu
       where pu.person_id = wanted.person and pu.unit_id = wanted.unit) at`,
    [pairs.map(({ person }) => person), pairs.map(({ unit }) => unit), ctx.now()],
  );
}
