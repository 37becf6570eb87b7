import path from "node:path";
import { loadShippedRoles } from "../../src/access/shipped-roles.ts";
import { createToken } from "../../src/auth/tokens.ts";
import { createContext } from "../../src/context.ts";
import { inTransaction, openDatabase, type Sql } from "../../src/db/database.ts";
import { projectFolder } from "../../src/db/folder.ts";
import { createUnit } from "../../src/directory/units.ts";
import { createLog } from "../../src/log.ts";

export interface AccessSize {
  people: number;
  units: number;
  grants: number;
  groups: number;
}

/** Of a hundred grants so many are to groups. */
const TO_GROUPS = 5;
/** Groups that each person is in. */
const MEMBERSHIPS = 2;
/** Units below each unit. */
const BRANCHES = 6;

/** An organisation of this size in an empty, migrated database; some grants have run out and some are still to begin. Returns a token of scope `api`. */
export async function fillAccess(url: string, size: AccessSize): Promise<string> {
  const db = openDatabase({ url, poolSize: 2 });
  try {
    const ctx = createContext({ actor: "cli:bench", log: createLog({ level: "error" }) });
    return await inTransaction(db, ctx, async (work) => {
      await loadShippedRoles(work, { folder: path.join(projectFolder(), "config/roles"), modules: ["register", "dashboard"] });
      const units: string[] = [];
      for (let number = 0; number < size.units; number += 1)
        units.push(
          await createUnit(work, {
            name: `Unit ${number}`,
            code: `U${number}`,
            type: number === 0 ? "organization" : "department",
            parentId: units[Math.floor((number - 1) / BRANCHES)] ?? null,
          }),
        );
      await fillPeople(work.sql, size);
      await fillGrants(work.sql, { ...size, unitIds: units });
      return (await createToken(work, { name: "bench", scope: "api" })).token;
    });
  } finally {
    await db.close();
  }
}

async function fillPeople(sql: Sql, { people, groups }: AccessSize): Promise<void> {
  await sql.query(`create table bench_people as select number, gen_random_uuid() as id from generate_series(0, ${people - 1}) number`);
  await sql.query("create unique index on bench_people (number)");
  await sql.query(
    `insert into people (id, user_name, display_name, attributes, created_at, modified_at)
     select id, 'person' || number || '@example.com', 'Person ' || number, '{}', now(), now() from bench_people`,
  );
  await sql.query(
    `insert into lifecycle_periods (person_id, state, reason, valid_from, recorded_from)
     select id, 'active', 'joined', now() - interval '1 day', now() from bench_people`,
  );
  await sql.query(`create table bench_groups as select number, gen_random_uuid() as id from generate_series(0, ${groups - 1}) number`);
  await sql.query(
    "insert into groups (id, display_name, created_at, modified_at) select id, 'Group ' || number, now(), now() from bench_groups",
  );
  await sql.query(
    `insert into memberships (group_id, person_id, valid_from, recorded_from)
     select g.id, p.id, now() - interval '1 day', now() from bench_people p cross join generate_series(1, $1::int) turn
     join bench_groups g on g.number = (p.number * 7 + turn * 131) % $2::int`,
    [MEMBERSHIPS, groups],
  );
}

async function fillGrants(sql: Sql, { people, grants, groups, unitIds }: AccessSize & { unitIds: readonly string[] }): Promise<void> {
  await sql.query(
    `insert into grants (grant_id, person_id, group_id, role_id, unit_id, source, granted_by, valid_from, valid_to, recorded_from)
     select gen_random_uuid(), p.id, g.id, roles.ids[1 + (n * 13) % cardinality(roles.ids)], ($4::uuid[])[1 + (n::bigint * 7919) % cardinality($4::uuid[])],
       'manual', 'cli:bench', now() - interval '1 hour' + case when n % 50 = 7 then interval '1 day' else interval '0' end,
       case when n % 20 = 3 then now() + interval '30 days' end, now()
     from generate_series(0, $1::int - 1) n
     cross join (select array_agg(id order by key) as ids from roles where deleted_at is null) roles
     left join bench_people p on n % 100 >= $5::int and p.number = n % $2::int
     left join bench_groups g on n % 100 < $5::int and g.number = n % $3::int`,
    [grants, people, groups, unitIds, TO_GROUPS],
  );
  for (const table of ["people", "lifecycle_periods", "memberships", "grants", "groups"]) await sql.query(`analyze ${table}`);
}

export interface Sample {
  person: string;
  permission: string;
  unit: string;
}

/** Questions of which about every other one asks for what some grant gives. */
export async function sampleQuestions(sql: Sql, { count }: { count: number }): Promise<Sample[]> {
  const { rows } = await sql.query<Sample>(
    `with held as (
       select g.person_id as person, g.unit_id as unit, (select permission_key from role_permissions r where r.role_id = g.role_id and r.recorded_to is null limit 1) as permission
       from grants g where g.person_id is not null order by g.grant_id limit $1
     ), others as (
       select person, lag(unit) over (order by person) as unit, lag(permission, 2) over (order by person) as permission from held
     )
     select * from held where permission is not null union all select * from others where unit is not null and permission is not null`,
    [Math.ceil(count / 2)],
  );
  // Neither by person nor by kind.
  return rows
    .map((row, index) => ({ row, place: (index * 7_368_787) % rows.length }))
    .sort((a, b) => a.place - b.place)
    .map(({ row }) => row);
}
