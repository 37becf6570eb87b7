import type { Sql } from "../../db/database.ts";
import { closings } from "./closings.ts";
import { tokenPlace, type TokenUse } from "./detectors/token-place.ts";
import type { Search } from "./find-patterns.ts";
import type { Finding } from "./finding.ts";

const DAY_MS = 86_400_000;

interface TokenRow {
  id: string;
  personId: string | null;
  createdAt: Date;
  uses: { at: string; network: string }[];
}

/** Tokens that came from another network than before. */
export async function patternsOfTokens(sql: Sql, { since, now, settings: { tokenPlace: limits }, placeOf }: Search): Promise<Finding[]> {
  const { rows } = await sql.query<TokenRow>(
    `select t.id, t.person_id as "personId", t.created_at as "createdAt",
       (select json_agg(json_build_object('at', a.at, 'network', a.network) order by a.at, a.id) from sign_in_attempts a
        where a.token_id = t.id and a.at > $2 and a.network is not null) as uses
     from tokens t where t.id in (select token_id from sign_in_attempts where token_id is not null and at > $1)`,
    [since, new Date(now.getTime() - limits.knownDays * DAY_MS)],
  );
  const closed = await closings(sql, { kind: "token_place", subjectIds: rows.map(({ id }) => id) });
  return rows.flatMap(({ id, personId, createdAt, uses }): Finding[] => {
    const noted: TokenUse[] = uses.map(({ at, network }) => ({ at: new Date(at), network }));
    const evidence = tokenPlace(noted, { ...limits, createdAt, placeOf });
    if (!evidence || evidence.lastAt <= since || evidence.lastAt <= (closed.get(id) ?? new Date(0))) return [];
    return [{ kind: "token_place", subject: { type: "token", id, personId }, ...evidence }];
  });
}
