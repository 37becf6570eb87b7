import { reachOf, type Caller, type Reach } from "../../access/policy.ts";
import type { OwnPermission } from "../../access/own-permissions.ts";
import type { Sql } from "../../db/database.ts";
import type { SharedAnswers } from "../../db/shared-answers.ts";

/**
 * Where a caller holds a permission: one question for all requests of the same rights that ask it while one is on its way. Each is told what
 * held at a moment after it came, so that a change acts at once.
 */
export function sharedReach(
  sql: Sql,
  { reaches, caller, permission, now }: { reaches: SharedAnswers<Reach>; caller: Caller; permission: OwnPermission; now: () => Date },
): Promise<Reach> {
  const { personId, responsibleId, permissions, unitIds } = caller;
  const key = JSON.stringify([permission, personId, responsibleId ?? null, permissions, unitIds]);
  return reaches.of(key, () => reachOf(sql, { caller, permission, at: now() }));
}
