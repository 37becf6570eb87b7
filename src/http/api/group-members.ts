import { z } from "zod";
import { comingRights } from "../../access/coming-rights.ts";
import { changeGroupMembers } from "../../access/group-changes.ts";
import { holdingsOf, type Holdings } from "../../access/giving.ts";
import { requireMayGiveGroup, requireMayTakeGroup, rolesOfGroup } from "../../access/group-giving.ts";
import { requireMayGiveByRules, watchRules } from "../../access/indirect-giving.ts";
import { keepingAnAdministrator } from "../../access/last-administrator.ts";
import { peopleOfNamed } from "../../access/named-in-conditions.ts";
import { personBehind } from "../../access/policy.ts";
import { requireRecentProof } from "./recent-proof.ts";
import type { ApiCall } from "./route.ts";
import { uuid } from "./schemas.ts";

export const MOST_MEMBERS = 1000;
export const members = z
  .strictObject({
    people: z.array(uuid).max(MOST_MEMBERS).default([]),
    groups: z.array(uuid).max(MOST_MEMBERS).default([]),
  })
  .default({ people: [], groups: [] });

interface MembersChange {
  groupId: string;
  add: z.output<typeof members>;
  remove: z.output<typeof members>;
  reason?: string | undefined;
}

/** Puts people and groups into a group and takes others out; nobody gives by it what they could not give. Throws `forbidden`. */
export async function changeMembersGiving(call: ApiCall, change: MembersChange): Promise<{ added: number; removed: number }> {
  const { groupId, remove } = change;
  const add = { people: [...new Set(change.add.people)], groups: [...new Set(change.add.groups)] };
  const before = await held(call);
  const named = { groupIds: [...add.groups, ...remove.groups], personIds: [...add.people, ...remove.people] };
  if (takesOthersOut(call, remove)) await requireMayTakeGroup(call.sql, { before, groupId, at: call.ctx.now() });
  const counts = await keepingAnAdministrator(call, () =>
    givingByConditions(call, named, () => changeGroupMembers(call, { ...change, add })),
  );
  if (add.people.length + add.groups.length > 0) await requireMayAdd(call, { before, groupId });
  return counts;
}

/** One's own anybody lets go who may change the group at all. */
function takesOthersOut({ caller }: ApiCall, { people, groups }: MembersChange["remove"]): boolean {
  return groups.length > 0 || people.some((id) => id !== personBehind(caller));
}

/** Conditions of rules ask for groups: who changes them so gives nothing by it that they could not give. */
export async function givingByConditions<T>(
  call: ApiCall,
  { groupIds, personIds: direct = [] }: { groupIds: readonly string[]; personIds?: readonly string[] },
  change: () => Promise<T>,
): Promise<T> {
  const personIds = [...new Set([...direct, ...(await peopleOfNamed(call, { groupIds }))])];
  const watch = await watchRules(call.sql, { caller: call.caller, at: call.ctx.now(), personIds });
  const changed = await change();
  await requireMayGiveByRules(call.sql, watch, { personIds });
  return changed;
}

/** To put somebody into a group that holds roles is to give them. */
async function requireMayAdd({ sql, ctx, caller, options }: ApiCall, giving: { before: Holdings; groupId: string }): Promise<void> {
  const at = ctx.now();
  if ((await rolesOfGroup(sql, { ...giving, at })).length === 0) return;
  requireRecentProof(caller, { now: at, minutes: options.signIn.session.stepUpMinutes });
  await requireMayGiveGroup(sql, { ...giving, at });
}

export async function held({ sql, caller, ctx }: ApiCall): Promise<Holdings> {
  const at = ctx.now();
  const [personId, holdings] = [personBehind(caller), await holdingsOf(sql, { caller, at })];
  return personId === null ? holdings : { ...holdings, coming: await comingRights(sql, { personId, at }) };
}
