import type { Context } from "../../context.ts";
import { inTransaction, type Database } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { forgetLimits } from "./attempt-limits.ts";
import { detectIncidents } from "./detect.ts";
import { forgetAttempts } from "./forget-attempts.ts";
import { createPlaces } from "./places.ts";

/** What the jobs do about attempts to get in. */
export interface IncidentWatch {
  /** Looks at what was noted since the last time; of one person alone, right after they got in. */
  detect(ctx: Context, personId?: string): Promise<void>;
  /** Forgets attempts and counters whose time is over. */
  forget(ctx: Context): Promise<void>;
}

/** Wires the detectors with their settings. */
export function createIncidentWatch({
  db,
  keyRing,
  settings,
}: {
  db: Database;
  keyRing: KeyRing;
  settings: SignInSettings["risk"];
}): IncidentWatch {
  const places = createPlaces(settings.placesFile);
  return {
    async detect(ctx, personId) {
      const raised = await detectIncidents(ctx, { db, keyRing, settings, placeOf: places(), personId });
      for (const { id, change } of raised)
        if (change === "opened" || change === "reopened") ctx.log.warn({ incident: id }, `an incident was ${change}`);
    },
    async forget(ctx) {
      let attempts = 0;
      for (let some = 1; some > 0; attempts += some) {
        ctx.signal.throwIfAborted();
        some = await inTransaction(db, ctx, (work) => forgetAttempts(work, settings));
      }
      const counters = await forgetLimits({ sql: db.pool, now: ctx.now() });
      if (attempts + counters > 0) ctx.log.info({ attempts, counters }, "attempts to sign in were forgotten");
    },
  };
}
