import { lockAdministrators } from "../../access/last-administrator.ts";
import { reachesAnything } from "../../access/policy.ts";
import { lockRules } from "../../access/rule-lock.ts";
import { lockReportingLines } from "../../directory/people-checks.ts";
import type { ApiCall, Route } from "./route.ts";

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An operation of a bulk request, as far as it says what will be locked. */
export interface LockingOperation {
  route: Pick<Route, "access" | "locks">;
  params: Readonly<Record<string, string>>;
  body: unknown;
}

/**
 * Takes at once, in the order that every single request keeps (administrators, rules, reporting lines, people by id), what the operations of one
 * transaction would take one after another in an order of their own: two requests would wait for each other in a circle. What will be
 * refused wherever it is asked makes nobody wait.
 */
export async function lockAhead(call: Pick<ApiCall, "sql" | "reach">, given: readonly LockingOperation[]): Promise<void> {
  const { sql } = call;
  const operations: LockingOperation[] = [];
  const held = new Map<string, boolean>();
  for (const operation of given) {
    const { access } = operation.route;
    if (typeof access === "object" && !held.has(access.permission))
      held.set(access.permission, reachesAnything(await call.reach(access.permission)));
    if (typeof access !== "object" || held.get(access.permission)) operations.push(operation);
  }
  const locked = new Set(operations.map(({ route }) => route.locks));
  if (locked.has("administrators") || locked.has("rules")) await lockAdministrators(sql);
  await lockRules(sql, locked.has("rules") ? "alone" : "shared");
  if (operations.some(({ body }) => isNamed(body, "managerId"))) await lockReportingLines(sql);
  const ids = [...new Set(operations.flatMap(peopleOf))];
  if (ids.length > 0) await sql.query("select from people where id = any($1::uuid[]) order by id for update", [ids]);
}

/** The people who stand in an operation's path or are named by its body. */
function peopleOf({ route: { access }, params, body }: LockingOperation): string[] {
  const inPath =
    typeof access === "object" && typeof access.on === "object" && "person" in access.on ? params[access.on.person] : undefined;
  const inBody = isNamed(body, "personId") ? body.personId : undefined;
  return [inPath, inBody].filter((id): id is string => typeof id === "string" && UUID.test(id));
}

function isNamed<Key extends string>(body: unknown, key: Key): body is Record<Key, unknown> {
  return typeof body === "object" && body !== null && key in body;
}
