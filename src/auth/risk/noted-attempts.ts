import type { Sql } from "../../db/database.ts";
import type { AttemptKind, AttemptOutcome } from "./attempts.ts";

/** An attempt as the detectors read it. */
export interface NotedAttempt {
  at: Date;
  kind: AttemptKind;
  outcome: AttemptOutcome;
  personId: string | null;
  nameHash: string | null;
  network: string | null;
  why: string | null;
}

const COLUMNS = `at, kind, outcome, person_id as "personId", name_hash as "nameHash", network, why`;
/** Beyond so many of one subject in one window there is nothing left to find out. */
const MOST = 5000;

/** What people do to get in; tokens have a detector of their own. */
const BY_PEOPLE = "kind <> 'token'";

/** So many people's attempts are read at once: a trip for each would take longer than all else. */
const PEOPLE_AT_ONCE = 100;

/** Each person's attempts after `after`, the oldest first; nobody who made none. */
export async function* attemptsOfPeople(
  sql: Sql,
  { personIds, after }: { personIds: readonly string[]; after: Date },
): AsyncGenerator<{ personId: string; attempts: NotedAttempt[] }> {
  for (let from = 0; from < personIds.length; from += PEOPLE_AT_ONCE) {
    const { rows } = await sql.query<NotedAttempt & { personId: string }>(
      `select a.* from unnest($1::uuid[]) who (person) cross join lateral (
         select id, ${COLUMNS} from sign_in_attempts where person_id = who.person and at > $2 and ${BY_PEOPLE} order by at desc, id desc limit ${MOST}) a
       order by a."personId", a.at, a.id`,
      [personIds.slice(from, from + PEOPLE_AT_ONCE), after],
    );
    const byPerson = new Map<string, NotedAttempt[]>();
    for (const row of rows) {
      const attempts = byPerson.get(row.personId);
      if (attempts) attempts.push(row);
      else byPerson.set(row.personId, [row]);
    }
    for (const [personId, attempts] of byPerson) yield { personId, attempts };
  }
}

/** What came from one network after `after`, the oldest first. */
export async function attemptsOfNetwork(sql: Sql, { network, after }: { network: string; after: Date }): Promise<NotedAttempt[]> {
  const { rows } = await sql.query<NotedAttempt>(
    `select * from (select id, ${COLUMNS} from sign_in_attempts where network = $1 and at > $2 and ${BY_PEOPLE} order by at desc, id desc limit ${MOST}) a order by at, id`,
    [network, after],
  );
  return rows;
}

/** Who, or by what name, an attempt was for. */
export function accountOf({ personId, nameHash }: NotedAttempt): string | null {
  return personId ?? nameHash;
}
