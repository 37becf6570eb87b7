import { reconcileGroupRules } from "../../access/group-rules.ts";
import { recordEvent } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import { createUnit, moveUnit, updateUnit } from "../../directory/units.ts";
import { step, type Batch } from "./source.ts";

/** Whether other units, people or grants stand on it; all are names in SQL. */
function isInUse({ unit, now }: { unit: string; now: string }): string {
  return `exists (select from units c where c.parent_id = ${unit} and c.deleted_at is null)
            or exists (select from person_units m where m.unit_id = ${unit} and m.recorded_to is null and m.valid_to is null)
            or exists (select from grants g where g.unit_id = ${unit} and g.recorded_to is null and (g.valid_to is null or g.valid_to > ${now}))`;
}

interface UnitItem {
  unitId: string;
  accountId: number;
  action: string;
  name: string | null;
  code: string | null;
  type: string | null;
  parent: string | null;
  /** The parent's unit, when it is known. */
  parentId: string | null;
  currentParentId: string | null;
  exists: boolean;
  /** Gone at the source, but people, grants or other units still stand on it here, or it has been made anew there. */
  inUse: boolean;
}

/**
 * Makes, changes, moves and removes units. A tree is small and every node rests on another, so they go one by one;
 * a parent not seen yet is waited for. Returns nothing of people: a unit's own data is not theirs.
 */
export async function storeUnits(batch: Batch): Promise<void> {
  const { work } = batch;
  for (const unit of await unitItems(batch)) {
    if (unit.action === "delete") await removeUnit(batch, unit);
    else if (!unit.exists)
      await createUnit(work, {
        id: unit.unitId,
        name: unit.name ?? "",
        code: unit.code,
        type: unit.type ?? "department",
        parentId: null,
        originId: batch.connection.id,
      });
    else {
      await restoreUnit(batch, unit);
      await updateUnit(work, { unitId: unit.unitId, name: unit.name ?? undefined, code: unit.code, type: unit.type ?? undefined });
    }
  }
  // Once more, now that the whole batch exists: children may have come before their parents.
  for (const unit of await unitItems(batch)) if (unit.action !== "delete") await placeUnit(batch, unit);
  await placeWaiting(batch);
}

function unitItems(batch: Batch): Promise<UnitItem[]> {
  return step<UnitItem>(batch, {
    name: "units",
    text: `select i.subject_id as "unitId", own.id as "accountId", i.action, i.payload->'unit'->>'name' as name, i.payload->'unit'->>'code' as code, i.payload->'unit'->>'type' as type,
          i.payload->'unit'->>'parent' as parent, parent.unit_id as "parentId", u.parent_id as "currentParentId", u.id is not null as exists,
          exists (select from accounts a where a.connection_id = $4 and a.kind = 'unit' and a.unit_id = i.subject_id and a.gone_at is null and a.id <> own.id)
            or ${isInUse({ unit: "i.subject_id", now: "$5" })} as "inUse"
        from item i
        join accounts own on own.connection_id = $4 and own.kind = 'unit' and own.native_id = i.native_id
        left join units u on u.id = i.subject_id
        left join lateral (select a.unit_id from accounts a join units p on p.id = a.unit_id and p.deleted_at is null
           where a.connection_id = $4 and a.kind = 'unit' and a.reference = i.payload->'unit'->>'parent' and a.gone_at is null limit 1) parent on true
        order by i.seq`,
    values: [batch.connection.id, batch.work.ctx.now()],
  });
}

async function placeUnit({ work, connection }: Batch, unit: UnitItem): Promise<void> {
  await work.sql.query("delete from pending_references where account_id = $1 and kind = 'parent'", [unit.accountId]);
  if (unit.parent !== null && unit.parentId === null) {
    await work.sql.query(
      "insert into pending_references (connection_id, kind, account_id, reference, since) values ($1, 'parent', $2, $3, $4)",
      [connection.id, unit.accountId, unit.parent, work.ctx.now()],
    );
  } else if (unit.parentId !== unit.currentParentId) await moveUnit(work, { unitId: unit.unitId, parentId: unit.parentId });
}

/** Units that waited for one of this batch. */
async function placeWaiting(batch: Batch): Promise<void> {
  const waiting = await step<{ unitId: string; parentId: string }>(batch, {
    name: "units_waiting",
    text: `, arrived as (delete from pending_references w using item i, accounts a
          where a.connection_id = $4 and a.kind = 'unit' and a.native_id = i.native_id and a.gone_at is null and w.connection_id = $4 and w.kind = 'parent' and w.reference = a.reference
          returning w.account_id, a.unit_id)
        select child.unit_id as "unitId", r.unit_id as "parentId" from arrived r join accounts child on child.id = r.account_id where child.unit_id is not null`,
    values: [batch.connection.id],
  });
  for (const move of waiting) await moveUnit(batch.work, move);
}

/** Back at the source: under its former native id, or made anew under another, by which alone it is known from now on. */
async function restoreUnit({ work, connection }: Batch, { unitId, accountId, action }: UnitItem): Promise<void> {
  if (action === "link")
    await work.sql.query("update accounts set unit_id = null where connection_id = $1 and kind = 'unit' and unit_id = $2 and id <> $3", [
      connection.id,
      unitId,
      accountId,
    ]);
  const { rowCount } = await work.sql.query(
    "update units set deleted_at = null, modified_at = $2, version = version + 1 where id = $1 and deleted_at is not null",
    [unitId, work.ctx.now()],
  );
  if (rowCount) await recordEvent(work, { name: "unit.restored", subjectType: "unit", subjectId: unitId, data: {} });
}

/** A unit on which somebody still stands is not taken from under them: it stays, without its source, until nobody does (see removeLeftUnits). */
async function removeUnit({ work }: Batch, { unitId, inUse }: UnitItem): Promise<void> {
  if (!inUse) await deleteUnit(work, unitId);
}

async function deleteUnit(work: Work, unitId: string): Promise<void> {
  await work.sql.query("update units set deleted_at = $2, modified_at = $2, version = version + 1 where id = $1 and deleted_at is null", [
    unitId,
    work.ctx.now(),
  ]);
  await recordEvent(work, { name: "unit.deleted", subjectType: "unit", subjectId: unitId, data: {} });
}

const LEFT = `
  select u.id from units u where u.origin_id = $1 and u.deleted_at is null
     and exists (select from accounts a where a.connection_id = $1 and a.kind = 'unit' and a.unit_id = u.id)
     and not exists (select from accounts a where a.connection_id = $1 and a.kind = 'unit' and a.unit_id = u.id and a.gone_at is null)
     and not (${isInUse({ unit: "u.id", now: "$2" })})
   order by u.id for update of u`;

/**
 * At the end of a plan: units that the connection lists no more, and on which somebody stood until now, or whose last unit below has just
 * gone. Whoever stood there has left by this plan, or since: units go before people.
 */
export async function removeLeftUnits(work: Work, { connectionId }: { connectionId: number }): Promise<void> {
  const { ctx, sql } = work;
  const left = async () => (await sql.query<{ id: string }>(LEFT, [connectionId, ctx.now()])).rows.map(({ id }) => id);
  const removed: string[] = [];
  for (let ids = await left(); ids.length > 0; ids = await left()) {
    for (const id of ids) await deleteUnit(work, id);
    removed.push(...ids);
  }
  if (removed.length > 0) await reconcileGroupRules(work, { unitIds: removed });
}
