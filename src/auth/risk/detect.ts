import type { Context } from "../../context.ts";
import { inTransaction, type Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { findPatterns } from "./find-patterns.ts";
import type { PlaceOf } from "./places.ts";
import { raiseIncident, type Raised } from "./raise.ts";

export interface DetectOptions {
  db: Database;
  keyRing: KeyRing;
  settings: SignInSettings["risk"];
  placeOf: PlaceOf;
  /** Only what is about this person: right after they got in. */
  personId?: string | undefined;
}

const WATERMARK = "detect_incidents";
/** Attempts whose transactions took their time are seen by the next look. */
const OVERLAP_MS = 2 * 60_000;
/** After a long pause nobody needs to be woken for what was yesterday. */
const LONGEST_LOOK_BACK_MS = 24 * 60 * 60_000;
const LOOK_AT_ONE_MS = 10 * 60_000;

/** Looks at what was noted since the last time and raises incidents, each in a transaction of its own. Repeating it changes nothing. */
export async function detectIncidents(ctx: Context, { db, keyRing, settings, placeOf, personId }: DetectOptions): Promise<Raised[]> {
  const now = ctx.now();
  const since = personId === undefined ? await lastLook(db, now) : new Date(now.getTime() - LOOK_AT_ONE_MS);
  const findings = await findPatterns(db.pool, { now, since, settings, placeOf, personId });
  const raised: Raised[] = [];
  for (const finding of findings) {
    ctx.signal.throwIfAborted();
    raised.push(await inTransaction(db, ctx, (work) => raiseIncident(work, { finding, settings, keyRing })));
  }
  if (personId === undefined)
    await db.pool.query("insert into watermarks (key, at) values ($1, $2) on conflict (key) do update set at = excluded.at", [
      WATERMARK,
      now,
    ]);
  return raised;
}

async function lastLook(db: Database, now: Date): Promise<Date> {
  const { rows } = await db.pool.query<{ at: Date }>("select at from watermarks where key = $1", [WATERMARK]);
  const earliest = now.getTime() - LONGEST_LOOK_BACK_MS;
  return new Date(Math.min(now.getTime(), Math.max(earliest, (rows[0]?.at.getTime() ?? earliest) - OVERLAP_MS)));
}
