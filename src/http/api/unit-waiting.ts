import { requireMayGiveByRules, watchRules } from "../../access/indirect-giving.ts";
import { placeByCode } from "../../directory/waiting-for-units.ts";
import { followPeople } from "../../sync/local-people.ts";
import type { ApiCall } from "./route.ts";

/**
 * Puts whom connections name into this unit by its code, and who have waited for it, into it. Only for whoever may add units to the
 * organisation: others would bring people within their reach by what they call a unit of theirs. Throws `forbidden` for what rules
 * would give by it and the caller may not.
 */
export async function takeInWaiting(call: ApiCall, unitId: string): Promise<void> {
  const { organisation } = await call.reach("rollcall.units.edit");
  const personIds = organisation ? await placeByCode(call, [unitId]) : [];
  if (personIds.length === 0) return;
  const watch = await watchRules(call.sql, { caller: call.caller, at: call.ctx.now(), personIds });
  await followPeople(call, personIds);
  await requireMayGiveByRules(call.sql, watch, { personIds });
}
