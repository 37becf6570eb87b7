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

/** One person's attempts after `after`, the oldest first. */
export async function attemptsOfPerson(sql: Sql, { personId, after }: { personId: string; after: Date }): Promise<NotedAttempt[]> {
  const { rows } = await sql.query<NotedAttempt>(
    `select * from (select id, ${COLUMNS} from sign_in_attempts where person_id = $1 and at > $2 and ${BY_PEOPLE} order by at desc, id desc limit ${MOST}) a order by at, id`,
    [personId, after],
  );
  return rows;
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
