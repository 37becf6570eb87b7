import type { Sql } from "../db/database.ts";

/**
 * Members that groups of a connection name and that none of its own records stands for: a sentence for whoever can change that;
 * undefined when there are none. A member is found among the accounts of the same connection alone, since another system may
 * use the same names for others.
 */
export async function sentenceOfWaitingMembers(
  sql: Sql,
  { connection: { id, name } }: { connection: { id: number; name: string } },
): Promise<string | undefined> {
  const { rows } = await sql.query<{ members: number; groups: number }>(
    "select count(distinct reference)::int as members, count(distinct account_id)::int as groups from pending_references where connection_id = $1 and kind = 'member'",
    [id],
  );
  const { members = 0, groups = 0 } = rows[0] ?? {};
  if (members === 0) return undefined;
  return `groups: ${members} of the members that ${groups} groups name are none of the people and groups that ${name} reads; they join once it reads them. Where another connection masters these people, let ${name} read them all the same: mapping.match joins its accounts to them.`;
}
