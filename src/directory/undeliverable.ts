import { createHmac } from "node:crypto";
import type { Sql, Work } from "../db/database.ts";
import type { KeyRing, SealingKey } from "../db/envelope.ts";
import type { NoticeChannel } from "./notices.ts";
import { openPersonKey } from "./personal.ts";

/** Where something was sent to somebody. */
export interface Destination {
  personId: string;
  channel: NoticeChannel;
  address: string;
  /** The person's own: by it an address is found again without being kept. */
  key: SealingKey;
}

/** An address that a provider has refused for good. */
export interface Undeliverable {
  since: Date;
  lastAt: Date;
  count: number;
  /** In the provider's own words. */
  problem: string;
}

/** Notes that a provider refused an address for good, in its own words. */
export async function noteUndeliverable({ ctx, sql }: Work, { problem, ...to }: Destination & { problem: string }): Promise<void> {
  await sql.query(
    `insert into undeliverable_addresses as u (person_id, channel, digest, problem, since, last_at) values ($1, $2, $3, $4, $5, $5)
     on conflict (person_id, channel, digest) do update set problem = excluded.problem, last_at = excluded.last_at, count = u.count + 1`,
    [to.personId, to.channel, digestOf(to), problem, ctx.now()],
  );
}

/** A provider took something for this address: what was refused before is past. */
export async function noteDeliverable({ sql }: Pick<Work, "sql">, to: Destination): Promise<void> {
  await sql.query("delete from undeliverable_addresses where person_id = $1 and channel = $2 and digest = $3", [
    to.personId,
    to.channel,
    digestOf(to),
  ]);
}

/** Whether the person's e-mail address of now is one that was refused for good; undefined when it is not known to be. */
export async function undeliverableEmail(
  sql: Sql,
  { personId, keyRing }: { personId: string; keyRing: KeyRing },
): Promise<Undeliverable | undefined> {
  const { rows } = await sql.query<{ email: string; wrapped: string }>(
    "select p.email::text, k.wrapped from people p join person_keys k on k.person_id = p.id where p.id = $1 and p.email is not null",
    [personId],
  );
  const [person] = rows;
  if (!person) return undefined;
  const key = openPersonKey(keyRing, { personId, wrapped: person.wrapped });
  const { rows: refused } = await sql.query<Undeliverable>(
    `select since, last_at as "lastAt", count, problem from undeliverable_addresses where person_id = $1 and channel = 'email' and digest = $2`,
    [personId, digestOf({ channel: "email", address: person.email, key })],
  );
  return refused[0];
}

function digestOf({ channel, address, key }: Pick<Destination, "channel" | "address" | "key">): Buffer {
  return createHmac("sha256", key.bytes).update(`undeliverable ${channel} ${address.toLowerCase()}`).digest();
}
