import type { Sql } from "../db/database.ts";
import type { Limits } from "../connections/definition.ts";
import type { MemberFacts } from "./guard-members.ts";
import { COUNTED_ACTION } from "./records.ts";

export interface GuardFacts {
  /** Accounts of this connection that are linked, before the plan. */
  linked: number;
  /** People to whom the plan links an account. Who is disabled by it is among them. */
  linking?: number;
  disables: number;
  deletes: number;
  /** Disables and deletes already applied within the window. */
  recent: number;
  /** Of a plan that ends memberships. */
  members?: MemberFacts | undefined;
  /** What full reads returned, by kind, against what was known. */
  reads: readonly { kind: string; read: number; known: number }[];
  /** The scope of the connection changed since the last applied run, and this plan would take somebody away for it. */
  scopeChanged: boolean;
  /** Each of those who steer the organisation is touched by the plan in what their rights come from. */
  noAdministrator?: boolean;
}

/** A guard that tripped: a stable name, and a sentence for whoever has to approve. */
export interface Tripped {
  guard: "disable" | "delete" | "window" | "members" | "shrink" | "scope" | "administrator";
  message: string;
}

/** Which guards hold this plan. Pure. */
export function judge(facts: GuardFacts, limits: Limits): Tripped[] {
  const tripped: Tripped[] = [];
  const together = facts.linked + (facts.linking ?? 0);
  for (const [guard, count, linked] of [
    ["disable", facts.disables, together],
    ["delete", facts.deletes, facts.linked],
  ] as const) {
    const most = Math.min(limits[guard].count, Math.max(limits[guard].floor, Math.floor(linked * limits[guard].share)));
    if (count > most) tripped.push({ guard, message: `${count} ${guard}s of ${linked} linked accounts; the limit is ${most}` });
  }
  const leaving = facts.disables + facts.deletes;
  const mostInWindow = Math.min(
    limits.window.count,
    Math.max(limits.window.floor, Math.floor((together + facts.recent) * limits.window.share)),
  );
  if (leaving > 0 && leaving + facts.recent > mostInWindow) {
    tripped.push({
      guard: "window",
      message: `${leaving} disables and deletes, and ${facts.recent} in the last ${limits.window.hours} hours; the limit for both is ${mostInWindow}`,
    });
  }
  tripped.push(...judgeMembers(facts.members, limits));
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

/** Whoever is taken out of groups loses what the groups give: too many at once, or bit by bit, are looked at by somebody. */
function judgeMembers(members: MemberFacts | undefined, { members: limit, window: { hours } }: Limits): Tripped[] {
  if (!members || members.lost === 0) return [];
  const { lost, recent } = members;
  const known = members.known + recent;
  const most = Math.min(limit.count, Math.max(limit.floor, Math.floor(known * limit.share)));
  if (lost + recent <= most) return [];
  const message = `${lost} memberships of people who stay end, and ${recent} ended in the last ${hours} hours, of ${known}; the limit is ${most}`;
  return [{ guard: "members", message }];
}

/** Counts the plan in SQL. */
export async function guardFacts(
  sql: Sql,
  options: { planId: number; connectionId: number; limits: Limits; now: Date },
): Promise<Omit<GuardFacts, "members" | "reads" | "scopeChanged" | "noAdministrator">> {
  const { rows } = await sql.query<{ linked: number; linking: number; disables: number; deletes: number; recent: number }>(
    `select
      (select count(*)::int from accounts a where connection_id = $1 and kind = 'user' and situation = 'linked' and gone_at is null) as linked,
      (select count(*)::int from plan_items where plan_id = $2 and kind = 'user' and action = 'link') as linking,
      (select count(*)::int from plan_items i where plan_id = $2 and ${COUNTED_ACTION} = 'disable') as disables,
      (select count(*)::int from plan_items where plan_id = $2 and action = 'delete' and subject_id is not null) as deletes,
      (select coalesce(sum(count), 0)::int from guard_counts where connection_id = $1 and action in ('disable', 'delete') and at > $3::timestamptz - make_interval(secs => $4)) as recent`,
    [options.connectionId, options.planId, options.now, options.limits.window.hours * 3600],
  );
  return rows[0] ?? { linked: 0, linking: 0, disables: 0, deletes: 0, recent: 0 };
}
