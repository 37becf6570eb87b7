import { recordEvent } from "../audit/record.ts";
import type { LoadedConnection } from "../connections/open.ts";
import type { Limits } from "../connections/definition.ts";
import type { Sql, Work } from "../db/database.ts";
import { wakeDeliveries } from "./decision.ts";

export interface OutboundFacts {
  /** Accounts that are linked and active there before the pass: what is lost is a share of what people have. */
  active: number;
  disables: number;
  deletes: number;
  /** Disables and deletes let through within the window. */
  recent: number;
}

export type OutboundLimits = Pick<Limits, "disable" | "delete" | "window">;

/** Sentences of the guards that hold the disables, and the deletes, of a pass. Pure. */
export function judgeOutbound(
  { active, disables, deletes, recent }: OutboundFacts,
  limits: OutboundLimits,
): { disable: string[]; delete: string[] } {
  const held: { disable: string[]; delete: string[] } = { disable: [], delete: [] };
  for (const [action, count] of [
    ["disable", disables],
    ["delete", deletes],
  ] as const) {
    const { count: most, share, floor } = limits[action];
    const limit = Math.min(most, Math.max(floor, Math.floor(active * share)));
    if (count > limit) held[action].push(`${count} ${action}s of ${active} active accounts at once; the limit is ${limit}`);
  }
  const leaving = disables + deletes;
  const limit = Math.min(limits.window.count, Math.max(limits.window.floor, Math.floor((active + recent) * limits.window.share)));
  if (leaving > 0 && leaving + recent > limit) {
    const sentence = `${leaving} disables and deletes, and ${recent} in the last ${limits.window.hours} hours; the limit for both is ${limit}`;
    if (disables > 0) held.disable.push(sentence);
    if (deletes > 0) held.delete.push(sentence);
  }
  return held;
}

/** Lets go what the pass held for judging, or holds it for an administrator with the guard's sentence. Returns both counts. */
export async function judgePass(
  work: Work,
  { connection, limits }: { connection: LoadedConnection; limits: OutboundLimits },
): Promise<{ released: number; held: number }> {
  const { sql, ctx } = work;
  const { rows } = await sql.query<Omit<OutboundFacts, "active">>(
    `select count(*) filter (where state = 'held' and last_error is null and desired_state <> 'removed')::int as disables,
       count(*) filter (where state = 'held' and last_error is null and desired_state = 'removed')::int as deletes,
       (select coalesce(sum(count), 0)::int from guard_counts
        where connection_id = $1 and action like 'deliver-%' and at > $2::timestamptz - make_interval(secs => $3)) as recent
     from projections where connection_id = $1`,
    [connection.id, ctx.now(), limits.window.hours * 3600],
  );
  const [leaving] = rows;
  if (!leaving || leaving.disables + leaving.deletes === 0) return { released: 0, held: 0 };
  const facts = { ...leaving, active: await activeAccounts(sql, connection) };
  const sentences = judgeOutbound(facts, limits);
  let released = 0;
  let held = 0;
  for (const [action, count] of [
    ["disable", facts.disables],
    ["delete", facts.deletes],
  ] as const) {
    if (count === 0) continue;
    const reason = sentences[action].join("; ");
    const { rows: changed } = await sql.query<{ id: number }>(
      `update projections set state = case when $3::text is null then 'waiting' else 'held' end, last_error = 'held: ' || $3
       where connection_id = $1 and state = 'held' and last_error is null and (desired_state = 'removed') = $2 returning id`,
      [connection.id, action === "delete", reason || null],
    );
    if (reason) {
      held += changed.length;
      ctx.log.warn({ connection: connection.name, count: changed.length }, `deliveries are held: ${reason}`);
      await recordEvent(work, {
        name: "delivery.held",
        subjectType: "connection",
        subjectId: connection.name,
        reason,
        data: { target: connection.name, action, count: changed.length },
      });
    } else {
      released += changed.length;
      await sql.query("insert into guard_counts (connection_id, at, action, count) values ($1, $2, $3, $4)", [
        connection.id,
        ctx.now(),
        `deliver-${action}`,
        changed.length,
      ]);
      await wakeDeliveries(
        work,
        changed.map(({ id }) => id),
      );
    }
  }
  return { released, held };
}

/** Of a source that is written back to, those who are enabled as far as it and we have said. */
async function activeAccounts(sql: Sql, { id, policy }: LoadedConnection): Promise<number> {
  const { rows } = await sql.query<{ active: number }>(
    policy.provision
      ? "select count(*)::int as active from projections where connection_id = $1 and delivered_state in ('present', 'attempted')"
      : `select count(*)::int as active from accounts where connection_id = $1 and kind = 'user' and gone_at is null and person_id is not null
           and mapped ->> 'active' is distinct from 'false' and written_back ->> 'active' is distinct from 'false'`,
    [id],
  );
  return rows[0]?.active ?? 0;
}
