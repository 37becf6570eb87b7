import { recordEvent } from "../audit/record.ts";
import { SIGN_IN_CONNECTORS } from "../connections/sign-in-connectors.ts";
import { markSilent } from "../connections/silence.ts";
import type { Sql, Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";

/**
 * Hands over what connections mastered that have been silent for longer than their policy allows: their people are decided
 * about again from the strongest other origin, in a run of that connection, under its guards. Who has no other origin stays as
 * they are. Nothing happens to connections that are silent already. Returns their names.
 */
export async function handOverSilent(work: Work): Promise<string[]> {
  const silent = await markSilent(work);
  for (const { id, name } of silent) {
    const heirs = await decideByOthers(work.sql, { connectionId: id });
    for (const { connectionId } of heirs)
      await enqueue(work.sql, {
        job: "sync",
        payload: { connectionId, mode: "remap", trigger: "recovery" },
        key: `sync:${connectionId}:remap`,
      });
    const people = heirs.reduce((sum, heir) => sum + heir.people, 0);
    await recordEvent(work, { name: "connection.handed_over", subjectType: "connection", subjectId: name, data: { name, people } });
  }
  return silent.map(({ name }) => name);
}

const LIVE = (alias: string) => `${alias}.kind = 'user' and ${alias}.situation = 'linked' and ${alias}.gone_at is null`;

/** Has the strongest other account of each of its people decided about again, whoever's plan holds it already. */
async function decideByOthers(sql: Sql, { connectionId }: { connectionId: number }): Promise<{ connectionId: number; people: number }[]> {
  const { rows } = await sql.query<{ connectionId: number; people: number }>(
    `with heir as (
        select distinct on (a.person_id) o.id
          from accounts a join accounts o on o.person_id = a.person_id and o.connection_id <> $1 and o.mapped is not null and ${LIVE("o")}
          join connections c on c.id = o.connection_id and c.silent_since is null and c.connector <> all($2::text[])
         where a.connection_id = $1 and ${LIVE("a")} order by a.person_id, c.precedence, c.id, o.id),
      again as (update accounts set mapping_version = 0, version = version + 1 where id in (select id from heir) returning connection_id)
      select connection_id as "connectionId", count(*)::int as people from again group by connection_id order by connection_id`,
    [connectionId, SIGN_IN_CONNECTORS],
  );
  return rows;
}

/** A silent connection is read again: its next run decides about everybody whom it shares with others, changed or not. */
export async function decideAnew(sql: Sql, { connectionId }: { connectionId: number }): Promise<void> {
  await sql.query(
    `update accounts a set mapping_version = 0, version = version + 1
      where a.connection_id = $1 and ${LIVE("a")} and a.mapping_version > 0
        and exists (select from accounts o where o.person_id = a.person_id and o.connection_id <> $1 and o.kind = 'user')`,
    [connectionId],
  );
}
