import type { Within } from "../audit/search.ts";
import type { Sql } from "../db/database.ts";
import { reachedPeople, type Reach } from "./policy.ts";
import { reachedPeopleIds } from "./reached-people.ts";

/** What belongs to a person besides the person: by these events of it are theirs. */
const BELONGINGS = [
  { type: "grant", table: "grants", id: "grant_id", cast: "uuid" },
  { type: "token", table: "tokens", id: "id", cast: "uuid" },
  { type: "request", table: "access_requests", id: "id", cast: "uuid" },
  { type: "account", table: "accounts", id: "id", cast: "bigint" },
  { type: "incident", table: "incidents", id: "id", cast: "uuid" },
] as const;

const LOOKS_LIKE = { uuid: "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", bigint: "^[0-9]{1,18}$" } as const;
const subjectAs = (cast: keyof typeof LOOKS_LIKE) => `case when e.subject_id ~ '${LOOKS_LIKE[cast]}' then e.subject_id::${cast} end`;

/** SQL of the person whom an event (`e`) is about, or null: it is about the organisation. */
const PERSON_OF_EVENT = `case e.subject_type when 'person' then ${subjectAs("uuid")}
  ${BELONGINGS.map(({ type, table, id, cast }) => `when '${type}' then (select b.person_id from ${table} b where b.${id} = ${subjectAs(cast)} limit 1)`).join("\n  ")} end`;

/** SQL of whether an event is about a unit below these paths, or about what a group holds there. */
const aboutUnit = (paths: string) => `case e.subject_type
  when 'unit' then exists (select from units u where u.id = ${subjectAs("uuid")} and u.path operator(public.<@) any(${paths}))
  when 'grant' then exists (select from grants b join units u on u.id = b.unit_id where b.grant_id = ${subjectAs("uuid")} and b.group_id is not null and u.path operator(public.<@) any(${paths}))
  else false end`;

/** Up to so many people their events are looked up one by one; of more, events are so frequent that walking the trail finds them sooner. */
const FEW = 5000;

/**
 * The events in reach: those about people in reach, their grants, tokens, requests and accounts, those about units in reach and what
 * groups hold there, and for whoever holds the permission on the organisation those about nobody, or nobody any more.
 */
export async function reachedEvents(sql: Sql, reach: Reach): Promise<Within> {
  if (reach.everything) return { condition: () => ({ text: "true", values: [] }) };
  if (!reach.organisation && (await areFew(sql, reach))) return { subjects: (from) => subjectsOf(reach, from) };
  return {
    condition(from) {
      const people = reachedPeople(reach, { person: "p", from });
      // Not `not`: who is nobody's self makes the condition null rather than false.
      const text = reach.organisation
        ? `not exists (select from people p where p.id = ${PERSON_OF_EVENT} and ${people.text} is not true)`
        : `(exists (select from people p where p.id = ${PERSON_OF_EVENT} and ${people.text}) or ${aboutUnit(`$${from}::ltree[]`)})`;
      return { text, values: people.values };
    },
  };
}

async function areFew(sql: Sql, reach: Reach): Promise<boolean> {
  const people = reachedPeopleIds(reach, { from: 2 });
  if (people === undefined) return false;
  const { rowCount } = await sql.query(`select from (${people.text}) who limit $1`, [FEW + 1, ...people.values]);
  return (rowCount ?? 0) <= FEW;
}

function subjectsOf(reach: Reach, from: number) {
  const people = reachedPeopleIds(reach, { from });
  if (people === undefined) throw new Error("who reaches the organisation has no list of people");
  return {
    text: `with who as materialized (${people.text})
      select 'person' as type, who.id::text as id from who
      ${BELONGINGS.map(({ type, table, id }) => `union select '${type}', b.${id}::text from ${table} b join who on who.id = b.person_id${table === "grants" ? " and b.recorded_to is null" : ""}`).join("\n      ")}
      union select 'grant', b.grant_id::text from grants b join who on who.id = b.person_id and b.recorded_to is not null
      union select 'unit', u.id::text from units u where u.path operator(public.<@) any($${from}::ltree[])
      union select 'grant', b.grant_id::text from units u join grants b on b.unit_id = u.id and b.group_id is not null where u.path operator(public.<@) any($${from}::ltree[])`,
    values: people.values,
  };
}
