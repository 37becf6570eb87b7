import { liftBlocks, raiseBlocks, type BlockEffect } from "../../directory/blocks.ts";
import { freeNames, joinAddressChanges } from "./passing-names.ts";
import { step, type Batch } from "./source.ts";

/**
 * The manager by reference: an account of the connection that names it, or (a SCIM client speaks of our ids, in any letters) a person.
 * Written so that only the index of references can serve it, and the payload is unpacked once: while a first sync fills
 * an empty table, the planner would take any other index for as good, and read every account once per person.
 */
const MANAGER = `
  left join lateral (
    select i.p->'manager'->>'reference' as reference, (i.p->'manager'->>'connectionId')::int as connection_id offset 0) named on true
  left join lateral (
    select coalesce(
      (select a.person_id from (select * from accounts where connection_id = named.connection_id and reference = named.reference offset 0) a
        where a.kind = 'user' and a.gone_at is null and a.person_id is not null limit 1),
      (select p.id from people p where p.id = case when named.reference ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' then named.reference::uuid end)) as id) manager on true`;

/** Makes and changes people. */
export async function storePeople(batch: Batch, { known }: { known: boolean }): Promise<void> {
  const { id } = batch.connection;
  const now = batch.work.ctx.now();
  if (batch.passing) await freeNames(batch);
  await step(batch, {
    name: "insert_people",
    text: `insert into people (id, user_name, email, employee_number, external_id, display_name, attributes, custom, mastery, origin_id, manager_id, created_at, modified_at)
        select i.subject_id, p->>'userName', p->>'email', p->>'employeeNumber', p->>'externalId', p->>'displayName', person_attributes::jsonb, coalesce(p->'custom', '{}'), p->'mastery', $4, manager.id, $5, $5
        from (select subject_id, person_attributes, payload->'person' as p from item where action = 'create' offset 0) i ${MANAGER}`,
    values: [id, now],
  });
  await step(batch, {
    name: "begin_lifecycle",
    text: `insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) select i.subject_id, 'active', i.reason, $4, $4 from item i where i.action = 'create'`,
    values: [now],
  });
  if (known) await updatePeople(batch);
  if (batch.passing) await joinAddressChanges(batch);
  await waitForManagers(batch, { known });
}

async function updatePeople(batch: Batch): Promise<void> {
  await step(batch, {
    name: "update_people",
    text: `update people set user_name = p->>'userName', email = p->>'email', employee_number = p->>'employeeNumber', external_id = p->>'externalId',
          display_name = p->>'displayName', attributes = person_attributes::jsonb, custom = coalesce(p->'custom', '{}'), mastery = p->'mastery', manager_id = manager.id,
          origin_id = coalesce(origin_id, $4), version = version + 1, modified_at = $5
        from (select subject_id, person_attributes, payload->'person' as p from item where action <> 'create' and payload ? 'person' offset 0) i ${MANAGER} where people.id = i.subject_id`,
    values: [batch.connection.id, batch.work.ctx.now()],
  });
}

/** A manager who has not been seen yet is waited for by the account that names them, whoever's record led to it; others are waited for no more. */
async function waitForManagers(batch: Batch, { known }: { known: boolean }): Promise<void> {
  if (known)
    await step(batch, {
      name: "forget_managers",
      text: `delete from pending_references w using item i cross join lateral (select id from accounts where person_id = i.subject_id offset 0) a
        where i.payload ? 'person' and w.account_id = a.id and w.kind = 'manager'`,
    });
  await step(batch, {
    name: "await_managers",
    text: `insert into pending_references (connection_id, kind, account_id, reference, since)
        select i.connection_id, 'manager', a.id, i.reference, $4
        from (select subject_id, (payload->'person'->'manager'->>'connectionId')::int as connection_id, payload->'person'->'manager'->>'reference' as reference
                from item where payload->'person'->'manager'->>'connectionId' is not null offset 0) i
        join people p on p.id = i.subject_id and p.manager_id is null
        cross join lateral (select id from (select * from accounts where person_id = p.id offset 0) every
          where connection_id = i.connection_id and gone_at is null order by id limit 1) a
        on conflict do nothing`,
    values: [batch.work.ctx.now()],
  });
}

interface BlockRow {
  personId: string;
  op: "raise" | "lift";
  connectionId: number | null;
  effect: BlockEffect;
  reason: string;
  sourceChangedAt: Date | null;
  seenAt: Date;
}

/** Raises and lifts what the origins say about being active: sessions, tokens and grants end in this very transaction. */
export async function applyBlocks(batch: Batch): Promise<void> {
  const rows = await step<BlockRow>(batch, {
    name: "blocks",
    text: `select i.subject_id as "personId", b.op, b."connectionId", b.effect, b.reason, i.source_changed_at as "sourceChangedAt", i.seen_at as "seenAt"
        from item i, jsonb_to_recordset(i.payload->'blocks') as b(op text, "connectionId" int, effect text, reason text) where i.payload ? 'blocks' and i.subject_id is not null`,
  });
  const blocks = rows.map((row) => ({ ...row, owner: "origin" as const }));
  await liftBlocks(
    batch.work,
    // Without the reason: that is of who lifts one by hand.
    blocks.flatMap(({ op, reason: _item, ...block }) => (op === "lift" ? [block] : [])),
  );
  await raiseBlocks(
    batch.work,
    blocks.filter(({ op }) => op === "raise"),
  );
}
