import type { AttributeObject, Completeness, Kind, Target, TargetAccount } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import type { LoadedConnection } from "../connections/open.ts";
import { inTransaction, type Database } from "../db/database.ts";
import type { Context } from "../context.ts";
import { wakeDeliveries } from "./decision.ts";
import { deliver } from "./deliver.ts";
import { asItStands, groupAsItStands, groupHasDrifted, hasDrifted, isOtherwiseActive } from "./drift.ts";
import { lookingUp, type LookUp } from "./look-up.ts";
import type { Targets } from "./targets.ts";
import { proveUnkept, type Unkept } from "./unkept.ts";

export interface ReconcileOptions {
  db: Database;
  targets: Targets;
  connection: LoadedConnection;
}

export interface ReconciledKind {
  /** Accounts (or groups) listed, and how many of them are linked. */
  listed: number;
  linked: number;
  /** Linked ones that differed from what was delivered. */
  drifted: number;
  /** Linked ones that are gone, confirmed one by one. Not looked for when the listing is not proven complete. */
  missing: number;
  complete: boolean;
}

export interface Reconciled extends ReconciledKind {
  /** Undefined where we keep none there: then they are not listed. */
  groups?: ReconciledKind;
}

interface Linked {
  id: number;
  native_id: string;
  delivered: AttributeObject | null;
  delivered_state: "present" | "disabled";
}

/**
 * Lists the target's users in full, and its groups where we keep some, and repairs drift on those that we linked: what differs is
 * delivered again, what is gone is made again when it is still wanted. What we did not link is counted and left alone, and so are
 * members whom others added to our groups.
 */
export async function reconcileTarget(ctx: Context, { db, targets, connection }: ReconcileOptions): Promise<Reconciled> {
  const startedAt = ctx.now();
  const result = await targets.withTarget(connection, async (target): Promise<Reconciled> => {
    const users = await compare(ctx, { db, targets, target, connection, startedAt, kind: "user" });
    if (!target.kinds.includes("group") || !(await keepsGroups(db, connection))) return users;
    // After the users, so that a group is compared as it stands once those who are gone have left it.
    return { ...users, groups: await compare(ctx, { db, targets, target, connection, startedAt, kind: "group" }) };
  });
  ctx.log.info({ connection: connection.name, ...result }, "target reconciled");
  return result;
}

async function keepsGroups(db: Database, { id }: LoadedConnection): Promise<boolean> {
  const { rowCount } = await db.pool.query(
    "select from projections where connection_id = $1 and kind = 'group' and native_id is not null limit 1",
    [id],
  );
  return Boolean(rowCount);
}

interface CompareOptions extends ReconcileOptions {
  target: Target;
  startedAt: Date;
  kind: Kind;
}

async function compare(ctx: Context, options: CompareOptions): Promise<ReconciledKind> {
  const { db, targets, target, connection, startedAt, kind } = options;
  const seen: number[] = [];
  let listed = 0;
  let drifted = 0;
  const pages = target.list(kind);
  const lookUp = lookingUp(ctx, { target, kind, connection: connection.name });
  const unkept = proveUnkept<Pair>({
    target,
    async sendAgain(pair) {
      const marked = await redeliver(ctx, { db, connection, kind, linked: [pair] });
      return marked > 0 && (await deliver(ctx, { db, targets, projectionId: pair.row.id })) === "delivered";
    },
  });
  let evidence: Completeness;
  for (;;) {
    ctx.signal.throwIfAborted();
    const next = await pages.next();
    if (next.done) {
      evidence = next.value;
      break;
    }
    listed += next.value.length;
    const linked = await linkedOf(db, { connection, accounts: next.value, startedAt, kind });
    seen.push(...linked.map(({ row }) => row.id));
    const { sent, differing } = await driftedOf(lookUp, { kind, linked, unkept });
    drifted += sent + (await redeliver(ctx, { db, connection, kind, linked: differing }));
  }
  const attributes = unkept.names();
  if (attributes.length > 0)
    ctx.log.warn(
      { connection: connection.name, attributes },
      "the application does not keep these attributes as they are sent; where they alone differ, nothing is sent again",
    );
  const missing = evidence.finalCursor ? await remakeMissing(ctx, { ...options, seen, lookUp }) : 0;
  return { listed, linked: seen.length, drifted, missing, complete: evidence.finalCursor };
}

interface Pair {
  row: Linked;
  account: TargetAccount;
}

/** What is to be sent again, and how many have been meanwhile. */
async function driftedOf(
  lookUp: LookUp,
  { kind, linked, unkept }: { kind: Kind; linked: readonly Pair[]; unkept: Unkept<Pair> },
): Promise<{ sent: number; differing: Pair[] }> {
  const differing: Pair[] = [];
  let sent = 0;
  for (const pair of linked) {
    const { row, account } = pair;
    const active = row.delivered_state === "present";
    if (kind === "user") {
      if (!hasDrifted(account, { delivered: row.delivered, active })) continue;
      const verdict = isOtherwiseActive(account, active) ? "drift" : await unkept.judge(pair);
      if (verdict === "drift") differing.push(pair);
      if (verdict === "sent") sent += 1;
      continue;
    }
    if (!active || !groupHasDrifted(account, row.delivered)) continue;
    // Some tell a group's members in part, or not at all, where they list it.
    const alone = await lookUp(row.native_id);
    if (alone && alone !== "gone" && groupHasDrifted(alone, row.delivered)) differing.push({ row, account: alone });
  }
  return { sent, differing };
}

/** Settled projections only: a delivery that is under way, or went through since the listing began, is no drift. */
const SETTLED =
  "connection_id = $1 and kind = $3 and state = 'idle' and dirty_at is null and delivered_state in ('present', 'disabled') and delivered_at < $2";

async function linkedOf(
  db: Database,
  {
    connection,
    accounts,
    startedAt,
    kind,
  }: { accounts: readonly TargetAccount[] } & Pick<CompareOptions, "connection" | "startedAt" | "kind">,
): Promise<Pair[]> {
  const byId = new Map(accounts.map((account) => [account.nativeId, account]));
  const { rows } = await db.pool.query<Linked>(
    `select id, native_id, delivered, delivered_state from projections where ${SETTLED} and native_id = any($4)`,
    [connection.id, startedAt, kind, [...byId.keys()]],
  );
  return rows.flatMap((row) => {
    const account = byId.get(row.native_id);
    return account ? [{ row, account }] : [];
  });
}

async function redeliver(
  ctx: Context,
  { db, connection, kind, linked }: Pick<CompareOptions, "db" | "connection" | "kind"> & { linked: readonly Pair[] },
): Promise<number> {
  if (linked.length === 0) return 0;
  const standing = kind === "group" ? groupAsItStands : asItStands;
  return inTransaction(db, ctx, async (work) => {
    const { rows } = await work.sql.query<{ id: number }>(
      `update projections p set delivered = d.delivered::jsonb, delivered_hash = null, delivered_state = d.state, state = 'waiting',
         version = version + 1, source_changed_at = null, seen_at = $5, decided_at = $5
       from unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) as d (id, native_id, delivered, state)
       where p.id = d.id and p.native_id = d.native_id and p.state = 'idle' and p.dirty_at is null returning p.id`,
      [
        linked.map(({ row }) => row.id),
        linked.map(({ row }) => row.native_id),
        linked.map(({ row, account }) => JSON.stringify(standing(account, row.delivered))),
        linked.map(({ row, account }) => ((account.active ?? row.delivered_state === "present") ? "present" : "disabled")),
        ctx.now(),
      ],
    );
    await wakeDeliveries(
      work,
      rows.map(({ id }) => id),
    );
    await noteRepair(work, { connection, count: rows.length, reason: `${PLURAL[kind]} differed from what was delivered` });
    return rows.length;
  });
}

const PAGE = 500;
const PLURAL = { user: "accounts", group: "groups", unit: "units" } as const satisfies Record<Kind, string>;

async function remakeMissing(
  ctx: Context,
  { db, lookUp, connection, startedAt, kind, seen }: CompareOptions & { seen: readonly number[]; lookUp: LookUp },
): Promise<number> {
  let missing = 0;
  for (let after = 0; ;) {
    const { rows } = await db.pool.query<Linked>(
      `select id, native_id, delivered, delivered_state from projections
       where ${SETTLED} and native_id is not null and id > $4 and not (id = any($5)) order by id limit ${PAGE}`,
      [connection.id, startedAt, kind, after, seen],
    );
    const gone: number[] = [];
    for (const row of rows) if ((await lookUp(row.native_id)) === "gone") gone.push(row.id);
    missing += await forget(ctx, { db, connection, kind, ids: gone });
    const last = rows.at(-1);
    if (!last) return missing;
    after = last.id;
  }
}

/** Gone there: whoever is still wanted is made again, and for the others that is the end of it. */
async function forget(
  ctx: Context,
  { db, connection, kind, ids }: Pick<CompareOptions, "db" | "connection" | "kind"> & { ids: readonly number[] },
): Promise<number> {
  if (ids.length === 0) return 0;
  return inTransaction(db, ctx, async (work) => {
    const { rows } = await work.sql.query<{ id: number; state: string }>(
      `update projections set native_id = null, delivered = null, delivered_hash = null, delivered_state = 'removed',
         state = case when desired_state = 'present' then 'waiting' else 'idle' end,
         version = version + 1, source_changed_at = null, seen_at = $2, decided_at = $2
       where id = any($1) and state = 'idle' and dirty_at is null returning id, state`,
      [ids, ctx.now()],
    );
    await wakeDeliveries(
      work,
      rows.filter(({ state }) => state === "waiting").map(({ id }) => id),
    );
    await noteRepair(work, { connection, count: rows.length, reason: `${PLURAL[kind]} were gone at the target` });
    return rows.length;
  });
}

async function noteRepair(
  work: Parameters<typeof recordEvent>[0],
  { connection, count, reason }: { connection: LoadedConnection; count: number; reason: string },
): Promise<void> {
  if (count === 0) return;
  await recordEvent(work, {
    name: "target.drift_repaired",
    subjectType: "connection",
    subjectId: connection.name,
    reason,
    data: { target: connection.name, count },
  });
}
