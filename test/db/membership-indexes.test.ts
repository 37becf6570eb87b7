import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { comingRights } from "../../src/access/coming-rights.ts";
import { conditionCandidates } from "../../src/access/condition-candidates.ts";
import { accessOnUnit, effectiveAccess } from "../../src/access/effective.ts";
import { carryOutExpiry } from "../../src/access/expiry.ts";
import { loadExplainFacts } from "../../src/access/explain-load.ts";
import { loadPersonFacts } from "../../src/access/facts.ts";
import { isMember } from "../../src/access/giving.ts";
import { giveGrant } from "../../src/access/grants.ts";
import { changeGroupMembers } from "../../src/access/group-changes.ts";
import { readHoldings } from "../../src/access/preview-held.ts";
import type { Caller } from "../../src/access/policy.ts";
import { loadHolders, loadMembers } from "../../src/access/preview-load.ts";
import { holdingMore } from "../../src/access/shutting-out.ts";
import { readPeople } from "../../src/access/snapshot/rows.ts";
import { loadOtherWays } from "../../src/access/why-not-load.ts";
import { factorRequirementsOf } from "../../src/auth/factors/needed.ts";
import { inTransaction, type Sql } from "../../src/db/database.ts";
import { groupsOfPeople, membersInEffect } from "../../src/directory/groups.ts";
import { closePeriods } from "../../src/directory/periods.ts";
import { found } from "../access/organisation.ts";
import { groupsView } from "../../src/http/scim/groups-view.ts";
import { usersView } from "../../src/http/scim/users-view.ts";
import { parameters } from "../../src/http/scim/view.ts";
import { testContext, testDatabase, type TestDatabase } from "../helpers/database.ts";

const personId = "00000000-0000-4000-8000-000000000007";
const groupId = "00000000-0000-4000-9000-000000000003";
const at = new Date();

let db: TestDatabase;
let unitId: string;
// Everybody is in three groups, was in as many before, and once was believed to be in one more.
beforeAll(async () => {
  db = await testDatabase();
  await db.pool.query(`
    insert into people (id, user_name, attributes, created_at, modified_at)
      select format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'u' || n, '{}', now(), now() from generate_series(1, 3000) n;
    insert into groups (id, display_name, created_at, modified_at)
      select format('00000000-0000-4000-9000-%s', lpad(n::text, 12, '0'))::uuid, 'g' || n, now(), now() from generate_series(0, 499) n;
    insert into memberships (group_id, person_id, valid_from, valid_to, recorded_from, recorded_to)
      select format('00000000-0000-4000-9000-%s', lpad(((person + g) % 500)::text, 12, '0'))::uuid, format('00000000-0000-4000-8000-%s', lpad(person::text, 12, '0'))::uuid,
        now() - interval '2 years', case when g between 4 and 6 then now() - interval '1 year' end, now() - interval '2 years', case when g = 7 then now() - interval '1 year' end
      from generate_series(1, 3000) person cross join generate_series(1, 7) g;
    analyze`);
  await inTransaction(db, testContext(), async (work) => {
    const { roles, units } = await found(work);
    const [role = "", unit = ""] = [roles[0], units[0]];
    unitId = unit;
    await giveGrant(work, { groupId, role, unit, source: "manual", expiresAfterSeconds: 3600 });
  });
});
afterAll(() => db.drop());

interface Plan {
  "Node Type": string;
  "Relation Name"?: string;
  "Index Name"?: string;
  "Index Cond"?: string;
  Plans?: Plan[];
}

/** A database that shows the plan of each question about memberships, as it stands with these values, before it answers. */
function watched(sql: Sql, plans: Plan[]): Sql {
  const query = async (statement: string | { text: string; values?: unknown[] }, given?: unknown[]) => {
    const { text, values } = typeof statement === "string" ? { text: statement, values: given } : statement;
    if (/memberships/.test(text)) {
      const { rows } = await sql.query<{ "QUERY PLAN": { Plan: Plan }[] }>(`explain (format json) ${text}`, values);
      plans.push(...rows.flatMap((row) => row["QUERY PLAN"].map(({ Plan: plan }) => plan)));
    }
    return sql.query(text, values);
  };
  return { query } as unknown as Sql;
}

const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];

/** Which indexes of memberships are asked, and by what; `everything` where all are read. */
async function indexesAsked(ask: (sql: Sql) => Promise<unknown>): Promise<Set<string>> {
  const plans: Plan[] = [];
  await inTransaction(db, testContext(), async ({ sql }) => ask(watched(sql, plans)));
  expect(plans).not.toEqual([]);
  const seen = plans
    .flatMap(nodesOf)
    .filter((node) => node["Relation Name"] === "memberships" || node["Index Name"]?.startsWith("memberships_"))
    .filter((node) => node["Node Type"] !== "Bitmap Heap Scan" && node["Node Type"] !== "ModifyTable");
  return new Set(
    seen.map((node) => (node["Index Cond"] === undefined ? `everything by ${node["Node Type"]}` : (node["Index Name"] ?? ""))),
  );
}

const OPEN_AND_PAST = ["memberships_of_person", "memberships_past_of_person"];
const ONE = { personId, at };
const explained = () => ({ personId, at, permission: "test.door.view", unitId });

const BY_PERSON: Record<string, (sql: Sql) => Promise<unknown>> = {
  access: (sql) => effectiveAccess(sql, ONE),
  "access on a unit": (sql) => accessOnUnit(sql, { ...ONE, unitId }),
  "second factors": (sql) => factorRequirementsOf(sql, ONE),
  "rights to come": (sql) => comingRights(sql, ONE),
  "being in a group": (sql) => isMember(sql, { ...ONE, groupId }),
  "groups of people": (sql) => groupsOfPeople(sql, { personIds: [personId], at }),
  "facts for conditions": (sql) => loadPersonFacts(sql, { personIds: [personId], at }),
  "groups for conditions": (sql) => loadPersonFacts(sql, { personIds: [personId], at, fields: new Set(["groups"]) }),
  "the snapshot": (sql) => readPeople(sql, { since: at, ids: [personId] }),
};

test.each(Object.entries(BY_PERSON))("%s: what is believed of somebody is found by the person", async (_, ask) => {
  expect([...(await indexesAsked(ask))].toSorted()).toEqual(OPEN_AND_PAST);
});

test("so is what was believed once", async () => {
  expect([...(await indexesAsked((sql) => effectiveAccess(sql, { ...ONE, knownAt: at })))].toSorted()).toEqual([
    "memberships_believed",
    ...OPEN_AND_PAST,
  ]);
});

const BY_GROUP: Record<string, (sql: Sql) => Promise<unknown>> = {
  members: (sql) => loadMembers(sql, { groupIds: [groupId], at }),
  holders: (sql) => loadHolders(sql, { by: "units", ids: [unitId], at }),
  "members in effect": (sql) => membersInEffect(sql, { groupIds: [groupId], at }).next(),
  "members for conditions": (sql) => conditionCandidates(sql, { implied: { field: "groups", holds: "g3" }, at }),
  "members whose time ends": (sql) => carryOutExpiry({ sql, ctx: testContext() }),
};

test.each(Object.entries(BY_GROUP))("%s: what is believed of a group is found by the group", async (_, ask) => {
  expect([...(await indexesAsked(ask))].filter((each) => !OPEN_AND_PAST.includes(each)).toSorted()).toEqual([
    "memberships_once",
    "memberships_past",
  ]);
});

function drifted(sql: Sql, { viewOf, id }: { viewOf: typeof usersView; id: string }) {
  const given = parameters();
  const { drifts, table, joins, id: idOf, visible } = viewOf({ parameters: given, connectionId: 1, base: "/scim/v2" });
  return sql.query(
    `select ${drifts?.since} as drifted from ${table} ${joins} where ${idOf} = ${given.add(id)}::uuid and ${visible}`,
    given.values,
  );
}

const CALLER: Caller = { actor: "person:nobody", credential: "none", personId: groupId, permissions: null, unitIds: null };
const ELSEHOW: Record<string, (sql: Sql) => Promise<unknown>> = {
  explaining: (sql) => loadExplainFacts(sql, explained()),
  "explaining what was believed": (sql) => loadExplainFacts(sql, { ...explained(), knownAt: at }),
  previews: async (sql) => (await readHoldings(sql, { at: new Date(Date.now() + 1000) })).of([personId]),
  "who holds more": (sql) => holdingMore({ sql, ctx: testContext() }, { caller: CALLER, personIds: [personId], onceIn: false }),
  "why not": async (sql) => loadOtherWays(sql, await loadExplainFacts(sql, explained()), explained()),
  joining: (sql) =>
    changeGroupMembers(
      { sql, ctx: testContext() },
      { groupId, add: { people: [personId], groups: [] }, remove: { people: [], groups: [] } },
    ),
  "whether a user is what it was": (sql) => drifted(sql, { viewOf: usersView, id: personId }),
  "whether a group is what it was": (sql) => drifted(sql, { viewOf: groupsView, id: groupId }),
  leaving: (sql) => closePeriods(sql, { table: "memberships", ids: [7], personIds: [personId], at }),
};

test.each(Object.entries(ELSEHOW))("%s: nothing reads all memberships", async (_, ask) => {
  expect([...(await indexesAsked(ask))].filter((each) => each.startsWith("everything"))).toEqual([]);
});
