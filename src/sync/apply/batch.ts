import { scheduleExpiry } from "../../access/boundaries.ts";
import { evaluateConditionRules } from "../../access/condition-rules.ts";
import { peopleOfNamed } from "../../access/named-in-conditions.ts";
import { reconcileGroupRules } from "../../access/group-rules.ts";
import { placeByCode } from "../../directory/waiting-for-units.ts";
import { ANY_CONDITION, ANY_RECEIVER, markedOnce, markGroups, markPeople, type DecisionTimes } from "../../directory/outbox.ts";
import { storeAccounts } from "./accounts.ts";
import { applyEmployment } from "./employment.ts";
import { resolveArrivals } from "./arrivals.ts";
import { emptyRemovedGroups, storeGroups, storeMembers } from "./groups.ts";
import { closeLeavers } from "./leavers.ts";
import { applyBlocks, storePeople } from "./people.ts";
import { storePersonUnits } from "./person-units.ts";
import { noteOrigins } from "./origins.ts";
import { step, type Batch, type Followed } from "./source.ts";
import { noteTransfers } from "./transfers.ts";
import { countForGuards, recordTrail } from "./trail.ts";
import { storeUnits } from "./units.ts";

/** What a batch holds, so that steps with nothing to do are left out. */
interface Shape {
  items: number;
  blocks: boolean;
  employment: boolean;
  transfers: boolean;
  units: boolean;
  leavers: boolean;
  /** Some people gain an origin that they did not have. */
  links: boolean;
  members: boolean;
  /** Some groups lose members. */
  removals: boolean;
  /** Some items are about accounts or people that exist already. */
  known: boolean;
}

/**
 * Applies one batch in the caller's transaction: accounts, people, groups, units, memberships, blocks, audit trail, outbox.
 * The only writer of what comes from outside. Returns how many items it applied.
 */
export async function applyBatch(batch: Batch): Promise<number> {
  const shape = await shapeOf(batch);
  if (shape.items > 0) await markedOnce(batch.work, (work) => applyShaped({ ...batch, work }, shape));
  return shape.items;
}

async function applyShaped(batch: Batch, shape: Shape): Promise<void> {
  await storeAccounts(batch, shape);
  const followed =
    batch.source.kind === "user"
      ? await applyUsers(batch, shape)
      : batch.source.kind === "group"
        ? await applyGroups(batch, shape)
        : await applyUnits(batch);
  if (batch.source.kind !== "unit") await recordTrail(batch, { concerned: followed.people });
  if (!batch.approved && (shape.leavers || shape.blocks || shape.employment)) await countForGuards(batch);
  await wakeFollowers(batch, { followed, members: shape.members });
}

async function shapeOf(batch: Batch): Promise<Shape> {
  const rows = await step<Shape>(batch, {
    name: "shape",
    text: `select count(*)::int as items, coalesce(bool_or(payload ? 'blocks'), false) as blocks, coalesce(bool_or(payload ? 'employment'), false) as employment, coalesce(bool_or(payload ? 'transfer'), false) as transfers, coalesce(bool_or(payload ? 'units'), false) as units,
        coalesce(bool_or(action = 'delete'), false) as leavers, coalesce(bool_or(action = 'link'), false) as links, coalesce(bool_or((payload->'members'->>'add')::int + (payload->'members'->>'remove')::int > 0), false) as members,
        coalesce(bool_or((payload->'members'->>'remove')::int > 0), false) as removals,
        coalesce(bool_or(account_id is not null or action <> 'create'), false) as known from item`,
  });
  return (
    rows[0] ?? {
      items: 0,
      blocks: false,
      employment: false,
      transfers: false,
      units: false,
      leavers: false,
      links: false,
      members: false,
      removals: false,
      known: false,
    }
  );
}

const NOBODY: Followed = { people: [], groups: [] };

async function applyUsers(batch: Batch, shape: Shape): Promise<Followed> {
  await storePeople(batch, shape);
  if (shape.links || shape.leavers) await noteOrigins(batch);
  const left = shape.leavers ? await closeLeavers(batch) : NOBODY;
  const placed = shape.units || shape.leavers ? await storePersonUnits(batch, shape) : [];
  const arrived = await resolveArrivals(batch.work, await awaitedAccounts(batch));
  if (shape.blocks) await applyBlocks(batch);
  if (shape.employment) await applyEmployment(batch);
  if (shape.transfers) await noteTransfers(batch);
  return { people: [...left.people, ...placed, ...arrived.people], groups: [...left.groups, ...arrived.groups] };
}

async function applyGroups(batch: Batch, shape: Shape): Promise<Followed> {
  await storeGroups(batch);
  const concerned = shape.leavers ? await emptyRemovedGroups(batch) : [];
  if (shape.members) concerned.push(...(await storeMembers(batch, shape)));
  const arrived = await resolveArrivals(batch.work, await awaitedAccounts(batch));
  return { people: [...concerned, ...arrived.people], groups: arrived.groups };
}

async function applyUnits(batch: Batch): Promise<Followed> {
  await storeUnits(batch);
  const arrived = await resolveArrivals(batch.work, await awaitedAccounts(batch));
  const units = await step<{ id: string }>(batch, {
    name: "units_there",
    text: "select i.subject_id as id from item i where i.action <> 'delete' and i.subject_id is not null",
  });
  const placed = await placeByCode(
    batch.work,
    units.map(({ id }) => id),
  );
  return { people: [...arrived.people, ...placed], groups: arrived.groups };
}

/** Accounts of the batch for which something waits. */
async function awaitedAccounts(batch: Batch): Promise<number[]> {
  const rows = await step<{ id: number }>(batch, {
    name: "awaited",
    // Item by item, by two indexes: left to itself, the planner may read all accounts for each reference that waits.
    text: `select a.id from (
          select distinct i.kind, i.native_id from item i
            cross join lateral (select from pending_references w where w.connection_id = $4 and w.reference = i.reference limit 1) w
           where i.action <> 'delete' offset 0) i
        cross join lateral (select id from accounts where connection_id = $4 and kind = i.kind and native_id = i.native_id offset 0) a`,
    values: [batch.connection.id],
  });
  return rows.map((row) => row.id);
}

/** Whether anybody follows changes of people: a target, a source that is written back to, a rule with a condition. */
async function anyFollower({ work }: Batch): Promise<boolean> {
  const { rows } = await work.sql.query<{ any: boolean }>(`select ${ANY_RECEIVER} or ${ANY_CONDITION} as any`);
  return rows[0]?.any ?? false;
}

/** Everything that follows from a change happens or is queued in the transaction that caused it: grants by rule, targets. */
async function wakeFollowers(batch: Batch, { followed, members }: { followed: Followed; members: boolean }): Promise<void> {
  const { work } = batch;
  if (batch.source.kind === "user" && !(await anyFollower(batch))) return;
  const items = await step<{ id: string; sourceChangedAt: Date | null; seenAt: Date }>(batch, {
    name: "changed_subjects",
    text: `select i.subject_id as id, i.source_changed_at as "sourceChangedAt", i.seen_at as "seenAt" from item i
        where i.subject_id is not null and (i.action in ('create', 'link', 'delete', 'disable', 'enable') or i.payload ?| array['person', 'units', 'employment', 'group', 'unit'])`,
  });
  const times = new Map<string, DecisionTimes>(items.map(({ id, ...each }) => [id, each]));
  const ids = items.map(({ id }) => id);
  if (batch.source.kind === "unit") await reconcileGroupRules(work, { unitIds: ids });
  if (batch.source.kind === "group") {
    await reconcileGroupRules(work, { groupIds: ids });
    if (members) await scheduleExpiry(work);
    await markGroups(work, { groupIds: ids, times });
  }
  await markGroups(work, { groupIds: followed.groups });
  const people = [...new Set([...(batch.source.kind === "user" ? ids : []), ...followed.people])];
  const named = { unit: { unitIds: ids }, group: { groupIds: ids }, user: {} }[batch.source.kind];
  await evaluateConditionRules(work, { personIds: [...people, ...(await peopleOfNamed(work, named))] });
  await markPeople(work, { personIds: people, times });
}
