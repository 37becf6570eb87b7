import type { Sql } from "../../src/db/database.ts";
import type { Callers } from "./fill.ts";
import { FAMILY_NAMES, GIVEN_NAMES } from "./fill.ts";

export interface Question {
  caller: keyof Callers;
  /** Below /api/v1. */
  path: string;
}

const CALLERS = ["administrator", "unitAdministrator", "manager"] as const;

/** Questions as people ask them, of two kinds; each caller asks all of them. */
export async function questionsOf(
  sql: Sql,
  { people, count }: { people: number; count: number },
): Promise<{ search: Question[]; list: Question[] }> {
  const { rows: units } = await sql.query<{ id: string }>("select id from units order by code limit 40");
  const { rows: groups } = await sql.query<{ id: string }>("select id from groups order by display_name limit 40");
  const { rows: managers } = await sql.query<{ id: string }>(
    "select distinct manager_id as id from people where manager_id is not null limit 40",
  );
  const pick = <T>(list: readonly T[], at: number): T | undefined => list[at % list.length];
  const person = (at: number) => (at * 7_368_787) % people;
  const search = (at: number) => {
    const [given, family] = [pick(GIVEN_NAMES, at) ?? "", pick(FAMILY_NAMES, at * 3) ?? ""];
    const number = person(at);
    const words = [
      `${given} ${family}${Math.floor(number / 400)}`,
      `${family.slice(1, 6)}${Math.floor(number / 400)}`,
      `person${number}@example`,
      `${20_000_000 + number * 7}`.slice(0, 7),
      `${given.slice(0, 4)} ${number}`,
      `E${number}`,
      family,
    ];
    return `/people?q=${encodeURIComponent(pick(words, at) ?? "")}`;
  };
  const list = (at: number) => {
    const queries = [
      "/people",
      `/people?unit=${pick(units, at)?.id}`,
      "/people?state=suspended",
      `/people?manager=${pick(managers, at)?.id}`,
      "/people?sort=-modified",
      `/people?group=${pick(groups, at)?.id}&sort=userName`,
      `/people?unit=${pick(units, at * 7)?.id}&active=true&sort=userName`,
    ];
    return pick(queries, at) ?? "/people";
  };
  const asked = (path: (at: number) => string, callers: readonly (keyof Callers)[]) =>
    Array.from({ length: count }, (_, at) => ({
      caller: callers[at % callers.length] ?? "administrator",
      path: path(Math.floor(at / callers.length)),
    }));
  // Units and groups are named by those who may see them.
  return { search: asked(search, CALLERS), list: asked(list, ["administrator"]) };
}
