import type { Sql } from "../../db/database.ts";
import { closings } from "./closings.ts";
import { spraying } from "./detectors/spraying.ts";
import { stuffing, type StuffingCounts } from "./detectors/stuffing.ts";
import type { Search } from "./find-patterns.ts";
import type { Finding } from "./finding.ts";
import { attemptsOfNetwork } from "./noted-attempts.ts";

const MINUTE_MS = 60_000;

/** Networks that fail at many accounts. */
export async function patternsOfNetworks(
  sql: Sql,
  { since, now, settings: { spraying: limits, manyFailures } }: Search,
): Promise<Finding[]> {
  const begins = new Date(now.getTime() - limits.minutes * MINUTE_MS);
  const { rows } = await sql.query<{ network: string }>(
    `select network from sign_in_attempts where at > $1 and outcome = 'failed' and kind <> 'token' and network is not null
     group by network having max(at) > $2 and count(distinct coalesce(person_id::text, name_hash)) >= $3`,
    [begins, since, limits.accounts],
  );
  const closed = await closings(sql, { kind: "spraying", subjectIds: rows.map(({ network }) => network) });
  const found: Finding[] = [];
  for (const { network } of rows) {
    const after = new Date(Math.max(begins.getTime(), closed.get(network)?.getTime() ?? 0));
    const evidence = spraying(await attemptsOfNetwork(sql, { network, after }), { ...limits, manyFailures });
    if (evidence) found.push({ kind: "spraying", subject: { type: "network", id: network, personId: null }, ...evidence });
  }
  return found;
}

/** What the organisation is called as the subject of an incident. */
export const ORGANISATION = "organisation";

/** What only all attempts together show. */
export async function patternsOfOrganisation(sql: Sql, { since, now, settings: { stuffing: limits } }: Search): Promise<Finding[]> {
  const closed = (await closings(sql, { kind: "stuffing", subjectIds: [ORGANISATION] })).get(ORGANISATION);
  const after = new Date(Math.max(now.getTime() - limits.minutes * MINUTE_MS, closed?.getTime() ?? 0));
  const { rows } = await sql.query<StuffingCounts>(
    `with account as (
       select coalesce(person_id::text, name_hash) as id, count(*) filter (where outcome = 'failed') as failures, count(*) filter (where outcome = 'ok') as successes
       from sign_in_attempts where at > $1 and kind = 'password' group by 1
     ), failed as (select network, at from sign_in_attempts where at > $1 and kind = 'password' and outcome = 'failed')
     select (select count(*)::int from account where failures > 0 and successes = 0) as accounts, (select count(distinct network)::int from failed) as networks,
       (select coalesce(sum(failures), 0)::int from account) as failures, (select coalesce(sum(successes), 0)::int from account) as successes,
       (select min(at) from failed) as "firstAt", (select max(at) from failed) as "lastAt"`,
    [after],
  );
  const [counts] = rows;
  const evidence = counts && counts.lastAt !== null && counts.lastAt > since ? stuffing(counts, limits) : null;
  return evidence ? [{ kind: "stuffing", subject: { type: "organisation", id: ORGANISATION, personId: null }, ...evidence }] : [];
}
