import type { Work } from "../db/database.ts";
import type { KeyRing } from "../db/envelope.ts";
import { tellPerson } from "../directory/notices.ts";
import { administrators } from "./last-administrator.ts";

/** Administrators who are told; each of them can take a token over. */
const MOST_TOLD = 10;
/** Tokens of one person that are told one by one. */
const MOST_TOKENS = 20;

const STOPPED = `
  select t.name from tokens t join people p on p.id = t.responsible_id and not p.active
  where t.responsible_id = $1 and t.revoked_at is null and (t.expires_at is null or t.expires_at > $2)
    and not exists (select from tokens n where n.replaces_id = t.id and n.revoked_at is null) order by t.name, t.id limit ${MOST_TOKENS}`;

/**
 * Tells administrators of the tokens of services that open nothing because this person, who answers for them, has no access. Nobody is
 * told of a person who is back by now, or of tokens that were taken over.
 */
export async function tellStoppedTokens(work: Work, { keyRing, personId }: { keyRing: KeyRing; personId: string }): Promise<void> {
  const { ctx, sql } = work;
  const { rows } = await sql.query<{ name: string }>(STOPPED, [personId, ctx.now()]);
  if (rows.length === 0) return;
  let told = 0;
  for await (const administrator of administrators(sql, { at: ctx.now() })) {
    for (const { name } of rows)
      await tellPerson(work, { keyRing, personId: administrator, notice: "token.stopped", data: { token: name } });
    if (++told === MOST_TOLD) return;
  }
}
