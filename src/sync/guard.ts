import type { Sql } from "../db/database.ts";
import type { Limits } from "../connections/definition.ts";
import type { LostFacts } from "./guard-members.ts";
import { COUNTED_ACTION, TAKES_ACCESS } from "./records.ts";

/** Those who leave, and of how many. */
export interface Leaving {
  /** Accounts of this connection that are linked, before the plan. */
  linked: number;
  /** People to whom the plan links an account. Who is disabled by it is among them. */
  linking?: number;
  disables: number;
  deletes: number;
  /** Disables and deletes already applied within the window. */
  recent: number;
}

export interface GuardFacts extends Leaving {
  /** The same of people who have access only: who lost it long ago makes no room for others. Absent where the floors let them through. */
  active?: Leaving | undefined;
  /** Of a plan that ends memberships. */
  members?: LostFacts | undefined;
  /** Of a plan that changes people to whom conditions of rules give something. */
  rules?: LostFacts | undefined;
  /** What full reads returned, by kind, against what was known. */
  reads: readonly { kind: string; read: number; known: number }[];
  /** The scope of the connection changed since the last applied run, and this plan would take somebody away for it. */
  scopeChanged: boolean;
  /** Each of those who steer the organisation is touched by the plan in what their rights come from. */
  noAdministrator?: boolean;
}

/** A guard that tripped: a stable name, and a sentence for whoever has to approve. */
export interface Tripped {
  guard: "disable" | "delete" | "window" | "members" | "rules" | "shrink" | "scope" | "administrator";
  message: string;
}

/** Which guards hold this plan. Pure. */
export function judge(facts: GuardFacts, limits: Limits): Tripped[] {
  const ofLinked = judgeLeaving(facts, { limits, of: "linked" });
  const ofActive = facts.active ? judgeLeaving(facts.active, { limits, of: "active" }) : {};
  const tripped = (["disable", "delete", "window"] as const).flatMap((guard): Tripped[] => {
    const message = ofActive[guard] ?? ofLinked[guard];
    return message === undefined ? [] : [{ guard, message }];
  });
  tripped.push(...judgeLost(facts.members, { guard: "members", limits }), ...judgeLost(facts.rules, { guard: "rules", limits }));
  for (const { kind, read, known } of facts.reads) {
    if (known > 0 && read < known * (1 - limits.shrink) && known - read > limits.delete.floor) {
      tripped.push({
        guard: "shrink",
        message: `only ${read} ${kind}s were read where ${known} are known; the limit is ${Math.round(limits.shrink * 100)} % fewer`,
      });
    }
  }
  if (facts.scopeChanged && facts.deletes > 0) {
    tripped.push({
      guard: "scope",
      message: `what the connection reads (kinds, bases, filters) changed since its last run, and ${facts.deletes} records fall out`,
    });
  }
  if (facts.noAdministrator) {
    tripped.push({
      guard: "administrator",
      message: "the organisation may be left without an administrator, or with none whose rights don't end",
    });
  }
  return tripped;
}

function judgeLeaving(
  { linked: before, linking = 0, disables, deletes, recent }: Leaving,
  { limits, of }: { limits: Limits; of: "linked" | "active" },
): { disable?: string; delete?: string; window?: string } {
  const tripped: ReturnType<typeof judgeLeaving> = {};
  const together = before + linking;
  for (const [guard, count, accounts] of [
    ["disable", disables, together],
    ["delete", deletes, before],
  ] as const) {
    const most = Math.min(limits[guard].count, Math.max(limits[guard].floor, Math.floor(accounts * limits[guard].share)));
    if (count > most) tripped[guard] = `${count} ${guard}s of ${accounts} ${of} accounts; the limit is ${most}`;
  }
  const { hours, count, floor, share } = limits.window;
  const leaving = disables + deletes;
  const most = Math.min(count, Math.max(floor, Math.floor((together + recent) * share)));
  if (leaving > 0 && leaving + recent > most)
    tripped.window = `${leaving} disables and deletes${of === "active" ? " of active accounts" : ""}, and ${recent} in the last ${hours} hours; the limit for both is ${most}`;
  return tripped;
}

const LOST = { members: "memberships of people who stay end", rules: "matches of rules' conditions by people who stay end" };

/** Whoever is taken out of groups, or from under a rule, loses what they give: too many at once, or bit by bit, are looked at by somebody. */
function judgeLost(facts: LostFacts | undefined, { guard, limits }: { guard: "members" | "rules"; limits: Limits }): Tripped[] {
  if (!facts || facts.lost === 0) return [];
  const {
    members: limit,
    window: { hours },
  } = limits;
  const { lost, recent } = facts;
  const known = facts.known + recent;
  const most = Math.min(limit.count, Math.max(limit.floor, Math.floor(known * limit.share)));
  if (lost + recent <= most) return [];
  const message = `${lost} ${LOST[guard]}, and ${recent} ended in the last ${hours} hours, of ${known}; the limit is ${most}`;
  return [{ guard, message }];
}

/** Counts the plan in SQL. Accounts whose people have access are counted only when more of them leave than the floors let through. */
export async function guardFacts(
  sql: Sql,
  options: { planId: number; connectionId: number; limits: Limits; now: Date },
): Promise<Omit<GuardFacts, "members" | "rules" | "reads" | "scopeChanged" | "noAdministrator">> {
  const { rows } = await sql.query<Leaving & Record<"activeLinking" | "activeDisables" | "activeDeletes" | "activeRecent", number>>(
    `select
      (select count(*)::int from accounts a where connection_id = $1 and kind = 'user' and situation = 'linked' and gone_at is null) as linked,
      item.*, recent.*
     from
      (select count(*) filter (where i.kind = 'user' and i.action = 'link')::int as linking,
          count(*) filter (where i.action = 'link' and ${TAKES_ACCESS})::int as "activeLinking",
          count(*) filter (where ${COUNTED_ACTION} = 'disable')::int as disables,
          count(*) filter (where ${COUNTED_ACTION} = 'disable' and ${TAKES_ACCESS})::int as "activeDisables",
          count(*) filter (where i.action = 'delete' and i.subject_id is not null)::int as deletes,
          count(*) filter (where i.action = 'delete' and i.subject_id is not null and ${TAKES_ACCESS})::int as "activeDeletes"
        from plan_items i where i.plan_id = $2 and i.action in ('link', 'disable', 'delete')) item,
      (select coalesce(sum(count), 0)::int as recent, coalesce(sum(count) filter (where action <> 'rest'), 0)::int as "activeRecent"
        from guard_counts where connection_id = $1 and action in ('disable', 'delete', 'rest') and at > $3::timestamptz - make_interval(secs => $4)) recent`,
    [options.connectionId, options.planId, options.now, options.limits.window.hours * 3600],
  );
  const [row] = rows;
  if (!row) throw new Error("a select of aggregates returned no row");
  const { activeLinking, activeDisables, activeDeletes, activeRecent, ...facts } = row;
  const leaving = { linking: activeLinking, disables: activeDisables, deletes: activeDeletes, recent: activeRecent };
  if (withinFloors(leaving, options.limits)) return facts;
  return { ...facts, active: { ...leaving, linked: await activeAccounts(sql, options) } };
}

function withinFloors({ disables, deletes, recent }: Omit<Leaving, "linked">, limits: Limits): boolean {
  return disables <= limits.disable.floor && deletes <= limits.delete.floor && disables + deletes + recent <= limits.window.floor;
}

/** Linked accounts of people who have access. */
export async function activeAccounts(sql: Sql, { connectionId }: { connectionId: number }): Promise<number> {
  const { rows } = await sql.query<{ active: number }>({
    text: `select count(*)::int as active from accounts a join people p on p.id = a.person_id
      where a.connection_id = $1 and a.kind = 'user' and a.situation = 'linked' and a.gone_at is null and p.state in ('invited', 'active')`,
    values: [connectionId],
  });
  return rows[0]?.active ?? 0;
}
