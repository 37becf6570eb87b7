import type { Work } from "../db/database.ts";
import { membersInEffect } from "../directory/groups.ts";
import { evaluateConditionRules } from "./condition-rules.ts";
import { requireMayGiveByRules, watchRules } from "./indirect-giving.ts";
import type { Caller } from "./policy.ts";
import { rulesAskForRoles, type Holders } from "./rules-on-roles.ts";
import { lockRules } from "./rule-lock.ts";

/** Looks at the conditions of everybody whose grants, or whose groups' grants, have changed. */
export async function followRoles(work: Work, holders: Holders): Promise<void> {
  await lockRules(work.sql, "shared");
  await evaluateConditionRules(work, { personIds: await everybody(work, holders) });
}

/**
 * Makes a change of grants, and has the rules that ask for roles follow in the same transaction. Refuses it when whoever makes it would give by
 * them what they may not give (see `requireMayGiveByRules`). To be called before people are locked. Throws `forbidden`.
 */
export async function judgedByRules<T>(
  work: Work,
  { caller, holders, change }: { caller: Caller; holders: Holders; change: () => Promise<T> },
): Promise<T> {
  await lockRules(work.sql, "shared");
  if (!(await rulesAskForRoles(work.sql))) return change();
  const personIds = await everybody(work, holders);
  const watch = await watchRules(work.sql, { caller, at: work.ctx.now(), personIds });
  const result = await change();
  await evaluateConditionRules(work, { personIds });
  await requireMayGiveByRules(work.sql, watch, { personIds });
  return result;
}

async function everybody({ ctx, sql }: Work, { personIds, groupIds }: Holders): Promise<string[]> {
  const people = new Set(personIds);
  if (groupIds.length > 0) for await (const page of membersInEffect(sql, { groupIds, at: ctx.now() })) page.forEach((id) => people.add(id));
  return [...people];
}
