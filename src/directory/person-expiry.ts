import { recordEvents } from "../audit/record.ts";
import type { Sql, Work } from "../db/database.ts";
import { liftBlocks, raiseBlocks } from "./blocks.ts";
import { enqueueExpiry } from "./expiry-job.ts";
import { closePeriods } from "./periods.ts";

export interface PersonExpiry {
  personId: string;
  /** The instant at which access ends; at it there is none any more. Null: it has no end. */
  until: Date | null;
  /** Why, for the trail, and for whoever asks later why the person is out. */
  reason: string;
}

const OPEN = "select id from person_expiries where person_id = $1 and recorded_to is null and valid_to is null";

// A clock of another node may have been ahead: no belief begins before the one that it follows has ended.
const INSERT = `
  insert into person_expiries (person_id, reason, valid_from, recorded_from)
  select $1, $2, greatest($3, latest), greatest($4, latest) from (
    select max(greatest(recorded_to, valid_to)) as latest from person_expiries where person_id = $1
  ) before`;

// Who is blocked for it already needs nothing; who was let in again by hand is out again.
const DUE = `
  select e.person_id as "personId", e.reason, e.valid_from as "sourceChangedAt"
  from person_expiries e join people on people.id = e.person_id and people.state <> 'deleted'
  where e.recorded_to is null and e.valid_to is null and e.valid_from <= $1 and ($2::uuid[] is null or e.person_id = any($2))
    and not exists (select from blocks b where b.person_id = e.person_id and b.owner = 'expiry' and b.recorded_to is null and b.valid_to is null)
  order by e.person_id`;

interface DueRow {
  personId: string;
  reason: string;
  sourceChangedAt: Date;
}

/**
 * Says when a person's access ends, or that it doesn't (a renewal), in the caller's transaction. Whoever was out because of an earlier
 * end is in again, if nothing else blocks them. An end that is reached already is carried out here. Safe to repeat.
 */
export async function setPersonExpiry(work: Work, { personId, until, reason }: PersonExpiry): Promise<void> {
  const { ctx, sql } = work;
  const now = ctx.now();
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rows: open } = await sql.query<{ id: number }>(OPEN, [personId]);
  if (until === null && open.length === 0) return;
  await closePeriods(sql, { table: "person_expiries", ids: open.map(({ id }) => id), at: now });
  await recordEvents(work, [
    { name: "person.expiry_set", subjectType: "person", subjectId: personId, reason, data: { until: until?.toISOString() ?? null } },
  ]);
  if (until !== null) {
    await sql.query(INSERT, [personId, reason, until > now ? until : now, now]);
    if (until <= now) return void (await carryOutPersonExpiry(work, { personId }));
    await enqueueExpiry(sql, until);
  }
  await liftBlocks(work, [{ personId, owner: "expiry", reason }]);
}

/**
 * Blocks everybody whose access has ended, in the caller's transaction and with it all that follows: sessions, tokens, deliveries,
 * the account at its source. Asks what is so, not what has happened since, so that a late or repeated job makes up for everything.
 * Returns the ids of those whose state changed.
 */
export async function carryOutPersonExpiry(work: Work, { personId }: { personId?: string } = {}): Promise<string[]> {
  const { ctx, sql } = work;
  const due = (personIds: readonly string[] | null) => sql.query<DueRow>(DUE, [ctx.now(), personIds]);
  const personIds = personId === undefined ? (await due(null)).rows.map((row) => row.personId) : [personId];
  if (personIds.length === 0) return [];
  // Under their locks it is asked again: whose access has just been renewed must not be put out.
  await sql.query("select from people where id = any($1::uuid[]) order by id for update", [personIds]);
  const { rows } = await due(personIds);
  return raiseBlocks(
    work,
    rows.map((row) => ({ ...row, owner: "expiry" as const, effect: "suspended" as const })),
  );
}

/** When a person's access ends, or ended; null when no end is set. */
export async function personExpiry(sql: Sql, personId: string): Promise<Date | null> {
  const { rows } = await sql.query<{ at: Date }>(
    "select valid_from as at from person_expiries where person_id = $1 and recorded_to is null and valid_to is null",
    [personId],
  );
  return rows[0]?.at ?? null;
}
