import type { Sql, Work } from "../db/database.ts";
import { enqueue } from "../db/queue.ts";

/** So many ids a job holds. */
const AT_ONCE = 5_000;

/**
 * SQL of whether a rule's condition asks which roles people hold: by the word, so that it errs towards asking. What such rules give is no answer to
 * such a question: otherwise one would hold up what it has given itself, or take it away and give it in turns. `rule` is the alias.
 */
export const ASKS_ROLES = (rule: string) => `coalesce(${rule}.condition ~ '\\mroles\\M', false)`;

/** SQL of whether a grant counts where a rule asks for roles. `grant` is the alias. */
export const COUNTS_FOR_RULES = (grant: string) =>
  `(${grant}.rule_id is null or not exists (select from rules asking where asking.id = ${grant}.rule_id and ${ASKS_ROLES("asking")}))`;

/** Whether any rule asks for roles. Exact for who holds the lock of rules, shared. */
export async function rulesAskForRoles(sql: Sql): Promise<boolean> {
  const { rows } = await sql.query<{ asks: boolean }>(
    `select exists (select from rules where ${ASKS_ROLES("rules")} and enabled and deleted_at is null) as asks`,
  );
  return rows[0]?.asks ?? false;
}

/** People, and groups with all who are in them. */
export interface Holders {
  personIds: readonly string[];
  groupIds: readonly string[];
}

/** Has the conditions that ask for roles looked at anew for those whose grants have changed, once this is committed. */
export async function wakeRulesOnRoles({ sql }: Work, { personIds, groupIds }: Holders): Promise<void> {
  if (personIds.length + groupIds.length === 0 || !(await rulesAskForRoles(sql))) return;
  const portions = (ids: readonly string[]) =>
    Array.from({ length: Math.ceil(ids.length / AT_ONCE) }, (_, index) => ids.slice(index * AT_ONCE, (index + 1) * AT_ONCE));
  const payloads = [
    ...portions(personIds).map((ids) => ({ personIds: ids, groupIds: [] })),
    ...portions(groupIds).map((ids) => ({ personIds: [], groupIds: ids })),
  ];
  for (const payload of payloads) await enqueue(sql, { job: "follow_roles", payload, queue: "follow_roles" });
}
