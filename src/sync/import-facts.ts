import { reachedPeople, reachedUnits, type Reach } from "../access/policy.ts";
import type { Sql } from "../db/database.ts";
import type { Contribution } from "../directory/attributes.ts";
import { listCustomAttributes, type StoredAttribute } from "../directory/custom-attributes.ts";
import type { ImportInput } from "./import-columns.ts";
import { findClaims, knownPeople } from "./known.ts";
import { speakersOf } from "./local-people.ts";
import type { Speakers } from "./origins.ts";
import type { KnownPerson } from "./records.ts";

/** Where the caller may do what an import does. Oneself and one's team don't count: a file is an administrator's. */
export interface ImportReach {
  import: Reach;
  create: Reach;
  edit: Reach;
  view: Reach;
  /** Who brings the file: whom they administer or lead already, and whether they do the whole organisation; null for a service. */
  by: { personId: string; leads: Reach; organisation: boolean } | null;
}

export interface HeldUnit {
  rowId: number;
  unitId: string;
  /** The connection that puts the person there; null = by hand. */
  connection: string | null;
  inReach: boolean;
}

/** Everything that deciding about the rows needs. */
export interface ImportFacts {
  /** By login, address and employee number as the file has them: whose they are. */
  byUserName: ReadonlyMap<string, string>;
  byEmail: ReadonlyMap<string, string>;
  byEmployeeNumber: ReadonlyMap<string, readonly string[]>;
  people: ReadonlyMap<string, KnownPerson>;
  /** Of the people, those whom the caller may change by a file. */
  inReach: ReadonlySet<string>;
  /** By lower-cased code, in reach for whom is new, and for whom is known. */
  unitsToCreate: ReadonlyMap<string, string>;
  unitsToEdit: ReadonlyMap<string, string>;
  held: ReadonlyMap<string, readonly HeldUnit[]>;
  /** By login as the file has it: who may be named as a manager. */
  managers: ReadonlyMap<string, string>;
  /** Who reports to whom, for everybody above anybody concerned. */
  above: ReadonlyMap<string, string | null>;
  /**
   * Who brings the file, whether they administer the whole organisation, and those of the people who lead somebody whom they don't
   * administer; null for a service.
   */
  by: { personId: string; organisation: boolean; strangers: ReadonlySet<string> } | null;
  /** Whether people without a unit may be made. */
  organisation: boolean;
  speakers: Pick<Speakers, "mappingOf" | "silent" | "signIns">;
  /** Names of connections. */
  connections: ReadonlyMap<number, string>;
  catalogue: readonly StoredAttribute[];
  /** The instant at which it is decided. */
  now: Date;
}

function claimedBy({ userName, email, employeeNumber }: ImportInput): Contribution {
  return {
    ...(userName === undefined ? {} : { userName }),
    ...(email === undefined ? {} : { emails: [{ value: email }] }),
    ...(employeeNumber === undefined ? {} : { employeeNumber }),
  };
}

/** Loads them with a fixed number of statements; `lock` holds the people and units until the transaction ends. */
export async function loadImportFacts(
  sql: Sql,
  { inputs, reach, lock, now }: { inputs: readonly ImportInput[]; reach: ImportReach; lock: boolean; now: Date },
): Promise<ImportFacts> {
  const of = (pick: (input: ImportInput) => string | undefined) => [...new Set(inputs.flatMap((input) => pick(input) ?? []))];
  const { byUserName, byEmail, candidates } = await findClaims(sql, {
    // Who has an account of which connection doesn't matter here.
    connectionId: 0,
    contributions: inputs.map(claimedBy),
    keys: ["employeeNumber"],
  });
  const byEmployeeNumber = new Map<string, string[]>();
  for (const { personId, value } of candidates) byEmployeeNumber.set(value, [...(byEmployeeNumber.get(value) ?? []), personId]);
  const ids = [...new Set([...byUserName.values(), ...byEmail.values(), ...candidates.map(({ personId }) => personId)])];
  const people = await knownPeople(sql, ids, { lock });
  const codes = [...new Set(inputs.flatMap(({ units }) => units ?? []))];
  const managers = await managersOf(sql, { logins: of(({ manager }) => manager), reach: reach.view });
  const { rows: connections } = await sql.query<{ id: number; name: string }>("select id, name from connections");
  return {
    byUserName,
    byEmail,
    byEmployeeNumber,
    people,
    inReach: await peopleInReach(sql, { ids, reaches: [reach.import, reach.edit] }),
    unitsToCreate: await unitsByCode(sql, { codes, reaches: [reach.import, reach.create], lock }),
    unitsToEdit: await unitsByCode(sql, { codes, reaches: [reach.import, reach.edit], lock }),
    held: await heldUnits(sql, { ids, reaches: [reach.import, reach.edit] }),
    managers,
    above: await everybodyAbove(sql, [...ids, ...managers.values()]),
    by: reach.by && {
      ...reach.by,
      strangers: inputs.every(({ manager }) => manager === undefined)
        ? new Set()
        : await leadingStrangers(sql, { ids, reach: reach.by.leads }),
    },
    organisation: reach.import.organisation && reach.create.organisation,
    speakers: await speakersOf(sql),
    connections: new Map(connections.map(({ id, name }) => [id, name])),
    catalogue: await listCustomAttributes(sql),
    now,
  };
}

async function peopleInReach(sql: Sql, { ids, reaches }: { ids: readonly string[]; reaches: readonly Reach[] }): Promise<Set<string>> {
  let left = [...ids];
  for (const reach of reaches) {
    const within = reachedPeople(reach, { person: "p", from: 2 });
    const { rows } = await sql.query<{ id: string }>(`select p.id from people p where p.id = any($1::uuid[]) and ${within.text}`, [
      left,
      ...within.values,
    ]);
    left = rows.map(({ id }) => id);
  }
  return new Set(left);
}

async function unitsByCode(
  sql: Sql,
  { codes, reaches, lock }: { codes: readonly string[]; reaches: readonly Reach[]; lock: boolean },
): Promise<Map<string, string>> {
  let found: { id: string; code: string }[] | undefined;
  for (const reach of reaches) {
    const within = reachedUnits(reach, { unit: "u", from: 3 });
    const { rows } = await sql.query<{ id: string; code: string }>(
      `select u.id, lower(u.code::text) as code from units u where u.code = any($1::citext[]) and ($2::uuid[] is null or u.id = any($2)) and u.deleted_at is null and ${within.text}
       order by u.id ${lock ? "for key share" : ""}`,
      [codes, found?.map(({ id }) => id) ?? null, ...within.values],
    );
    found = rows;
  }
  return new Map((found ?? []).map(({ id, code }) => [code, id]));
}

async function heldUnits(
  sql: Sql,
  { ids, reaches }: { ids: readonly string[]; reaches: readonly Reach[] },
): Promise<Map<string, HeldUnit[]>> {
  const held = new Map<string, HeldUnit[]>();
  const { rows } = await sql.query<HeldUnit & { personId: string; path: string }>(
    `select pu.id as "rowId", pu.person_id as "personId", pu.unit_id as "unitId", c.name as connection, u.path::text
     from person_units pu join units u on u.id = pu.unit_id left join connections c on c.id = pu.connection_id
     where pu.person_id = any($1::uuid[]) and pu.recorded_to is null and pu.valid_to is null order by pu.id`,
    [ids],
  );
  const covers = ({ everything, paths }: Reach, path: string) =>
    everything || paths.some((each) => path === each || path.startsWith(`${each}.`));
  for (const { personId, path, ...unit } of rows)
    held.set(personId, [...(held.get(personId) ?? []), { ...unit, inReach: reaches.every((reach) => covers(reach, path)) }]);
  return held;
}

async function managersOf(sql: Sql, { logins, reach }: { logins: readonly string[]; reach: Reach }): Promise<Map<string, string>> {
  const within = reachedPeople(reach, { person: "p", from: 2 });
  const { rows } = await sql.query<{ id: string; login: string }>(
    `select p.id, named.login from unnest($1::text[]) named (login)
       cross join lateral (select * from people where lower(user_name::text) = lower(named.login) and state <> 'deleted' offset 0) p where ${within.text}`,
    [logins, ...within.values],
  );
  return new Map(rows.map(({ id, login }) => [login, id]));
}

/** Those of the people who lead, directly or through others, somebody out of reach. */
async function leadingStrangers(sql: Sql, { ids, reach }: { ids: readonly string[]; reach: Reach }): Promise<Set<string>> {
  const within = reachedPeople(reach, { person: "p", from: 2 });
  const { rows } = await sql.query<{ id: string }>(
    `with recursive below (top, id) as (
       select id, id from unnest($1::uuid[]) as given (id)
       union select below.top, p.id from below join people p on p.manager_id = below.id and p.state <> 'deleted'
     ) select distinct top as id from below join people p on p.id = below.id where ${within.text} is not true`,
    [ids, ...within.values],
  );
  return new Set(rows.map(({ id }) => id));
}

async function everybodyAbove(sql: Sql, ids: readonly string[]): Promise<Map<string, string | null>> {
  const { rows } = await sql.query<{ id: string; managerId: string | null }>(
    `with recursive above (id, manager_id) as (
       select id, manager_id from people where id = any($1::uuid[]) union select p.id, p.manager_id from above join people p on p.id = above.manager_id
     ) select id, manager_id as "managerId" from above`,
    [ids],
  );
  return new Map(rows.map(({ id, managerId }) => [id, managerId]));
}
