import type { RecordProblem } from "../../connectors/contract.ts";
import { recordEvent } from "../audit/record.ts";
import { scopeHashOf } from "../connections/open.ts";
import { noteSuccess } from "../connections/state.ts";
import { inTransaction, type Work } from "../db/database.ts";
import { applyItems } from "./apply-plan.ts";
import { arrangePassing, settleContested } from "./contested.ts";
import { countsOf, noteProblems, type Run, type RunMode } from "./begin.ts";
import { guardFacts, judge, type Tripped } from "./guard.ts";
import { memberFacts, type LostAction, type LostFacts } from "./guard-members.ts";
import { ruleFacts } from "./guard-rules.ts";
import { mayLeaveNoAdministrator } from "./guard-administrator.ts";
import { closePlan, hashOf, settleDoubleClaims, type ClosedPlan, type DoubleClaim, type HashedPlan } from "./plan.ts";
import { timed, type Timings } from "./progress.ts";
import { supersedeHeld } from "./supersede-held.ts";
import { sentenceOfWaitingMembers } from "./waiting-members.ts";

/** What a run came to. */
export interface RunSummary {
  runId: number;
  planId: number;
  connection: string;
  /** As it was carried out: an incremental run that had to read in full says so. */
  mode: RunMode;
  /** done: applied. held: the plan waits for approval. rehearsed: it was only to be seen. */
  state: "done" | "held" | "rehearsed";
  /** SHA-256 that binds the plan, hexadecimal. */
  hash: string;
  /** Items by kind and action. */
  plan: Record<string, Record<string, number>>;
  applied: { applied: number; refused: number; failed: number };
  read: Run["counts"];
  guards: Tripped[];
  notes: string[];
  /** Milliseconds by stage. */
  timings: Timings;
}

/** Closes the plan, lets the guards judge it, and applies it or holds it. */
export async function finishRun(run: Run): Promise<RunSummary> {
  // Whoever ran it by hand, to see whether it is mended, would take it that all is well.
  if (!run.rehearsal && run.connection.state !== "ready") run.notes.push(standsStill(run.connection));
  const closed = await timed(run.timings, "close", () => closeRun(run));
  const { guards, lost } = await timed(run.timings, "guard", () => judgePlan(run, closed));
  if (run.rehearsal) return endRehearsal(run, { closed, guards });
  // A plan of nothing changes nothing, whoever looks at it: there is nothing to approve.
  const asked = run.planOnly && closed.items > 0;
  if (guards.length > 0 || asked) return summary(run, { closed, guards, held: await holdPlan(run, { closed, guards }) });
  const applied = await timed(run.timings, "apply", () =>
    applyItems(run.ctx, {
      db: run.db,
      keyRing: run.keyRing,
      planId: run.planId,
      hash: closed.hash,
      lost,
      onProgress: run.onProgress,
    }),
  );
  await noteWaitingMembers(run);
  return summary(run, { closed, guards, applied });
}

/** Hashed while double claims are looked for, by another connection: nearly always there are none, and the hash is right. */
async function closeRun(run: Run): Promise<ClosedPlan> {
  const { pool } = run.db;
  await settleNames(run);
  const [losers, hashed] = await Promise.all([settleDoubleClaims(pool, run.planId), hashOf(pool, run.planId)]);
  await noteProblems(run, losers.map(problemOfClaim));
  // Who has lost keeps the name that another of them waits for.
  if (losers.length > 0) await settleNames(run);
  if (run.contested.size > 0) await arrangePassing(pool, { planId: run.planId, nativeIds: [...run.contested] });
  return inTransaction(run.db, run.ctx, (work) => closeRunPlan(work, { run, hashed: losers.length === 0 ? hashed : undefined }));
}

async function settleNames(run: Run): Promise<void> {
  if (run.contested.size === 0) return;
  const problems = await settleContested(run.db.pool, { planId: run.planId, nativeIds: [...run.contested] });
  countsOf(run, "user").changed -= problems.filter(({ code }) => code === "conflict").length;
  await noteProblems(run, problems);
}

async function noteWaitingMembers(run: Run): Promise<void> {
  const sentence = run.evidence.group && (await sentenceOfWaitingMembers(run.db.pool, run));
  if (!sentence) return;
  run.notes.push(sentence);
  await run.db.pool.query("update runs set counts = jsonb_set(counts, '{notes}', $2) where id = $1", [run.id, JSON.stringify(run.notes)]);
}

function problemOfClaim({ nativeId, userName, email }: DoubleClaim): RecordProblem {
  const kind = "user";
  if (userName !== undefined)
    return { kind, nativeId, code: "conflict", message: `Another record of this run claims its userName ${userName} too.` };
  return {
    kind,
    nativeId,
    code: "email_taken",
    message: `Another record of this run claims its e-mail address ${email} too: it stands in the profile, but messages don't go there.`,
  };
}

async function closeRunPlan(work: Work, { run, hashed }: { run: Run; hashed: HashedPlan | undefined }): Promise<ClosedPlan> {
  const closed = await closePlan(work, { planId: run.planId, hashed });
  // A plan that was decided on an older reading is no longer what would be done.
  if (!run.rehearsal) await supersedeHeld(work.sql, { connectionId: run.connection.id, planId: run.planId, unlessHash: closed.hash });
  const cursors = { ...run.connection.cursor, ...run.cursors };
  await work.sql.query("update runs set state = 'planned', counts = $2, evidence = $3, cursor_after = $4 where id = $1", [
    run.id,
    JSON.stringify({ read: run.counts, notes: run.notes, scopeHash: run.mode === "full" ? scopeHashOf(run.connection) : undefined }),
    JSON.stringify(run.evidence),
    Object.keys(cursors).length > 0 ? JSON.stringify(cursors) : null,
  ]);
  return closed;
}

function standsStill({ name, state }: Run["connection"]): string {
  return `${name} is still ${state}: its schedule and its change notifications wait until \`rollcall connection resume ${name}\`.`;
}

interface Judged {
  guards: Tripped[];
  /** What people who stay lose by the plan, as guards count it. */
  lost: Record<LostAction, number>;
}

async function judgePlan(run: Run, closed: ClosedPlan): Promise<Judged> {
  const leaving = Object.values(closed.counts).some(({ disable = 0, delete: deletes = 0, link = 0 }) => disable + deletes + link > 0);
  const shrunken = run.reads.some(({ read, known }) => read < known);
  const plan = { planId: run.planId, connectionId: run.connection.id, now: run.ctx.now() };
  const noAdministrator = closed.items > 0 && (await mayLeaveNoAdministrator(run.db.pool, plan));
  const members = await membersOf(run, closed);
  const rules = await rulesOf(run, closed);
  const lost = { member: members?.lost ?? 0, match: rules?.lost ?? 0 };
  if (!leaving && !shrunken && !noAdministrator && lost.member + lost.match === 0) return { guards: [], lost };
  const facts = await guardFacts(run.db.pool, {
    ...plan,
    limits: run.connection.limits,
  });
  const otherScope = run.connection.scopeHash !== null && run.mode === "full" && run.connection.scopeHash !== scopeHashOf(run.connection);
  const scopeChanged = otherScope || run.unread.size > 0;
  const guards = judge({ ...facts, members, rules, reads: run.reads, scopeChanged, noAdministrator }, run.connection.limits);
  return { guards, lost };
}

/** Asked only of a plan by which somebody leaves a group, or a group goes. */
async function membersOf({ db, ctx, connection, planId, seen }: Run, { counts }: ClosedPlan): Promise<LostFacts | undefined> {
  if (!seen.membersLeave && !counts["group"]?.["delete"]) return undefined;
  return memberFacts(db.pool, { planId, connectionId: connection.id, hours: connection.limits.window.hours, now: ctx.now() });
}

/** Asked only of a plan that changes people who are here. */
async function rulesOf({ db, ctx, connection, planId }: Run, { counts }: ClosedPlan): Promise<LostFacts | undefined> {
  const { link = 0, update = 0, enable = 0 } = counts["user"] ?? {};
  if (link + update + enable === 0) return undefined;
  return ruleFacts(db.pool, { planId, connectionId: connection.id, hours: connection.limits.window.hours, now: ctx.now() });
}

/** The plan can be looked at, and never approved. */
async function endRehearsal(run: Run, { closed, guards }: { closed: ClosedPlan; guards: Tripped[] }): Promise<RunSummary> {
  await inTransaction(run.db, run.ctx, async ({ ctx, sql }) => {
    await sql.query("update plans set state = 'superseded', guards = $2 where id = $1", [run.planId, JSON.stringify(guards)]);
    await sql.query("update runs set state = 'superseded', finished_at = $2 where id = $1", [run.id, ctx.now()]);
  });
  return { ...summary(run, { closed, guards }), state: "rehearsed" };
}

/** Holds the plan for approval. The same plan already waiting keeps waiting, under the number that people have been shown, for what guards say now. */
async function holdPlan(
  run: Run,
  { closed, guards }: { closed: ClosedPlan; guards: readonly Tripped[] },
): Promise<{ planId: number; runId: number }> {
  return inTransaction(run.db, run.ctx, async (work) => {
    const { ctx, sql } = work;
    const { rows } = await sql.query<{ id: number; run_id: number }>(
      "select id, run_id from plans where connection_id = $1 and state = 'held' and hash = $2 and id <> $3 order by id limit 1 for update",
      [run.connection.id, closed.hash, run.planId],
    );
    const [waiting] = rows;
    await sql.query(
      "update plans set state = case when id = $1 and $2::int is not null then 'superseded' else 'held' end, guards = $3 where id in ($1, $2)",
      [run.planId, waiting?.id ?? null, JSON.stringify(guards)],
    );
    await sql.query("update runs set state = $2, finished_at = $3 where id = $1", [run.id, waiting ? "superseded" : "held", ctx.now()]);
    await noteSuccess(work, { id: run.connection.id, heard: run.mode !== "remap" });
    if (waiting) return { planId: waiting.id, runId: waiting.run_id };
    await recordEvent(work, {
      name: "plan.held",
      subjectType: "plan",
      subjectId: String(run.planId),
      reason: guards.map(({ message }) => message).join("; ") || "only a plan was asked for",
      data: { plan: run.planId, guards: guards.map(({ guard }) => guard) },
    });
    return { planId: run.planId, runId: run.id };
  });
}

function summary(
  run: Run,
  {
    closed,
    guards,
    held,
    applied,
  }: { closed: ClosedPlan; guards: Tripped[]; held?: { planId: number; runId: number }; applied?: RunSummary["applied"] },
): RunSummary {
  return {
    runId: held?.runId ?? run.id,
    planId: held?.planId ?? run.planId,
    connection: run.connection.name,
    mode: run.mode,
    state: held ? "held" : "done",
    hash: closed.hash.toString("hex"),
    plan: closed.counts,
    applied: applied ?? { applied: 0, refused: 0, failed: 0 },
    read: run.counts,
    guards,
    notes: run.notes,
    timings: run.timings,
  };
}
