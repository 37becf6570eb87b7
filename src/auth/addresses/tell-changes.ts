import { createHash, randomBytes } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Work } from "../../db/database.ts";
import type { KeyRing } from "../../db/envelope.ts";
import { enqueue } from "../../db/queue.ts";
import { tellPerson } from "../../directory/notices.ts";
import { ANSWER_DAYS } from "../../directory/replaced-addresses.ts";
import type { SignInSettings } from "../../sign-in-settings.ts";
import { shownAddress } from "./shown-address.ts";

export interface TellChangesOptions {
  keyRing: KeyRing;
  settings: SignInSettings["addresses"];
  /** Where browsers reach this server. */
  baseUrl: string;
}

/** What could not be told for so long is no news any more. */
const NEWS_DAYS = 3;
const DAY_MS = 86_400_000;
const PORTION = 50;

const UNTOLD = "told_at is null and at > $1";
/** Changes of one connection within an hour are counted together: a domain that gets another name. */
const COUNTED = `select id, connection_id, held_at, count(*) over (partition by connection_id, date_trunc('hour', at)) as together from address_changes where ${UNTOLD}`;

/** Has changed addresses told of, when there are any; called often. */
export async function wakeTelling({ ctx, sql }: Work): Promise<void> {
  const { rows } = await sql.query<{ due: boolean }>(
    `select exists (select from address_changes where ${UNTOLD} and held_at is null) as due`,
    [newsFrom(ctx.now())],
  );
  if (rows[0]?.due)
    await enqueue(sql, { job: "tell_address_changes", payload: {}, key: "tell_address_changes", queue: "tell_address_changes" });
}

/**
 * Tells old addresses that they were replaced, a portion at a time, each with a link to say whether it was them. Where there are more
 * than `mostTold` together nobody is told, and the trail says so: they are once the setting was raised. Returns how many were told.
 */
export async function tellChanges(work: Work, options: TellChangesOptions): Promise<number> {
  const { ctx, sql } = work;
  const { settings } = options;
  await holdTooMany(work, settings);
  const { rows } = await sql.query<{ id: string; personId: string }>(
    `select c.id::text, c.person_id as "personId" from address_changes c join (${COUNTED}) counted on counted.id = c.id
     where counted.together <= $2 order by c.id limit $3`,
    [newsFrom(ctx.now()), settings.mostTold, PORTION],
  );
  // Everybody takes people's locks in one order, and before what is theirs.
  const personIds = [...new Set(rows.map(({ personId }) => personId))].sort();
  await sql.query("select from people where id = any($1::uuid[]) order by id for update", [personIds]);
  for (const { id } of rows) await tellOne(work, { ...options, id });
  return rows.length;
}

async function tellOne(work: Work, { keyRing, baseUrl, id }: TellChangesOptions & { id: string }): Promise<void> {
  const { ctx, sql } = work;
  const now = ctx.now();
  const token = randomBytes(32).toString("base64url");
  const until = new Date(now.getTime() + ANSWER_DAYS * DAY_MS);
  const { rows } = await sql.query<{ personId: string; from: string | null; to: string | null; at: Date }>(
    `update address_changes c set told_at = $2, link_hash = $3, link_until = $4 from people p
     where c.id = $1 and c.told_at is null and p.id = c.person_id and p.state <> 'deleted'
     returning c.person_id as "personId", c.old_address as "from", c.new_address as "to", c.at`,
    [id, now, createHash("sha256").update(token).digest(), until],
  );
  const [change] = rows;
  if (!change || change.from === null) return;
  const { personId, from, to, at } = change;
  await tellPerson(work, {
    keyRing,
    personId,
    notice: "address.changed",
    data: { shown: shownAddress(to), at, link: `${baseUrl.replace(/\/+$/, "")}/login/address#${token}`, until },
    to: { channel: "email", address: from },
  });
}

async function holdTooMany(work: Work, { mostTold }: SignInSettings["addresses"]): Promise<void> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ connection: string | null; count: number }>(
    `with many as (update address_changes c set held_at = $3 from (${COUNTED}) counted
       where counted.id = c.id and counted.together > $2 and c.held_at is null returning c.connection_id)
     select k.name as connection, count(*)::int as count from many left join connections k on k.id = many.connection_id group by 1 order by 1`,
    [newsFrom(ctx.now()), mostTold, ctx.now()],
  );
  for (const { connection, count } of rows) {
    ctx.log.warn({ connection, count }, "too many addresses changed at once to tell the old ones; see signIn.addresses.mostTold");
    await recordEvent(work, {
      name: "addresses.not_told",
      ...(connection === null ? {} : { subjectType: "connection", subjectId: connection }),
      data: { count },
    });
  }
}

function newsFrom(now: Date): Date {
  return new Date(now.getTime() - NEWS_DAYS * DAY_MS);
}

const KEPT_DAYS = 90;

/** Forgets changes that are long past, for the daily upkeep; the trail has them. Returns how many. */
export async function forgetAddressChanges({ ctx, sql }: Work): Promise<number> {
  const { rowCount } = await sql.query("delete from address_changes where at < $1 and answer is distinct from 'not_mine'", [
    new Date(ctx.now().getTime() - KEPT_DAYS * DAY_MS),
  ]);
  return rowCount ?? 0;
}
