import { setTimeout as wait } from "node:timers/promises";
import type { Context } from "../context.ts";
import type { Database } from "../db/database.ts";
import { takeOverSearchTexts } from "../db/search-texts.ts";

/** How long what changed is searched for the slower way. */
const EVERY_MS = 1000;

/** Keeps what people are searched by up to date, while this node runs. A failure is logged, and tried again a moment later. */
export function startSearchUpkeep(ctx: Context, db: Database, { everyMs = EVERY_MS } = {}): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stopping.signal]);
  const running = keepUp({ ...ctx, signal }, db, everyMs);
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function keepUp(ctx: Context, db: Database, everyMs: number): Promise<void> {
  while (!ctx.signal.aborted) {
    try {
      const { rows } = await db.pool.query<{ due: boolean }>("select exists (select from search_changes) as due");
      if (rows[0]?.due) await takeOverSearchTexts(ctx, db);
      await wait(everyMs, undefined, { signal: ctx.signal, ref: false });
    } catch (error) {
      if (ctx.signal.aborted) return;
      ctx.log.warn({ err: error }, "what people are searched by could not be brought up to date; tried again soon");
      await wait(everyMs, undefined, { signal: ctx.signal, ref: false }).catch(() => undefined);
    }
  }
}
