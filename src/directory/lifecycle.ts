import { recordEvents } from "../audit/record.ts";
import type { Work } from "../db/database.ts";
import { endPresence, withdrawGrants } from "./leaving.ts";
import { markPeople, type DecisionTimes } from "./outbox.ts";
import { closePeriods } from "./periods.ts";

export interface LiftedByHand {
  personId: string;
  owner: string;
  reason: string;
}

interface Change {
  person_id: string;
  state: "invited" | "active" | "suspended" | "deactivated";
  owner: string;
  reason: string;
  connection: string | null;
  /** Whether no block is left. */
  free: boolean;
}

// A person with several reasons is deactivated when one of them deactivates. Somebody blocked before having answered the
// invitation is invited again afterwards.
const FIND_CHANGED = `
  select p.id as person_id, settled.state, coalesce(standing.owner, ended.owner, 'admin') as owner,
    coalesce(standing.reason, 'no block reason is left') as reason, connections.name as connection, standing.owner is null as free
  from people p
  left join lateral (
    select owner, effect, reason, connection_id from blocks
    where person_id = p.id and recorded_to is null and valid_to is null
    order by (effect = 'deactivated') desc, valid_from, id limit 1
  ) standing on true
  left join lateral (
    select owner, connection_id from blocks
    where person_id = p.id and recorded_to is null and valid_to is not null and standing.owner is null
    order by valid_to desc, id desc limit 1
  ) ended on true
  left join connections on connections.id = coalesce(standing.connection_id, ended.connection_id)
  cross join lateral (
    select case
      when standing.effect is not null then standing.effect
      when p.state in ('suspended', 'deactivated') then coalesce((
        select state from lifecycle_periods
        where person_id = p.id and recorded_to is null and valid_to is not null and state in ('invited', 'active')
        order by valid_to desc limit 1), 'active')
      else p.state end as state
  ) settled
  where p.id = any($1::uuid[]) and p.state <> 'deleted'
    and (settled.state <> p.state or p.active <> (standing.effect is null))
  order by p.id`;

const UPDATE_PEOPLE = `
  update people p set state = c.state, active = c.state in ('invited', 'active'), version = p.version + 1, modified_at = $2
  from unnest($1::uuid[], $3::text[]) as c (person_id, state) where p.id = c.person_id`;

const FIND_OPEN =
  "select id, person_id, valid_from from lifecycle_periods where person_id = any($1::uuid[]) and recorded_to is null and valid_to is null";

const OPEN_PERIODS = `
  insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from)
  select c.person_id, c.state, c.reason, greatest($2, c.not_before), greatest($2, c.not_before)
  from unnest($1::uuid[], $3::text[], $4::text[], $5::timestamptz[]) as c (person_id, state, reason, not_before)`;

const EVENT_OF = {
  invited: "person.activated",
  active: "person.activated",
  suspended: "person.suspended",
  deactivated: "person.deactivated",
} as const;

/**
 * Recomputes whether people are active, and in which state, from the block reasons that stand now. For those that change, in the
 * caller's transaction: the period of the old state is closed, sessions end and tokens are revoked (invariant 5), grants made to a
 * deactivated person are withdrawn, all of it is recorded, and targets are marked. Returns their ids; nothing happens to the others.
 * `lifted` says who had a block lifted by hand, whose, and why.
 */
export async function settleLifecycle(
  work: Work,
  personIds: readonly string[],
  { times, lifted }: { times?: ReadonlyMap<string, DecisionTimes>; lifted?: ReadonlyMap<string, LiftedByHand> } = {},
): Promise<string[]> {
  if (personIds.length === 0) return [];
  const { ctx, sql } = work;
  const now = ctx.now();
  await sql.query("select from people where id = any($1::uuid[]) order by id for update", [personIds]);
  const { rows } = await sql.query<Change>(FIND_CHANGED, [personIds]);
  if (rows.length === 0) return [];
  const changes = rows.map((row) => ({ ...row, reason: (row.free ? lifted?.get(row.person_id)?.reason : undefined) ?? row.reason }));
  const ids = changes.map((change) => change.person_id);
  const states = changes.map((change) => change.state);
  const reasons = changes.map((change) => change.reason);
  await sql.query(UPDATE_PEOPLE, [ids, now, states]);
  const { rows: open } = await sql.query<{ id: number; person_id: string; valid_from: Date }>(FIND_OPEN, [ids]);
  await closePeriods(sql, { table: "lifecycle_periods", ids: open.map((period) => period.id), at: now });
  const notBefore = new Map(open.map((period) => [period.person_id, period.valid_from]));
  await sql.query(OPEN_PERIODS, [ids, now, states, reasons, ids.map((id) => notBefore.get(id) ?? null)]);
  // Where another block stands, the person's state says that one's reason.
  const beside = changes.flatMap(({ person_id, free }) => (free ? [] : (lifted?.get(person_id) ?? [])));
  await recordEvents(
    work,
    beside.map(({ personId, owner, reason }) => ({
      name: "block.lifted" as const,
      subjectType: "person",
      subjectId: personId,
      reason,
      data: { owner },
    })),
  );
  await recordEvents(
    work,
    changes.map((change) => ({
      name: EVENT_OF[change.state],
      subjectType: "person",
      subjectId: change.person_id,
      reason: change.reason,
      data: { owner: change.owner, connection: change.connection ?? undefined },
    })),
  );
  await endPresence(
    work,
    changes
      .filter((change) => change.state === "suspended" || change.state === "deactivated")
      .map((change) => ({ personId: change.person_id, reason: change.state })),
  );
  await withdrawGrants(work, {
    personIds: changes.filter((change) => change.state === "deactivated").map((change) => change.person_id),
    reason: "the person was deactivated",
  });
  await markPeople(work, { personIds: ids, decidedAt: now, times });
  return ids;
}
