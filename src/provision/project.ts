import type { LoadedConnection } from "../connections/open.ts";
import type { Context } from "../context.ts";
import type { Database, Work } from "../db/database.ts";
import { messageOf } from "../errors.ts";
import { recordEvent } from "../audit/record.ts";
import { enqueue } from "../db/queue.ts";
import { personVariables } from "../expressions/environment.ts";
import { contentHash } from "./canonical.ts";
import { storeDecisions, type Decision } from "./decision.ts";
import { desire, nextState, type Desire } from "./desired.ts";
import { projectGroups } from "./groups.ts";
import { judgePass } from "./judge.ts";
import { withLock } from "./lock.ts";
import { loadDirtyPeople, type DirtyPerson } from "./people.ts";
import { markWhenPolicyChanged } from "./policy.ts";
import { compilePolicy, type CompiledPolicy } from "./resource.ts";

export interface ProjectOptions {
  db: Database;
  connection: LoadedConnection;
}

export interface Projected {
  people: number;
  groups: number;
  /** Disables and deletes that the guards let through, and those that wait for an administrator. */
  released: number;
  held: number;
}

const PAGE = 500;

/**
 * Works off the dirty projections of one target: desired state, difference, deliveries woken. Its work grows with what
 * is dirty. Pages are transactions of their own; what takes something away is judged once for the whole pass.
 */
export async function projectTarget(ctx: Context, { db, connection }: ProjectOptions): Promise<Projected | "busy"> {
  return withLock(ctx, {
    db,
    name: `project:${connection.id}`,
    work: async ({ transaction }) => {
      await transaction((work) => markWhenPolicyChanged(work, connection));
      const { provision } = connection.policy;
      const policy = provision ? compilePolicy(provision) : undefined;
      let people = 0;
      for (let after = 0; ;) {
        const page = await transaction((work) => projectPage(work, { connection, policy, after }));
        if (page === undefined) break;
        people += page.count;
        after = page.last;
      }
      const limits = provision?.limits ?? connection.limits;
      const { released, held } = await transaction((work) => judgePass(work, { connection, limits }));
      const groups = await projectGroups(transaction, { connection });
      // Groups may be removed, too; they are few, and judged by themselves.
      const late = groups > 0 ? await transaction((work) => judgePass(work, { connection, limits })) : { released: 0, held: 0 };
      return { people, groups, released: released + late.released, held: held + late.held };
    },
  });
}

interface PageOptions {
  connection: LoadedConnection;
  policy: CompiledPolicy | undefined;
  after: number;
}

async function projectPage(work: Work, { connection, policy, after }: PageOptions): Promise<{ count: number; last: number } | undefined> {
  const now = work.ctx.now();
  const rows = await loadDirtyPeople(work.sql, { connectionId: connection.id, after, now, limit: PAGE });
  const last = rows.at(-1);
  if (!last) return undefined;
  const decisions: Decision[] = [];
  for (const row of rows) decisions.push(await decideRow(work, { row, connection, policy, now }));
  await storeDecisions(work, decisions);
  const known = new Map(rows.map(({ id, removeAfter }) => [id, removeAfter?.getTime()]));
  for (const { id, removeAfter, changed } of decisions) {
    // Who was suspended before, or left under another policy, is disabled already: what is new is that they go.
    if (removeAfter !== null && (changed || known.get(id) !== removeAfter.getTime()))
      await enqueue(work.sql, { job: "deliver", payload: { projectionId: id }, key: `remove:${id}`, runAt: removeAfter });
  }
  return { count: rows.length, last: last.id };
}

interface DecideOptions {
  row: DirtyPerson;
  connection: LoadedConnection;
  policy: CompiledPolicy | undefined;
  now: Date;
}

async function decideRow(work: Work, { row, connection, policy, now }: DecideOptions): Promise<Decision> {
  if (!policy) return decideWriteBack(row);
  try {
    return decideAccount(row, { policy, now, connection });
  } catch (error) {
    // One person whom an expression can't cope with never stops the others.
    const reason = messageOf(error);
    if (row.lastError !== reason) {
      await recordEvent(work, {
        name: "delivery.dead",
        subjectType: "person",
        subjectId: row.personId,
        reason,
        data: { target: connection.name, operation: "map", fault: "rejected" },
      });
    }
    // Leavers are not asked: whoever was to end there came back. Trying again decides anew, and the next end has its whole grace.
    const desiredState = row.desiredState === "absent" ? "absent" : "present";
    return { ...unchanged(row), desiredState, desiredHash: null, removeAfter: null, state: "dead", lastError: reason, changed: true };
  }
}

function decideAccount(
  row: DirtyPerson,
  { policy, now, connection }: { policy: CompiledPolicy; now: Date; connection: LoadedConnection },
): Decision {
  const provision = connection.policy.provision;
  if (!provision) return decideWriteBack(row);
  const person = personVariables(row.person);
  // Nobody who left stays because an expression can't cope with them.
  const inScope = row.person.active && policy.inScope(person);
  const wanted: Desire = desire(row, { person: { active: row.person.active, state: row.person.state, inScope }, policy: provision, now });
  const desired = wanted.state === "present" ? policy.resource(person) : null;
  const desiredHash = desired === null ? null : contentHash(desired);
  const hash = desiredHash?.toString("hex") ?? null;
  let { state, wake } = nextState(row, { state: wanted.state, hash });
  const writesBack = connection.policy.writeBack.disable && row.writeBackDue;
  if (writesBack && state === "idle") [state, wake] = row.blocked ? ["held", false] : ["waiting", true];
  const changed = row.desiredState !== wanted.state || (wanted.state === "present" && row.desiredHash !== hash);
  return {
    id: row.id,
    version: row.version,
    desiredState: wanted.state,
    desired,
    desiredHash,
    state,
    wake,
    changed,
    lastError: state === row.state ? row.lastError : null,
    removeAfter: wanted.removeAfter,
  };
}

/** A connection that only writes back: the row wakes the delivery, which asks the blocks again. */
function decideWriteBack(row: DirtyPerson): Decision {
  const desiredState = !row.hasAccount ? "absent" : row.blocked ? "disabled" : "present";
  const same = row.desiredState === desiredState;
  const waits = same && row.state !== "idle";
  const state = !row.writeBackDue ? "idle" : waits ? row.state : row.blocked ? "held" : "waiting";
  return {
    ...unchanged(row),
    desiredState,
    state,
    lastError: state === row.state ? row.lastError : null,
    wake: state === "waiting" && !waits,
    changed: !same,
    removeAfter: null,
  };
}

function unchanged(row: DirtyPerson): Decision {
  return {
    id: row.id,
    version: row.version,
    desiredState: row.desiredState,
    desired: null,
    desiredHash: null,
    state: row.state,
    lastError: row.lastError,
    removeAfter: row.removeAfter,
    wake: false,
    changed: false,
  };
}
