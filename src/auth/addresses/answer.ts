import { createHash } from "node:crypto";
import { recordEvent } from "../../audit/record.ts";
import type { Sql, Work } from "../../db/database.ts";
import { AppError } from "../../errors.ts";

export type AddressAnswer = "mine" | "not_mine";

/** A change that its old address was told of, as the link there leads to it. */
export interface ToldChange {
  id: string;
  personId: string;
  newAddress: string | null;
  at: Date;
}

const FORM = /^[A-Za-z0-9_-]{43}$/;

/** The change that a link from the old address is about. Throws `forbidden` without saying why the link does not work. */
export async function findTold(sql: Sql, { token, now }: { token: string; now: Date }): Promise<ToldChange> {
  const { rows } = await sql.query<ToldChange>(
    `select c.id::text, c.person_id as "personId", c.new_address as "newAddress", c.at from address_changes c join people p on p.id = c.person_id
     where $3 and c.link_hash = $1 and c.link_until > $2 and p.state <> 'deleted'`,
    [createHash("sha256").update(token).digest(), now, FORM.test(token)],
  );
  const [change] = rows;
  if (!change) throw new AppError("forbidden", "This link does not work: its time is over, or it was cut off.", { field: "link" });
  return change;
}

/**
 * Notes what the person says of a change, under their row lock. Whoever reads the old address may say that it was not them, and take
 * that back: until it changed they could have asked for a link there. Throws `forbidden` for a link that does not work.
 */
export async function answerByLink(work: Work, { token, answer }: { token: string; answer: AddressAnswer }): Promise<void> {
  const { ctx, sql } = work;
  const { id, personId } = await findTold(sql, { token, now: ctx.now() });
  await sql.query("select from people where id = $1 for update", [personId]);
  await note(work, { id, personId, answer, by: "old_address" });
}

/** The person, signed in and proven lately, says that the address of now is theirs. Of nobody's change nothing is noted. */
export async function confirmOwnAddress(work: Work, { personId }: { personId: string }): Promise<void> {
  const { sql } = work;
  await sql.query("select from people where id = $1 for update", [personId]);
  const { rows } = await sql.query<{ id: string }>(
    `select c.id::text from people p join lateral (select * from address_changes where person_id = p.id order by id desc limit 1) c on true
     where p.id = $1 and lower(c.new_address) = lower(p.email::text)`,
    [personId],
  );
  if (rows[0]) await note(work, { id: rows[0].id, personId, answer: "mine", by: "session" });
}

async function note(
  work: Work,
  { id, personId, answer, by }: { id: string; personId: string; answer: AddressAnswer; by: "old_address" | "session" },
): Promise<void> {
  const { ctx, sql } = work;
  const { rowCount } = await sql.query(
    "update address_changes set answer = $2, answered_at = $3 where id = $1 and answer is distinct from $2",
    [id, answer, ctx.now()],
  );
  if (rowCount) await recordEvent(work, { name: "address.answered", subjectType: "person", subjectId: personId, data: { answer, by } });
}
