import type { Kind } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import { noteSuccess } from "../connections/state.ts";
import type { Context } from "../context.ts";
import { lostToAnother } from "../db/contention.ts";
import { inTransaction, type Database, type Sql, type Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { enqueue } from "../db/queue.ts";
import { deferSearchIndexes } from "../db/search-indexes.ts";
import { AppError, messageOf } from "../errors.ts";
import { foresee, forgetForeseen } from "./foresee.ts";
import { noteLost, type LostAction } from "./guard-members.ts";
import { inParallel } from "./in-parallel.ts";
import { isBadData } from "./apply/bad-data.ts";
import { applyBatch } from "./apply/batch.ts";
import { settleLateArrivals } from "./apply/late-arrivals.ts";
import { refuseMoved } from "./apply/preconditions.ts";
import { planSource } from "./apply/source.ts";
import { removeLeftUnits } from "./apply/units.ts";
import { fillsTables, statisticsKeeper } from "./statistics.ts";
import { withSyncLock } from "./lock.ts";
import { passingSpans, PASSING_FROM } from "./contested.ts";
import { decideMadeAnew } from "./made-anew.ts";
import { awaitPassedOn } from "./passed-on.ts";
import { halvesOf, portionsOfSpans } from "./passing-order.ts";
import { hashOf } from "./plan.ts";
import type { OnProgress } from "./progress.ts";
import { refuseReadSince } from "./read-since.ts";
import { rangesOf, STAGES, type ItemRange } from "./stages.ts";
import { supersedeHeld } from "./supersede-held.ts";

export interface ApplyOptions {
  db: Database;
  keyRing: KeyRing;
  planId: number;
  /** What the plan's items were hashed to a moment ago, by whoever holds the connection's lock since; otherwise they are hashed again. */
  hash?: Buffer;
  /** What people who stay lose by it, as guards have counted it: those of the plans after it count it in. */
  lost?: Partial<Record<LostAction, number>>;
  onProgress?: OnProgress;
}

export interface Applied {
  applied: number;
  /** Their input had moved; they wait for the next plan. */
  refused: number;
  failed: number;
}

interface PlanRow {
  id: number;
  run_id: number;
  connection_id: number;
  connection: string;
  mapping_version: number;
  state: string;
  hash: Buffer | null;
  opened_at: Date;
  /** Somebody has looked at it and let it through. */
  approved: boolean;
  /** Its word went over to others while it was silent, and this plan was read from it. */
  returns: boolean;
}

/** Applies an approved plan, or goes on with one that a killed node left, under the connection's lock. */
export async function applyPlan(ctx: Context, options: ApplyOptions): Promise<Applied> {
  const plan = await loadPlan(options.db, options.planId);
  return withSyncLock(options.db, { connectionId: plan.connection_id, name: plan.connection }, (lost) =>
    applyItems({ ...ctx, signal: AbortSignal.any([ctx.signal, lost]) }, options),
  );
}

/** A node died while it applied: what it had decided, and what a human had approved, is carried through before anything new is read. */
export async function resumeApplying(
  ctx: Context,
  { db, keyRing, connectionId }: { db: Database; keyRing: KeyRing; connectionId: number },
): Promise<void> {
  const { rows } = await db.pool.query<{ id: number }>(
    "select id from plans where connection_id = $1 and state in ('approved', 'applying') order by id",
    [connectionId],
  );
  for (const { id } of rows) await applyItems(ctx, { db, keyRing, planId: id });
}

/** Applies a closed or approved plan as it stands, batch by batch; the caller holds the connection's lock. Throws `conflict` when the plan is not what was decided. */
export async function applyItems(ctx: Context, options: ApplyOptions): Promise<Applied> {
  const { db, planId, onProgress } = options;
  const began = ctx.now();
  const plan = await startApplying(ctx, options);
  const { rows: spans } = await db.pool.query<{ kind: Kind; first: number; last: number; count: number }>(
    "select kind, min(seq) as first, max(seq) as last, count(*)::int as count from plan_items where plan_id = $1 and seq < $2 group by kind",
    [planId, PASSING_FROM],
  );
  const passing = await passingSpans(db.pool, planId);
  const total = [...spans, ...passing.map(({ first, last }) => ({ count: last - first + 1 }))].reduce((sum, { count }) => sum + count, 0);
  let done = 0;
  const fills = await fillsTables(db, planId);
  const statistics = statisticsKeeper(ctx, { db, worthwhile: fills });
  await statistics.ofPlan();
  const connectionId = plan.connection_id;
  const foreseen = await inTransaction(db, ctx, ({ sql }) => foresee(sql, { planId, connectionId, openedAt: plan.opened_at }));
  for (const { kind, most, atOnce } of STAGES) {
    const work = async (range: ItemRange) => {
      ctx.signal.throwIfAborted();
      if (statistics.due(done)) await statistics.ofDirectory();
      await applyRange(ctx, {
        db,
        plan,
        kind,
        fills,
        ...range,
        onApplied(count) {
          // Counted whether or not anybody watches: the statistics are due by it.
          done += count;
          onProgress?.({ stage: "apply", done, total });
        },
      });
    };
    const span = spans.find((each) => each.kind === kind);
    await inParallel(span ? rangesOf(span, { most, atOnce }) : [], { atOnce, work });
    if (kind === "user")
      await inParallel(
        portionsOfSpans(passing, most).map((each) => ({ spans: each, passing: true })),
        { atOnce, work },
      );
  }
  await statistics.ofDirectory();
  await inTransaction(db, ctx, async (work) => {
    await awaitPassedOn(work.sql, { connectionId, ...foreseen, at: ctx.now() });
    // The node that opened the plan may be ahead of this one.
    await settleLateArrivals(work, { connectionId, since: began < foreseen.openedAt ? began : foreseen.openedAt });
  });
  return inTransaction(db, ctx, async (work) => {
    if (fills) await enqueue(work.sql, { job: "complete_search_indexes", payload: {}, key: "complete_search_indexes" });
    await forgetForeseen(work.sql, { planId, connectionId });
    await decideMadeAnew(work.sql, { connectionId, planId });
    await removeLeftUnits(work, { connectionId });
    return finishApplying(work, { plan, total });
  });
}

async function loadPlan(db: Database, planId: number): Promise<PlanRow> {
  const { rows } = await db.pool.query<PlanRow>(
    `select p.id, p.run_id, p.connection_id, c.name as connection, coalesce(p.mapping_version, c.mapping_version) as mapping_version, p.state, p.hash, p.opened_at, p.decided_by is not null as approved, c.silent_since is not null and r.mode <> 'remap' as returns
       from plans p join connections c on c.id = p.connection_id join runs r on r.id = p.run_id where p.id = $1`,
    [planId],
  );
  const [plan] = rows;
  if (!plan) throw new AppError("not_found", `There is no plan ${planId}.`, { field: "plan" });
  return plan;
}

async function startApplying(ctx: Context, { db, planId, hash, lost = {} }: ApplyOptions): Promise<PlanRow> {
  const plan = await loadPlan(db, planId);
  if (!["closed", "approved", "applying"].includes(plan.state))
    throw new AppError("conflict", `Plan ${planId} is ${plan.state}; it can't be applied.`);
  if (!plan.hash?.equals(hash ?? (await hashOf(db.pool, planId)).hash))
    throw new AppError(
      "conflict",
      `Plan ${planId} is not what was decided: its items no longer match its hash. Nothing was applied; run the sync again.`,
    );
  await inTransaction(db, ctx, async ({ sql }) => {
    if (plan.state === "approved") await refuseReadSince(sql, { planId, connectionId: plan.connection_id });
    // The same plan, held before: this one does what it waited to do.
    if (plan.state === "closed") await supersedeHeld(sql, { connectionId: plan.connection_id, planId });
    await noteLost(sql, { connectionId: plan.connection_id, lost, now: ctx.now() });
    await sql.query("update plans set state = 'applying' where id = $1", [planId]);
    if (plan.returns) await sql.query("update connections set silent_since = null where id = $1", [plan.connection_id]);
    await sql.query("update runs set state = 'applying', finished_at = null where id = $1", [plan.run_id]);
  });
  return plan;
}

interface RangeOptions extends ItemRange {
  db: Database;
  plan: PlanRow;
  kind: Kind;
  /** See fillsTables. */
  fills: boolean;
  onApplied: (count: number) => void;
}

/** One transaction; when the data itself is refused, halves are tried, until the one bad item stands alone and is named. */
async function applyRange(ctx: Context, options: RangeOptions): Promise<void> {
  const { db, plan, kind, fills, spans, passing } = options;
  const firstSeq = spans[0]?.first ?? 0;
  const lastSeq = spans.at(-1)?.last ?? firstSeq;
  try {
    const count = await inTransaction(db, ctx, async (work) => {
      if (fills) await hurry(work.sql);
      const range = { planId: plan.id, kind, firstSeq, lastSeq };
      const { begun, known } = await stateOf(work, range);
      const batch = {
        work,
        source: planSource({ ...range, begun }),
        connection: { id: plan.connection_id, name: plan.connection, mappingVersion: plan.mapping_version },
        planId: plan.id,
        approved: plan.approved,
        passing,
      };
      const applied = await applyBatch(
        (await refuseMoved(batch, { known })) ? { ...batch, source: planSource({ ...range, begun: true }) } : batch,
      );
      await work.sql.query(
        "insert into plan_batches (plan_id, kind, first_seq, last_seq, applied_at) values ($1, $2, $3, $4, $5) on conflict (plan_id, kind, first_seq) do update set last_seq = excluded.last_seq",
        [plan.id, kind, firstSeq, lastSeq, ctx.now()],
      );
      return applied;
    });
    options.onApplied(count);
  } catch (error) {
    if (lostToAnother(error)) return applyRange(ctx, options);
    if (!isBadData(error)) throw error;
    if (firstSeq === lastSeq) {
      await db.pool.query("insert into plan_outcomes (plan_id, seq, state, message) values ($1, $2, 'failed', $3) on conflict do nothing", [
        plan.id,
        firstSeq,
        messageOf(error),
      ]);
      return;
    }
    for (const half of halvesOf(spans)) await applyRange(ctx, { ...options, spans: half });
  }
}

interface RangeState {
  /** Something of it was applied, refused or found bad before: after a crash, or when halves of it are tried. */
  begun: boolean;
  /** Some items are about accounts or people that exist already. */
  known: boolean;
}

/**
 * In a large plan nobody waits for the disk batch by batch. A database that crashes may lose the last of them whole, with the note
 * that they were applied: then they are applied again. The end of the plan waits for all of them.
 */
async function hurry(sql: Sql): Promise<void> {
  await sql.query("set local synchronous_commit = off");
  await deferSearchIndexes(sql);
}

async function stateOf(
  { sql }: Work,
  { planId, kind, firstSeq, lastSeq }: { planId: number; kind: Kind; firstSeq: number; lastSeq: number },
): Promise<RangeState> {
  const { rows } = await sql.query<RangeState>({
    name: "apply_range_state",
    text: `select exists (select from plan_batches where plan_id = $1 and kind = $2 and first_seq <= $4 and last_seq >= $3)
          or exists (select from plan_outcomes where plan_id = $1 and seq between $3 and $4) as begun,
        exists (select from plan_items where plan_id = $1 and seq between $3 and $4 and (account_id is not null or subject_version is not null)) as known`,
    values: [planId, kind, firstSeq, lastSeq],
  });
  return rows[0] ?? { begun: true, known: true };
}

async function finishApplying(work: Work, { plan, total }: { plan: PlanRow; total: number }): Promise<Applied> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ refused: number; failed: number }>(
    "select count(*) filter (where state = 'refused')::int as refused, count(*) filter (where state = 'failed')::int as failed from plan_outcomes where plan_id = $1",
    [plan.id],
  );
  const { refused, failed } = rows[0] ?? { refused: 0, failed: 0 };
  const applied = { applied: total - refused - failed, refused, failed };
  await sql.query("update plans set state = 'applied', applied_at = $2 where id = $1", [plan.id, ctx.now()]);
  const { rows: runs } = await sql.query<{ mode: string; counts: Record<string, unknown> }>(
    "update runs set state = 'done', finished_at = $2 where id = $1 returning mode, counts",
    [plan.run_id, ctx.now()],
  );
  // Where a next read may start: only once everything that this one saw is applied or named.
  await sql.query(
    `update connections c set cursor = case when $4 then c.cursor else coalesce(r.cursor_after, c.cursor) end, scope_hash = coalesce(r.counts->>'scopeHash', c.scope_hash),
        last_full_at = case when r.mode = 'full' then r.started_at else c.last_full_at end
      from runs r where r.id = $2 and c.id = $1 and $3::timestamptz is not null`,
    [plan.connection_id, plan.run_id, ctx.now(), refused > 0],
  );
  await noteSuccess(work, { id: plan.connection_id, heard: runs[0]?.mode !== "remap" });
  if (total > 0)
    await recordEvent(work, {
      name: "plan.applied",
      subjectType: "plan",
      subjectId: String(plan.id),
      data: { plan: plan.id, hash: plan.hash?.toString("hex") ?? "", counts: { ...applied } },
    });
  await recordEvent(work, {
    name: "run.finished",
    subjectType: "run",
    subjectId: String(plan.run_id),
    data: { run: plan.run_id, mode: runs[0]?.mode ?? "", counts: { ...applied } },
  });
  return applied;
}
