import path from "node:path";
import { giveGrant } from "../../src/access/grants.ts";
import { loadShippedRoles } from "../../src/access/shipped-roles.ts";
import { createToken } from "../../src/auth/tokens.ts";
import { createContext } from "../../src/context.ts";
import { inTransaction, openDatabase, type Sql, type Work } from "../../src/db/database.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { completeSearchIndexes } from "../../src/db/search-indexes.ts";
import { takeOverSearchTexts } from "../../src/db/search-texts.ts";
import { ENTERPRISE_USER } from "../../src/directory/attributes.ts";
import { createUnit } from "../../src/directory/units.ts";
import { createLog } from "../../src/log.ts";

/** Units below each unit. */
const BRANCHES = 6;
const GROUPS = 1000;

export const GIVEN_NAMES =
  "Søren Anna Zoë Lars Marie Jürgen Ingrid Émile Chloé Bjørn Astrid Łukasz Sofía André Nadia Tomás Freja Oskar Ines Karl".split(" ");
export const FAMILY_NAMES =
  "Müller Nørgaard Lindqvist Kowalski García Dupont Hansen Bergström Novák Silva Johansson Fischer Özdemir Petrov Rossi Kaya Smith Jensen Vogel Moreau".split(
    " ",
  );

/** Who asks: everybody's administrator, one of a part of the tree, and somebody with a team. */
export interface Callers {
  administrator: string;
  unitAdministrator: string;
  manager: string;
}

/** An organisation of this size in an empty, migrated database. Returns tokens of scope `api`. */
export async function fillPeople(url: string, { people, units }: { people: number; units: number }): Promise<Callers> {
  const db = openDatabase({ url, poolSize: 2 });
  try {
    const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }) });
    const callers = await inTransaction(db, ctx, async (work) => {
      await loadShippedRoles(work, { folder: path.join(projectFolder(), "config/roles"), modules: [] });
      const ids: string[] = [];
      for (let number = 0; number < units; number += 1)
        ids.push(
          await createUnit(work, {
            name: `Unit ${number}`,
            code: `U${number}`,
            type: number === 0 ? "organization" : "department",
            parentId: ids[Math.floor((number - 1) / BRANCHES)] ?? null,
          }),
        );
      await insertPeople(work.sql, { people, unitIds: ids });
      return callersOf(work);
    });
    await takeOverSearchTexts(ctx, db);
    await completeSearchIndexes(db.pool);
    for (const table of ["people", "person_search", "person_units", "lifecycle_periods", "memberships", "grants"])
      await db.pool.query(`vacuum analyze ${table}`);
    return callers;
  } finally {
    await db.close();
  }
}

async function insertPeople(sql: Sql, { people, unitIds }: { people: number; unitIds: readonly string[] }): Promise<void> {
  await sql.query(`create table bench_people as select number, gen_random_uuid() as id from generate_series(0, ${people - 1}) number`);
  await sql.query("create unique index on bench_people (number)");
  // Each reports to the one of a seventh of the number; one in two hundred is suspended.
  await sql.query(
    `insert into people (id, user_name, email, employee_number, display_name, active, state, attributes, manager_id, created_at, modified_at)
     select b.id, login, login || '@example.com', 'E' || b.number, given || ' ' || family, b.number % 200 <> 7, case when b.number % 200 = 7 then 'suspended' else 'active' end,
       jsonb_build_object('userName', login, 'displayName', given || ' ' || family, 'name', jsonb_build_object('givenName', given, 'familyName', family), 'title', 'Engineer',
         'emails', jsonb_build_array(jsonb_build_object('value', login || '@example.com', 'type', 'work', 'primary', true)),
         'phoneNumbers', jsonb_build_array(jsonb_build_object('value', '+45 ' || 20000000 + b.number * 7, 'type', 'mobile')),
         $3::text, jsonb_build_object('employeeNumber', 'E' || b.number, 'department', 'Department ' || b.number % 50)),
       manager.id, now(), now() - b.number * interval '1 second'
     from bench_people b
     cross join lateral (select ($1::text[])[1 + b.number % cardinality($1::text[])] as given,
       ($2::text[])[1 + (b.number / 20) % cardinality($2::text[])] || case when b.number < 400 then '' else (b.number / 400)::text end as family, 'person' || b.number as login) named
     left join bench_people manager on manager.number = b.number / 7 and b.number > 0`,
    [GIVEN_NAMES, FAMILY_NAMES, ENTERPRISE_USER],
  );
  await sql.query(
    `insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from) select id, state, 'joined', now() - interval '1 day', now() from people`,
  );
  await sql.query(
    `insert into person_units (person_id, unit_id, valid_from, recorded_from)
     select id, ($1::uuid[])[1 + (number::bigint * 7919) % cardinality($1::uuid[])], now() - interval '1 day', now() from bench_people`,
    [unitIds],
  );
  await sql.query(
    `with made as (insert into groups (id, display_name, created_at, modified_at) select gen_random_uuid(), 'Group ' || n, now(), now() from generate_series(0, ${GROUPS - 1}) n returning id, display_name)
     insert into memberships (group_id, person_id, valid_from, recorded_from)
     select g.id, b.id, now() - interval '1 day', now() from bench_people b join made g on g.display_name = 'Group ' || b.number % ${GROUPS}`,
  );
}

async function callersOf(work: Work): Promise<Callers> {
  const personOf = async (number: number) => {
    const { rows } = await work.sql.query<{ id: string }>("select id from bench_people where number = $1", [number]);
    return rows[0]?.id ?? "";
  };
  const tokenOf = async (number: number, grant?: { role: string; unit: string }) => {
    const personId = await personOf(number);
    if (grant) await giveGrant(work, { personId, ...grant });
    return (await createToken(work, { name: `bench ${number}`, scope: "api", personId })).token;
  };
  return {
    administrator: await tokenOf(1, { role: "rollcall-administrator", unit: "U0" }),
    unitAdministrator: await tokenOf(2, { role: "rollcall-unit-administrator", unit: "U9" }),
    manager: await tokenOf(20),
  };
}
