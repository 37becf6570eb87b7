import type { Sql } from "../db/database.ts";

/** For how long whoever reads an old address can say that the change was not theirs, and is told what is done meanwhile. */
export const ANSWER_DAYS = 7;
const DAY_MS = 86_400_000;
/** Of an address that changes again and again. */
const MOST = 3;

/**
 * Addresses that a person had until lately, and that were told of it: security notices go there as well, so that who took an account over by
 * its address is not the only one to read them. Not after the person has said that the change was theirs; as long as they say that it was
 * not.
 */
export async function replacedAddresses(sql: Sql, { personId, now }: { personId: string; now: Date }): Promise<string[]> {
  const { rows } = await sql.query<{ address: string }>(
    `select address from (
       select distinct on (lower(c.old_address)) c.old_address as address, c.id from address_changes c join people p on p.id = c.person_id
       where c.person_id = $1 and c.told_at is not null and c.old_address is not null and lower(c.old_address) is distinct from lower(p.email::text)
         and (c.answer = 'not_mine' or c.answer is null and c.at > $2)
       order by lower(c.old_address), c.id desc) replaced
     order by id desc limit ${MOST}`,
    [personId, new Date(now.getTime() - ANSWER_DAYS * DAY_MS)],
  );
  return rows.map(({ address }) => address);
}
