import { randomBytes } from "node:crypto";
import type { HookAnswer, HookCall, HookHint } from "../../../connectors/contract.ts";
import { connectors } from "../../../connectors/registry.ts";
import type { Context } from "../../context.ts";
import { inTransaction, type Database, type Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { findAddressee, type Addressee } from "./addressee.ts";
import { enqueueHintedSync, enqueueKeeping } from "./enqueue.ts";
import { createGathering } from "./gathering.ts";

export interface ReceiverOptions {
  db: Database;
  keyRing: KeyRing;
}

export interface ReceiveOptions {
  /** As it stands in the address: anything. */
  connection: string;
  call: HookCall;
}

/** Judges calls of connected systems. */
export interface HookReceiver {
  /**
   * Says what to answer; what a call hints at is noted before. Who can't prove himself gets the answer that he would get for a
   * connection that there is not.
   */
  receive(ctx: Context, options: ReceiveOptions): Promise<HookAnswer | "refused">;
}

export function createHookReceiver({ db, keyRing }: ReceiverOptions): HookReceiver {
  // Systems send in bursts: what comes while one note is written is written together, by the next.
  const notes = createGathering<Hinted>(
    (connectionId, hinted) => inTransaction(db, hinted.ctx, (work) => note(work, { connectionId, ...hinted })),
    merged,
  );
  return {
    async receive(ctx, { connection, call }) {
      const forStrangers = answerStrangers(call);
      const addressee = await findAddressee(ctx, { sql: db.requestPool, connection, keyRing });
      if (!addressee) return forStrangers;
      const { id, gatherSeconds } = addressee;
      const answer = judged(call, addressee);
      if (answer === "refused") return forStrangers;
      const { hint, ...told } = answer;
      if (hint) await notes.add(id, { ctx, gatherSeconds, isReady: addressee.state === "ready", count: 1, hint });
      return told;
    },
  };
}

function judged(call: HookCall, { hooks, secrets }: Addressee): HookAnswer | "refused" {
  for (const secret of secrets) {
    const answer = hooks.receive(call, { secret });
    if (answer !== "refused") return answer;
  }
  return "refused";
}

interface Hinted {
  ctx: Context;
  gatherSeconds: number;
  isReady: boolean;
  count: number;
  hint: HookHint;
}

/** Events of one system all have ids, or none has. */
function merged(before: Hinted, { hint, ...later }: Hinted): Hinted {
  const events = [...(before.hint.events ?? []), ...(hint.events ?? [])];
  const keep = before.hint.keep === "renew" ? "renew" : (hint.keep ?? before.hint.keep);
  return {
    ...later,
    count: before.count + later.count,
    hint: {
      kinds: [...new Set([...before.hint.kinds, ...hint.kinds])],
      ...(before.hint.events || hint.events ? { events } : {}),
      ...(keep === undefined ? {} : { keep }),
    },
  };
}

/** What some systems ask of an address before they trust it, they ask without proof: it is answered for whatever connection. */
function answerStrangers(call: HookCall): HookAnswer | "refused" {
  const secret = randomBytes(32).toString("base64url");
  for (const { hooks } of Object.values(connectors)) {
    const answer = hooks?.receive(call, { secret }) ?? "refused";
    if (answer !== "refused") return answer;
  }
  return "refused";
}

async function note(work: Work, { connectionId, gatherSeconds, isReady, count, hint }: Hinted & { connectionId: number }): Promise<void> {
  const { ctx, sql } = work;
  const now = ctx.now();
  await sql.query(
    `insert into hooks (connection_id, notified_at, notifications, renew_asked_at) values ($1, $2, $3, $4)
     on conflict (connection_id) do update set notified_at = excluded.notified_at,
       notifications = hooks.notifications + excluded.notifications,
       renew_asked_at = coalesce(excluded.renew_asked_at, hooks.renew_asked_at)`,
    [connectionId, now, count, hint.keep === "renew" ? now : null],
  );
  if (hint.keep !== undefined) await enqueueKeeping(sql, connectionId);
  // A connection that waits for somebody is not synced by its schedule either; the first run afterwards finds what was missed.
  if (!isReady || hint.kinds.length === 0 || !(await isNews(work, { connectionId, events: hint.events }))) return;
  await enqueueHintedSync(sql, { connectionId, runAt: new Date(now.getTime() + gatherSeconds * 1000) });
}

/** Whether any of the events was not told before, to whichever node. */
async function isNews(
  { ctx, sql }: Work,
  { connectionId, events }: { connectionId: number; events: readonly string[] | undefined },
): Promise<boolean> {
  if (events === undefined) return true;
  const { rowCount } = await sql.query(
    "insert into hook_events (connection_id, event_id, seen_at) select $1, event, $3 from unnest($2::text[]) as event on conflict do nothing",
    [connectionId, [...new Set(events)].sort(), ctx.now()],
  );
  return (rowCount ?? 0) > 0;
}
