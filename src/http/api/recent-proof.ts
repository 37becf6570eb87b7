import type { Caller } from "../../access/policy.ts";
import { AppError } from "../../errors.ts";

/**
 * Refuses what does the most harm to who has not proven for so long that it is them: a browser that was left open must not be enough. A
 * token proves nothing but itself, and is let through. Throws `forbidden` with the field `step_up`.
 */
export function requireRecentProof(caller: Pick<Caller, "provenAt"> | null, { now, minutes }: { now: Date; minutes: number }): void {
  if (!caller?.provenAt || caller.provenAt.getTime() + minutes * 60_000 > now.getTime()) return;
  throw new AppError("forbidden", "Prove again that it is you first, at /login/step-up: this can only be done shortly after.", {
    field: "step_up",
  });
}
